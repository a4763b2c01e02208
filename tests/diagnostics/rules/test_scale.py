import functools

from keras_course.diagnostics.observation import Feed, Observation, Optimizer, Plan, Unit, Variable
from keras_course.diagnostics.rules import data, labels, scale
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, CELLS, CULTIVAR, DIGITS, IMAGES, LABELS, MEASURED, PATIENTS, PROGRESS, WINE
from tests.diagnostics.typed import BINARY, RNG, SPARSE, SQUARED, one, training

import numpy as np
import pytest

RULES = labels.RULES | data.RULES | scale.RULES
only, causes = functools.partial(typed.only, RULES), functools.partial(typed.named, RULES)
STUCK = (2.3, 2.31, 2.3)


@pytest.mark.parametrize(
    ("x", "y", "classes"),
    [(255 * DIGITS, LABELS, 10), (WINE, CULTIVAR, 3), (CELLS[:, :20], BENIGN, 2), (DIGITS + 50, LABELS, 10)],
    ids=["pixels", "wine", "cells", "far"],
)
def test_inputs_of_another_scale(x, y, classes):
    assert not only(training(x.astype("float32"), y, classes=classes), "inputs_not_scaled").certain


@pytest.mark.parametrize(
    ("times", "loss", "end", "certain"),
    [
        (1, "", 1.0, True),  # nobody knows what there is to be learned
        (1, BINARY, 0.3, True),
        (1, BINARY, 0.05, False),  # of .69 all but this was learned
        (0.1, "", 1.0, False),
    ],
)
def test_a_wild_scale_is_certain_unless_all_was_learned(times, loss, end, certain):
    wild = (times * 3000 * MEASURED).astype("float32")
    seen = training(wild, BENIGN, loss=loss, classes=1, output=one, losses=np.full(50, end))
    (finding,) = scale.inputs_not_scaled(seen)
    assert finding.certain == certain
    assert (finding.confidence > 0.95) == (certain and end > 0.5), "before what such inputs make of the outputs"


def test_the_ink_of_flat_pictures_is_no_bag_of_words():
    ink = np.where(DIGITS > 0.8, 255 * DIGITS, 0)
    assert np.mean(ink == 0) > 0.8
    only(training(ink.astype("float32"), LABELS), "inputs_not_scaled")
    counts = np.where(ink > 0, np.round(ink / 60), 0)
    assert scale.inputs_not_scaled(training(counts.astype("float32"), LABELS)) == []


@pytest.mark.parametrize("x", [DIGITS, 16 * DIGITS, 2 * DIGITS - 1, (WINE - WINE.mean(0)) / WINE.std(0)])
def test_inputs_of_a_bearable_scale(x):
    y = LABELS if len(x) == len(LABELS) else CULTIVAR
    assert scale.inputs_not_scaled(training(x.astype("float32"), y)) == []


@pytest.mark.parametrize(
    ("value", "fires"), [(-99.0, []), (-98.0, ["inputs_not_scaled"]), (None, ["inputs_not_scaled"])]
)
def test_places_that_are_masked_are_no_inputs(value, fires):
    """Of sequences of unequal length, filled up with a number that no measurement has."""
    tracks = RNG.normal(size=(300, 12, 3)).astype("float32")
    for row, length in zip(tracks, RNG.integers(3, 12, 300), strict=True):
        row[length:] = -99
    seen = training(tracks, LABELS[:300])
    seen.layers = [{"class": "Masking", "name": "there", "config": {"mask_value": value}}] * (value is not None)
    assert [f.cause for f in scale.inputs_not_scaled(seen)] == fires
    wild = np.where(tracks == -99, tracks, 50 * tracks)
    seen = training(wild, LABELS[:300], layers=seen.layers)
    assert [f.cause for f in scale.inputs_not_scaled(seen)] == ["inputs_not_scaled"], "what is not masked spreads"


def test_another_input_of_another_scale():
    """A picture beside a table of miles and years, as it is."""
    table = (RNG.normal(size=(200, 2)) * [30000, 5]).astype("float32")
    seen = training(DIGITS, LABELS)
    seen.entering = {"table_code": table}
    seen.units.append(Unit(name="table_code", kind="dense"))
    finding = only(seen, "inputs_not_scaled")
    assert (finding.layer, "table_code: " in finding.evidence) == ("table_code", True)
    seen.entering = {"an input of 2 columns": table}
    assert only(seen, "inputs_not_scaled").layer == "", "it enters none by itself"
    close = 0.5 + 1e-3 * RNG.normal(size=(200, 40))  # another input makes up for rows that are much alike
    for fine in (table / [30000, 5], close, table[:30], table * np.nan):
        seen.entering = {"table_code": fine.astype("float32")}
        assert scale.inputs_not_scaled(seen) == []


