"""The test of the tests: each planted mistake is seen by the property that claims to see it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from keras_course.base import ROOT, assignments
from keras_course.check import Mutant, Zygote, judge, load_tests, properties
from keras_course.handout import path_of_tests

import pytest

LEFT_OUT = shutil.ignore_patterns("__pycache__", "figures")  # four fifths of the files' size, and no code
MODULES = {name: load_tests(name) for name in assignments() if path_of_tests(name).is_file()}
CASES = [(name, mutant) for name, module in MODULES.items() for mutant in getattr(module, "MUTANTS", [])]
CAUGHT_BY = sorted({(name, mutant.caught_by) for name, mutant in CASES})


def find(name: str, caught_by: str) -> Callable[..., None]:
    found = properties(MODULES[name])
    assert caught_by in found, f"{caught_by} is no property of {name}: its only parameter must be `subject`"
    return found[caught_by]


@pytest.mark.parametrize(("name", "caught_by"), CAUGHT_BY)
def test_the_solution_has_the_property(name: str, caught_by: str, zygote: Zygote) -> None:
    assert judge(find(name, caught_by), zygote, work=ROOT, seconds=60).message == ""


@pytest.mark.parametrize(("name", "mutant"), CASES, ids=[f"{name}: {mutant.trap}" for name, mutant in CASES])
def test_the_property_sees_the_mistake(name: str, mutant: Mutant, zygote: Zygote, tmp_path: Path) -> None:
    for folder in ("keras_course", "assignments"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=LEFT_OUT)
    mutant.plant(tmp_path)
    message = judge(find(name, mutant.caught_by), zygote, work=tmp_path, seconds=60).message
    assert message, f"the mistake survives: {mutant.trap}"
