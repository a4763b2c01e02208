"""The grading of an answer that is data, on an exercise made up here."""

from keras_course.diagnostics import grading
from keras_course.diagnostics.exercise import Answer

import numpy as np
import pytest

NAME = "diagnostics/made_up"
RIGHT = Answer("dead_units", "dead_share/a", "initial weights")


@pytest.fixture
def graded(monkeypatch):
    """The four messages for an answer and the outputs of a repaired script; none where a property holds."""
    events = {"dead_share/a": (np.arange(2), np.ones(2)), "loss": (np.arange(2), np.ones(2))}
    part = np.zeros((2, 1)), np.array([0, 1])
    splits = type(
        "Splits", (), {"train": part, "validation": part, "test": type("Split", (), {"x": part[0], "y": part[1]})}
    )
    monkeypatch.setattr(grading, "given", lambda name: (type("Settings", (), {})(), splits, events))
    found = grading.properties(
        NAME, causes=[grading.seal(NAME, RIGHT.cause)], parts=[grading.seal(NAME, RIGHT.repair)], bar=0.9
    )

    def messages(answer, outputs=((1.0, 0.0), (0.0, 1.0))):
        def subject(driver, **inputs):
            return list(answer) if driver is grading.answer_of else np.array(outputs)

        said = []
        for each in found:
            try:
                each(subject)
                said.append("")
            except AssertionError as error:
                said.append(str(error))
        return said

    return messages


def test_the_right_answer_passes(graded):
    assert graded(RIGHT) == ["", "", "", ""]


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"cause": "vanishing_gradient"}, 0, "what lies behind it"),
        ({"cause": "nan_or_inf_in_data"}, 0, "another: look at the evidence again"),
        ({"cause": "dead_unit"}, 0, "Did you mean 'dead_units'?"),
        ({"evidence": "loss"}, 1, "does not show why"),
        ({"evidence": "dead_share/b"}, 1, "a tag of the event files"),
        ({"repair": "learning rate"}, 2, "how long a step is, at each step is as it should be"),
    ],
)
def test_what_is_wrong_is_said_and_the_answer_is_not(graded, change, place, words):
    said = graded(RIGHT._replace(**change))
    assert [bool(each) for each in said] == [i == place for i in range(4)]
    assert words in said[place]
    assert all(word not in said[place].replace("Did you mean 'dead_units'", "") for word in ("dead_units", "initial"))


def test_a_script_below_its_bar_is_told_what_it_reaches(graded):
    assert graded(RIGHT, outputs=((1.0, 0.0), (1.0, 0.0)))[3] == (
        "the repaired script reaches 0.500, expected at least 0.9"
    )


def test_a_seal_is_of_one_exercise():
    assert grading.seal("a/b", "x") != grading.seal("a/c", "x")
    assert len(grading.seal("a/b", "x")) == 8
