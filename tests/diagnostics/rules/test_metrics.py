import dataclasses
import functools

from keras_course.diagnostics.observation import EXACT_ACCURACY, Data, Plan
from keras_course.diagnostics.rules import metrics
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, CELLS, DIGITS, LABELS, PATIENTS, PROGRESS
from tests.diagnostics.typed import BINARY, CROSS, RNG, SPARSE, SQUARED, one, softmax, training

import numpy as np
import pytest

only = functools.partial(typed.only, metrics.RULES)
causes = functools.partial(typed.named, metrics.RULES)

PROGRESS = PROGRESS + 0.25  # measurements, which need not be whole


def ones(rows):
    return np.ones((len(rows), 1), "float32")


def numbers(rows):
    return RNG.normal(size=(len(rows), 10)).astype("float32")


def shares(rows):
    return softmax(numbers(rows))


@pytest.mark.parametrize(
    ("metric", "whole", "real", "fires"),
    [(EXACT_ACCURACY, False, False, True), ("accuracy", False, False, False), (EXACT_ACCURACY, True, False, False),
     (EXACT_ACCURACY, False, True, True)],
)  # fmt: skip
def test_accuracy_that_counts_what_is_equal(metric, whole, real, fires):
    said = lambda rows: np.round(3 * numbers(rows)) if whole else numbers(rows)  # noqa: E731 - one expression
    y = LABELS + 0.5 if real else LABELS
    seen = training(DIGITS, y, output=said, plan=Plan(metrics=(metric,)))
    assert [f.certain for f in metrics.wrong_metric(seen)] == [True] * fires


def test_accuracy_of_measurements_says_nothing_and_less_when_training_stops_by_it():
    seen = training(PATIENTS, PROGRESS, loss=SQUARED, classes=1, output=one, plan=Plan(metrics=("accuracy",)))
    unused = only(seen, "wrong_metric")
    assert (unused.certain, unused.confidence) == (True, 0.6)
    seen.plan = Plan(metrics=("accuracy",), monitored=("val_accuracy",))
    assert only(seen, "wrong_metric").certain
    seen.plan = Plan(metrics=("mean_absolute_error",), monitored=("val_loss",))
    assert causes(seen) == (set(), set())


def test_a_categorical_accuracy_of_what_is_decided_already():
    seen = training(DIGITS, LABELS, output=numbers, plan=Plan(metrics=("sparse_categorical_accuracy of decisions",)))
    assert only(seen, "wrong_metric").certain
    assert "sparse_categorical_accuracy takes the largest" in only(seen, "wrong_metric").evidence


@pytest.mark.parametrize(
    ("metric", "width", "middle", "kind"),
    [
        ("accuracy", 1, 0.25, "named"),
        ("accuracy", 1, 3.0, "note"),  # hardly an output lies between the two cuts
        ("binary_accuracy", 3, 0.25, "named"),
        ("binary_accuracy at 0.0", 1, 0.25, ""),
    ],
)
def test_accuracy_that_cuts_logits_at_a_half_misses_what_lies_between(metric, width, middle, kind):
    y = (RNG.random((len(CELLS), width)) < 0.4).astype("float32")
    logits = middle * (2 * y - 1) + 0.1 * RNG.normal(size=y.shape)
    seen = training(CELLS, y, loss=BINARY, head="linear", classes=width, output=lambda rows: logits[rows])
    seen.plan = Plan(metrics=(metric,))
    assert [f.kind for f in metrics.wrong_metric(seen)] == [kind] * bool(kind)


@pytest.mark.parametrize(
    ("level", "logits", "middle", "kind"),
    [(0.5, True, 0.25, "named"), (0.5, True, 3.0, "note"), (0.0, True, 0.25, ""), (0.5, False, 0.25, "")],
)
def test_logits_that_the_script_itself_cuts_at_a_half(level, logits, middle, kind):
    y = (RNG.random((len(CELLS), 1)) < 0.4).astype("float32")
    said = middle * (2 * y - 1) + 0.1 * RNG.normal(size=y.shape)
    head = "linear" if logits else "sigmoid"
    seen = training(CELLS, y, loss=BINARY, logits=logits, head=head, classes=1, output=lambda rows: said[rows])
    seen.file, seen.cuts = "train.py", [(0.7, 3), (level, 5)]
    assert [(f.kind, f.line) for f in metrics.wrong_metric(seen)] == [(kind, 5)] * bool(kind)


def test_numbers_of_classes_that_are_cut_off_behind_the_point():
    masks = (DIGITS[..., None] > 0.5).astype("float32")
    plan = Plan(metrics=("mean_io_u of no class numbers",))
    found = only(training(DIGITS, masks, loss=BINARY, head="sigmoid", output=numbers, plan=plan), "wrong_metric")
    assert found.certain
    assert found.evidence.startswith("mean_io_u takes numbers of classes")


