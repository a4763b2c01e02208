from keras_course.diagnostics.observation import Data, Feed, Optimizer, Plan, Variable
from keras_course.diagnostics.rules import data
from tests.diagnostics.typed import BINARY, CROSS, RNG, SPARSE, SQUARED, named, softmax, steps, training

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = (DIGITS / 16).astype("float32")
IMAGES = DIGITS.reshape(-1, 8, 8, 1)
WINE, CULTIVAR = load_wine(return_X_y=True)
CELLS, BENIGN = load_breast_cancer(return_X_y=True)
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)
STUCK = (2.3, 2.31, 2.3)


def only(seen, cause):
    found = [f for rule in data.RULES.values() for f in rule(seen) if f.kind == "named"]
    assert [f.cause for f in found] == [cause]
    return found[0]


def causes(seen):
    return named(data.RULES, seen)


def one(rows):
    return RNG.normal(size=(len(rows), 1)).astype("float32")


@pytest.mark.parametrize("shift", [1, -1])
def test_class_numbers_that_no_output_has_are_certain(shift):
    found = only(training(DIGITS, LABELS + shift), "label_encoding")
    assert found.certain
    assert "0 to 9" in found.evidence


def test_marks_of_places_without_a_label_are_no_classes():
    y = np.where(RNG.random((400, 6)) < 0.2, -1, RNG.integers(0, 10, (400, 6)))
    seen = training(
        RNG.normal(size=(400, 6, 3)).astype("float32"), y, output=lambda r: RNG.normal(size=(len(r), 6, 10))
    )
    assert causes(seen) == (set(), set())
    assert only(training(DIGITS, np.where(LABELS == 3, -1, LABELS)), "label_encoding").certain


@pytest.mark.parametrize("pair", [(-1, 1), (1, 2), (0, 255)])
def test_two_classes_are_called_0_and_1(pair):
    y = np.array(pair)[BENIGN]
    x = (CELLS - CELLS.mean(0)) / CELLS.std(0)
    assert only(training(x, y, loss=BINARY, classes=1, output=one), "label_encoding").certain
    assert causes(training(x, y, loss="hinge", classes=1, output=one)) == (set(), set())


def test_rows_of_one_hot_labels_without_a_one():
    y = np.eye(10, dtype="float32")[LABELS]
    y[::20] = 0
    seen = training(
        DIGITS, y, loss=CROSS, head="softmax", logits=False, output=lambda r: softmax(RNG.normal(size=(len(r), 10)))
    )
    assert not only(seen, "label_encoding").certain


def test_constant_labels_are_named_where_fit_trains_a_whole_model_on_them():
    y = np.ones(len(DIGITS), "int64")
    seen = training(DIGITS, y, loss=BINARY, classes=1, output=one)
    assert only(seen, "constant_labels").certain
    seen.variables = [Variable(name="normalization/mean", shape=(1, 64), trainable=False)]
    assert only(seen, "constant_labels").certain
    seen.variables = [Variable(name="critic/kernel", shape=(3, 1), trainable=False)]  # a generator in front of it
    assert causes(seen) == (set(), {"constant_labels"})


def test_masks_of_one_grey_are_constant_labels_of_any_loss():
    for masks, found in ((np.zeros_like(IMAGES), 1), (IMAGES, 0), (np.zeros((len(IMAGES), 1)), 0)):
        seen = training(IMAGES, masks, loss="", head="sigmoid", logits=False, classes=1, output=lambda r: IMAGES[r])
        assert [f.certain for f in data.constant_labels(seen)] == [False] * found


@pytest.mark.parametrize(("accuracy", "kind"), [(0.0, "named"), (0.06, "note"), (0.8, "note")])
def test_a_class_that_only_validation_can_have(accuracy, kind):
    rows = LABELS != 9
    seen = training(DIGITS[rows], LABELS[rows], epochs=[{"accuracy": 0.98, "val_accuracy": accuracy}])
    (finding,) = data.missing_class(seen)
    assert (finding.kind, finding.certain) == (kind, kind == "named")


