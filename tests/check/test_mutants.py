import shutil

from keras_course.base import InputError
from keras_course.check import Mutant, judge, load_tests, properties
from tests.course import NAME

import pytest


def test_a_mutant_is_seen_by_its_property(course, zygote, tmp_path):
    module = load_tests(NAME, course)
    (mutant,) = module.MUTANTS
    work = shutil.copytree(course, tmp_path / "work")
    mutant.plant(work)
    function = properties(module)[mutant.caught_by]
    assert judge(function, zygote, work=course, seconds=60).message == ""
    assert judge(function, zygote, work=work, seconds=60).message == "5.0, expected 2.5"


@pytest.mark.parametrize(("old", "count"), [("no such text", 0), ("return", 3)])
def test_a_mutant_that_stands_nowhere_or_twice_is_refused(course, old, count):
    before = (course / "keras_course" / "means.py").read_text()
    with pytest.raises(InputError, match=rf"^`old` must be text that occurs exactly once .*\({count} times\)'\.$"):
        Mutant("keras_course/means.py", old, "new", "test_a", "a trap").plant(course)
    assert (course / "keras_course" / "means.py").read_text() == before
