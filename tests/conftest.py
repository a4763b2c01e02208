"""What every test may ask for."""

import gc
import os
import sys
from collections.abc import Iterator

from keras_course.check import Subject, Zygote, local, own_draws

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine makes no test fail
settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps all tests of an exercise in one process, which then records the script that fails only once."""
    for item in items if config.pluginmanager.hasplugin("xdist") else ():
        if name := exercise_of(item):
            item.add_marker(pytest.mark.xdist_group(name))


def exercise_of(item: pytest.Item) -> str:
    """The exercise in `assignments/diagnostics` that a test is about, by its file or its parameter; "" without."""
    if item.path.parent.parts[-2:] == ("assignments", "diagnostics"):
        return f"diagnostics/{item.path.stem.removeprefix('test_')}"
    name = str(item.callspec.params.get("name", "")) if hasattr(item, "callspec") else ""
    return name if name.startswith("diagnostics/") else ""


@pytest.fixture(autouse=True)
def same_numbers_whatever_ran_before(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test draws what it would draw alone: from its file's generators, and the global ones once Keras is in."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
    with own_draws(request.module):
        yield


@pytest.fixture(scope="module", autouse=True)
def collector_at_rest() -> None:
    """Takes what is left of earlier files out of the garbage collector's sight.

    Every `keras.utils.clear_session` collects, and walks through all that thousands of tests, their modules and their
    graphs have left, which in the end takes longer than most trainings of a test.
    """
    gc.collect()
    gc.freeze()


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
