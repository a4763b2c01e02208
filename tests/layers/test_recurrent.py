from keras_course.base import InputError
from keras_course.layers import GRUCell, LSTMCell, RNNCell

import keras
import numpy as np
import pytest
import tensorflow as tf

X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
CELLS = {
    "rnn": (RNNCell, keras.layers.SimpleRNNCell),
    "lstm": (LSTMCell, keras.layers.LSTMCell),
    "gru": (GRUCell, keras.layers.GRUCell),
}
every = pytest.mark.parametrize("name", CELLS)


def pair(name, **options):
    """Our cell and Keras's in a layer each, with the same random weights."""
    layers = [keras.layers.RNN(cell(4), **options) for cell in CELLS[name]]
    for layer in layers:
        layer.build(X.shape)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=w.shape) for w in layers[1].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def gradients(layer):
    with tf.GradientTape() as tape:
        x = tf.constant(X)
        tape.watch(x)
        value = tf.reduce_sum(tf.nn.tanh(layer(x)))
    return tape.gradient(value, [x, *layer.trainable_variables])


@every
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"go_backwards": True}], ids=str)
def test_outputs_and_gradients_are_those_of_keras(name, options):
    ours, theirs = pair(name, **options)
    np.testing.assert_allclose(ours(X), theirs(X), rtol=1e-5, atol=1e-6)
    for a, b in zip(gradients(ours), gradients(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@every
def test_masked_steps_are_skipped(name):
    ours, theirs = pair(name)
    mask = np.array([[True, True, True, False, False], [True] * 5])
    np.testing.assert_allclose(ours(X, mask=mask), theirs(X, mask=mask), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours(X, mask=mask)[0], ours(X[:1, :3])[0], rtol=1e-5, atol=1e-6)


@every
def test_a_model_of_both_directions_is_saved_and_loaded(name, tmp_path):
    inputs = keras.Input((None, 3))
    outputs = keras.layers.Bidirectional(keras.layers.RNN(CELLS[name][0](4), return_sequences=True))(inputs)
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(X), again(X))
    assert model(X).shape == (2, 5, 8)


@every
def test_new_weights_are_those_of_a_new_cell_of_keras(name):
    ours, theirs = (cell(4) for cell in CELLS[name])
    for cell in (ours, theirs):
        cell.build((None, 3))
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        assert (a.name, a.shape) == (b.name, b.shape)
    np.testing.assert_array_equal(ours.bias, theirs.bias)
    assert ours.count_params() == theirs.count_params()


@every
def test_config_makes_the_cell_again_and_units_are_checked(name):
    cell = CELLS[name][0]
    assert cell.from_config(cell(7, name="mine").get_config()).get_config() == cell(7, name="mine").get_config()
    with pytest.raises(InputError, match=r"`units` must be a whole number of at least 1\. Received: 0\."):
        cell(0)
