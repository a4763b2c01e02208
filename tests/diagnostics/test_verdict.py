"""The verdict in words."""

import dataclasses
import json

from keras_course.diagnostics import verdict
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.observation import Finding, Observation
from tests.diagnostics.made import FINDING, observation

import pytest


def test_causes_come_before_notes_and_each_by_confidence():
    given = [("a", "note", 0.9), ("b", "named", 0.4), ("c", "named", 0.7), ("d", "note", 0.95)]
    found = verdict.ranked([Finding(cause=c, kind=k, confidence=p) for c, k, p in given])
    assert [finding.cause for finding in found] == ["c", "b", "d", "a"]


def test_a_cause_that_a_trial_did_not_confirm_comes_behind():
    given = [("a", 0.9, False, False), ("b", 0.4, None, False), ("c", 0.6, False, True)]
    found = verdict.ranked([Finding(cause=c, confidence=p, confirmed=k, certain=s) for c, p, k, s in given])
    assert [finding.cause for finding in found] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("findings", "finished", "expected"),
    [
        ([], True, "**No cause found** after 5 steps."),
        ([], False, "**No cause found so far** after 5 steps, still running."),
        ([FINDING], False, "**1 cause found** after 5 steps, still running."),
        ([FINDING, FINDING], True, "**2 causes found** after 5 steps."),
        ([Finding(cause="overfitting", kind="note")], True, "**No cause found** after 5 steps."),
    ],
)
def test_the_first_line_says_how_it_stands(findings, finished, expected):
    assert verdict.as_markdown(observation(5), findings, finished=finished).splitlines()[0] == expected


def test_the_table_has_one_line_for_each_finding():
    finding = dataclasses.replace(FINDING, repair="")
    lines = verdict.as_markdown(observation(5), [finding], finished=True).splitlines()
    assert len(lines) == 5
    repair = CAUSES["dead_units"].repair
    assert lines[-1] == (rf"| 0.90 | dead\_units | dense, step 3, train.py:12 | {FINDING.evidence} | {repair} |")


def test_a_repair_of_its_own_goes_before_that_of_the_cause():
    own = Finding(cause="dead_units", repair="HeNormal in dense_3")
    about = json.loads(verdict.as_json(observation(), [own], finished=True))
    assert about["findings"][0]["repair"] == "HeNormal in dense_3"


def test_numbers_that_json_does_not_know_are_null():
    seen = Observation(name="train")
    seen.optimizer.rate = float("nan")
    about = json.loads(verdict.as_json(seen, [], finished=True))
    assert about["rate"] is None
    assert about["step"] == 0