@pytest.mark.parametrize(
    ("metric", "several", "fires"),
    [("categorical_accuracy", True, True), ("categorical_accuracy", False, False), ("accuracy", True, True),
     ("accuracy", False, False), ("binary_accuracy", True, False)],
)  # fmt: skip
def test_the_largest_of_outputs_of_which_several_are_right(metric, several, fires):
    y = np.eye(10)[LABELS]
    if several:
        y[::3, 2] = y[::3, 5] = 1
    said = lambda rows: softmax(RNG.normal(size=(len(rows), 10)))  # noqa: E731 - one expression
    seen = training(DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=10, output=said)
    seen.plan = Plan(metrics=(metric,))
    assert [f.certain for f in metrics.wrong_metric(seen)] == [True] * fires


def test_a_low_loss_at_the_accuracy_of_one_class_is_inconsistent():
    sigmoid = lambda rows: 1 / (1 + np.exp(-one(rows)))  # noqa: E731 - one expression
    seen = training(CELLS, BENIGN, loss=BINARY, head="sigmoid", classes=1, logits=False, output=sigmoid)
    share = float(np.mean(BENIGN))
    seen.epochs = [{"loss": 0.1, "accuracy": share}]
    assert only(seen, "loss_metric_inconsistent").certain
    for loss, accuracy in ((0.1, 0.97), (0.6, share)):
        seen.epochs = [{"loss": loss, "accuracy": accuracy}]
        assert causes(seen) == (set(), set())


@pytest.mark.parametrize(("loss", "targets", "fires"), [("own", "angles", True), ("own", "shares", False),
                                                        (CROSS, "angles", False), ("own", "kinds", False)])  # fmt: skip
def test_accuracy_of_measurements_under_a_loss_of_the_scripts_own(loss, targets, fires):
    angle = np.linspace(0, 6, len(DIGITS))
    y = {"angles": np.stack([np.sin(angle), np.cos(angle)], axis=1), "kinds": np.eye(2)[LABELS % 2] * 2 - 1}
    y["shares"] = np.stack([np.sin(angle) ** 2, np.cos(angle) ** 2], axis=1)
    seen = training(DIGITS, y[targets].astype("float32"), loss=loss, classes=2, plan=Plan(metrics=("accuracy",)))
    assert [f.certain for f in metrics.wrong_metric(seen)] == [True] * fires


@pytest.mark.parametrize(("kind", "validated", "fires"), [
    ("shares", "", True), ("shares", "shares", True), ("shares", "classes", False), ("smooth", "", False),
    ("few", "", False),
])  # fmt: skip
def test_accuracy_of_shares_under_one_sigmoid(kind, validated, fires):
    """Classes that training alone mixes are told right in validation; those that are smoothed are two numbers."""
    share = np.linspace(0.01, 0.99, len(DIGITS)).astype("float32")
    y = {"shares": share, "classes": np.round(share), "smooth": 0.05 + 0.9 * np.round(share)}
    y["few"] = np.where(np.arange(len(DIGITS)) % 3 > 0, np.round(share), share)  # a third is between
    seen = training(DIGITS, y[kind], loss=BINARY, head="sigmoid", logits=False, classes=1, output=one)
    seen.plan = Plan(metrics=("accuracy",))
    if validated:
        seen.validation = Data(x=DIGITS[:50], y=y[validated][:50])
    assert [f.certain for f in metrics.wrong_metric(seen)] == [True] * fires


@pytest.mark.parametrize(
    ("metric", "fires"), [("sparse_categorical_accuracy", True), ("categorical_accuracy", True), ("accuracy", False)]
)
def test_the_largest_of_one_output_is_no_metric(metric, fires):
    y = (LABELS > 4).astype("int64")
    likely = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - one expression
    seen = training(DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=likely)
    seen.plan = Plan(metrics=(metric,))
    assert [f.certain for f in metrics.wrong_metric(seen)] == ([True] if fires else [])


@pytest.mark.parametrize("metric", ["categorical_accuracy", "sparse_categorical_accuracy", "accuracy"])
def test_numbers_of_classes_are_no_one_hot_labels(metric):
    numbers = training(DIGITS, LABELS, plan=Plan(metrics=(metric,)))
    assert [f.certain for f in metrics.wrong_metric(numbers)] == [True] * (metric == "categorical_accuracy")
    hot = training(DIGITS, np.eye(10)[LABELS], loss=CROSS, plan=Plan(metrics=(metric,)))
    assert metrics.wrong_metric(hot) == []


@pytest.mark.parametrize(("metric", "classes", "fires"), [("binary_accuracy", 10, True), ("accuracy", 10, False),
                                                          ("binary_accuracy", 2, False)])  # fmt: skip
