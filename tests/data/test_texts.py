import csv
import gzip
import hashlib
import io
import os

from keras_course.base import InputError
from keras_course.data import catalogue, fetching, load, texts

import numpy as np
import pytest

ROWS = [("3", 'Stocks "rise"', "a, b"), ("1", "Talks fail", "c"), ("4", "Chip, new", "d"), ("2", "Cup won", "e")]


def written(rows):
    """The published format: every field in quotes, no header."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of AG News below that of the local sets."""
    monkeypatch.setenv("KERAS_COURSE_DATA", str(tmp_path))
    (tmp_path / "ag_news").mkdir()
    return tmp_path / "ag_news"


@pytest.fixture
def published(monkeypatch):
    """Takes these bytes for the published test part."""

    def take(raw):
        source = catalogue.DATASETS["ag_news"].sources["full"]
        object.__setattr__(source, "digest", hashlib.sha256(raw).hexdigest())

    source = catalogue.DATASETS["ag_news"].sources["full"]
    before = source.digest
    yield take
    object.__setattr__(source, "digest", before)


@pytest.mark.parametrize("pack", [True, False])
def test_titles_and_labels_are_those_of_the_rows(folder, pack):
    raw = written(ROWS)
    (folder / ("test.csv.gz" if pack else "test.csv")).write_bytes(gzip.compress(raw) if pack else raw)
    titles, labels = texts.headlines(folder, "test", hashlib.sha256(raw).hexdigest(), 4)
    assert titles.tolist() == ['Stocks "rise"', "Talks fail", "Chip, new", "Cup won"]
    assert labels.tolist() == [2, 0, 3, 1]


def test_where_the_test_part_is_all_it_is_split_and_the_counts_say_so(folder, published, monkeypatch):
    rows = [(str(i % 4 + 1), f"title {i}", "") for i in range(60)]
    (folder / "test.csv").write_bytes(written(rows))
    published(written(rows))
    monkeypatch.setattr(texts, "TEST_ALONE", (40, 8, 12))
    splits = load("ag_news", source="full")
    assert splits.counts == {"train": 40, "validation": 8, "test": 12}
    titles = np.concatenate([splits.train.x, splits.validation.x, splits.test.x])
    assert sorted(titles) == sorted(row[1] for row in rows)
    for split in (splits.train, splits.validation, splits.test):
        assert all(int(title.split()[1]) % 4 == label for title, label in zip(split.x, split.y, strict=True))


def test_with_the_training_part_the_published_test_part_stays_whole(folder, published):
    train = [(str(i % 4 + 1), f"train {i}", "") for i in range(240)]
    test = [(str(i % 4 + 1), f"test {i}", "") for i in range(12)]
    (folder / "train.csv").write_bytes(written(train))
    (folder / "test.csv").write_bytes(written(test))
    published(written(test))
    splits = load("ag_news", source="full")
    assert splits.counts == {"train": 228, "validation": 12, "test": 12}
    assert {title.split()[0] for title in splits.test.x} == {"test"}
    assert {title.split()[0] for title in [*splits.train.x, *splits.validation.x]} == {"train"}


def test_what_is_missing_damaged_or_not_the_set_is_one_sentence(folder):
    for call in (lambda: load("ag_news", source="full"), lambda: fetching.fetch("ag_news")):
        with pytest.raises(
            InputError, match=r"put its published test\.csv or test\.csv\.gz there or set KERAS_COURSE_DATA"
        ):
            call()
    (folder / "test.csv").write_bytes(written(ROWS))
    with pytest.raises(InputError, match=r"test\.csv` is damaged: its SHA-256 is \w+ instead of 521465c2"):
        load("ag_news", source="full")
    (folder / "test.csv.gz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"test\.csv\.gz` cannot be read"):
        load("ag_news", source="full")
    (folder / "other.csv").write_bytes(written([*ROWS, ("5", "a", "b")]))
    with pytest.raises(InputError, match=r"Received: 'something else in line 5'"):
        texts.headlines(folder, "other", "", 4)


@pytest.mark.skipif("KERAS_COURSE_DATA" not in os.environ, reason="KERAS_COURSE_DATA names no folder of local sets")
def test_the_real_headlines_are_whole():
    splits = load("ag_news", source="full")
    assert sum(splits.counts.values()) in (7_600, 127_600)
    assert np.bincount(np.concatenate([splits.train.y, splits.validation.y, splits.test.y])).std() == 0


def test_docstrings_are_real_lines_that_do_not_tell_their_library():
    splits = load("docstrings")
    counts = np.bincount(np.concatenate([splits.train.y, splits.validation.y, splits.test.y]))
    assert len(counts) == len(catalogue.LIBRARIES)
    assert counts.min() > 500
    lines = [*splits.train.x, *splits.validation.x, *splits.test.x]
    assert len(set(lines)) == len(lines)
    assert not any(library in line.lower() for line in lines for library in catalogue.LIBRARIES)
    assert splits.train.x.dtype.kind == "U"
    again = load("docstrings")
    np.testing.assert_array_equal(again.test.x, splits.test.x)


def test_a_table_comes_in_its_own_units():
    from sklearn.datasets import load_breast_cancer

    raw, splits = load_breast_cancer(), load("breast_cancer")
    x = np.concatenate([splits.train.x, splits.validation.x, splits.test.x])
    assert x.shape == (569, 30)
    np.testing.assert_allclose(np.sort(x[:, 3]), np.sort(raw.data[:, 3]), rtol=1e-6)
    assert splits.classes == tuple(raw.target_names)
