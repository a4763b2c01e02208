"""A real TensorFlow Datasets builder, fed with published files of few images that the tests make."""

import gzip
import os
import struct
from pathlib import Path
from typing import NamedTuple

from keras_course.data import catalogue, fetching

import numpy as np
import pytest
from tensorflow_datasets.image_classification import mnist

TRAIN, TEST = 240, 30


class Published(NamedTuple):
    """A folder of archives, and the images and labels inside: train, then test."""

    folder: Path
    images: tuple[np.ndarray, np.ndarray]
    labels: tuple[np.ndarray, np.ndarray]


def idx(array: np.ndarray) -> bytes:
    """The layout of MNIST's files: a magic number with the count of axes, the shape, then the bytes."""
    head = struct.pack(f">{array.ndim + 1}i", 0x800 + array.ndim, *array.shape)
    return gzip.compress(head + array.astype("uint8").tobytes())


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The four files of MNIST with 240 + 30 images, which the builder takes for the published ones in this session."""
    folder, rng = tmp_path_factory.mktemp("archives"), np.random.default_rng(0)
    images = tuple(rng.integers(0, 256, (n, 28, 28), dtype="uint8") for n in (TRAIN, TEST))
    labels = tuple(np.arange(n) % 10 for n in (TRAIN, TEST))
    for part, x, y in zip(("train", "t10k"), images, labels, strict=True):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(x))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(y))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "_TRAIN_EXAMPLES", TRAIN)
        patch.setattr(mnist, "_TEST_EXAMPLES", TEST)
        for info in mnist.MNIST.url_infos.values():
            path = folder / info.filename
            patch.setattr(info, "size", path.stat().st_size)
            patch.setattr(info, "checksum", fetching.sha256(path))
        yield Published(folder, images, labels)


@pytest.fixture(scope="session")
def prepared(published, tmp_path_factory):
    """A folder in which `fetch` has built MNIST from the archives; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder))
        fetching.fetch("mnist", archives=published.folder)
    return folder


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """An empty folder for TensorFlow Datasets, and none of local sets."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    monkeypatch.setenv("KERAS_COURSE_DATA", str(tmp_path / "local"))
    return tmp_path / "sets"


@pytest.fixture
def real():
    """Skips a test of a real set that is not here."""

    def require(name):
        if "TFDS_DATA_DIR" not in os.environ or not catalogue.is_here(name, "full"):
            pytest.skip(f"TFDS_DATA_DIR names no folder that holds {name}")

    return require
