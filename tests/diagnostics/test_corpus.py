import ast

from keras_course.diagnostics import corpus, script
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.corpus import PARTS, Fault, cases, programs

import pytest

ALL = [case for part in PARTS for case in cases(part)]


def test_no_program_is_in_both_parts():
    development, heldout = ({program.name for program in programs(part)} for part in PARTS)
    assert not development & heldout
    assert len([case for case in cases("heldout") if case.healthy]) >= 30


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_every_script_parses_and_a_fault_changes_one_place(case):
    ast.parse(case.source)
    assert "SEED" not in case.source
    labels = {fault.cause for fault in case.faults} | {label for accepted in case.right for label in accepted}
    assert labels <= CAUSES.keys()
    if not case.healthy:
        healthy = next(c for c in ALL if c.program is case.program and c.healthy)
        assert case.source != healthy.source.replace("SEED", str(case.seed))
        assert not case.never & labels


def test_a_fault_whose_text_is_not_there_once_is_refused():
    fault = Fault(cause="dead_units", old="a", new="b")
    for source in ("aa", "c"):
        with pytest.raises(ValueError, match="must occur once"):
            fault.plant(source)


def test_what_was_measured_is_of_these_sources():
    from keras_course.diagnostics.corpus import measure

    table = corpus.measured()
    assert measure.complaints(table, cases("heldout")) == []


FIXED = (
    "deep_wine/healthy-0", "deep_wine/dead_units", "deep_wine/vanishing_gradient",
    "deep_wine/symmetric_or_zero_init", "two_layers_by_hand/optimiser_not_applied", "digits_mlp/healthy-0",
    "digits_mlp/learning_rate_too_high", "iris_functional/label_encoding", "houses_tape/loss_broadcast",
)  # fmt: skip


@pytest.mark.parametrize("name", FIXED)
def test_a_small_fixed_part_is_judged_right(name, tmp_path, monkeypatch):
    import keras

    case = next(case for case in ALL if case.name == name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(case.source)
    keras.utils.clear_session()
    keras.utils.set_random_seed(case.seed)
    reports = script.diagnose(tmp_path / "train.py").reports
    named = [finding.cause for report in reports for finding in report.named]
    assert [said for report in reports for said in report.observation.unseen if "failed" in said] == []
    if case.healthy:
        assert named == []
    else:
        assert named[0] in case.right[0]
        assert not case.never & set(named)