def test_one_class_of_several_in_few_rows_is_certain_whatever_is_frozen():
    frozen = [Variable(name="base/kernel", shape=(1, 64), trainable=False)]
    one_hot = np.eye(5, dtype="float32")[np.full(60, 4)]
    seen = training(DIGITS[:60], one_hot, loss=CROSS, classes=5, variables=frozen)
    assert [f.certain for f in data.constant_labels(seen)] == [True]


def test_few_constant_labels_are_enough_where_they_are_all_there_are():
    only(training(DIGITS[:30], np.ones(30, "int64"), loss=BINARY, classes=1, output=one), "constant_labels")
    looked_at = training(DIGITS[:30], np.ones(30, "int64"), loss=BINARY, classes=1, output=one, looks=2, stored=False)
    assert data.constant_labels(looked_at) == []
    assert data.constant_labels(training(DIGITS[:9], np.ones(9, "int64"), loss=BINARY, classes=1, output=one)) == []


def test_a_class_that_only_validation_has():
    rest = np.flatnonzero(LABELS[:1200] != 7)
    seen = training(DIGITS[rest], LABELS[rest])
    seen.validation = Data(x=DIGITS[1200:], y=LABELS[1200:])
    found = only(seen, "missing_class")
    assert found.certain
    assert "class 7" in found.evidence
    seen.validation = None
    assert only(seen, "missing_class").certain, "the only one, between others"
    last = np.flatnonzero(LABELS != 9)  # the head may be wider than what there is
    assert causes(training(DIGITS[last], LABELS[last])) == (set(), {"missing_class"})
    two = np.flatnonzero((LABELS != 7) & (LABELS != 4))
    assert causes(training(DIGITS[two], LABELS[two])) == (set(), {"missing_class"})


@pytest.mark.parametrize(
    ("rows", "name", "fires"),
    [(900, "x_test", True), (900, "unknown", False), (150, "x_test", True), (40, "xv", False)],
)
def test_a_class_that_only_what_is_held_out_by_name_has(rows, name, fires):
    """Of fewer than 200 rows of training a class that has a tenth of the others cannot be missing by chance."""
    nine = LABELS[:rows] == 9
    seen = training(DIGITS[:rows][~nine], LABELS[:rows][~nine])
    labels = np.where(np.arange(700) % 4 == 0, 9, LABELS[900:1600])  # a quarter of the rows
    seen.asked = [Feed(x=DIGITS[900:1600], name=name, labels={"y_test": labels})]
    assert ("missing_class" in causes(seen)[0]) == fires
    if fires:
        assert f"class 9 has {np.sum(labels == 9)} of 700 rows of x_test" in only(seen, "missing_class").evidence


def test_a_tag_that_only_the_places_of_the_test_have():
    words = RNG.integers(1, 30, (300, 6))
    tags = words % 4
    rows = ~np.any(tags == 3, axis=1)
    seen = training(words[rows], tags[rows], classes=4)
    seen.train.x, seen.train.y = np.tile(seen.train.x, (5, 1)) + 0, np.tile(seen.train.y, (5, 1))
    seen.asked = [Feed(x=words + 1, name="x_test", labels={"y_test": tags})]
    assert "class 3" in only(seen, "missing_class").evidence
    seen.asked[0].labels = {"y_test": np.minimum(tags, 2)}
    assert "missing_class" not in causes(seen)[0]


def test_a_rare_class_that_is_never_named():
    rare = np.flatnonzero((LABELS != 3) | (np.arange(len(LABELS)) % 8 == 0))
    x, y = DIGITS[rare], (LABELS[rare] == 3).astype("int64")
    blind = lambda rows: np.full((len(rows), 1), 0.05, "float32")  # noqa: E731 - one expression
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=blind, looks=60)
    assert "class 1" in only(seen, "class_imbalance").evidence
    sees = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - one expression
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=sees, looks=60)
    assert causes(seen) == (set(), set())


