import functools
import math

from keras_course.diagnostics.observation import Observation, Plan
from keras_course.diagnostics.rules import heads, labels
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, CELLS, DIGITS, LABELS, PATIENTS, PROGRESS
from tests.diagnostics.typed import BINARY, CROSS, RNG, SPARSE, SQUARED, one, softmax, training

import numpy as np
import pytest

only = functools.partial(typed.only, heads.RULES)
causes = functools.partial(typed.named, heads.RULES)

HOT = np.eye(10, dtype="float32")[LABELS]
PROGRESS = PROGRESS + 0.25  # measurements, which need not be whole


def ones(rows):
    return np.ones((len(rows), 1), "float32")


def numbers(rows):
    return RNG.normal(size=(len(rows), 10)).astype("float32")


def rectified(rows):
    return np.maximum(numbers(rows), 0)


def shares(rows):
    return softmax(numbers(rows))


@pytest.mark.parametrize("loss", [BINARY, SQUARED])
def test_a_softmax_over_one_unit_is_certain_whatever_the_loss(loss):
    seen = training(CELLS, BENIGN, loss=loss, head="softmax", classes=1, output=ones, logits=False)
    assert heads.softmax_on_single_unit(seen)[0].certain


def test_a_softmax_over_another_axis_of_one_unit_is_right():
    over_time = lambda rows: softmax(RNG.normal(size=(len(rows), 7))).reshape(-1, 7, 1)  # noqa: E731
    seen = training(CELLS, BENIGN, loss=BINARY, head="softmax", classes=1, output=over_time, logits=False)
    assert heads.softmax_on_single_unit(seen) == []


@pytest.mark.parametrize(("loss", "y"), [(SPARSE, LABELS), (CROSS, HOT)])
@pytest.mark.parametrize("output", [numbers, rectified])
def test_logits_in_a_loss_of_probabilities_over_classes_are_certain(loss, y, output):
    head = "relu" if output is rectified else "linear"
    found = only(training(DIGITS, y, loss=loss, head=head, output=output, logits=False), "logits_to_probability_loss")
    assert found.certain
    assert "of the predictions of step 0 are none" in found.evidence


def test_a_relu_that_says_0_for_all_is_no_probability():
    silent = lambda rows: np.zeros((len(rows), 1), "float32")  # noqa: E731 - one expression
    seen = training(CELLS, BENIGN, loss=BINARY, head="relu", classes=1, output=silent, logits=False)
    assert "0 for all" in only(seen, "logits_to_probability_loss").evidence
    seen = training(CELLS, BENIGN, loss=BINARY, head="sigmoid", classes=1, output=silent, logits=False)
    assert causes(seen) == (set(), set())


def test_logits_in_a_binary_loss_are_no_probabilities_though_keras_clips_them():
    found = only(
        training(CELLS, BENIGN, loss=BINARY, classes=1, output=one, logits=False), "logits_to_probability_loss"
    )
    assert found.certain


def test_outputs_divided_by_their_sum_are_probabilities():
    divided = lambda rows: (e := np.abs(numbers(rows)) + 0.1) / e.sum(1, keepdims=True)  # noqa: E731
    assert causes(training(DIGITS, LABELS, output=divided, logits=False, head="")) == (set(), set())


@pytest.mark.parametrize(("loss", "y"), [(SPARSE, LABELS), (CROSS, HOT)])
def test_softmax_twice_is_certain_and_its_floor_is_said(loss, y):
    found = only(
        training(DIGITS, y, loss=loss, head="softmax", logits=True, output=shares), "probabilities_to_logits_loss"
    )
    assert found.certain
    assert f"{math.log(1 + 9 / math.e):.3f}" in found.evidence  # softmax of one 1 and nine 0
    assert "1.461" in found.evidence


def test_the_floor_of_softmax_twice_is_the_loss_of_a_perfect_prediction():
    perfect = softmax(np.eye(10)[[3]])[0, 3]
    assert -math.log(perfect) == pytest.approx(math.log(1 + 9 / math.e), rel=1e-6)


