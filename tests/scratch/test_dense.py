from keras_course import scratch
from keras_course.base import InputError

import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
X, DY = RNG.normal(size=(2, 5)), RNG.normal(size=(2, 3))


def dense(**options):
    layer = scratch.Dense(5, 3, rng=np.random.default_rng(1), **options)
    if "bias" in layer.parameters:
        layer.parameters["bias"][:] = [0.5, -1.0, 2.0]
    return layer


@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"l2": 0.3}])
def test_values_and_gradients_are_those_of_the_tape(options):
    layer = dense(**options)
    variables = {name: tf.Variable(w) for name, w in layer.parameters.items()}
    with tf.GradientTape() as tape:
        x = tf.constant(X)
        tape.watch(x)
        y = x @ variables["kernel"] + variables.get("bias", 0.0)
        penalty = options.get("l2", 0.0) * tf.nn.l2_loss(variables["kernel"])
        loss = tf.reduce_sum(y * DY) + penalty
    np.testing.assert_allclose(layer.forward(X), y, rtol=1e-12)
    dx = layer.backward(DY)
    by_x, by_variables = tape.gradient(loss, [x, variables])
    np.testing.assert_allclose(dx, by_x, rtol=1e-12)
    assert layer.gradients.keys() == layer.parameters.keys() == by_variables.keys()
    for name, expected in by_variables.items():
        np.testing.assert_allclose(layer.gradients[name], expected, rtol=1e-12)
    assert layer.penalty() == pytest.approx(float(penalty), rel=1e-12)


def test_the_bias_is_not_penalised():
    layer = dense(l2=10.0)
    layer.forward(X)
    layer.backward(np.zeros_like(DY))
    np.testing.assert_array_equal(layer.gradients["bias"], 0)
    layer.parameters["kernel"][:] = 0
    assert layer.penalty() == 0


def test_another_number_of_inputs_is_refused():
    with pytest.raises(InputError, match=r"`x` must have size 5 on axis 1, \(any, 5\)\. Received: 4"):
        dense().forward(np.zeros((2, 4)))


def test_flatten_keeps_the_order_and_goes_back():
    x = np.arange(2 * 3 * 5).reshape(2, 3, 5, 1)
    layer = scratch.Flatten()
    y = layer.forward(x)
    np.testing.assert_array_equal(y, x.reshape(2, 15))
    np.testing.assert_array_equal(layer.backward(y), x)
