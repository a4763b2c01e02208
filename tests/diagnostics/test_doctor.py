from keras_course.diagnostics import doctor
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import Finding, Observation
from tests.diagnostics.typed import steps

import pytest

HARMED, WELL = Harm(degree=1.0, sentence="", baseline=1.0), Harm(degree=0.0, sentence="", baseline=1.0)


def verdict(monkeypatch, harm, *findings):
    monkeypatch.setattr(doctor, "rules", lambda: {"all": lambda seen: list(findings)})
    monkeypatch.setattr(doctor, "harm_of", lambda seen: harm)
    return doctor.examine(Observation(name="m", steps=steps([1.0])))


def test_every_rule_is_found_and_every_cause_explains_known_ones():
    assert {"dead_units", "data_sorted", "softmax_on_single_unit", "overfitting"} <= doctor.rules().keys()
    for label, cause in CAUSES.items():
        assert set(cause.explains) <= CAUSES.keys(), label
        assert label not in cause.explains


def test_a_mechanism_is_named_only_with_harm(monkeypatch):
    finding = Finding(cause="dead_units", confidence=0.9)
    assert [f.kind for f in verdict(monkeypatch, WELL, finding).findings] == ["note"]
    assert verdict(monkeypatch, WELL, finding).healthy
    harmed = verdict(monkeypatch, HARMED, finding)
    assert [f.kind for f in harmed.findings] == ["named"]
    assert not harmed.healthy
    assert harmed.findings[0].repair == CAUSES["dead_units"].repair


def test_what_is_certain_needs_no_harm_and_a_note_is_never_named(monkeypatch):
    sure = Finding(cause="loss_broadcast", confidence=1.0, certain=True)
    note = Finding(cause="class_imbalance", kind="note")
    assert [f.kind for f in verdict(monkeypatch, WELL, sure, note).findings] == ["named", "note"]


def test_a_symptom_follows_from_its_cause(monkeypatch):
    found = verdict(
        monkeypatch, HARMED, Finding(cause="dead_units", confidence=0.95), Finding(cause="inputs_not_scaled")
    )
    assert [(f.cause, f.kind) for f in found.findings] == [("inputs_not_scaled", "named"), ("dead_units", "note")]
    assert "follows from inputs_not_scaled" in found.findings[1].evidence


def test_of_two_that_explain_each_other_the_more_confident_is_the_cause(monkeypatch):
    for init, vanishing, first in ((0.93, 0.9, "init_scale"), (0.5, 0.9, "vanishing_gradient")):
        found = verdict(
            monkeypatch, HARMED, Finding(cause="init_scale", confidence=init),
            Finding(cause="vanishing_gradient", confidence=vanishing),
        )  # fmt: skip
        assert [f.cause for f in found.named] == [first]


def test_two_faults_at_once_are_both_named_in_the_order_of_confidence(monkeypatch):
    found = verdict(
        monkeypatch,
        HARMED,
        Finding(cause="data_sorted", confidence=0.7),
        Finding(cause="inputs_not_scaled", confidence=0.8),
    )
    assert [f.cause for f in found.named] == ["inputs_not_scaled", "data_sorted"]


def test_harm_without_a_cause_is_not_healthy(monkeypatch):
    found = verdict(monkeypatch, HARMED)
    assert found.unexplained
    assert not found.healthy
    assert verdict(monkeypatch, WELL).healthy


def test_a_rule_that_fails_does_not_cost_the_others(monkeypatch):
    def broken(seen):
        raise ValueError("no such row")

    monkeypatch.setattr(doctor, "rules", lambda: {"a": broken, "b": lambda seen: [Finding(cause="dead_units")]})
    monkeypatch.setattr(doctor, "harm_of", lambda seen: HARMED)
    seen = Observation(name="m", steps=steps([1.0]))
    assert [f.cause for f in doctor.examine(seen).findings] == ["dead_units"]
    assert seen.unseen == ["The rule a failed: ValueError: no such row"]


@pytest.mark.parametrize("cause", ["leakage_duplicates", "validation_split_sorted"])
def test_harm_that_shows_elsewhere_is_named_while_the_loss_falls(monkeypatch, cause):
    assert [f.kind for f in verdict(monkeypatch, WELL, Finding(cause=cause)).findings] == ["named"]
