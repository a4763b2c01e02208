import functools

from keras_course.diagnostics.observation import Data, Feed
from keras_course.diagnostics.rules import data, labels, scale
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, DIGITS, IMAGES, LABELS, MEASURED, PATIENTS, PROGRESS
from tests.diagnostics.typed import BINARY, RNG, SQUARED, one, steps, training

import numpy as np
import pytest

RULES = labels.RULES | data.RULES | scale.RULES
only, causes = functools.partial(typed.only, RULES), functools.partial(typed.named, RULES)


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


def test_noise_is_told_by_pictures_of_validation_where_those_of_training_are_not_stored():
    noisy = (IMAGES + 4 * RNG.normal(size=IMAGES.shape)).astype("float32")
    seen = training(noisy, LABELS, stored=False)
    assert data.inputs_drowned_in_noise(seen)[0].confidence == 0.65, "nothing to compare with"
    seen.validation = Data(x=IMAGES[:300], y=LABELS[:300])
    assert "in validation" in data.inputs_drowned_in_noise(seen)[0].evidence


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
