from keras_course import scratch

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

X = np.array([[-1000.0, -3.0, -0.5, 0.25, 2.0], [1000.0, 4.0, -2.0, 1.5, -0.75]])
DY = np.random.default_rng(0).normal(size=X.shape)
LAYERS = {
    "sigmoid": (scratch.Sigmoid(), keras.ops.sigmoid),
    "tanh": (scratch.Tanh(), keras.ops.tanh),
    "relu": (scratch.ReLU(), keras.ops.relu),
    "leaky_relu": (scratch.LeakyReLU(0.25), lambda x: keras.ops.leaky_relu(x, 0.25)),
    "softmax": (scratch.Softmax(), keras.ops.softmax),
}


@pytest.mark.parametrize("name", LAYERS)
def test_values_are_those_of_keras(name):
    layer, oracle = LAYERS[name]
    with np.errstate(all="raise", under="ignore"):  # logits of a thousand overflow nothing
        y = layer.forward(X)
    np.testing.assert_allclose(y, oracle(keras.ops.convert_to_tensor(X, "float64")), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_differences(name):
    layer, _ = LAYERS[name]
    x, step = X[:, 1:], 1e-6
    layer.forward(x)
    found = layer.backward(DY[:, 1:])
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        difference = np.sum((layer.forward(up) - layer.forward(down)) * DY[:, 1:]) / (2 * step)
        assert found[i] == pytest.approx(difference, rel=1e-5, abs=1e-8), i


def test_the_derivative_at_the_kink_is_that_from_the_left():
    for layer, slope in ((scratch.ReLU(), 0.0), (scratch.LeakyReLU(0.3), 0.3)):
        layer.forward(np.zeros((1, 2)))
        np.testing.assert_array_equal(layer.backward(np.ones((1, 2))), [[slope, slope]])


@given(st.lists(st.floats(-800, 800), min_size=2, max_size=5), st.floats(-800, 800))
def test_softmax_is_a_distribution_that_a_shift_does_not_change(row, shift):
    y = scratch.softmax(np.array([row]))
    assert y.min() >= 0
    assert y.sum() == pytest.approx(1)
    np.testing.assert_allclose(scratch.softmax(np.array([row]) + shift), y, rtol=1e-9, atol=1e-12)


@given(st.floats(-800, 800))
def test_sigmoids_of_opposite_sign_add_up_to_one(x):
    assert scratch.sigmoid(np.array(x)) + scratch.sigmoid(np.array(-x)) == pytest.approx(1)
