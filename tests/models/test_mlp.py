from keras_course.models import mlp
from tests.models.count import trainable

import keras
import numpy as np
import pytest


def test_mlp_is_matrix_products_with_activations_between():
    model = mlp((2, 3), 2, hidden=(5, 4), activation="tanh")
    x = np.random.default_rng(0).normal(size=(3, 2, 3)).astype("float32")
    model.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(model.get_weights())])
    w1, b1, w2, b2, w3, b3 = model.get_weights()
    expected = np.tanh(np.tanh(x.reshape(3, 6) @ w1 + b1) @ w2 + b2) @ w3 + b3
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("hidden", "count"), [((), 21), ((5,), 53), ((5, 2), 56)])
def test_parameters_are_products_of_neighbouring_sizes_and_biases(hidden, count):
    assert trainable(mlp((6,), 3, hidden=hidden)) == count


def test_hidden_layers_have_names():
    names = [layer.name for layer in mlp((6,), 3, hidden=(5, 2)).layers]
    assert [n for n in names if n.startswith(("hidden", "logits"))] == ["hidden_0", "hidden_1", "logits"]


def test_the_initializer_fills_hidden_kernels_each_with_its_own_numbers():
    model = mlp((5,), 5, hidden=(5, 5), initializer=keras.initializers.RandomUniform(2.0, 3.0))
    kernels = [model.get_layer(name).get_weights()[0] for name in ("hidden_0", "hidden_1", "logits")]
    assert [(k.min() > 2, k.max() < 3) for k in kernels] == [(True, True), (True, True), (False, True)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0


def test_dropout_follows_every_hidden_layer():
    model = mlp((5,), 3, hidden=(50, 50), dropout=0.5)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.5]
    x = np.ones((2, 5), "float32")
    np.testing.assert_array_equal(model(x), model(x))
    assert np.abs(np.asarray(model(x, training=True)) - np.asarray(model(x))).max() > 0