def test_sigmoid_twice_is_named_and_what_keras_rescues_is_a_note():
    sigmoid = lambda rows: 1 / (1 + np.exp(-one(rows)))  # noqa: E731 - one expression
    seen = training(CELLS, BENIGN, loss=BINARY, head="sigmoid", classes=1, logits=True, output=sigmoid)
    assert only(seen, "probabilities_to_logits_loss").certain
    seen.experiments["rescued"] = 1.0
    assert causes(seen) == (set(), {"probabilities_to_logits_loss"})
    seen.interface = "custom train_step"
    assert causes(seen) == (set(), {"probabilities_to_logits_loss"})
    seen.interface = "loop"
    assert only(seen, "probabilities_to_logits_loss").certain, "which reads the outputs by itself"


@pytest.mark.parametrize(
    ("accuracies", "certain"),
    [([0.6274, 0.6274, 0.6274], True), ([0.6274, 0.91], False), ([0.6274], False), ([], False)],
)
def test_an_accuracy_that_calls_every_probability_1(accuracies, certain):
    """Of the cells 62.74 % are benign; above 0 lies every probability."""
    sigmoid = lambda rows: 1 / (1 + np.exp(-one(rows)))  # noqa: E731 - one expression
    rows = [{"accuracy": value, "val_accuracy": 0.5} for value in accuracies]
    seen = training(CELLS, BENIGN, loss=BINARY, head="sigmoid", classes=1, logits=True, output=sigmoid, epochs=rows)
    seen.experiments["rescued"] = 1.0
    assert [f.certain for f in heads.probabilities_to_logits_loss(seen)] == [certain]


@pytest.mark.parametrize(("activation", "fires"), [("sigmoid", True), ("linear", False)])
def test_sigmoid_before_what_resizes_it_and_another_in_the_loss(activation, fires):
    sigmoid = lambda rows: 1 / (1 + np.exp(-one(rows)))  # noqa: E731 - one expression
    seen = training(CELLS, BENIGN, loss=BINARY, head="linear", classes=1, logits=True, output=sigmoid)
    seen.units[-1].activation = activation
    assert [f.certain for f in heads.probabilities_to_logits_loss(seen)] == [True] * fires
    seen.probes[0].output = seen.probes[0].output + 1
    assert heads.probabilities_to_logits_loss(seen) == [], "no probabilities"


def test_one_output_cannot_tell_ten_classes():
    for loss, y in ((SPARSE, LABELS), (CROSS, LABELS[:, None]), (BINARY, LABELS)):
        seen = training(DIGITS, y, loss=loss, classes=1, output=one)
        assert only(seen, "wrong_head_for_labels").certain


@pytest.mark.parametrize(
    ("head", "y", "width", "cause"),
    [
        ("sigmoid", LABELS == 3, 1, "wrong_loss_for_task"),
        ("linear", LABELS == 3, 1, "wrong_head_for_labels"),
        ("sigmoid", LABELS, 1, "wrong_head_for_labels"),
        ("sigmoid", RNG.random((len(LABELS), 10)) < 0.3, 10, "wrong_loss_for_task"),
        ("softmax", RNG.random((len(LABELS), 10)) < 0.3, 10, "wrong_head_for_labels"),
        ("sigmoid", np.eye(10)[LABELS] * (LABELS > 2)[:, None], 10, ""),  # some have lost their 1, which is row 8
    ],
)
def test_sigmoids_that_say_yes_or_no_have_the_wrong_loss_and_others_are_the_wrong_head(head, y, width, cause):
    """Head and labels agree, and a loss over classes is the odd one; or head and loss agree, and the labels are."""
    said = one if width == 1 else shares
    seen = training(DIGITS, y.astype("float32"), loss=CROSS, head=head, logits=False, classes=width, output=said)
    rules = (heads.wrong_loss_for_task, heads.wrong_head_for_labels)
    assert [f.cause for rule in rules for f in rule(seen) if f.kind == "named"] == [cause] * bool(cause)


def test_class_numbers_are_no_targets_of_ten_outputs():
    seen = training(DIGITS, LABELS[:, None], loss=BINARY, head="sigmoid", logits=False, output=shares)
    assert only(seen, "wrong_head_for_labels").certain


