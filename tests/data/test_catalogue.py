from pathlib import Path

from keras_course.base import InputError
from keras_course.data import catalogue

import pytest


def test_a_set_is_listed_under_its_name_and_its_nearest_has_what_it_lacks():
    for name, dataset in catalogue.DATASETS.items():
        assert dataset.name == name
        assert dataset.sources.keys() <= catalogue.SOURCES.keys()
        nearest = catalogue.DATASETS[dataset.nearest]
        assert dataset.sources.keys() | nearest.sources.keys() == catalogue.SOURCES.keys()


def test_small_is_always_here(sets):
    assert catalogue.is_here("digits", "small")
    assert catalogue.is_here("mnist", "small")


def test_full_is_here_once_a_version_is_complete(sets):
    assert not catalogue.is_here("mnist", "full")
    for version in ("incomplete.A1B2C3_3.0.1", "3.0.1"):
        (sets / "mnist" / version).mkdir(parents=True)
        assert not catalogue.is_here("mnist", "full")
        (sets / "mnist" / version / "dataset_info.json").touch()
    assert catalogue.is_here("mnist", "full")
    assert not catalogue.is_here("cifar10", "full")


def test_the_folder_is_that_of_tensorflow_datasets(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "~/sets")
    assert catalogue.folder() == Path.home() / "sets"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert catalogue.folder() == Path.home() / "tensorflow_datasets"


@pytest.mark.parametrize(
    ("name", "source", "sentence"),
    [
        (
            "mnits",
            "full",
            "No data set named 'mnits'. Did you mean 'mnist'? There are: "
            "ag_news, breast_cancer, cifar10, digits, docstrings, fashion_mnist, mnist.",
        ),
        ("mnist", "fulll", "No source named 'fulll'. Did you mean 'full'? There are: full, small."),
        (
            "fashion_mnist",
            "small",
            "`source` must be one that `fashion_mnist` has: full. "
            "Received: 'small', which `mnist`, the nearest set, has.",
        ),
        (
            "digits",
            "full",
            "`source` must be one that `digits` has: small. Received: 'full', which `mnist`, the nearest set, has.",
        ),
        (
            "cifar10",
            "full",
            "`cifar10` in full is not in FOLDER: run `keras-course data fetch cifar10` (needs a network) or set "
            "TFDS_DATA_DIR to a folder that has it.",
        ),
    ],
)
def test_what_is_not_here_is_refused_in_one_sentence(sets, name, source, sentence):
    with pytest.raises(InputError) as error:
        catalogue.require_here(name, source)
    assert str(error.value) == sentence.replace("FOLDER", str(sets))


def test_rows_have_equal_columns_and_one_row_for_each_source(sets):
    rows = [row for dataset in catalogue.DATASETS.values() for row in catalogue.rows(dataset)]
    assert len({tuple(row) for row in rows}) == 1
    found = [(row["name"], row["source"], row["here"], row["train/validation/test"]) for row in rows]
    assert found == [
        ("digits", "small", "yes", "1,437 / 180 / 180"),
        ("mnist", "small", "yes", "4,000 / 500 / 500"),
        ("mnist", "full", "no", "55,000 / 5,000 / 10,000"),
        ("fashion_mnist", "full", "no", "55,000 / 5,000 / 10,000"),
        ("cifar10", "full", "no", "45,000 / 5,000 / 10,000"),
        ("breast_cancer", "small", "yes", "399 / 85 / 85"),
        ("docstrings", "small", "yes", "as installed"),
        ("ag_news", "full", "no", "114,000 / 6,000 / 7,600"),
    ]
