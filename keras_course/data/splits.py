"""Training, validation and test examples: cut apart by class, fixed by a seed, never overlapping."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from keras_course.base import InputError, require

import numpy as np
from sklearn.model_selection import train_test_split


class Split(NamedTuple):
    """Examples and their labels.

    x: float32 (n, height, width, channels), in [0, 1], for images; float32 (n, columns) for a table; text (n,).
    y: int64 (n,), the index of the class.
    """

    x: np.ndarray
    y: np.ndarray


_TESTS: "WeakValueDictionary[int, np.ndarray]" = WeakValueDictionary()  # the test arrays that are still in use


def is_test(array: Any) -> bool:
    """Whether an array is of the test part of some `Splits`, or a view of one; a copy is not known."""
    return isinstance(array, np.ndarray) and any(np.may_share_memory(array, test) for test in list(_TESTS.values()))


@dataclass(frozen=True)
class Splits:
    """A data set, ready for use, and what a report says of it."""

    train: Split
    validation: Split
    test: Split
    name: str
    source: str
    classes: tuple[str, ...]
    licence: str

    def __post_init__(self) -> None:
        for array in self.test:
            if isinstance(array, np.ndarray) and array.size:
                _TESTS[id(array)] = array

    @property
    def counts(self) -> dict[str, int]:
        """How many examples each split really has."""
        return {split: len(getattr(self, split).y) for split in ("train", "validation", "test")}


def split(
    x: np.ndarray, y: np.ndarray, *, sizes: Sequence[float], classes: int | None = None, seed: int = 0
) -> tuple[Split, ...]:
    """Cuts examples into stratified parts: each class has the same share of every part, as far as whole numbers allow.

    x: (n, …) finite numbers, or (n,) texts. y: (n,) whole numbers from 0 to classes - 1; without `classes`, from 0.
    sizes: one for each part, all whole numbers that add up to n, or all shares that add up to 1. A single size keeps
    all examples in their order.
    Raises InputError for examples or sizes that cannot be split.
    """
    x, y = np.asarray(x), np.asarray(y)
    _check_examples(x, y, classes)
    rows, parts = np.arange(len(y)), list[np.ndarray]()
    for count in reversed(_counts(sizes, len(y))[1:]):
        rows, part = _cut(rows, y, count, seed)
        parts.insert(0, part)
    return tuple(Split(_numbers(x[part]), y[part].astype("int64", copy=False)) for part in (rows, *parts))


def _numbers(x: np.ndarray) -> np.ndarray:
    """Numbers as float32; texts as they are."""
    return x if x.dtype.kind == "U" else x.astype("float32", copy=False)


def _cut(rows: np.ndarray, y: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """The rows that stay, and `count` that are taken out."""
    try:
        return train_test_split(rows, test_size=count, stratify=y[rows], random_state=seed)
    except ValueError as error:
        smallest = np.unique(y[rows], return_counts=True)[1].min()
        raise InputError(
            f"`y` must have enough examples of each class to take {count} of {len(rows)} out. "
            f"Received: {smallest} of the smallest class."
        ) from error


def _check_examples(x: np.ndarray, y: np.ndarray, classes: int | None) -> None:
    require(len(x) > 0, "x", "at least one example", f"shape {x.shape}")
    require(y.ndim == 1, "y", "of one axis, a class for each example", f"shape {y.shape}")
    require(len(x) == len(y), "y", f"as long as `x`, {len(x)}", len(y))
    if x.dtype.kind != "U":
        require(np.isfinite(x).all(), "x", "finite", f"{np.count_nonzero(~np.isfinite(x))} values that are not")
    require(y.dtype.kind in "iu", "y", "of whole numbers", y.dtype.name)
    top = y.max() if classes is None else classes - 1
    outside = y[(y < 0) | (y > top)]
    require(not outside.size, "y", f"a class from 0 to {top}", outside[:1].tolist())


def _counts(sizes: Sequence[float], n: int) -> list[int]:
    """Sizes as whole numbers: shares are rounded where they end, so that no example is lost."""
    whole = all(isinstance(size, int) for size in sizes)
    total = n if whole else 1
    fits = len(sizes) > 0 and min(sizes) > 0 and abs(sum(sizes) - total) < 1e-6
    require(fits, "sizes", f"numbers above 0 that add up to {total}", tuple(sizes))
    ends = np.cumsum([0, *sizes]) * (1 if whole else n)
    return np.diff(np.rint(ends).astype(int)).tolist()
