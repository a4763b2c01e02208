import functools

from keras_course.diagnostics.observation import Data, Feed, Observation, Optimizer, Plan, Unit, Variable
from keras_course.diagnostics.rules import data, labels
from tests.diagnostics import typed
from tests.diagnostics.typed import BINARY, RNG, SPARSE, SQUARED, one, steps, training

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

RULES = labels.RULES | data.RULES
only, causes = functools.partial(typed.only, RULES), functools.partial(typed.named, RULES)
DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = (DIGITS / 16).astype("float32")
IMAGES = DIGITS.reshape(-1, 8, 8, 1)
WINE, CULTIVAR = load_wine(return_X_y=True)
CELLS, BENIGN = load_breast_cancer(return_X_y=True)
MEASURED = ((CELLS - CELLS.mean(0)) / CELLS.std(0)).astype("float32")
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)
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
    (finding,) = data.inputs_not_scaled(seen)
    assert finding.certain == certain
    assert (finding.confidence > 0.95) == (certain and end > 0.5), "before what such inputs make of the outputs"


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
    assert [f.cause for f in data.inputs_not_scaled(seen)] == fires
    wild = np.where(tracks == -99, tracks, 50 * tracks)
    seen = training(wild, LABELS[:300], layers=seen.layers)
    assert [f.cause for f in data.inputs_not_scaled(seen)] == ["inputs_not_scaled"], "what is not masked spreads"


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
        assert data.inputs_not_scaled(seen) == []


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
    found = [(f.certain, f.layer) for f in data.inputs_not_scaled(seen) if "never adapted" in f.evidence]
    assert found == [(True, "norm")] * fires


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


@pytest.mark.parametrize(
    ("units", "end", "loss", "kind"),
    [(1, np.inf, SQUARED, "note"), (0, np.inf, SQUARED, "note"), (2, np.inf, SQUARED, "named"),
     (1, 3e4, SQUARED, "named"), (1, np.inf, "huber", "named")],
)  # fmt: skip
def test_steps_of_one_layer_diverge_whatever_it_is_to_tell(units, end, loss, kind):
    """The curvature of its squared error is that of the inputs."""
    seen = training(PATIENTS, PROGRESS, loss=loss, classes=1, output=one, losses=[3e4] * 40 + [end] * 10)
    seen.units = seen.units[:1] * units
    assert [f.kind for f in data.targets_not_scaled(seen)] == [kind]


@pytest.mark.parametrize(
    ("spread", "end", "kind"), [(4.0, 20.0, "note"), (4.0, 60.0, "named"), (40.0, 2000.0, "named")]
)
def test_a_mean_far_away_that_was_reached_was_no_obstacle(spread, end, kind):
    """The best constant leaves 16 of targets about 30, and 1,600 where they are further apart."""
    y = (30 + spread * (PROGRESS - PROGRESS.mean()) / PROGRESS.std()).astype("float32")
    seen = training(PATIENTS, y, loss=SQUARED, classes=1, output=one, losses=np.full(50, end))
    assert [f.kind for f in data.targets_not_scaled(seen)] == [kind]


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


def test_a_line_moves_its_output_by_its_inputs():
    x, y = (PATIENTS / PATIENTS.std(0)).astype("float32"), (PROGRESS / 5).astype("float32")

    def sure(rate):
        seen = training(x, y, loss=SQUARED, classes=1, output=one, losses=np.ones(100))
        seen.optimizer = Optimizer(name="Adam", rate=rate)
        seen.variables = [Variable(name="dense/kernel", shape=(x.shape[1], 1), layer="dense")]
        seen.probes[0].mean = np.zeros(1)
        (found,) = data.targets_not_scaled(seen)
        return found.confidence

    reach = 100 * (1 + np.abs(x).mean() * x.shape[1])
    size = y.mean() + y.std()
    assert [sure(0.9 * size / reach), sure(1.1 * size / reach)] == [0.9, 0.6]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["x", "y"])
def test_values_that_are_not_finite_are_certain_when_the_loss_is_lost(value, where):
    x, y = (PATIENTS / PATIENTS.std(0)).astype("float32"), (PROGRESS / 100).astype("float32")
    (x[:, 3] if where == "x" else y)[40] = value
    assert only(training(x, y, loss=SQUARED, classes=1, output=one, losses=(1, np.nan)), "nan_or_inf_in_data").certain
    seen = training(x, y, loss=SQUARED, classes=1, output=one)
    assert not data.nan_or_inf_in_data(seen)[0].certain