def test_one_hot_labels_counted_place_by_place(metric, classes, fires):
    hot = np.eye(classes)[LABELS % classes]
    said = lambda rows: softmax(RNG.normal(size=(len(rows), classes)))  # noqa: E731 - one expression
    seen = training(DIGITS, hot, loss=CROSS, head="softmax", logits=False, classes=classes, output=said)
    seen.plan = Plan(metrics=(metric,))
    assert [f.certain for f in metrics.wrong_metric(seen)] == [True] * fires


@pytest.mark.parametrize(
    ("metric", "head", "classes", "several", "fires"),
    [("binary_accuracy", "sigmoid", 10, False, True), ("accuracy", "sigmoid", 3, False, False),
     ("accuracy", "sigmoid", 2, False, False), ("accuracy", "softmax", 10, False, False),
     ("categorical_accuracy", "sigmoid", 10, False, False), ("accuracy", "sigmoid", 10, True, False)],
)  # fmt: skip
def test_sigmoids_of_which_one_is_to_be_found_are_counted_one_by_one(metric, head, classes, several, fires):
    y = np.eye(classes)[LABELS % classes]
    y[::2, :2] = 1 if several else y[::2, :2]
    seen = training(DIGITS, y, loss=BINARY, head=head, logits=False, classes=classes, plan=Plan(metrics=(metric,)))
    found = [f for f in metrics.wrong_metric(seen) if "naming no class" in f.evidence]
    assert len(found) == fires
    assert not fires or (not found[0].certain and f"right in {1 - 1 / classes:.0%}" in found[0].evidence)


@pytest.mark.parametrize(("logged", "fires"), [("size_accuracy", True), ("kind_accuracy", False)])
def test_accuracy_of_another_output_is_no_accuracy_of_measurements(logged, fires):
    seen = training(PATIENTS, PROGRESS, loss=SQUARED, classes=1, output=one, plan=Plan(metrics=("accuracy",)))
    seen.losses, seen.epochs = {"size": SQUARED, "kind": BINARY}, [{"loss": 1.0, logged: 0.5}]
    assert bool(metrics.wrong_metric(seen)) == fires


@pytest.mark.parametrize(
    ("loss", "most", "fires"), [("poisson", 160, True), (SQUARED, 160, True), (SQUARED, 1, False), (BINARY, 1, False)]
)
def test_accuracy_of_counts_asks_whether_they_are_above_one_half(loss, most, fires):
    y = np.minimum(np.arange(len(PATIENTS)) % 161, most)
    seen = training(PATIENTS, y, loss=loss, classes=1, output=one, plan=Plan(metrics=("accuracy",)))
    assert any("above one half" in f.evidence for f in metrics.wrong_metric(seen)) == fires


@pytest.mark.parametrize(
    ("head", "form", "fires"), [("softmax", "one", True), ("sigmoid", "one", False), ("softmax", "several", False)]
)
def test_places_of_one_hot_labels_under_a_binary_cross_entropy(head, form, fires):
    y = np.eye(10)[LABELS]
    y = np.maximum(y, np.roll(y, 1, axis=0)) if form == "several" else y
    seen = training(DIGITS, y, loss=BINARY, head=head, output=lambda rows: softmax(RNG.normal(size=(len(rows), 10))))
    seen.plan = Plan(metrics=("binary_accuracy",))
    assert ["one by one" in f.evidence for f in metrics.wrong_metric(seen) if f.certain] == [True] * fires
    seen.loss.name = CROSS  # of one class a row, whatever the head
    assert ["one by one" in f.evidence for f in metrics.wrong_metric(seen)] == [True] * (form == "one")


@pytest.mark.parametrize(
    ("loss", "metric", "fires"),
    [
        (BINARY, "sparse_categorical_accuracy", True),
        (SPARSE, "categorical_accuracy", True),
        (SPARSE, "sparse_categorical_accuracy", False),
        (BINARY, "categorical_accuracy", False),  # of one-hot labels
        (CROSS, "categorical_accuracy", False),
    ],
)
def test_another_output_is_measured_by_what_takes_its_labels(loss, metric, fires):
    seen = training(PATIENTS, PROGRESS, loss=SQUARED, classes=1, output=one)
    seen.losses, seen.epochs = {"size": SQUARED, "kind": loss}, [{"loss": 1.0, f"kind_{metric}": 0.5}]
    assert ["output kind" in f.evidence for f in metrics.wrong_metric(seen)] == [True] * fires
    seen.epochs = [{"loss": 1.0}]
    assert metrics.wrong_metric(seen) == []