def test_integers_that_are_looked_up_have_no_scale():
    x = RNG.integers(0, 9000, (1000, 12))
    assert causes(training(x, RNG.integers(0, 2, 1000), classes=2, kind="embedding", stored=False))[0] == set()


@pytest.mark.parametrize(
    ("mean", "told", "spread", "fires"), [(0.0, None, 40, True), (0.3, None, 40, False), (0.0, 0.0, 40, False),
                                          (0.0, None, 1, False)]
)  # fmt: skip
def test_a_layer_that_was_never_adapted(mean, told, spread, fires):
    seen = training((spread * RNG.normal(size=(300, 5))).astype("float32"), np.arange(300) % 2)
    seen.layers = [{"class": "Normalization", "name": "norm", "config": {"mean": told}}]
    values = {"norm/mean": np.full(5, mean), "norm/variance": np.ones(5)}
    seen.variables = [
        *seen.variables,
        *(Variable(name=n, shape=(5,), trainable=False, final=v) for n, v in values.items()),
    ]
    found = [(f.certain, f.layer) for f in scale.inputs_not_scaled(seen) if "never adapted" in f.evidence]
    assert found == [(True, "norm")] * fires


def test_pixels_divided_twice():
    found = only(training(DIGITS / 255, LABELS), "inputs_scaled_twice")
    assert "0.00392" in found.evidence
    assert found.certain
    assert not scale.inputs_scaled_twice(training(DIGITS / 300, LABELS))[0].certain
    assert not scale.inputs_scaled_twice(training(DIGITS[:, :30] / 255, LABELS))[0].certain


def test_targets_far_away():
    x = (PATIENTS / PATIENTS.std(0)).astype("float32")
    found = only(training(x, PROGRESS, loss=SQUARED, classes=1, output=one), "targets_not_scaled")
    assert "152" in found.evidence  # the mean of the published data
    assert not found.certain


@pytest.mark.parametrize(
    ("units", "end", "loss", "kind"),
    [(1, np.inf, SQUARED, "note"), (0, np.inf, SQUARED, "note"), (2, np.inf, SQUARED, "named"),
     (1, 3e4, SQUARED, "named"), (1, np.inf, "huber", "named")],
)  # fmt: skip
def test_steps_of_one_layer_diverge_whatever_it_is_to_tell(units, end, loss, kind):
    """The curvature of its squared error is that of the inputs."""
    seen = training(PATIENTS, PROGRESS, loss=loss, classes=1, output=one, losses=[3e4] * 40 + [end] * 10)
    seen.units = seen.units[:1] * units
    assert [f.kind for f in scale.targets_not_scaled(seen)] == [kind]


@pytest.mark.parametrize(
    ("spread", "end", "kind"), [(4.0, 20.0, "note"), (4.0, 60.0, "named"), (40.0, 2000.0, "named")]
)
def test_a_mean_far_away_that_was_reached_was_no_obstacle(spread, end, kind):
    """The best constant leaves 16 of targets about 30, and 1,600 where they are further apart."""
    y = (30 + spread * (PROGRESS - PROGRESS.mean()) / PROGRESS.std()).astype("float32")
    seen = training(PATIENTS, y, loss=SQUARED, classes=1, output=one, losses=np.full(50, end))
    assert [f.kind for f in scale.targets_not_scaled(seen)] == [kind]


def test_targets_within_reach_of_adam_are_a_note_and_a_tiny_rate_is_the_surer_cause():
    x, y = (PATIENTS / PATIENTS.std(0)).astype("float32"), (PROGRESS / 5).astype("float32")

    def found(rate, count):
        seen = training(x, y, loss=SQUARED, classes=1, output=one, losses=np.ones(count))
        seen.optimizer = Optimizer(name="Adam", rate=rate)
        seen.variables = [Variable(name="dense/kernel", shape=(8, 1), layer="dense")]
        for probe in seen.probes:
            probe.mean = np.array([0.5, 0.0])
        (only_one,) = scale.targets_not_scaled(seen)
        return only_one.kind, only_one.confidence

    assert found(0.01, 20_000) == ("note", 0.6)  # 1000 against 45
    assert found(0.001, 100) == ("named", 0.9)
    assert found(1e-5, 100)[1] < 0.85  # what the rate's own rule is worth


