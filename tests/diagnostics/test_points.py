"""The numbers under each tag, against the definitions written out."""

from keras_course.diagnostics import points
from keras_course.diagnostics.observation import Observation, Probe, Unit, Variable
from tests.diagnostics.made import observation, steps

import numpy as np
import pytest


def table(found):
    return {(tag, step): value for tag, step, value in found}


def test_norms_are_over_all_variables_of_a_unit():
    found = table(points.dynamics(observation(3)))
    assert found["gradient_norm/dense", 0] == pytest.approx(5)  # 3, 4
    assert found["weight_norm/dense", 1] == pytest.approx(10)  # 6, 8
    assert found["update_ratio/dense", 1] == pytest.approx(0.05)  # 0.5 / 10
    assert found["update_ratio/out", 1] == pytest.approx(0.1 / 3)


def test_the_rate_of_each_kept_step():
    seen = observation(3)
    assert list(points.learning_rates(seen)) == []
    seen.steps.rate = np.array([0.5, np.nan, 0.125])
    assert list(points.learning_rates(seen)) == [("learning_rate", 0, 0.5), ("learning_rate", 2, 0.125)]
    assert list(points.learning_rates(seen, start=1)) == [("learning_rate", 2, 0.125)]


def test_what_was_not_measured_is_left_out():
    found = table(points.dynamics(observation(3)))
    assert not any(tag == "gradient_norm/out" for tag, _ in found)  # no gradient at all
    assert ("update_ratio/dense", 2) not in found  # the next step did not come
    assert not any(tag.startswith("saturated_share") for tag, _, _ in points.activations(observation()))


def test_a_variable_that_is_not_trained_has_no_steps():
    seen = observation(3)
    before = table(points.dynamics(seen))
    seen.variables.append(Variable(name="norm/moving_mean", shape=(2,), trainable=False, layer="norm"))
    seen.units[-1].variables += ("norm/moving_mean",)
    assert table(points.dynamics(seen)) == before


def test_a_gradient_that_is_nan_is_shown_as_nan():
    seen = observation(3)
    seen.steps.weight[2] = np.nan
    seen.steps.gradient[2] = np.nan
    found = table(points.dynamics(seen))
    assert np.isnan(found["gradient_norm/dense", 2])
    assert np.isnan(found["update_ratio/dense", 2])


def test_a_large_norm_in_half_precision_does_not_overflow():
    seen = observation(2)
    seen.steps.gradient = np.full((2, 3), 1e30, "float32")
    assert table(points.dynamics(seen))["gradient_norm/dense", 0] == pytest.approx(2**0.5 * 1e30)


def test_the_loss_of_every_step_is_kept_under_its_own_number():
    seen = observation(5)
    seen.steps.all_losses = seen.steps.all_losses[-3:]  # only the last three are kept
    assert list(points.losses(seen)) == [("loss", s, 2 / (1 + s)) for s in (2, 3, 4)]
    assert list(points.losses(seen, start=4)) == [("loss", 4, 0.4)]
    seen.loss.climbed = True
    assert list(points.losses(seen, start=4)) == [("loss", 4, -0.4)], "as the script computes what it climbs"
    seen.loss.climbed, seen.loss.offset = False, 0.75
    assert list(points.losses(seen, start=4)) == [("loss", 4, pytest.approx(1.15))], "with what it adds to it"


def test_probes_are_per_unit_in_order():
    found = table(points.activations(observation(5)))
    assert found["activation_mean/dense", 4] == 4.25
    assert found["activation_spread/out", 2] == 4.5
    assert found["activation_gradient/out", 0] == 1e-2
    assert found["dead_share/dense", 0] == 0.75
    assert ("dead_share/out", 0) not in found


def test_ranges_of_inputs_outputs_and_labels():
    seen = observation(1)
    x = seen.probes[0].x
    found = table(points.ranges(seen))
    assert found["inputs/mean", 0] == pytest.approx(x.mean())
    assert found["inputs/spread", 0] == pytest.approx(x.std())
    assert (found["inputs/min", 0], found["inputs/max", 0]) == (x.min(), x.max())
    assert found["outputs/row_sum", 0] == pytest.approx((1.0 + 1.1) / 2)
    assert found["outputs/spread_over_inputs", 0] == pytest.approx((0.05 + 0.1 + 0.2) / 3)
    assert found["labels/entropy", 0] == pytest.approx(np.log(2))
    assert ("epoch/val_loss", 0, 1.75) in list(points.epochs(seen))


def test_probes_before_the_start_are_left_out():
    for generator in (points.activations, points.ranges):
        assert {step for _, step, _ in generator(observation(7), 3)} == {4, 6}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.log(3)),
        ([[1.0], [0.0]], np.log(2)),
        ([0.5, 0.25], None),
        ([[1, 1, 0], [0, 1, 0]], None),
        ([np.nan, 1], None),
        ([], None),
    ],
)
def test_entropy_of_labels(labels, expected):
    assert points.label_entropy(np.array(labels)) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 784), (2, 28, 28, 1)),
        ((2, 3072), (2, 32, 32, 3)),
        ((2, 8, 9), (2, 8, 9, 1)),
        ((2, 5, 4, 3), (2, 5, 4, 3)),
        ((2, 25), None),
        ((2, 80), None),
        ((2, 5, 4, 7), None),
        ((2, 7, 9), None),
    ],
)
def test_batches_that_are_images(shape, expected):
    images = points.as_images(np.zeros(shape))
    assert (images if images is None else images.shape) == expected


def test_neighbours_agree_in_a_ramp_and_not_in_noise():
    ramp = np.add.outer(np.arange(30.0), np.arange(20.0))[None, :, :, None]
    assert points.neighbour_correlation(ramp) > 0.99
    noise = np.random.default_rng(0).normal(size=(40, 30, 20, 1))
    assert abs(points.neighbour_correlation(noise)) < 4 / np.sqrt(2 * noise.size)  # four standard errors
    assert points.neighbour_correlation(np.ones((1, 8, 8, 1))) is None


def test_names_in_tags_have_no_spaces_and_are_unique():
    seen = Observation(
        name="train",
        units=[Unit(name="matmul at a.py:3", kind="dense", variables=("w",)), Unit(name="d", kind="dense")] * 2,
        variables=[Variable(name="w", shape=(2,)), Variable(name="gamma 1", shape=(2,))],
    )
    assert points.groups(seen) == {
        "matmul_at_a.py:3": [0],
        "d": [],
        "matmul_at_a.py:3_2": [0],
        "d_2": [],
        "gamma_1": [1],
    }


def test_nothing_seen_gives_nothing():
    seen = Observation(name="train", probes=[Probe(step=0)])
    for found in (points.losses, points.dynamics, points.activations, points.ranges, points.epochs):
        assert list(found(seen)) == []


def test_a_unit_without_weights_yet_has_no_ratio():
    seen = observation(2)
    seen.steps = steps(2)
    seen.steps.weight[:] = 0
    assert not [tag for tag, _, _ in points.dynamics(seen) if tag.startswith("update_ratio")]