@pytest.mark.parametrize(
    ("accuracy", "end", "kind", "fires"),
    [(0.01, 0.1, 2, True), (0.3, 0.1, 2, False), (0.01, 0.9, 2, False), (0.01, 0.1, 10, False)],
)
def test_an_accuracy_below_that_of_either_class_counts_the_wrong_way(accuracy, end, kind, fires):
    """Of distances, of which a small one says that two are the same."""
    rows = [{"loss": 1.0, "accuracy": 0.3}, {"loss": end, "accuracy": accuracy}]
    seen = training(DIGITS, LABELS % kind, loss="contrastive", classes=1, output=one, epochs=rows)
    seen.plan = Plan(metrics=("accuracy",))
    assert [f.certain for f in metrics.wrong_metric(seen)] == [True] * fires
    seen.plan = Plan(metrics=("mae",))
    assert metrics.wrong_metric(seen) == []


def test_two_outputs_between_the_cuts_are_chance():
    y = np.ones((40, 1), "float32")
    logits = np.where(np.arange(40) < 2, 0.25, 3.0)[:, None]
    seen = training(CELLS[:40], y, loss=BINARY, head="linear", classes=1, output=lambda rows: logits[rows], batch=40)
    seen.plan = Plan(metrics=("accuracy",))
    assert [f.kind for f in metrics.wrong_metric(seen)] == ["note"]


@pytest.mark.parametrize(
    ("metric", "fires"),
    [("top_k of the best 10", True), ("top_k of the best 12", True), ("top_k of the best 5", False),
     ("binary_accuracy the wrong way round", True)],
)  # fmt: skip
def test_metrics_that_are_given_or_take_the_wrong_things(metric, fires):
    seen = training(DIGITS, LABELS, output=numbers, plan=Plan(metrics=("accuracy", metric)))
    assert [f.certain for f in metrics.wrong_metric(seen)] == [True] * fires
    seen.classes = None
    assert bool(metrics.wrong_metric(seen)) is ("wrong way" in metric)


@pytest.mark.parametrize(
    ("scores", "held", "recall", "fires"),
    [
        ({"accuracy": 0.12}, 0.9, 0.9, True),
        ({"mean_recall": 0.0, "share": 0.1}, 0.9, 0.9, True),
        ({"share": 0.1}, 0.9, 0.9, False),  # nobody knows of what
        ({"accuracy": 0.12, "score": 0.9}, 0.9, 0.9, False),
        ({"accuracy": 0.3}, 0.9, 0.9, False),  # better than naming one class
        ({"accuracy": 0.12}, 0.5, 0.9, False),
        ({"accuracy": 0.12}, 0.9, 0.5, False),
        ({}, 0.9, 0.9, False),
    ],
)
def test_scores_of_the_script_that_the_last_weights_contradict(scores, held, recall, fires):
    seen = training(DIGITS, LABELS, output=numbers)
    seen.scores = scores
    seen.experiments = {"right_held": held, "sure_recall": recall, "sure_classes": len(np.unique(LABELS))}
    found = metrics.loss_metric_inconsistent(seen)
    assert [f.certain for f in found] == [True] * fires
    assert not fires or next(iter(scores)) in found[0].evidence
    seen.experiments["sure_classes"] -= 1  # of one that is not held out nothing can be found
    assert metrics.loss_metric_inconsistent(seen) == []
    seen.experiments["sure_classes"] += 1
    seen.probes = [dataclasses.replace(p, output=p.output[:, None]) for p in seen.probes]
    assert metrics.loss_metric_inconsistent(seen) == [], "of sequences a score may be of whole ones"


def test_the_accuracy_of_a_loop_is_what_the_script_makes_of_it():
    """In `fit` the word is one that Keras takes for CategoricalAccuracy."""
    y = np.stack([LABELS % 2, LABELS % 3 == 0, LABELS > 4], axis=1).astype("float32")
    for interface, fires in (("fit", True), ("loop", False)):
        seen = training(DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=3, interface=interface,
                        output=lambda rows: y[rows] * 0.8 + 0.1, plan=Plan(metrics=("accuracy",)))  # fmt: skip
        assert ["binary_accuracy" in f.repair for f in metrics.wrong_metric(seen)] == [True] * fires


def test_a_score_near_what_the_weights_are_worth_is_not_contradicted():
    """Where one class has seven tenths of the rows, naming it is nearly as good."""
    y = (np.arange(len(DIGITS)) % 10 > 2).astype(int)
    seen = training(DIGITS, y, classes=2, output=lambda rows: RNG.normal(size=(len(rows), 2)))
    seen.experiments = {"right_held": 0.95, "sure_recall": 0.95, "sure_classes": 2.0}
    for accuracy, fires in ((0.72, False), (0.5, True)):
        seen.scores = {"accuracy": accuracy}
        assert bool(metrics.loss_metric_inconsistent(seen)) is fires
