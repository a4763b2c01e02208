from keras_course.base import InputError
from keras_course.models import cnn, cnn_sequential
from tests.layers.reference import conv
from tests.models.count import trainable

import keras
import numpy as np
import pytest

X = np.random.default_rng(0).uniform(size=(2, 8, 9, 3)).astype("float32")


def test_functional_and_sequential_forms_are_one_function():
    functional, sequential = cnn((8, 9, 3), 5, filters=(2, 3)), cnn_sequential((8, 9, 3), 5, filters=(2, 3))
    assert [isinstance(model, keras.Sequential) for model in (functional, sequential)] == [False, True]
    assert np.abs(np.asarray(functional(X)) - np.asarray(sequential(X))).max() > 0
    sequential.set_weights(functional.get_weights())
    np.testing.assert_array_equal(functional(X), sequential(X))


def test_cnn_is_convolutions_and_maxima_and_one_matrix():
    model = cnn((8, 9, 3), 5, filters=(2, 4))
    k0, b0, k1, b1, w, b = model.get_weights()
    b0, b1, b = b0 + 0.1, b1 - 0.2, b + 0.3
    model.set_weights([k0, b0, k1, b1, w, b])
    x = X
    for kernel, bias in ((k0, b0), (k1, b1)):
        x = np.maximum(conv(x, kernel) + bias, 0)[:, :, : x.shape[2] // 2 * 2]
        x = x.reshape(2, x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).max(axis=(2, 4))
    np.testing.assert_allclose(model(X), x.reshape(2, -1) @ w + b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", [cnn, cnn_sequential])
def test_parameters_of_the_default_on_mnist_images(form):
    # 32 (9 + 1) + 64 (9 * 32 + 1) + 10 (7 * 7 * 64 + 1)
    assert trainable(form((28, 28, 1), 10)) == 50_186


@pytest.mark.parametrize("form", [cnn, cnn_sequential])
def test_layers_have_names_and_dropout_precedes_the_logits(form):
    model = form((8, 8, 1), 3, dropout=0.5)
    names = ["conv_0", "pool_0", "conv_1", "pool_1", "flatten", "dropout", "logits"]
    assert [layer.name for layer in model.layers][-7:] == names
    assert model.get_layer("dropout").rate == 0.5


@pytest.mark.parametrize("form", [cnn, cnn_sequential])
def test_only_the_first_convolutions_are_pooled_and_dense_layers_follow(form):
    model = form((8, 9, 3), 5, filters=(2, 3, 4), pools=1, dense=(6, 7), activation="tanh")
    names = ["conv_0", "pool_0", "conv_1", "conv_2", "flatten", "dense_0", "dense_1", "dropout", "logits"]
    assert [layer.name for layer in model.layers][-9:] == names
    # 2 (27 + 1) + 3 (18 + 1) + 4 (27 + 1), 4 × 4 × 4 numbers into 6, 7 and 5 units
    assert trainable(model) == 56 + 57 + 112 + 65 * 6 + 7 * 7 + 8 * 5
    assert {model.get_layer(name).activation.__name__ for name in ("conv_2", "dense_1")} == {"tanh"}
    assert model.get_layer("logits").activation.__name__ == "linear"


def test_more_pools_than_convolutions_are_refused_with_one_sentence():
    rule = "`pools` must be None or a whole number from 0 to 2, the number of convolutions. Received: 3."
    with pytest.raises(InputError) as error:
        cnn((28, 28, 1), 10, pools=3)
    assert str(error.value) == rule