def test_a_rare_class_is_judged_by_the_second_half_of_the_steps():
    rare = np.flatnonzero((LABELS != 3) | (np.arange(len(LABELS)) % 8 == 0))
    x, y = DIGITS[rare], (LABELS[rare] == 3).astype("int64")
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, looks=120, losses=np.ones(120))
    for probe in seen.probes:  # at first every second row is said to be of it, then none
        early = (np.arange(len(probe.y)) % 2)[:, None] * 1.0
        probe.output = early if probe.step < 60 else np.full((len(probe.y), 1), 0.05)
    only(seen, "class_imbalance")


@pytest.mark.parametrize(("found", "fires"), [(0.0, True), (1.0, False)])
def test_a_class_too_rare_for_the_second_half_is_judged_by_the_last_of_it(found, fires):
    rows = np.flatnonzero((LABELS != 3) | (np.arange(len(LABELS)) % 8 == 0))
    x, y = DIGITS[rows], (LABELS[rows] == 3).astype("int64")
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, looks=120, losses=np.ones(120))
    for probe in seen.probes:
        probe.output = np.where(probe.y[:, None] == 1, 0.9 * found * (probe.step >= 45), 0.1)
        if probe.step >= 60:
            probe.y, probe.output = np.zeros_like(probe.y), np.full_like(probe.output, 0.1)
    assert bool(data.class_imbalance(seen)) == fires


@pytest.mark.parametrize(("found", "fires"), [(0.0, True), (0.2, False)])
def test_one_in_ten_is_rare_where_hardly_one_is_found(found, fires):
    y = (LABELS == 3).astype("int64")
    seen_as = np.where((y == 1) & (RNG.random(len(y)) < found), 0.9, 0.1)[:, None]
    seen = training(
        DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=1, looks=60, output=lambda r: seen_as[r]
    )
    assert bool(data.class_imbalance(seen)) == fires


@pytest.mark.parametrize(
    ("weights", "fires"), [({0: 16.0, 1: 0.5}, True), ({0: 0.5, 1: 16.0}, False), ({0: 2.0}, False), (None, False)]
)
def test_weights_of_classes_that_make_the_rare_one_rarer(weights, fires):
    y = (LABELS == 3).astype("int64")
    sees = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - one expression
    seen = training(DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=sees)
    seen.plan = Plan(class_weight=weights)
    assert [f.certain for f in data.class_imbalance(seen)] == [True] * fires


@pytest.mark.parametrize(
    ("x", "y", "classes"),
    [(255 * DIGITS, LABELS, 10), (WINE, CULTIVAR, 3), (CELLS, BENIGN, 2), (DIGITS + 50, LABELS, 10)],
    ids=["pixels", "wine", "cells", "far"],
)
def test_inputs_of_another_scale(x, y, classes):
    assert not only(training(x.astype("float32"), y, classes=classes), "inputs_not_scaled").certain


def test_the_ink_of_flat_pictures_is_no_bag_of_words():
    ink = np.where(DIGITS > 0.8, 255 * DIGITS, 0)
    assert np.mean(ink == 0) > 0.8
    only(training(ink.astype("float32"), LABELS), "inputs_not_scaled")
    counts = np.where(ink > 0, np.round(ink / 60), 0)
    assert data.inputs_not_scaled(training(counts.astype("float32"), LABELS)) == []


@pytest.mark.parametrize("x", [DIGITS, 16 * DIGITS, 2 * DIGITS - 1, (WINE - WINE.mean(0)) / WINE.std(0)])
def test_inputs_of_a_bearable_scale(x):
    y = LABELS if len(x) == len(LABELS) else CULTIVAR
    assert data.inputs_not_scaled(training(x.astype("float32"), y)) == []


def test_integers_that_are_looked_up_have_no_scale():
    x = RNG.integers(0, 9000, (1000, 12))
    assert causes(training(x, RNG.integers(0, 2, 1000), classes=2, kind="embedding", stored=False))[0] == set()


