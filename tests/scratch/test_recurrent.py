from keras_course import scratch
from keras_course.base import InputError
from keras_course.scratch.recurrent import LSTM, RNN, LastStep, orthogonal

import keras
import numpy as np
import pytest
import tensorflow as tf

X = np.random.default_rng(0).normal(size=(2, 5, 3))
KINDS = {"rnn": (RNN, keras.layers.SimpleRNN), "lstm": (LSTM, keras.layers.LSTM)}


def pair(kind):
    """A layer with weights of no special form, and Keras's with the same."""
    ours = KINDS[kind][0](3, 4, rng=np.random.default_rng(1))
    rng = np.random.default_rng(2)
    for w in ours.parameters.values():
        w += 0.3 * rng.normal(size=w.shape)
    theirs = KINDS[kind][1](4, return_sequences=True, dtype="float64")
    theirs.build(X.shape)
    theirs.set_weights(list(ours.parameters.values()))
    return ours, theirs


@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_are_those_of_keras(kind):
    ours, theirs = pair(kind)
    dy = np.random.default_rng(3).normal(size=(2, 5, 4))
    with tf.GradientTape() as tape:
        x = tf.constant(X)
        tape.watch(x)
        states = theirs(x)
        value = tf.reduce_sum(states * dy)
    by_x, by_weights = tape.gradient(value, [x, theirs.trainable_variables])
    np.testing.assert_allclose(ours.forward(X), states, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.backward(dy), by_x, rtol=1e-8, atol=1e-12)
    for name, expected in zip(ours.parameters, by_weights, strict=True):
        np.testing.assert_allclose(ours.gradients[name], expected, rtol=1e-8, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_the_check(kind):
    assert max(row["error"] for row in scratch.gradcheck(pair(kind)[0], X)) < 1e-7


def test_the_gradient_by_a_state_holds_all_that_comes_later():
    """In a linear network dL/dh_t = Σ over s ≥ t of dy_s (Uᵀ)^(s - t)."""
    layer = RNN(3, 4, rng=np.random.default_rng(1), linear=True)
    layer.parameters["recurrent_kernel"] = u = np.random.default_rng(2).normal(size=(4, 4))
    layer.forward(X)
    dy = np.random.default_rng(3).normal(size=(2, 5, 4))
    layer.backward(dy)
    for t in range(5):
        expected = sum(dy[:, s] @ np.linalg.matrix_power(u.T, s - t) for s in range(t, 5))
        np.testing.assert_allclose(layer.state_gradients[:, t], expected, rtol=1e-10)


def test_an_orthogonal_matrix_keeps_lengths():
    u = orthogonal(np.random.default_rng(0), (5, 5))
    np.testing.assert_allclose(u @ u.T, np.eye(5), atol=1e-12)


def test_a_new_lstm_remembers():
    bias = LSTM(3, 2, rng=np.random.default_rng(0)).parameters["bias"]
    np.testing.assert_array_equal(bias, [0, 0, 1, 1, 0, 0, 0, 0])


def test_the_last_step_alone_gets_a_gradient():
    layer = LastStep()
    np.testing.assert_array_equal(layer.forward(X), X[:, -1])
    dx = layer.backward(np.ones((2, 3)))
    assert dx[:, -1].sum() == dx.sum() == 6


def test_another_number_of_inputs_is_refused():
    for kind in (RNN, LSTM):
        with pytest.raises(InputError, match=r"`x` must have size 2 on axis 2, \(any, any, 2\)\. Received: 3"):
            kind(2, 4, rng=np.random.default_rng(0)).forward(X)