@pytest.mark.parametrize(("gaps", "first", "fires"), [(0.1, 0.7, True), (0.0, 0.7, False), (0.1, np.nan, False)])
def test_gaps_in_what_is_joined_to_the_first_input(gaps, first, fires):
    """A fused ReLU makes 0 of NaN, so that nothing behind it shows them."""
    seen = training(DIGITS, LABELS, losses=[first, 0.7, 0.7], experiments={"gaps": gaps})
    assert [f.certain for f in data.nan_or_inf_in_data(seen)] == [False] * fires


def test_inputs_behind_weights_that_are_lost_are_not_to_blame():
    seen = training(DIGITS, LABELS, losses=[2.0] + [np.nan] * 23, stored=False)
    seen.steps = steps([2.0] + [np.nan] * 23)
    seen.steps.weight[5:] = np.nan
    for probe in seen.probes[6:]:
        probe.x = probe.x * np.nan
    assert data.nan_or_inf_in_data(seen) == []
    seen.probes[3].x = seen.probes[3].x * np.nan
    assert data.nan_or_inf_in_data(seen)[0].certain


@pytest.mark.parametrize(("rows", "gaps", "named"), [(3, 0, True), (3, 3, False), (0, 0, False)])
def test_gaps_in_validation_alone(rows, gaps, named):
    """Where training has gaps that do no harm, a layer takes care of them."""
    held, x = DIGITS[:50].astype("float32"), DIGITS.astype("float32")
    held[:rows, :2] = np.nan
    x[:gaps, 0] = np.nan
    seen = training(x, LABELS, losses=[2.0] * 5)
    seen.validation = Data(x=held, y=LABELS[:50])
    found = [f.evidence for f in data.nan_or_inf_in_data(seen) if f.certain]
    assert found == ["6 % of the rows of validation hold values that are not finite, all of training are"] * named


def test_gaps_that_a_few_rows_of_training_need_not_show():
    held, x = DIGITS[:50].astype("float32"), DIGITS[:200].astype("float32")
    held[0] = np.nan
    seen = training(x, LABELS[:200], losses=[2.0] * 5)
    seen.validation = Data(x=held, y=LABELS[:50])
    assert data.nan_or_inf_in_data(seen) == []


@pytest.mark.parametrize("gaps", [0, 3])
def test_gaps_in_a_loop_and_in_what_it_is_tested_on(gaps):
    """The looks show none of the few of training, which do no harm: something takes care of them."""
    given, held = DIGITS[:-50].astype("float32"), DIGITS[-50:].astype("float32")
    seen = training(given, LABELS[:-50], losses=[2.0] * 5, interface="loop", stored=False)
    given = given.copy()
    given[:gaps, 0] = held[:3, 0] = np.nan
    seen.fed = [Feed(x=given, labels={"y": LABELS[:-50]})]
    seen.asked = [Feed(x=held, name="x_test", labels={"y_test": LABELS[-50:]})]
    assert bool(data.nan_or_inf_in_data(seen)) is not bool(gaps)


@pytest.mark.parametrize("value", [np.inf, 1.0])
def test_gaps_in_what_a_script_asks_about(value):
    held = DIGITS[-50:].astype("float32")
    held[3:6, 0] = value
    seen = training(DIGITS[:-50].astype("float32"), LABELS[:-50], losses=[2.0] * 5)
    seen.asked = [Feed(x=held, name="x_test")]
    assert bool(data.nan_or_inf_in_data(seen)) is bool(np.isinf(value))


def test_the_inputs_of_a_recurrent_layer_are_those_of_the_data():
    x = np.random.default_rng(0).normal(size=(200, 9, 3)) * [1, 50, 4000] + [0, 90, 0]
    seen = training(x, LABELS[:200], entering=np.zeros((200, 3)), kind="recurrent")
    assert [f.cause for f in data.inputs_not_scaled(seen)] == ["inputs_not_scaled"]
    seen.layers = [{"class": "Normalization", "name": "n", "config": {}}]
    assert data.inputs_not_scaled(seen) == []


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


@pytest.mark.parametrize(("times", "of", "fires"), [(6.0, 0.0, True), (4.0, 0.0, False), (6.0, 6.0, False)])
def test_noise_in_stored_inputs_is_what_they_hold_beside_their_targets(times, of, fires):
    """Of a network that is to remove it; what hangs on the targets is no noise."""
    clean = RNG.normal(size=(400, 30)).astype("float32")
    noisy = clean + times * RNG.normal(size=clean.shape).astype("float32") + of * clean
    for form in ((400, 30), (400, 1, 30, 1)):  # a sequence enters a convolution as one row
        seen = training(noisy.reshape(form), clean, loss=SQUARED, losses=np.full(50, 0.97))
        assert bool(data.inputs_drowned_in_noise(seen)) is fires
    if fires:
        assert "noise of 6" in only(seen, "inputs_drowned_in_noise").evidence


