import json
from xml.etree import ElementTree

from keras_course.check import Outcome, Report

import pytest
from rich.console import Console

REPORT = Report(
    "sums/mean", (Outcome("one <claim>", 2, "[bold]passed[/bold] & more", 0.25), Outcome("two", 3, "", 0.5))
)


@pytest.fixture
def table(capsys):
    Console(width=200).print(REPORT.table())
    return capsys.readouterr().out


def test_points_are_those_of_the_properties_that_hold():
    assert (REPORT.got, REPORT.points, REPORT.passed) == (3, 5, False)
    assert Report("n", REPORT.outcomes[1:]).passed


def test_the_table_has_each_property_and_the_total(table):
    for words in ("one <claim>", "0/2", "3/3", "holds", "total", "3/5"):
        assert words in table


def test_what_a_student_says_is_no_markup(table):
    assert "[bold]passed[/bold] & more" in table


def test_json_has_the_points_of_each_property(tmp_path):
    REPORT.write_json(tmp_path / "a.json")
    written = json.loads((tmp_path / "a.json").read_text())
    properties = written.pop("properties")
    assert written == {"name": "sums/mean", "passed": False, "points": 5, "got": 3}
    assert properties[1] == {"claim": "two", "points": 3, "message": "", "seconds": 0.5, "got": 3}


def test_junit_has_a_case_for_each_property_and_a_failure_where_one_does_not_hold(tmp_path):
    REPORT.write_junit(tmp_path / "a.xml")
    suite = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert suite.attrib == {"name": "sums/mean", "tests": "2", "failures": "1", "time": "0.750"}
    assert [case.get("name") for case in suite] == ["one <claim>", "two"]
    assert [case.findall("failure") != [] for case in suite] == [True, False]
    assert suite.find("testcase/failure").get("message") == "[bold]passed[/bold] & more"