def test_a_line_moves_its_output_by_its_inputs():
    x, y = (PATIENTS / PATIENTS.std(0)).astype("float32"), (PROGRESS / 5).astype("float32")

    def sure(rate):
        seen = training(x, y, loss=SQUARED, classes=1, output=one, losses=np.ones(100))
        seen.optimizer = Optimizer(name="Adam", rate=rate)
        seen.variables = [Variable(name="dense/kernel", shape=(x.shape[1], 1), layer="dense")]
        seen.probes[0].mean = np.zeros(1)
        (found,) = scale.targets_not_scaled(seen)
        return found.confidence

    reach = 100 * (1 + np.abs(x).mean() * x.shape[1])
    size = y.mean() + y.std()
    assert [sure(0.9 * size / reach), sure(1.1 * size / reach)] == [0.9, 0.6]


def test_the_inputs_of_a_recurrent_layer_are_those_of_the_data():
    x = np.random.default_rng(0).normal(size=(200, 9, 3)) * [1, 50, 4000] + [0, 90, 0]
    seen = training(x, LABELS[:200], entering=np.zeros((200, 3)), kind="recurrent")
    assert [f.cause for f in scale.inputs_not_scaled(seen)] == ["inputs_not_scaled"]
    seen.layers = [{"class": "Normalization", "name": "n", "config": {}}]
    assert scale.inputs_not_scaled(seen) == []


@pytest.mark.parametrize(("losses", "found"), [((1e7, 9e6), 1), ((1e7, 50.0), 0), ((0.5, 1e7), 0), ((90.0, 80.0), 0)])
def test_the_error_of_one_output_of_several_that_stays_large(losses, found):
    seen = training(DIGITS, LABELS, epochs=[{"state_loss": 0.3, "life_loss": v} for v in losses])
    seen.losses = {"state": SPARSE, "life": SQUARED}
    assert len(scale.targets_not_scaled(seen)) == found


def test_the_plan_alone_says_nothing():
    assert causes(training(DIGITS, LABELS, plan=Plan(epochs=3), loss=SPARSE)) == (set(), set())


def test_pictures_divided_twice_need_no_white_pixel():
    for x, certain in ((0.7 * IMAGES, True), (0.7 * DIGITS, False)):
        assert only(training(x / 255, LABELS), "inputs_scaled_twice").certain == certain


def test_pixels_brought_to_minus_one_twice():
    assert "-0.992" in only(training(2 * DIGITS / 255 - 1, LABELS), "inputs_scaled_twice").evidence
    assert scale.inputs_scaled_twice(training(2 * DIGITS - 1, LABELS)) == []


def test_inputs_that_flatten_the_first_units_are_certain_where_the_loss_has_no_constant():
    for loss, flat, certain in (("", 1.0, True), ("", 0.5, False), (SPARSE, 1.0, False)):
        seen = training(WINE[:, :12].astype("float32") * 20, CULTIVAR, classes=3, loss=loss)
        for probe in seen.probes:
            probe.saturated, probe.dead = np.array([flat, np.nan]), np.array([np.nan, 0.0])
        assert [f.certain for f in scale.inputs_not_scaled(seen)] == [certain]


@pytest.mark.parametrize(
    ("factor", "times", "share", "fires"),
    [
        (1 / 64, 1.0, 1 / 64, True),
        (1 / 64, 255.0, 1 / 64, False),  # pixels
        (0.5, 1.0, 0.5, False),
        ([0.01, 0.02], 1.0, 1 / 64, False),
        (1 / 64, 1.0, 1.0, False),  # it stands behind the first weights
    ],
)
def test_a_layer_that_divides_pixels_again(factor, times, share, fires):
    seen = training(times * DIGITS, LABELS, entering=times * share * DIGITS - 2)
    inner = {"class": "Dense", "name": "d", "config": {}}  # a model inside of a model comes behind what follows it
    seen.layers = [inner, {"class": "Rescaling", "name": "r", "config": {"scale": factor}}]
    for stored in (True, False):
        if not stored:  # behind a pipeline that draws: what validation holds stands for it
            seen.train, seen.validation = None, seen.train
        found = [f for f in scale.inputs_scaled_twice(seen) if "multiplies by" in f.evidence]
        assert [(f.certain, f.layer) for f in found] == ([(True, "r")] if fires else [])


