"""What every test may ask for."""

import os
from collections.abc import Iterator

from keras_course.check import Subject, Zygote, local

import pytest


@pytest.fixture
def subject() -> Subject:
    """Calls a driver beside the code under test, in this process."""
    return local


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """One process that imports TensorFlow once for all the checks of a session."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork a process for each property")
    with Zygote() as zygote:
        yield zygote