def test_several_ones_under_a_softmax_are_named_where_there_is_harm():
    tags = (RNG.random((1000, 10)) < 0.3).astype("float32")
    seen = training(DIGITS[:1000], tags, loss=CROSS, head="softmax", logits=False, output=shares)
    assert causes(seen) == ({"wrong_head_for_labels"}, set())
    assert not any(f.certain for f in heads.RULES["wrong_head_for_labels"](seen))


def test_a_mask_of_pixels_with_one_output_is_right():
    images = RNG.normal(size=(64, 6, 6, 1)).astype("float32")
    masks = (images > 0).astype("float32")
    seen = training(images, masks, loss=BINARY, classes=1, output=lambda rows: images[rows])
    assert causes(seen) == (set(), set())


def test_a_logit_that_relu_keeps_at_zero_is_named_when_there_is_harm():
    dead = lambda rows: rectified(rows) * (np.arange(10) != 4)  # noqa: E731 - one expression
    found = only(training(DIGITS, LABELS, head="relu", logits=True, output=dead), "wrong_head_for_labels")
    assert not found.certain
    assert "1 of 10" in found.evidence
    assert causes(training(DIGITS, LABELS, head="relu", logits=True, output=rectified)) == (set(), set())


def test_measurements_with_a_cross_entropy():
    assert only(training(PATIENTS, PROGRESS, loss=SPARSE, output=numbers), "wrong_loss_for_task").certain
    seen = training(PATIENTS, PROGRESS, loss=BINARY, head="sigmoid", logits=False, classes=1, output=ones)
    assert only(seen, "wrong_loss_for_task").certain


@pytest.mark.parametrize(("losses", "found"), [((0.4, -0.2), 1), ((0.4, 0.1), 0)])
def test_a_cross_entropy_below_0_of_one_output_of_several(losses, found):
    seen = training(
        DIGITS, LABELS, losses=(1.0, 0.2, -0.1), epochs=[{"state_loss": 0.3, "life_loss": v} for v in losses]
    )
    seen.losses = {"state": SPARSE, "life": BINARY}
    assert [f.certain for f in heads.wrong_loss_for_task(seen)] == [True] * found
    seen.losses["life"] = "likelihood"
    assert heads.wrong_loss_for_task(seen) == [], "a loss of the script's own may be anything"


@pytest.mark.parametrize(("most", "cause"), [(160, "wrong_loss_for_task"), (12, "wrong_head_for_labels")])
def test_counts_are_no_classes_for_one_output(most, cause):
    y = np.arange(len(DIGITS)) % (most + 1)
    seen = training(DIGITS, y, loss=BINARY, classes=1, output=one)
    found = [f.cause for rule in ("wrong_loss_for_task", "wrong_head_for_labels") for f in heads.RULES[rule](seen)]
    assert found == [cause]


def test_what_a_loss_did_not_take_is_certain():
    seen = Observation(name="m", refused={"shape": "a loss does not take labels"})
    (finding,) = heads.wrong_head_for_labels(seen)
    assert (finding.certain, finding.evidence) == (True, "a loss does not take labels")
    assert labels.label_encoding(seen) == []
    seen.refused = {"value": "a loss does not take the label 4"}
    assert heads.wrong_head_for_labels(seen) == []
    assert [f.certain for f in labels.label_encoding(seen)] == [True]


def test_class_numbers_with_a_squared_error_need_harm_and_are_surer_with_accuracy():
    seen = training(DIGITS, LABELS, loss=SQUARED, classes=1, output=one)
    plain = only(seen, "wrong_loss_for_task")
    seen.plan = Plan(metrics=("accuracy",))
    asked = heads.wrong_loss_for_task(seen)[0]
    assert not plain.certain
    assert not asked.certain
    assert plain.confidence < 0.5 < asked.confidence


