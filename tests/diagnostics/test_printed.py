import dataclasses
import json

from keras_course.diagnostics.doctor import Report
from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import Finding
from keras_course.diagnostics.printed import as_dict, as_text, plain
from tests.diagnostics.made import FINDING, observation

import pytest

NOTE = Finding(cause="missing_class", kind="note", confidence=0.3, evidence="class 4 never occurs")


def report(*findings, name="train", degree=1.0, baseline=2.0):
    harm = Harm(degree=degree, sentence="the loss ends at 2", baseline=baseline)
    return Report(observation=observation(name=name), harm=harm, findings=list(findings))


def test_json_has_the_fields_that_were_promised_and_null_for_what_is_not_known():
    content = json.loads(json.dumps(as_dict([report(FINDING, NOTE)])))
    fields = ["cause", "kind", "confidence", "confirmed", "layer", "step", "evidence", "repair", "file", "line"]
    assert content.keys() == {"healthy", "findings", "runs"}
    first, second = content["findings"]
    assert list(first) == fields
    assert (first["layer"], first["step"], first["line"]) == ("dense", 3, 12)
    assert plain(dataclasses.replace(FINDING, file="", line=0))["line"] is None
    assert (second["kind"], second["layer"], second["file"], second["confirmed"]) == ("note", None, None, None)
    assert content["runs"][0] | {"findings": []} == {
        "name": "train", "healthy": False, "harm": 1.0, "steps": 5, "findings": [], "not_watched": [],
    }  # fmt: skip


def test_all_runs_are_ranked_together_and_listed_apart():
    weak = Finding(cause="data_sorted", confidence=0.5)
    content = as_dict([report(weak, NOTE, name="a"), report(FINDING, name="b"), report(name="c", degree=0.1)])
    assert [f["cause"] for f in content["findings"]] == ["dead_units", "data_sorted", "missing_class"]
    assert [(r["name"], r["healthy"], len(r["findings"])) for r in content["runs"]] == [
        ("a", False, 2),
        ("b", False, 1),
        ("c", True, 0),
    ]
    assert content["healthy"] is False
    tried = Finding(cause="exploding_gradient", confidence=0.95, confirmed=False)
    sure = Finding(cause="label_encoding", confidence=0.97, confirmed=False, certain=True)
    ranked = as_dict([report(tried, weak, sure)])["findings"]
    assert [f["cause"] for f in ranked] == ["label_encoding", "data_sorted", "exploding_gradient"]
    assert as_dict([report(degree=0.1)])["healthy"] is True


def test_text_says_cause_place_evidence_and_repair(monkeypatch):
    monkeypatch.setattr(FINDING, "repair", "a smaller rate")
    text = as_text([report(FINDING, NOTE)]).splitlines()
    assert text[0] == "train (fit, 5 steps): 1 cause; the loss ends at 2"
    assert text[1] == "1. dead_units (90%)  dense, step 3, /home/someone/train.py:12"
    assert text[2].endswith(FINDING.evidence)
    assert text[3] == "   repair: a smaller rate"
    assert text[4] == "   note: missing_class: class 4 never occurs"


@pytest.mark.parametrize(
    ("degree", "words"), [(0.1, "healthy; the loss ends at 2"), (1.0, "it does not learn, and no rule says why; ")]
)
def test_text_without_a_cause(degree, words):
    assert words in as_text([report(degree=degree)])


@pytest.mark.parametrize(("confirmed", "words"), [(True, "(90%, confirmed)"), (False, "(90%, not confirmed)")])
def test_text_says_what_was_verified(confirmed, words):
    import dataclasses

    assert words in as_text([report(dataclasses.replace(FINDING, confirmed=confirmed))])


def test_text_says_what_was_not_watched():
    one = report(degree=0.1)
    one.observation.unseen.append("Steps of another process.")
    assert as_text([one]).endswith("not watched: Steps of another process.")


def test_without_a_finished_step_nothing_is_judged_unless_a_cause_is_certain():
    unfinished = report(degree=0.1)
    unfinished.observation.steps.count = 0
    content = as_dict([report(degree=0.1), unfinished])
    assert (content["healthy"], [run["healthy"] for run in content["runs"]]) == (None, [True, None])
    assert "not judged; no step was finished" in as_text([unfinished])
    assert as_dict([report(FINDING), unfinished])["healthy"] is False
    unfinished.findings = [Finding(cause="frozen_or_disconnected", certain=True)]
    assert as_dict([unfinished])["healthy"] is False


def test_what_a_symptom_follows_from_is_said_with_its_evidence():
    note = Finding(cause="dead_units", kind="note", evidence="97 % are silent", follows="init_scale")
    assert as_dict([report(note)])["findings"][0]["evidence"] == "97 % are silent (follows from init_scale)"
    assert "97 % are silent (follows from init_scale)" in as_text([report(note)])


@pytest.mark.parametrize("count", [3, 4])
def test_trainings_of_one_line_with_the_same_verdict_are_told_once(count):
    """As of folds and of a search; the one that does worst stands for all of them."""
    folds = [report(FINDING, name=f"fold_{i}", degree=0.5 + 0.1 * (i == 1)) for i in range(count)]
    text = as_text([*folds, report(name="last", degree=0.1)]).splitlines()
    told = [line.split()[0] for line in text if " (fit, 5 steps)" in line]
    if count == 3:
        assert told == ["fold_0", "fold_1", "fold_2", "last"]
    else:
        assert told == ["fold_1", "last"]
        line = folds[0].observation.line
        assert text[3:5] == ["   repair: " + FINDING.repair, f"   and so for 3 more trainings of line {line}"]


def test_trainings_with_other_causes_or_of_other_lines_are_told_apart():
    other = Finding(cause="data_sorted", confidence=0.5)
    reports = [report(f, name=f"{f.cause}_{i}") for f in (FINDING, other) for i in range(3)]
    reports[0].observation.line += 1
    assert sum(" (fit, 5 steps)" in line for line in as_text(reports).splitlines()) == 6
