from keras_course.diagnostics import doctor
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import LEFT_OVER, Data, Finding, Loss, Observation, Plan
from tests.diagnostics.typed import SQUARED, steps

import numpy as np
import pytest

REAL = np.array([1.0, 2.0, 4.0, 9.0])  # the best constant leaves 9.5


def ended(loss):
    data = Data(x=np.zeros((4, 2)), y=REAL, n=4)
    return Observation(name="m", loss=Loss(name=SQUARED), train=data, steps=steps([loss] * 40))


@pytest.fixture
def judged(monkeypatch):
    """The verdict where the rules find just these."""

    def examine(*found, loss=9.5):
        monkeypatch.setattr(doctor, "rules", lambda: {"typed": lambda seen: list(found)})
        return doctor.examine(ended(loss))

    return examine


def named(report):
    return [f.cause for f in report.named]


def notes(report):
    return [f.cause for f in report.findings if f.kind == "note"]


def test_every_rule_is_found_once_and_names_causes_of_the_table():
    found = doctor.rules()
    assert {"dead_units", "overfitting", "symmetric_or_zero_init", "leakage_feature", "data_sorted"} <= found.keys()
    assert all(callable(rule) and rule.__doc__ for rule in found.values())


def test_without_harm_a_finding_is_a_note_unless_it_is_certain(judged):
    odd = Finding(cause="dead_units", confidence=0.9)
    assert (named(judged(odd)), named(judged(odd, loss=0.1))) == (["dead_units"], [])
    report = judged(odd, loss=0.1)
    assert notes(report) == ["dead_units"]
    assert report.healthy
    assert named(judged(Finding(cause="loss_broadcast", certain=True), loss=0.1)) == ["loss_broadcast"]


def test_what_harms_elsewhere_than_in_the_loss_is_named_beside_a_low_loss(judged):
    assert named(judged(Finding(cause="leakage_feature", confidence=0.8), loss=0.1)) == ["leakage_feature"]


def test_curves_ask_for_more_harm_than_mechanisms(judged):
    curve, mechanism = Finding(cause="too_few_steps"), Finding(cause="init_scale")
    assert named(judged(curve, mechanism, loss=0.4 * 9.5)) == ["init_scale"]
    assert named(judged(curve, loss=0.85 * 9.5)) == ["too_few_steps"]
    assert named(judged(curve, loss=0.7 * 9.5)) == [], "of four rows nobody knows how much there is to learn"
    sure = Finding(cause="underfitting_capacity", confidence=0.92)  # of a layer of one unit
    assert named(judged(sure, loss=0.7 * 9.5)) == ["underfitting_capacity"]
    assert named(judged(sure, loss=0.4 * 9.5)) == []
    dead = Finding(cause="dead_units", confidence=0.9)
    assert named(judged(dead, loss=0.4 * 9.5)) == [], "half of a layer may be silent in a network that learns"
    assert named(judged(dead, loss=0.6 * 9.5)) == ["dead_units"]
    frozen = Finding(cause="frozen_or_disconnected", confidence=0.9)
    assert named(judged(frozen, loss=0.25 * 9.5)) == ["frozen_or_disconnected"], "what lies around it makes up for it"
    far = Finding(cause="targets_not_scaled", confidence=0.9)
    assert named(judged(far, loss=0.25 * 9.5)) == ["targets_not_scaled"]
    assert named(judged(far, loss=0.15 * 9.5)) == []


def test_a_note_stays_a_note(judged):
    report = judged(Finding(cause="missing_class", kind="note"))
    assert (named(report), notes(report)) == ([], ["missing_class"])


def test_a_cause_explains_its_symptoms(judged):
    cause = Finding(cause="learning_rate_too_high", confidence=0.6)
    symptom = Finding(cause="exploding_gradient", confidence=0.9, evidence="a norm of 1e9")
    assert symptom.cause in CAUSES[cause.cause].explains
    report = judged(symptom, cause)
    assert named(report) == ["learning_rate_too_high"]
    assert report.findings[1].said == "a norm of 1e9 (follows from learning_rate_too_high)"
    assert named(judged(symptom)) == ["exploding_gradient"], "alone it is all that is known"


