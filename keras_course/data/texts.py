"""Labelled short texts: headlines of news from their published files, and docstrings of the libraries at hand."""

import ast
import csv
import functools
import gzip
import hashlib
import importlib.util
import re
from pathlib import Path

from keras_course.base import InputError, require
from keras_course.data import catalogue
from keras_course.data.splits import Split, split

import numpy as np

SHARES = (0.8, 0.1, 0.1)  # of a set without published splits
TEST_ALONE = (5_200, 800, 1_600)  # of AG News where its test part is all that is here
MOST = 1_200  # docstrings of a library
TELLING = re.compile("|".join((*catalogue.LIBRARIES, "scikit", r"\bnp\b", r"\bplt\b")), re.IGNORECASE)


def load(dataset: catalogue.Dataset, source: str, seed: int) -> tuple[Split, ...]:
    """Training, validation and test texts with their labels."""
    if source == "small":
        texts, labels = docstrings()
        return split(texts, labels, sizes=SHARES, classes=len(dataset.classes), seed=seed)
    folder = catalogue.local_folder(dataset.name)
    test, test_labels = headlines(folder, "test", dataset.sources["full"].digest, len(dataset.classes))
    if not any((folder / name).is_file() for name in ("train.csv", "train.csv.gz")):
        return split(test, test_labels, sizes=TEST_ALONE, classes=len(dataset.classes), seed=seed)
    train, labels = headlines(folder, "train", "", len(dataset.classes))
    share = dataset.sources["full"].counts[1] / sum(dataset.sources["full"].counts[:2])
    parts = split(train, labels, sizes=(1 - share, share), classes=len(dataset.classes), seed=seed)
    return *parts, Split(test, test_labels)


def headlines(folder: Path, part: str, digest: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Titles and labels, from 0, of a part of AG News: rows "class","title","description" without a header.

    digest: SHA-256 of the file, unpacked; empty where none is known. InputError for a file that is not the published.
    """
    packed = folder / f"{part}.csv.gz"
    path = packed if packed.is_file() else folder / f"{part}.csv"
    try:
        raw = gzip.decompress(path.read_bytes()) if path == packed else path.read_bytes()
    except (OSError, EOFError) as error:
        raise InputError(f"`{path}` cannot be read ({error}): get it again.") from error
    found = hashlib.sha256(raw).hexdigest()
    if digest and found != digest:
        raise InputError(f"`{path}` is damaged: its SHA-256 is {found} instead of {digest}; get it again.")
    rows = list(csv.reader(raw.decode("utf-8").splitlines()))
    known = {str(label) for label in range(1, classes + 1)}
    wrong = next((i for i, row in enumerate(rows, 1) if len(row) != 3 or row[0] not in known), None)
    require(wrong is None, path.name, 'rows of "class","title","description"', f"something else in line {wrong}")
    return np.array([row[1] for row in rows]), np.array([int(row[0]) - 1 for row in rows])


@functools.cache
def docstrings() -> tuple[np.ndarray, np.ndarray]:
    """First lines of docstrings and the index of their library: what stands in the sources, without importing them.

    Lines that name a library are left out, since they tell the label, and so are lines that two libraries share.
    """
    found = {library: _first_lines(library) for library in catalogue.LIBRARIES}
    shared = {line for a in found for b in found if a < b for line in found[a] & found[b]}
    texts, labels = [], []
    for label, lines in enumerate(found.values()):
        chosen = sorted(lines - shared, key=_digest)[:MOST]
        texts += chosen
        labels += [label] * len(chosen)
    return np.array(texts), np.array(labels)


def _first_lines(library: str) -> set[str]:
    spec = importlib.util.find_spec(library)
    require(spec is not None and spec.submodule_search_locations, library, "installed", "no such package")
    assert spec
    root = Path(spec.submodule_search_locations[0])  # type: ignore[index]
    paths = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    lines: set[str] = set()
    for name in sorted(paths, key=_digest):  # from all over the library; parsing all of it would take seconds
        if "tests" not in name.split("/") and len(lines) < 1.3 * MOST:
            lines |= _lines_of(paths[name])
    return lines


def _digest(text: str) -> bytes:
    """An order that is the same each time and follows no alphabet."""
    return hashlib.sha256(text.encode()).digest()


def _lines_of(path: Path) -> set[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documented = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, kinds))
    texts = (ast.get_docstring(node) or "" for node in documented)
    lines = {text.strip().partition("\n")[0].strip() for text in texts}
    return {line for line in lines if len(line.split()) >= 4 and not TELLING.search(line)}