def test_pixels_divided_twice():
    found = only(training(DIGITS / 255, LABELS), "inputs_scaled_twice")
    assert "0.00392" in found.evidence
    assert found.certain
    assert not data.inputs_scaled_twice(training(DIGITS / 300, LABELS))[0].certain
    assert not data.inputs_scaled_twice(training(DIGITS[:, :30] / 255, LABELS))[0].certain


def test_targets_far_away():
    x = (PATIENTS / PATIENTS.std(0)).astype("float32")
    found = only(training(x, PROGRESS, loss=SQUARED, classes=1, output=one), "targets_not_scaled")
    assert "152" in found.evidence  # the mean of the published data
    assert not found.certain


def test_targets_within_reach_of_adam_are_a_note_and_a_tiny_rate_is_the_surer_cause():
    x, y = (PATIENTS / PATIENTS.std(0)).astype("float32"), (PROGRESS / 5).astype("float32")

    def found(rate, count):
        seen = training(x, y, loss=SQUARED, classes=1, output=one, losses=np.ones(count))
        seen.optimizer = Optimizer(name="Adam", rate=rate)
        seen.variables = [Variable(name="dense/kernel", shape=(8, 1), layer="dense")]
        for probe in seen.probes:
            probe.mean = np.array([0.5, 0.0])
        (only_one,) = data.targets_not_scaled(seen)
        return only_one.kind, only_one.confidence

    assert found(0.01, 20_000) == ("note", 0.6)  # 1000 against 45
    assert found(0.001, 100) == ("named", 0.9)
    assert found(1e-5, 100)[1] < 0.85  # what the rate's own rule is worth


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["x", "y"])
def test_values_that_are_not_finite_are_certain_when_the_loss_is_lost(value, where):
    x, y = (PATIENTS / PATIENTS.std(0)).astype("float32"), (PROGRESS / 100).astype("float32")
    (x[:, 3] if where == "x" else y)[40] = value
    assert only(training(x, y, loss=SQUARED, classes=1, output=one, losses=(1, np.nan)), "nan_or_inf_in_data").certain
    seen = training(x, y, loss=SQUARED, classes=1, output=one)
    assert not data.nan_or_inf_in_data(seen)[0].certain


def test_inputs_behind_weights_that_are_lost_are_not_to_blame():
    seen = training(DIGITS, LABELS, losses=[2.0] + [np.nan] * 23, stored=False)
    seen.steps = steps([2.0] + [np.nan] * 23)
    seen.steps.weight[5:] = np.nan
    for probe in seen.probes[6:]:
        probe.x = probe.x * np.nan
    assert data.nan_or_inf_in_data(seen) == []
    seen.probes[3].x = seen.probes[3].x * np.nan
    assert data.nan_or_inf_in_data(seen)[0].certain


def test_constant_labels_of_a_loop_are_certain_where_it_trains_all_there_is():
    seen = training(DIGITS, np.ones(len(DIGITS)), loss=BINARY, classes=1, output=one, stored=False, interface="loop")
    assert only(seen, "constant_labels").certain
    seen.alone = False
    assert causes(seen)[0] == set()


def test_the_inputs_of_a_recurrent_layer_are_those_of_the_data():
    x = np.random.default_rng(0).normal(size=(200, 9, 3)) * [1, 50, 4000] + [0, 90, 0]
    seen = training(x, LABELS[:200], entering=np.zeros((200, 3)), kind="recurrent")
    assert [f.cause for f in data.inputs_not_scaled(seen)] == ["inputs_not_scaled"]
    seen.layers = [{"class": "Normalization", "name": "n", "config": {}}]
    assert data.inputs_not_scaled(seen) == []


def test_labels_that_contradict_their_neighbours_are_a_note():
    y = LABELS.copy()
    wrong = RNG.permutation(len(y))[:180]
    y[wrong] = (y[wrong] + 1 + RNG.integers(0, 9, 180)) % 10
    assert causes(training(DIGITS, y)) == (set(), {"label_noise"})
    assert causes(training(DIGITS, LABELS)) == (set(), set())