@pytest.mark.parametrize(("flat", "kind"), [(0, "note"), (0.05, "note"), (0.3, "named")])
def test_sigmoids_of_which_several_are_one_tell_no_class(flat, kind):
    """Beside a categorical cross-entropy, which Keras takes of the logits: the loss may be small."""
    few = RNG.random(len(LABELS)) < flat
    said = np.where(few[:, None], 1.0, 1 / (1 + np.exp(-RNG.normal(size=(len(LABELS), 10)))))
    seen = training(DIGITS, LABELS, head="sigmoid", logits=False, output=lambda rows: said[rows], batch=400)
    (finding,) = heads.wrong_head_for_labels(seen)
    assert (finding.kind, finding.certain) == (kind, kind == "named")


def test_several_ones_under_a_softmax_are_certain_with_a_squared_error_and_one_is_fine():
    several = (np.eye(10)[LABELS] + np.eye(10)[LABELS[::-1]] > 0).astype("float32")
    for y, head, wrong in (
        (several, "softmax", True),
        (several, "sigmoid", False),
        (np.eye(10)[LABELS], "softmax", False),
    ):
        seen = training(DIGITS, y.astype("float32"), loss=SQUARED, head=head, output=shares)
        assert [f.certain for f in heads.wrong_head_for_labels(seen)] == [True] * wrong


def test_several_ones_under_a_softmax_are_certain_where_each_output_has_a_loss_of_its_own():
    tags = (RNG.random((1000, 10)) < 0.3).astype("float32")
    seen = training(DIGITS[:1000], tags, loss=BINARY, head="softmax", logits=False, output=shares)
    assert only(seen, "wrong_head_for_labels").certain
    seen = training(DIGITS, np.eye(10)[LABELS], loss=BINARY, head="softmax", logits=False, output=shares)
    assert causes(seen) == (set(), set())


@pytest.mark.parametrize(
    ("kind", "units", "activation", "fires"),
    [("Dense", 1, "softmax", True), ("Dense", 2, "softmax", False), ("Dense", 1, "sigmoid", False)],
)
def test_a_dense_layer_of_one_unit_with_softmax_wherever_it_stands(kind, units, activation, fires):
    seen = training(PATIENTS, PROGRESS, loss=SQUARED, classes=1, output=one)
    seen.layers = [{"class": kind, "name": "weights", "config": {"units": units, "activation": activation}}]
    found = heads.softmax_on_single_unit(seen)
    assert [(f.layer, f.certain) for f in found] == ([("weights", True)] if fires else [])


@pytest.mark.parametrize(
    ("kind", "config", "width", "fires"),
    [
        ("Softmax", {"axis": -1}, 1, True),
        ("Softmax", {"axis": -1}, 8, False),
        ("Softmax", {"axis": -1}, None, False),
        ("Softmax", {"axis": 1}, 1, False),  # over the places of a sequence, as attention does
        ("Activation", {"activation": "softmax"}, 1, True),
        ("Activation", {"activation": "relu"}, 1, False),
    ],
)
def test_a_layer_that_is_a_softmax_over_an_axis_of_length_one(kind, config, width, fires):
    seen = training(DIGITS, LABELS)
    seen.layers = [{"class": kind, "name": "chance", "config": config, "width": width}]
    found = heads.softmax_on_single_unit(seen)
    assert [(f.layer, f.certain) for f in found] == ([("chance", True)] if fires else [])
    assert not fires or "axis" in found[0].repair


PERCENT = "mean_absolute_percentage_error"


@pytest.mark.parametrize(
    ("zeros", "loss", "fires"), [(0.5, PERCENT, True), (0.02, PERCENT, False), (0.5, SQUARED, False)]
)
def test_an_error_in_per_cent_of_targets_that_are_0(zeros, loss, fires):
    y = np.where(np.arange(len(PROGRESS)) < zeros * len(PROGRESS), 0.0, 1 + PROGRESS).astype("float32")
    seen = training(PATIENTS, y, loss=loss, classes=1, output=one)
    assert [f.certain for f in heads.wrong_loss_for_task(seen)] == [True] * fires


@pytest.mark.parametrize(
    ("below", "loss", "fires"),
    [(0.5, PERCENT, True), (0.05, PERCENT, False), (0.95, PERCENT, False), (0.5, SQUARED, False)],
)
def test_an_error_in_per_cent_of_targets_on_both_sides_of_0(below, loss, fires):
    y = (PROGRESS - np.quantile(PROGRESS, below)).astype("float32")
    found = heads.wrong_loss_for_task(training(PATIENTS, y, loss=loss, classes=1, output=one))
    assert [f.certain for f in found] == [True] * fires
    assert not fires or "of the targets are below 0 and the others are not" in found[0].evidence