@pytest.mark.parametrize(
    ("sure", "certain", "of", "both"),
    [(0.92, True, 0.75, True), (0.92, False, 0.75, False), (0.7, True, 0.75, False)],
)
def test_what_is_certain_does_not_follow_from_what_is_less_sure(judged, sure, certain, of, both):
    symptom = Finding(cause="underfitting_capacity", confidence=sure, certain=certain)
    cause = Finding(cause="exploding_gradient", confidence=of)
    assert set(named(judged(symptom, cause))) == {"exploding_gradient", *["underfitting_capacity"] * both}
    cause.certain = True
    assert named(judged(symptom, cause)) == ["exploding_gradient"]


@pytest.mark.parametrize(
    ("cause", "symptom"),
    [
        ("inputs_scaled_twice", "inputs_not_scaled"),
        ("dead_units", "missing_nonlinearity"),
        ("wrong_metric", "loss_metric_inconsistent"),
        ("data_sorted", "dead_units"),
        ("shuffle_buffer_too_small", "class_imbalance"),
        ("pipeline_order", "oscillation"),
        ("logits_to_probability_loss", "gradient_sign_flipped"),  # where the loss clips, steps may point anywhere
    ],
)
def test_what_was_once_named_beside_its_cause(judged, cause, symptom):
    """Those of which a look at programs of others showed that the symptom stood beside or before the cause."""
    report = judged(Finding(cause=symptom, confidence=0.9), Finding(cause=cause, confidence=0.6))
    assert named(report) == [cause]


def test_of_two_that_explain_each_other_the_surer_one_stays():
    pairs = [(a, b) for a in CAUSES for b in CAUSES[a].explains if a < b and a in CAUSES[b].explains]
    for a, b in pairs:
        weak, sure = Finding(cause=a, confidence=0.5), Finding(cause=b, confidence=0.8)
        assert [f.cause for f in doctor._explained([weak, sure]) if f.kind == "named"] == [b]
        weak.confidence = 0.9
        assert [f.cause for f in doctor._explained([weak, sure]) if f.kind == "named"] == [a]


def test_no_set_of_causes_explains_itself_away():
    for a in CAUSES:
        for b in CAUSES[a].explains:
            kept = [f.cause for f in doctor._explained([Finding(cause=a), Finding(cause=b)]) if f.kind == "named"]
            assert len(kept) == 1, f"{a} and {b}: {kept}"


def test_what_follows_from_a_cause_of_the_data():
    """Several ones under a softmax, whose loss ends in no number while its units die; labels that come sorted over
    inputs that do not; a divergence that vanishes over pixels near 0.
    """
    found = [Finding(cause="dead_units", confidence=0.95), Finding(cause="exploding_gradient", confidence=0.9),
             Finding(cause="wrong_head_for_labels", confidence=0.9)]  # fmt: skip
    assert [f.cause for f in doctor._explained(found) if f.kind == "named"] == ["wrong_head_for_labels"]
    order = [Finding(cause="data_sorted", confidence=0.93), Finding(cause="labels_shuffled_apart", confidence=0.95)]
    assert [f.cause for f in doctor._explained(order) if f.kind == "named"] == ["labels_shuffled_apart"]
    pixels = [Finding(cause="regularisation_overwhelms", confidence=0.92), Finding(cause="inputs_scaled_twice")]
    assert [f.cause for f in doctor._explained(pixels) if f.kind == "named"] == ["inputs_scaled_twice"]


def test_of_a_circle_the_surest_one_stays_beside_what_is_independent():
    circle = ["frozen_or_disconnected", "learning_rate_too_high", "dead_units"]  # each explains the next
    assert all(b in CAUSES[a].explains for a, b in zip(circle, [*circle[1:], circle[0]], strict=True))
    for surest in circle:
        sure = {"dead_units": 0.6} | {surest: 0.9}  # weights that are fixed explain units that are less sure
        found = [Finding(cause=c, confidence=sure.get(c, 0.5)) for c in [*circle, "missing_class"]]
        kept = [f.cause for f in doctor._explained(found) if f.kind == "named"]
        assert kept == [surest, "missing_class"]


def test_what_is_left_over_explains_nothing():
    found = [
        Finding(cause="dead_units", confidence=0.9),
        Finding(cause="learning_rate_too_high", confidence=0.85),
        Finding(cause="init_scale", confidence=LEFT_OVER),  # would explain the rate, and follow from the units
    ]
    assert [f.cause for f in doctor._explained(found) if f.kind == "named"] == ["learning_rate_too_high"]