def test_noise_louder_than_the_inputs():
    seen = training(IMAGES, LABELS)
    seen.experiments["noise"] = 4.0
    assert "0.062" in only(seen, "inputs_drowned_in_noise").evidence
    seen.experiments["noise"] = 0.5
    assert causes(seen) == (set(), set())


def test_noise_drowns_what_is_measured_by_less_than_the_input_and_not_what_is_cleaned():
    for targets, found in ((DIGITS[:, :1], 1), (DIGITS, 0)):
        seen = training(DIGITS, targets.astype("float32"), loss="mean_squared_error", experiments={"noise": 4.0})
        assert len(data.inputs_drowned_in_noise(seen)) == found


def test_pixels_without_neighbours_and_nothing_to_compare_with():
    noise = RNG.normal(size=(len(LABELS), 8, 8, 1)).astype("float32")
    found = only(training(noise, LABELS, stored=False), "inputs_drowned_in_noise")
    assert found.confidence < 0.7
    assert data.inputs_drowned_in_noise(training(IMAGES, LABELS, stored=False)) == []


def test_pixels_that_arrive_without_their_neighbours():
    pictures = np.repeat(np.repeat(IMAGES, 3, 1), 3, 2)
    mixed = RNG.permuted(pictures.reshape(len(pictures), -1), axis=1).reshape(pictures.shape)
    assert (
        only(training(pictures, LABELS, entering=mixed), "inputs_drowned_in_noise").tag
        == "inputs/neighbour_correlation"
    )
    assert causes(training(pictures, LABELS)) == (set(), set())


@pytest.mark.parametrize(("losses", "found"), [((1e7, 9e6), 1), ((1e7, 50.0), 0), ((0.5, 1e7), 0), ((90.0, 80.0), 0)])
def test_the_error_of_one_output_of_several_that_stays_large(losses, found):
    seen = training(DIGITS, LABELS, epochs=[{"state_loss": 0.3, "life_loss": v} for v in losses])
    seen.losses = {"state": SPARSE, "life": SQUARED}
    assert len(data.targets_not_scaled(seen)) == found


def test_the_plan_alone_says_nothing():
    assert causes(training(DIGITS, LABELS, plan=Plan(epochs=3), loss=SPARSE)) == (set(), set())


def test_noise_is_told_by_pictures_of_validation_where_those_of_training_are_not_stored():
    noisy = (IMAGES + 4 * RNG.normal(size=IMAGES.shape)).astype("float32")
    seen = training(noisy, LABELS, stored=False)
    assert data.inputs_drowned_in_noise(seen)[0].confidence == 0.65, "nothing to compare with"
    seen.validation = Data(x=IMAGES[:300], y=LABELS[:300])
    assert "in validation" in data.inputs_drowned_in_noise(seen)[0].evidence


def test_pictures_divided_twice_need_no_white_pixel():
    for x, certain in ((0.7 * IMAGES, True), (0.7 * DIGITS, False)):
        assert only(training(x / 255, LABELS), "inputs_scaled_twice").certain == certain


def test_pixels_brought_to_minus_one_twice():
    assert "-0.992" in only(training(2 * DIGITS / 255 - 1, LABELS), "inputs_scaled_twice").evidence
    assert data.inputs_scaled_twice(training(2 * DIGITS - 1, LABELS)) == []


def test_inputs_that_flatten_the_first_units_are_certain_where_the_loss_has_no_constant():
    for loss, flat, certain in (("", 1.0, True), ("", 0.5, False), (SPARSE, 1.0, False)):
        seen = training(WINE.astype("float32") * 1000, CULTIVAR, classes=3, loss=loss)
        for probe in seen.probes:
            probe.saturated, probe.dead = np.array([flat, np.nan]), np.array([np.nan, 0.0])
        assert [f.certain for f in data.inputs_not_scaled(seen)] == [certain]


