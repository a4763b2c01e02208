import json

from keras_course.diagnostics import printed
from keras_course.diagnostics.doctor import Report
from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import Finding, Observation
from tests.diagnostics.typed import steps

NAMED = Finding(cause="dead_units", confidence=0.9, evidence="97 % are silent", layer="a", step=3, file="t.py", line=7,
                repair="HeNormal", confirmed=True)  # fmt: skip
NOTE = Finding(cause="class_imbalance", kind="note", confidence=0.3, evidence="few of class 2")


def report(*findings, degree=1.0, name="net"):
    seen = Observation(name=name, interface="fit", steps=steps([2.0, 2.0]), unseen=["XLA"])
    return Report(
        observation=seen, harm=Harm(degree=degree, sentence="it ends at 2", baseline=2.0), findings=list(findings)
    )


def test_the_fields_are_those_that_were_promised():
    found = printed.as_dict([report(NAMED, NOTE)])
    assert list(found) == ["healthy", "findings", "runs"]
    assert list(found["findings"][0]) == [
        "cause", "kind", "confidence", "confirmed", "layer", "step", "evidence", "repair", "file", "line",
    ]  # fmt: skip
    assert found["findings"][1]["layer"] is None
    assert json.loads(json.dumps(found)) == found


def test_one_sick_run_of_two_is_enough_and_each_has_its_list():
    found = printed.as_dict([report(degree=0.0, name="a"), report(NAMED, name="b")])
    assert found["healthy"] is False
    assert [(r["name"], r["healthy"], len(r["findings"])) for r in found["runs"]] == [("a", True, 0), ("b", False, 1)]


def test_the_text_has_evidence_place_and_repair():
    text = printed.as_text([report(NAMED, NOTE)])
    place = "1. dead_units (90%, confirmed)  a, step 3, t.py:7"
    for part in ("1 cause", place, "97 % are silent", "HeNormal", "note: class_imb", "not watched: XLA"):
        assert part in text


def test_harm_without_a_cause_is_said():
    assert "no rule says why" in printed.as_text([report(degree=1.0)])
    assert "healthy" in printed.as_text([report(degree=0.1)])
