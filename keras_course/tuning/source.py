"""The examples of a search: those to train on and those to compare by, never those of the test."""

import hashlib
from typing import Any

from keras_course.base import InputError, require
from keras_course.data.pipeline import Batches
from keras_course.data.splits import Splits, is_test

import numpy as np
import tensorflow as tf

LARGE = 500  # examples in a batch that is only looked at

Pipeline = Any  # Batches | tf.data.Dataset


class Source:
    """What a trial trains on and is compared by.

    Args:
        train: `Splits`, of which the test part is let go here; arrays (x, y); a pipeline, that is a `Batches` or a
            `tf.data.Dataset` of batches; or a function of a seed that makes a pipeline, called for each training.
        validation: None with `Splits`; else arrays, a pipeline, or a function without arguments that makes one.

    Raises:
        InputError: no validation, arrays of a test split, or something else than these.
    """

    def __init__(self, train: Any, validation: Any = None) -> None:
        self.name, self.classes = "", None
        if isinstance(train, Splits):
            require(validation is None, "validation", "left out with `Splits`, which have their own", type(validation))
            self.name, self.classes = f"{train.name} ({train.source})", len(train.classes)
            train, validation = train.train, train.validation
        else:
            require(validation is not None, "validation", "what the trials are compared by", validation)
            for field, part in (("train", train), ("validation", validation)):
                _check(field, part)
        self._train, self._validation = train, validation
        self.arrays = isinstance(train, tuple)
        if self.arrays and self.classes is None and np.asarray(train[1]).dtype.kind in "iu":
            self.classes = int(max(np.max(train[1]), np.max(validation[1]) if isinstance(validation, tuple) else 0)) + 1

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Of one example; None where it is for the builder to know."""
        return tuple(np.shape(self._train[0])[1:]) if self.arrays else None

    @property
    def ordered(self) -> bool:
        """Whether the order of the examples is a function of the seed of a training alone."""
        return not isinstance(self._train, tf.data.Dataset)

    def batches(self, batch_size: int, seed: int) -> tuple[Pipeline, Pipeline]:
        """The pipelines of one training."""
        if self.arrays:
            train: Any = Batches(*self._train, batch_size=batch_size, seed=seed)
        else:
            train = self._train(seed) if callable(self._train) else self._train
        return train, self.validation()

    def validation(self) -> Pipeline:
        """The pipeline that the trials are compared by, always in the same order."""
        if isinstance(self._validation, tuple):
            return Batches(*self._validation, batch_size=LARGE, shuffle=False)
        return self._validation() if callable(self._validation) else self._validation

    def __str__(self) -> str:
        """What the data are, so that a search is not continued on others; pipelines by their kind alone."""
        parts = [_digest(part) for part in (self._train, self._validation)]
        return " ".join([*([self.name] if self.name else []), *parts])


def _check(field: str, part: Any) -> None:
    """Refuses what is no examples, and the examples of a test."""
    if isinstance(part, Batches):
        arrays: tuple[Any, ...] = part._arrays
    elif isinstance(part, tuple) and len(part) >= 2:
        arrays = part
    else:
        arrays = ()
        known = isinstance(part, tf.data.Dataset) or callable(part)
        require(known, field, "Splits, arrays (x, y), a pipeline or a function that makes one", type(part).__name__)
    if any(is_test(array) for array in arrays):
        raise InputError(
            f"`{field}` must not be the test split: a search compares many configurations by it, and the best of many "
            "is no estimate. Received: arrays of a test split; the validation split would do."
        )


def _digest(part: Any) -> str:
    arrays = part._arrays if isinstance(part, Batches) else part
    if not isinstance(arrays, tuple):
        return "function" if callable(part) and not isinstance(part, tf.data.Dataset) else "dataset"
    seen = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        seen.update(f"{array.shape} {array.dtype}".encode())
        seen.update(array.tobytes() if array.dtype.kind != "U" else "\n".join(array.ravel()).encode())
    return f"{len(arrays[0])}:{seen.hexdigest()[:12]}"