CELLS, BENIGN = load_breast_cancer(return_X_y=True)
CELLS = ((CELLS - CELLS.mean(0)) / CELLS.std(0)).astype("float32")


@pytest.mark.parametrize(
    ("x", "fires"),
    [
        (CELLS[:400] + 4 * RNG.normal(size=(400, 30)).astype("float32"), True),
        (CELLS[:400] + RNG.normal(size=(400, 30)).astype("float32"), False),  # as augmentation does
        (4 * CELLS[:400], False),
        (CELLS[:400], False),
    ],
)
@pytest.mark.parametrize("name", ["x_test", "unknown", "validation"])
def test_noise_on_rows_that_those_held_out_have_not(x, fires, name):
    seen = training(x, BENIGN[:400], classes=2)
    if name == "validation":
        seen.validation = Data(x=CELLS[400:], y=BENIGN[400:])
    else:
        seen.asked = [Feed(x=CELLS[400:], name=name)]
    assert bool(data.inputs_drowned_in_noise(seen)) == (fires and name != "unknown")


@pytest.mark.parametrize(
    ("hits", "rows", "share", "fires"),
    [(2, 20, 0.02, True), (9, 20, 0.02, False), (0, 7, 0.02, False), (2, 20, 0.4, False)],
)
def test_a_rare_class_that_is_not_found_among_the_rows_held_out(hits, rows, share, fires):
    y = (np.arange(500) < 500 * share).astype("int64")
    right = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - learned by heart
    seen = training(RNG.normal(size=(500, 3)), y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=right)
    seen.experiments = {"rare_class": 1.0, "rare_found": hits, "rare_rows": rows, "others_found": 0.9}
    found = data.class_imbalance(seen)
    assert [f.certain for f in found] == ([True] if fires else [])
    if fires:
        assert "2 of 20 rows of it that are held out" in found[0].evidence


@pytest.mark.parametrize(
    ("scale", "times", "before", "fires"),
    [
        (1 / 64, 1.0, [], True),
        (1 / 64, 255.0, [], False),
        (0.5, 1.0, [], False),
        ([0.01, 0.02], 1.0, [], False),
        (1 / 64, 1.0, [{"class": "Conv2D", "name": "c", "config": {}}], False),  # of what a layer says
    ],
)
def test_a_layer_that_divides_pixels_again(scale, times, before, fires):
    seen = training(times * DIGITS, LABELS)
    rescaling = {"class": "Rescaling", "name": "r", "config": {"scale": scale}}
    seen.layers = [{"class": "InputLayer", "name": "i", "config": {}}, *before, rescaling]
    found = [f for f in data.inputs_scaled_twice(seen) if "multiplies by" in f.evidence]
    assert [(f.certain, f.layer) for f in found] == ([(True, "r")] if fires else [])


@pytest.mark.parametrize(("large", "small", "fires"), [(2e4, 0.69, True), (2e4, 0.3, False), (300.0, 0.69, False)])
def test_an_output_that_is_all_the_others_are_trained_by(large, small, fires):
    rows = [{"size_loss": 4 * large, "kind_loss": 0.7}, {"size_loss": large, "kind_loss": small}]
    seen = training(DIGITS, LABELS, epochs=rows)
    seen.losses = {"size": SQUARED, "kind": BINARY}
    found = [f for f in data.targets_not_scaled(seen) if "beside a loss" in f.evidence]
    assert [f.certain for f in found] == ([True] if fires else [])


@pytest.mark.parametrize(("shape", "fires"), [((8, 8, 1), True), ((1, 64, 1), False), ((64, 1, 1), False)])
def test_only_pictures_have_neighbours(shape, fires):
    """A sequence enters a convolution as a picture one row high, and points of a cloud have no order."""
    noise = RNG.normal(size=(400, *shape)).astype("float32")
    seen = training(noise, LABELS[:400], kind="conv")
    assert bool(data.inputs_drowned_in_noise(seen)) == fires