@pytest.mark.parametrize(
    ("below", "loss", "fires"),
    [(0.5, "poisson", True), (0.5, "mean_squared_logarithmic_error", True), (0.02, "poisson", False),
     (0.5, SQUARED, False)],
)  # fmt: skip
def test_losses_of_counts_take_none_below_0(below, loss, fires):
    y = np.where(np.arange(len(PROGRESS)) < below * len(PROGRESS), -PROGRESS, PROGRESS).astype("float32")
    seen = training(PATIENTS, y, loss=loss, classes=1, output=one, logits=False)
    assert [f.certain for f in heads.wrong_loss_for_task(seen)] == [True] * fires


@pytest.mark.parametrize(
    ("values", "loss", "fires"),
    [([0.0, 1.0], "hinge", False), ([-1.0, 1.0], "squared_hinge", False), ([0.2, 0.7], "hinge", True),
     ([0.0, 2.0], "squared_hinge", True), ([0.2, 0.7], SQUARED, False)],
)  # fmt: skip
def test_a_hinge_takes_two_classes(values, loss, fires):
    y = np.array(values, "float32")[np.arange(len(PROGRESS)) % 2]
    seen = training(PATIENTS, y, loss=loss, classes=1, output=one, logits=False)
    assert [f.certain for f in heads.wrong_loss_for_task(seen)] == [True] * fires


def test_a_cross_entropy_over_a_single_output_needs_no_labels_to_be_wrong():
    seen = training(DIGITS, LABELS, loss=CROSS, head="sigmoid", logits=False, classes=1, output=one)
    seen.train, seen.stream = None, []
    for look in seen.probes:
        look.y = None
    assert [f.certain for f in heads.wrong_head_for_labels(seen)] == [True]


@pytest.mark.parametrize(
    ("activation", "kind", "loss", "logits", "fires"),
    [
        ("linear", "Dense", BINARY, set(), True),
        ("linear", "Dense", SPARSE, set(), True),
        ("sigmoid", "Dense", BINARY, set(), False),
        ("linear", "Dense", BINARY, {"rot"}, False),
        ("linear", "Dense", SQUARED, set(), False),
        ("linear", "Conv2D", BINARY, set(), False),  # whose places another layer may join
    ],
)
def test_logits_of_one_output_of_several(activation, kind, loss, logits, fires):
    seen = training(DIGITS, PROGRESS[0] + LABELS, loss=SQUARED, classes=1, output=one)
    seen.losses, seen.logits = {"sugar": SQUARED, "rot": loss}, logits
    seen.layers = [{"class": kind, "name": name, "config": {"activation": of}}
                   for name, of in (("sugar", "linear"), ("rot", activation))]  # fmt: skip
    found = heads.logits_to_probability_loss(seen)
    assert [(f.certain, f.layer) for f in found] == [(True, "rot")] * fires


@pytest.mark.parametrize(
    ("loss", "classes", "metrics", "y", "fires"),
    [
        (SQUARED, 10, ("sparse_categorical_accuracy",), LABELS, True),
        (SQUARED, 10, ("acc",), LABELS[:, None], True),
        (SQUARED, 10, ("mae",), LABELS, False),  # nobody asks for a class
        (SQUARED, 1, ("acc",), LABELS, False),
        (SQUARED, 12, ("acc",), LABELS, False),  # they are no numbers of its outputs
        (SQUARED, 10, ("acc",), HOT, False),
        (SPARSE, 10, ("acc",), LABELS, False),
    ],
)
def test_as_many_outputs_as_classes_held_against_the_number_of_one(loss, classes, metrics, y, fires):
    seen = training(DIGITS, y, loss=loss, classes=classes, plan=Plan(metrics=metrics))
    found = [f for f in heads.wrong_loss_for_task(seen) if "against the number of a class" in f.evidence]
    assert [f.certain for f in found] == [True] * fires
