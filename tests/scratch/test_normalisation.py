from keras_course import scratch
from keras_course.base import InputError
from keras_course.scratch.normalisation import BatchNorm

import keras
import numpy as np
import pytest

RNG = np.random.default_rng(0)
SHAPES = [(5, 3), (2, 3, 2, 3)]


def pair(momentum=0.9, epsilon=0.01, shape=(None, 3)):
    """The layer and Keras's, with the same parameters."""
    ours = BatchNorm(3, momentum, epsilon)
    ours.parameters = {"gamma": np.array([0.5, -2.0, 3.0]), "beta": np.array([1.0, 0.0, -4.0])}
    theirs = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype="float64")
    theirs.build(shape)
    theirs.gamma.assign(ours.parameters["gamma"])
    theirs.beta.assign(ours.parameters["beta"])
    return ours, theirs


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_averages_are_those_of_keras_in_both_modes(shape):
    ours, theirs = pair(shape=shape)
    for _ in range(3):
        x = 5 + 3 * RNG.normal(size=shape)
        np.testing.assert_allclose(ours.forward(x, True), theirs(x, training=True), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-6)
        np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=1e-6)
        np.testing.assert_allclose(ours.forward(x), theirs(x, training=False), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_pass_the_check_in_both_modes(shape, training):
    ours, _ = pair()
    assert max(row["error"] for row in scratch.gradcheck(ours, RNG.normal(size=shape), training=training)) < 1e-7


def test_float32_stays_float32():
    layer = BatchNorm(3).astype("float32")
    x = RNG.normal(size=(4, 3)).astype("float32")
    assert layer.forward(x, True).dtype == layer.backward(x).dtype == layer.moving_mean.dtype == "float32"


def test_what_cannot_be_normalised_is_refused():
    with pytest.raises(InputError, match=r"`x` must have size 3 on axis 1, \(any, 3\)\. Received: 2"):
        BatchNorm(3).forward(np.zeros((4, 2)))
    with pytest.raises(InputError, match="`momentum` must be from 0 to 1"):
        BatchNorm(3, momentum=1.5)
    with pytest.raises(InputError, match="`epsilon` must be above 0"):
        BatchNorm(3, epsilon=0)