@pytest.mark.parametrize(("noise", "end", "fires"), [(6.0, 0.95, True), (6.0, 0.5, False), (4.0, 0.95, False)])
def test_noise_that_nothing_can_be_cleaned_of(noise, end, fires):
    share = end * float(np.mean(np.var(DIGITS, axis=0)))
    seen = training(DIGITS, DIGITS, loss=SQUARED, losses=np.full(50, share), experiments={"noise": noise})
    assert bool(data.inputs_drowned_in_noise(seen)) is fires


def test_pixels_without_neighbours_and_nothing_to_compare_with():
    noise = RNG.normal(size=(len(LABELS), 8, 8, 1)).astype("float32")
    found = only(training(noise, LABELS, stored=False), "inputs_drowned_in_noise")
    assert found.confidence < 0.7
    assert data.inputs_drowned_in_noise(training(IMAGES, LABELS, stored=False)) == []
    seen = training(noise, LABELS)
    for held_out, fires in ((noise[:300], False), (IMAGES[:300], True)):
        seen.validation = Data(x=held_out, y=LABELS[:300])
        assert bool(data.inputs_drowned_in_noise(seen)) is fires, "pictures that are like this"


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
        seen = training(WINE[:, :12].astype("float32") * 20, CULTIVAR, classes=3, loss=loss)
        for probe in seen.probes:
            probe.saturated, probe.dead = np.array([flat, np.nan]), np.array([np.nan, 0.0])
        assert [f.certain for f in data.inputs_not_scaled(seen)] == [certain]


@pytest.mark.parametrize(
    ("x", "fires"),
    [
        (MEASURED[:400] + 4 * RNG.normal(size=(400, 30)).astype("float32"), True),
        (MEASURED[:400] + RNG.normal(size=(400, 30)).astype("float32"), False),  # as augmentation does
        (4 * MEASURED[:400], False),
        (MEASURED[:400], False),
    ],
)
@pytest.mark.parametrize("name", ["x_test", "unknown", "validation"])
def test_noise_on_rows_that_those_held_out_have_not(x, fires, name):
    seen = training(x, BENIGN[:400], classes=2)
    if name == "validation":
        seen.validation = Data(x=MEASURED[400:], y=BENIGN[400:])
    else:
        seen.asked = [Feed(x=MEASURED[400:], name=name)]
    assert bool(data.inputs_drowned_in_noise(seen)) == (fires and name != "unknown")


@pytest.mark.parametrize(
    ("scale", "times", "share", "fires"),
    [
        (1 / 64, 1.0, 1 / 64, True),
        (1 / 64, 255.0, 1 / 64, False),  # pixels
        (0.5, 1.0, 0.5, False),
        ([0.01, 0.02], 1.0, 1 / 64, False),
        (1 / 64, 1.0, 1.0, False),  # it stands behind the first weights
    ],
)
def test_a_layer_that_divides_pixels_again(scale, times, share, fires):
    seen = training(times * DIGITS, LABELS, entering=times * share * DIGITS - 2)
    inner = {"class": "Dense", "name": "d", "config": {}}  # a model inside of a model comes behind what follows it
    seen.layers = [inner, {"class": "Rescaling", "name": "r", "config": {"scale": scale}}]
    for stored in (True, False):
        if not stored:  # behind a pipeline that draws: what validation holds stands for it
            seen.train, seen.validation = None, seen.train
        found = [f for f in data.inputs_scaled_twice(seen) if "multiplies by" in f.evidence]
        assert [(f.certain, f.layer) for f in found] == ([(True, "r")] if fires else [])


@pytest.mark.parametrize(("kind", "times", "fires"), [("Normalization", 5, True), ("Normalization", 12, False),
                                                      ("Lambda", 5, False)])  # fmt: skip
def test_a_layer_that_divides_pixels_again_before_one_that_brings_them_to_a_spread_of_1(kind, times, fires):
    """As in front of an EfficientNet, which holds both."""
    seen = training(DIGITS, LABELS, entering=times * DIGITS / 64 - 1)
    seen.layers = [{"class": "Rescaling", "name": "r", "config": {"scale": 1 / 64}}, {"class": kind, "config": {}}]
    assert bool(data.inputs_scaled_twice(seen)) is fires


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