@pytest.mark.parametrize(
    ("cause", "sure", "doubted", "kept"),
    [
        ("batchnorm_mode", 0.9, 0.65, False),  # a network that is asked otherwise than it learned does not tell
        ("batchnorm_mode", 0.9, 0.7, True),  # as a twin says it, of other weights
        ("batchnorm_mode", 0.75, 0.65, True),
        ("labels_shuffled_apart", 0.9, 0.65, False),  # explains it anyway
        ("inputs_drowned_in_noise", 0.9, 0.65, False),
    ],
)
def test_noise_by_what_a_network_does_not_tell_follows_from_what_is_surer(cause, sure, doubted, kept):
    found = [Finding(cause=cause, confidence=sure), Finding(cause="label_noise", confidence=doubted, certain=True)]
    assert [f.cause for f in doctor._explained(found) if f.kind == "named"] == [cause, *["label_noise"] * kept]


@pytest.mark.parametrize(("degree", "kind"), [(0.25, "named"), (0.15, "note")])
def test_first_weights_are_named_from_less_harm_on(degree, kind):
    harm = Harm(degree=degree, sentence="the loss ends", end=1.0)
    assert doctor._judged(Finding(cause="init_scale", confidence=0.7), harm).kind == kind
    assert doctor._judged(Finding(cause="learning_rate_too_high", confidence=0.7), harm).kind == "note"


@pytest.mark.parametrize(
    ("cause", "end", "reference", "kind"),
    [
        ("inputs_drowned_in_noise", 0.8, 0.9, "named"),
        ("input_ignored", 0.8, 0.9, "named"),
        ("inputs_drowned_in_noise", 0.1, 0.9, "note"),  # it tells all there is
        ("inputs_drowned_in_noise", 0.8, None, "note"),
        ("init_scale", 0.8, 0.9, "note"),
        ("input_ignored", -39.0, -38.0, "note"),  # of counts, of which a constant has -36
    ],
)
def test_noise_is_not_measured_by_what_a_simple_model_makes_of_it(cause, end, reference, kind):
    harm = Harm(degree=0.0, sentence="the loss ends", baseline=1.0, reference=reference, end=end)
    harm.baseline = 1.0 if end > 0 else -36.0
    assert doctor._judged(Finding(cause=cause, confidence=0.9), harm).kind == kind


@pytest.mark.parametrize(
    ("cause", "confidence", "degree", "kind"),
    [
        ("vanishing_gradient", 0.92, 0.16, "named"),
        ("vanishing_gradient", 0.92, 0.14, "note"),
        ("vanishing_gradient", 0.85, 0.16, "note"),
        ("regularisation_overwhelms", 0.92, 0.24, "note"),  # odd_two_speeds is fine and has .234
        ("regularisation_overwhelms", 0.92, 0.26, "named"),
        ("too_few_steps", 0.95, 0.5, "note"),  # curves need more whatever they say
    ],
)
def test_a_sure_mechanism_is_named_from_less_harm_on(cause, confidence, degree, kind):
    harm = Harm(degree=degree, sentence="the loss ends", end=1.0)
    assert doctor._judged(Finding(cause=cause, confidence=confidence), harm).kind == kind


def test_independent_faults_stand_in_the_order_of_confidence(judged):
    report = judged(
        Finding(cause="data_sorted", confidence=0.6),
        Finding(cause="missing_class", kind="note"),
        Finding(cause="frozen_or_disconnected", confidence=0.9),
    )
    assert [f.cause for f in report.findings] == ["frozen_or_disconnected", "data_sorted", "missing_class"]
    assert not report.healthy


def test_the_strongest_finding_of_a_cause_stands_for_it(judged):
    report = judged(
        Finding(cause="dead_units", confidence=0.9, layer="b"),
        Finding(cause="dead_units", confidence=0.6, layer="a"),
        Finding(cause="dead_units", confidence=1.0, kind="note", layer="c"),
    )
    assert [(f.cause, f.layer) for f in report.findings] == [("dead_units", "b")]


def test_the_repair_is_that_of_the_table_unless_a_rule_knows_better(judged):
    (first,) = judged(Finding(cause="dead_units")).findings
    assert first.repair == CAUSES["dead_units"].repair
    (second,) = judged(Finding(cause="dead_units", repair="less")).findings
    assert second.repair == "less"