@pytest.mark.parametrize(
    ("held", "grain", "fires"),
    [
        (DIGITS, 4.0, True),
        (255 * DIGITS, 4.0, False),
        (DIGITS - 0.1, 4.0, False),
        (1.3 * DIGITS, 4.0, False),
        (DIGITS, 60 + 4.0, False),
    ],
    ids=["of one", "of bytes", "below 0", "beyond 1", "elsewhere"],
)
def test_a_layer_that_divides_pixels_again_below_grains_that_were_meant_for_bytes(held, grain, fires):
    """grain: the spread of the noise, with its mean in front where it has one."""
    middle, spread = (60, 4.0) if grain > 60 else (0, grain)
    x = (DIGITS[:1400] + RNG.normal(middle, spread, DIGITS[:1400].shape)).astype("float32")
    seen = training(x, LABELS[:1400], entering=x / 127.5 - 1)
    seen.asked = [Feed(x=held[1400:].astype("float32"), name="x_test")]
    seen.layers = [{"class": "Rescaling", "name": "r", "config": {"scale": 1 / 127.5}}]
    found = [f for f in scale.inputs_scaled_twice(seen) if "no further than 1" in f.evidence]
    assert [(f.certain, f.layer) for f in found] == ([(True, "r")] if fires else [])


@pytest.mark.parametrize(("reach", "factor", "fires"), [(0.06, 1 / 6, True), (1.0, 1 / 6, False), (0.06, 2.0, False)])
def test_a_layer_that_leaves_next_to_nothing_of_what_was_scaled(reach, factor, fires):
    x = reach * DIGITS / DIGITS.max()
    seen = training(x, LABELS, entering=factor * x)
    seen.layers = [{"class": "Rescaling", "name": "r", "config": {"scale": factor}}]
    found = [f for f in scale.inputs_scaled_twice(seen) if "multiplies by" in f.evidence]
    assert [(f.certain, f.layer) for f in found] == ([(False, "r")] if fires else [])


@pytest.mark.parametrize(("kind", "times", "fires"), [("Normalization", 5, True), ("Normalization", 12, False),
                                                      ("Lambda", 5, False)])  # fmt: skip
def test_a_layer_that_divides_pixels_again_before_one_that_brings_them_to_a_spread_of_1(kind, times, fires):
    """As in front of an EfficientNet, which holds both."""
    seen = training(DIGITS, LABELS, entering=times * DIGITS / 64 - 1)
    seen.layers = [{"class": "Rescaling", "name": "r", "config": {"scale": 1 / 64}}, {"class": kind, "config": {}}]
    assert bool(scale.inputs_scaled_twice(seen)) is fires


@pytest.mark.parametrize(("large", "small", "fires"), [(2e4, 0.69, True), (2e4, 0.3, False), (300.0, 0.69, False)])
def test_an_output_that_is_all_the_others_are_trained_by(large, small, fires):
    rows = [{"size_loss": 4 * large, "kind_loss": 0.7}, {"size_loss": large, "kind_loss": small}]
    seen = training(DIGITS, LABELS, epochs=rows)
    seen.losses = {"size": SQUARED, "kind": BINARY}
    found = [f for f in scale.targets_not_scaled(seen) if "beside a loss" in f.evidence]
    assert [f.certain for f in found] == ([True] if fires else [])


@pytest.mark.parametrize(("center", "fires"), [(1013.0, True), (90.0, False)])
def test_one_feature_that_lies_far_away(center, fires):
    """As the pressure of the air among eleven measurements about 0."""
    x = MEASURED[:, :12].copy()
    x[:, 3] = center + x[:, 3] * (9 if fires else 1)
    named_, _ = causes(training(x, BENIGN, classes=2, losses=STUCK))
    assert ("inputs_not_scaled" in named_) == fires


@pytest.mark.parametrize(
    ("change", "fires"),
    [
        ({}, True),
        ({"wide_told": 0.5}, False),  # nothing is learned well
        ({"narrow_told": 0.6}, False),
        ({"narrow_told": -3.0, "narrow_known": 0.1}, False),  # who knows whether it can be told
    ],
)
def test_a_narrow_target_beside_a_wide_one(change, fires):
    numbers = {"narrow": 0.0, "narrow_spread": 0.6, "wide_spread": 54.0, "narrow_told": -0.1, "wide_told": 0.85}
    seen = Observation(name="m", experiments=numbers | {"narrow_known": 0.44} | change)
    assert [f.certain for f in scale.targets_not_scaled(seen)] == [True] * fires