@pytest.mark.parametrize("change", ["", "scaled", "as noisy", "other classes", "narrower", "wider elsewhere"])
def test_noise_on_features_that_are_on_one_scale_is_told_by_the_labels(change):
    """Standardised columns that go their own ways: by their spreads noise is as good as another scale."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 6))
    y = (x @ np.array([3.0, -2, 2, 1, -1, 1]) > 0).astype("int64")
    times = {"as noisy": (4, 4), "narrower": (1, 1)}.get(change, (4, 0))
    train = 5 * x[:600] if change == "scaled" else x[:600] + times[0] * rng.normal(size=(600, 6))
    seen = training(train, y[:600], loss=BINARY, head="sigmoid", logits=False, classes=1, output=one)
    rest = np.arange(600, 900)[y[600:] == 1] if change == "other classes" else np.arange(600, 900)
    rest = np.r_[rest, np.arange(600, 900)[y[600:] == 0][:20]] if change == "other classes" else rest
    other = (40 if change == "wider elsewhere" else 1) * x[rest] + times[1] * rng.normal(size=(len(rest), 6))
    seen.validation = Data(x=other, y=y[rest], n=len(rest))
    assert bool(data.inputs_drowned_in_noise(seen)) is (not change)


@pytest.mark.parametrize("times", [4, 0])
@pytest.mark.parametrize("form", ["measurement", "several labels"])
def test_noise_on_features_that_are_on_one_scale_is_told_by_other_targets(form, times):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 6))
    y = x @ rng.normal(size=(6, 3 if form == "several labels" else 1))
    y, loss = ((y > 0).astype("float32"), BINARY) if form == "several labels" else (y, SQUARED)
    train = x[:600] + times * rng.normal(size=(600, 6)) if times else 4 * x[:600]
    seen = training(train, y[:600], loss=loss, head="linear", classes=y.shape[1], output=lambda rows: y[rows])
    seen.validation = Data(x=x[600:], y=y[600:], n=300)
    found = data.inputs_drowned_in_noise(seen)
    assert ["of their targets" in f.evidence for f in found] == [True] * bool(times)


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
    assert [f.certain for f in data.targets_not_scaled(seen)] == [True] * fires


def test_noise_is_told_by_the_part_that_it_is_not_on():
    """Two sets without a name: of one the rows spread as those of training do."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 6))
    y = (x @ np.array([3.0, -2, 2, 1, -1, 1]) > 0).astype("int64")
    noisy = x + 4 * rng.normal(size=x.shape)
    seen = training(noisy[:600], y[:600], loss=BINARY, head="sigmoid", logits=False, classes=1, output=one)
    parts = [Feed(x=noisy[600:900], name="", labels={"y": y[600:900]}), Feed(x=x[900:], name="", labels={"y": y[900:]})]
    for asked, fires in ((parts, True), (parts[::-1], True), (parts[:1], False)):
        seen.asked = asked
        assert bool(data.inputs_drowned_in_noise(seen)) is fires


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
    found = data.inputs_scaled_twice(seen)
    assert [(f.certain, f.layer) for f in found] == [(True, "norm")] * fires
    seen.layers[0]["class"] = "BatchNormalization"
    assert data.inputs_scaled_twice(seen) == []


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
    assert ["taken twice" in f.evidence for f in data.inputs_scaled_twice(seen)] == [True] * fires
    seen = training(DIGITS[:300], np.arange(300) % 2, classes=2, entering=DIGITS[:300], losses=STUCK)
    seen.entering = {"a table": table}
    assert ["a table: all 5" in f.evidence for f in data.inputs_scaled_twice(seen)] == [True] * fires


@pytest.mark.parametrize(("wide", "flat", "fires"), [(43.0, 0.8, True), (43.0, 0.4, False), (18.0, 0.8, False)])
def test_one_wide_input_that_drives_the_first_units_flat(wide, flat, fires):
    x = RNG.normal(size=(300, 6)) * [2.6, wide, 1.1, 6.0, 4.2, 2.6]
    seen = training(x.astype("float32"), np.arange(300) % 2, classes=2, losses=STUCK)
    seen.units = [Unit(name="first", kind="dense"), Unit(name="last", kind="dense")]
    for probe in seen.probes:
        probe.saturated = np.array([flat, np.nan], "float32")
    assert ["units of first 80% are flat" in f.evidence for f in data.inputs_not_scaled(seen)] == [True] * fires