def test_a_mistake_in_a_rule_does_not_cost_the_verdict_of_the_others(monkeypatch):
    def broken(seen):
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(doctor, "rules", lambda: {"broken": broken, "good": lambda s: [Finding(cause="data_sorted")]})
    report = doctor.examine(ended(9.5))
    assert named(report) == ["data_sorted"]
    assert report.observation.unseen == ["The rule broken failed: ZeroDivisionError: a mistake"]


def test_what_does_not_learn_without_a_cause_is_not_healthy(judged):
    assert judged().unexplained
    assert not judged().healthy
    assert judged(loss=0.5).healthy
    diverged = doctor.Report(observation=ended(1.0), harm=Harm(degree=0.0, sentence="", diverged=True), findings=[])
    assert diverged.unexplained
    for attained in (None, 0.5):  # of a loss that nobody knows
        harm = Harm(degree=1.0, sentence="", attained=attained)
        report = doctor.Report(observation=ended(1.0), harm=harm, findings=[])
        assert report.unexplained == (attained is not None)


@pytest.mark.parametrize(("degree", "reference", "healthy"), [(0.65, 0.2, False), (0.55, 0.2, True), (0.65, None, True),
                                                             (0.85, None, False)])  # fmt: skip
def test_what_lacks_most_of_what_a_simple_model_learns_is_not_healthy(degree, reference, healthy):
    harm = Harm(degree=degree, sentence="", baseline=1.0, reference=reference)
    assert doctor.Report(observation=ended(1.0), harm=harm, findings=[]).healthy is healthy


def test_sorted_batches_are_easy_each_by_itself(monkeypatch):
    odd = [Finding(cause="data_sorted", confidence=0.9), Finding(cause="init_scale", confidence=0.9)]
    monkeypatch.setattr(doctor, "rules", lambda: {"typed": lambda seen: odd})
    for change in ({"epochs": [{"val_loss": 8.0}]}, {"experiments": {"forgotten": 8.0}}):
        seen = ended(0.1)
        assert named(doctor.examine(seen)) == []
        for field, value in change.items():
            setattr(seen, field, value)
        assert named(doctor.examine(seen)) == ["data_sorted"]


def test_dropout_that_is_on_in_evaluation_spoils_validation_alone(monkeypatch):
    odd = [Finding(cause="dropout_mode", confidence=0.9), Finding(cause="init_scale", confidence=0.9)]
    monkeypatch.setattr(doctor, "rules", lambda: {"typed": lambda seen: odd})
    seen = ended(0.1)
    assert named(doctor.examine(seen)) == []
    seen.epochs = [{"val_loss": 8.0}]
    assert named(doctor.examine(seen)) == ["dropout_mode"]


def test_what_is_left_over_is_named_where_nothing_else_is(judged):
    left = Finding(cause="label_noise", confidence=LEFT_OVER)
    assert named(judged(left)) == ["label_noise"]
    for other in ("too_few_steps", "constant_labels"):
        report = judged(left, Finding(cause=other, confidence=0.35))
        assert (named(report), notes(report)) == ([other], ["label_noise"])
    assert named(judged(left, loss=4.6)) == [], "half of what is to be learned must be missing"
    sure = Finding(cause="label_noise", confidence=0.7, certain=True)
    assert named(judged(sure, Finding(cause="too_few_steps", confidence=0.35), loss=0.1)) == ["label_noise"]


def test_the_targets_of_each_output_are_judged_by_themselves():
    x = np.random.default_rng(0).normal(size=(300, 2))
    data = Data(x=x, y=x[:, 0], n=300, others=(np.ones(300), np.arange(300.0) % 2))
    seen = Observation(
        name="m",
        interface="fit",
        loss=Loss(name=SQUARED),
        losses={"size": SQUARED, "urgent": "binary_crossentropy", "kind": "binary_crossentropy"},
        train=data,
        plan=Plan(epochs=3),
        epochs=[{"loss": 0.1, "urgent_loss": 0.0, "kind_loss": 0.2, "val_urgent_loss": 0.5}] * 3,
        steps=steps([0.1] * 40),
    )
    report = doctor.examine(seen)
    assert named(report) == ["constant_labels"]
    assert report.named[0].evidence.startswith("of output urgent: ")
