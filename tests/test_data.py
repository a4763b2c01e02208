import subprocess
import sys

from keras_course import data
from keras_course.base import ROOT

import pytest


def test_importing_the_data_and_asking_the_catalogue_loads_nothing_heavy():
    program = (
        "import sys; from keras_course import data; from keras_course.data import catalogue\n"
        "[catalogue.rows(dataset) for dataset in data.DATASETS.values()]\n"
        "print([m for m in ('numpy', 'sklearn', 'tensorflow', 'keras') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_every_name_is_there():
    assert all(getattr(data, name).__name__ == name for name in dir(data) if name != "DATASETS")


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'keras_course\.data' has no attribute 'nothing'"):
        data.nothing  # noqa: B018
