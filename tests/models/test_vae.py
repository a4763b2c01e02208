from keras_course.models import vae

import keras
import numpy as np
import pytest
import tensorflow as tf

SHAPE = (4, 3, 2)
X = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype("float32")


def test_outputs_are_logits_of_the_input_and_two_latent_heads():
    model = vae(SHAPE, latent=3, hidden=(7, 5))
    assert [y.shape for y in model(X)] == [(5, *SHAPE), (5, 3), (5, 3)]


@pytest.mark.parametrize(("activation", "f"), [("relu", lambda x: np.maximum(x, 0)), ("tanh", np.tanh)])
def test_encoder_and_decoder_are_the_networks_written_out(activation, f):
    model = vae(SHAPE, latent=2, hidden=(7, 5), activation=activation)
    model.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(model.get_weights())])
    w1, b1, w2, b2, *heads = model.get_layer("encoder").get_weights()
    h = f(f(X.reshape(5, -1) @ w1 + b1) @ w2 + b2)
    for got, kernel, bias in zip(model.get_layer("encoder")(X), heads[::2], heads[1::2], strict=True):
        np.testing.assert_allclose(got, h @ kernel + bias, rtol=1e-4, atol=1e-4)
    z = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")
    w1, b1, w2, b2, w3, b3 = model.get_layer("decoder").get_weights()
    assert [w1.shape, w2.shape] == [(2, 5), (5, 7)]  # the encoder's sizes in reverse
    logits = f(f(z @ w1 + b1) @ w2 + b2) @ w3 + b3
    np.testing.assert_allclose(model.get_layer("decoder")(z), logits.reshape(2, *SHAPE), rtol=1e-4, atol=1e-4)


def test_the_heads_of_the_model_are_those_of_its_encoder_in_order():
    model = vae(SHAPE)
    for got, expected in zip(model(X)[1:], model.get_layer("encoder")(X), strict=True):
        np.testing.assert_array_equal(got, expected)
    names = [layer.name for layer in model.get_layer("encoder").layers]
    assert names[-2:] == ["mean", "log_var"]


def test_what_is_decoded_is_a_draw_around_the_mean():
    model = vae(SHAPE, seed=3)
    first, second = (np.asarray(model(X)[0]) for _ in range(2))
    assert np.abs(first - second).max() > 0
    np.testing.assert_array_equal(vae_with_weights_of(model, seed=3)(X)[0], first)
    # with a deviation of exp(-30) the draw is the mean
    bias = model.get_layer("encoder").get_layer("log_var").bias
    bias.assign(bias - 60.0)
    logits, mean, _ = model(X)
    np.testing.assert_allclose(logits, model.get_layer("decoder")(mean), rtol=1e-5, atol=1e-6)


def vae_with_weights_of(model, seed):
    twin = vae(SHAPE, seed=seed)
    for name in ("encoder", "decoder"):
        twin.get_layer(name).set_weights(model.get_layer(name).get_weights())
    return twin


def test_gradient_of_the_reconstruction_reaches_both_heads():
    model = vae(SHAPE, latent=2, hidden=(7,))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(X)[0] ** 2)
    kernels = [model.get_layer("encoder").get_layer(name).kernel.value for name in ("mean", "log_var")]
    for gradient in tape.gradient(loss, kernels):
        assert np.abs(gradient).max() > 1e-6


def test_model_survives_a_file(tmp_path):
    model = vae(SHAPE, seed=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for got, expected in zip(loaded(X), model(X), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_one_number_per_input_may_have_any_shape():
    assert vae((6,), hidden=()).output[0].shape == (None, 6)