@pytest.mark.parametrize(
    ("given", "mean", "variance", "fires"),
    [
        ("standard", 40.0, 9.0, True),
        ("standard", 0.0, 1.0, False),
        ("standard", 0.0, 100.0, True),
        ("raw", 40.0, 9.0, False),
        ("standard", 2.0, 1.0, False),
    ],
)
def test_a_table_that_is_standardised_before_a_layer_that_was_adapted_to_it_as_it_was(given, mean, variance, fires):
    table = RNG.normal(size=(300, 5)).astype("float32")
    seen = training(40 + 3 * table if given == "raw" else table, np.arange(300) % 2, classes=2)
    seen.layers = [{"class": "Normalization", "name": "norm", "config": {"mean": None}}]
    values = {"norm/mean": np.full((1, 5), mean), "norm/variance": np.full((1, 5), variance)}
    seen.variables = [Variable(name=n, shape=(5,), trainable=False, final=v) for n, v in values.items()]
    found = scale.inputs_scaled_twice(seen)
    assert [(f.certain, f.layer) for f in found] == [(True, "norm")] * fires
    seen.layers[0]["config"] = {"mean": [[mean] * 5], "variance": [[variance] * 5]}  # as the script told it
    seen.variables = []
    assert len(scale.inputs_scaled_twice(seen)) == fires
    seen.train.x = seen.train.x.reshape(75, 4, 5)  # windows of it
    assert len(scale.inputs_scaled_twice(seen)) == fires
    seen.layers[0]["config"] = {"mean": [[mean, 0, 0, 0, 0]], "variance": [[variance, 1, 1, 1, 1]]}
    assert scale.inputs_scaled_twice(seen) == [], "one column of five"
    seen.layers[0]["class"] = "BatchNormalization"
    assert scale.inputs_scaled_twice(seen) == []


RAW = np.array([[50.0, 400.0, 12.0, 1.5, 9.0]]), np.array([[12.0, 90.0, 3.0, 1.0, 0.8]])


@pytest.mark.parametrize(
    ("change", "fires"),
    [
        (lambda z: (z - RAW[0]) / RAW[1], True),  # of what has means of 0 and spreads of 1 already
        (lambda z: z, False),
        (lambda z: RAW[0] + RAW[1] * z, False),  # as it was measured
        (lambda z: -RAW[0] - RAW[1] * z, False),  # decibels
        (lambda z: (z - RAW[0]) / RAW[1].mean(), False),  # one spread for all
        (lambda z: ((z - RAW[0]) / RAW[1])[:, :3], False),  # of three columns nobody knows
    ],
)
def test_a_table_whose_means_are_taken_twice(change, fires):
    table = change(RNG.normal(size=(300, 5))).astype("float32")
    seen = training(table, np.arange(300) % 2, classes=2, losses=STUCK)
    assert ["taken twice" in f.evidence for f in scale.inputs_scaled_twice(seen)] == [True] * fires
    seen = training(DIGITS[:300], np.arange(300) % 2, classes=2, entering=DIGITS[:300], losses=STUCK)
    seen.entering = {"a table": table}
    assert ["a table: all 5" in f.evidence for f in scale.inputs_scaled_twice(seen)] == [True] * fires


@pytest.mark.parametrize(("wide", "flat", "fires"), [(43.0, 0.8, True), (43.0, 0.4, False), (18.0, 0.8, False)])
def test_one_wide_input_that_drives_the_first_units_flat(wide, flat, fires):
    x = RNG.normal(size=(300, 6)) * [2.6, wide, 1.1, 6.0, 4.2, 2.6]
    seen = training(x.astype("float32"), np.arange(300) % 2, classes=2, losses=STUCK)
    seen.units = [Unit(name="first", kind="dense"), Unit(name="last", kind="dense")]
    for probe in seen.probes:
        probe.saturated = np.array([flat, np.nan], "float32")
    assert ["units of first 80% are flat" in f.evidence for f in scale.inputs_not_scaled(seen)] == [True] * fires


@pytest.mark.parametrize(
    ("far", "end", "update", "name", "sure"),
    [
        (3000.0, 9e6, 0.01, "", 0.9),
        (3000.0, 9e6, 1e-5, "", 0.6),  # it is the rate by which nothing moves
        (3000.0, 10.0, 0.01, "", 0.6),  # they were reached
        (300.0, 9e4, 0.01, "", 0.6),
        (3000.0, 9e6, 0.01, "SGD", 0.6),
    ],
)
def test_targets_that_updates_by_hand_do_not_reach(far, end, update, name, sure):
    y = far + far / 6 * RNG.normal(size=200)
    seen = typed.with_targets(SQUARED, y, [end] * 60)
    seen.steps.update[:], seen.optimizer = update, Optimizer(name=name, rate=0.1 if name else None)
    (found,) = scale.targets_not_scaled(seen)
    assert (found.confidence, "updates by hand" in found.evidence) == (sure, sure == 0.9)
