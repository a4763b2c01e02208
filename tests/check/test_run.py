import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

from keras_course.base import InputError
from keras_course.check import load_tests, points, properties, run
from tests.course import FILE, NAME, WRONG, change, write_course

import numpy as np
import pytest


def plain(subject):
    pass


def test_a_property_is_known_by_its_parameter_and_named_in_words(course):
    found = properties(load_tests(NAME, course))
    assert list(found) == ["test_squares_of_two_and_three", "test_a_larger_weight_counts_more"]
    words = [run.words(function) for function in found.values()]
    assert words == ["squares of two and three", "A weight of 3 against 1 makes 2.5 of 1 and 3."]


def test_points_are_counted_and_written(course, zygote, tmp_path, capsys):
    work = shutil.copytree(course, tmp_path / "work")
    change(work, FILE, WRONG)
    report = run.check(NAME, work=work, root=course, zygote=zygote, json=tmp_path / "a.json", junit=tmp_path / "a.xml")
    assert (report.got, report.points, report.passed) == (1, 3, False)
    table = capsys.readouterr().out
    assert [word in table for word in ("squares of two and three", "0/2", "1/1", "1/3", "total")] == [True] * 5
    assert json.loads((tmp_path / "a.json").read_text())["got"] == 1
    assert ElementTree.parse(tmp_path / "a.xml").getroot().get("failures") == "1"


def test_a_whole_that_takes_too_long_stops(course, zygote):
    report = run.check(NAME, work=course, root=course, zygote=zygote, whole=1e-9)
    assert [o.message for o in report.outcomes] == ["not run: the others took the 1e-09 s of the whole check"] * 2


def test_what_students_say_is_one_printable_line():
    assert run.printable("a\x1b[2Kb\nc\ud800") == "a [2Kb c "


def test_a_property_draws_the_same_numbers_whichever_ran_before(zygote, tmp_path):
    course = write_course(tmp_path)
    draw = "import numpy as np\n\nRNG = np.random.default_rng(3)\n\n\n"
    draw += "".join(f"def test_{name}(subject):\n    assert 0, RNG.integers(10**9)\n\n\n" for name in "ab")
    change(course, "tests/assignments/sums/test_unmarked.py", draw)
    report = run.check("sums/unmarked", work=course, root=course, zygote=zygote)
    first, second = (outcome.message for outcome in report.outcomes)
    assert first == second == str(np.random.default_rng(3).integers(10**9))


def test_a_bare_assert_is_quoted(zygote, tmp_path):
    course = write_course(tmp_path)
    change(course, "tests/assignments/sums/test_unmarked.py", "def test_a(subject):\n    assert 2 > 3\n")
    report = run.check("sums/unmarked", work=course, root=course, zygote=zygote)
    assert [outcome.message for outcome in report.outcomes] == ["does not hold: assert 2 > 3"]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("sums/maen", {}, "No assignment named 'sums/maen'. Did you mean 'sums/mean'?"),
        ("sums/other", {}, "The assignment 'sums/other' has no tests: there is no tests/assignments/sums/"),
        ("sums/unmarked", {}, "`name` must be an assignment with `test_*` functions whose only parameter is "),
        (NAME, {"work": Path("nowhere")}, "`work` must be a folder with a student's `keras_course`. Received: 'nowhe"),
        (NAME, {"json": Path("nowhere/a.json")}, "`json` must be a file in a folder that exists."),
        (NAME, {"seconds": 0}, "`seconds` must be above 0. Received: 0."),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_said_in_a_sentence(course, name, arguments, message):
    with pytest.raises(InputError) as error:
        run.check(name, root=course, **({"work": course} | arguments))
    assert str(error.value).startswith(message)


def test_points_are_above_zero():
    assert points(2.5)(plain).points == 2.5
    with pytest.raises(InputError, match="`points` must be above 0"):
        points(0)
