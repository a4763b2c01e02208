from keras_course.base import InputError
from keras_course.models import MODELS, cnn, densenet, mlp, resnet, vae
from keras_course.models.ends import image_input, logits_of_mean, positive_sizes

import keras
import numpy as np
import pytest

REFUSED = {
    "`input_shape` must be (height, width, channels). Received: (28, 28).": lambda: cnn((28, 28), 10),
    "`input_shape` must be a tuple of whole numbers of at least 1. Received: (8, 0, 1).": lambda: resnet((8, 0, 1), 3),
    "`input_shape` must be at least 4 pixels high and wide to be halved 2 times. Received: (8, 3, 1).": lambda: cnn(
        (8, 3, 1), 10
    ),
    "`hidden` must be a tuple of whole numbers of at least 1. Received: (5, 0).": lambda: mlp((4,), 3, hidden=(5, 0)),
    "`hidden` must be a tuple of whole numbers of at least 1. Received: 64.": lambda: vae((4,), hidden=64),
    "`classes` must be a whole number of at least 1. Received: 0.": lambda: mlp((4,), 0),
    "`latent` must be a whole number of at least 1. Received: 0.": lambda: vae((4,), latent=0),
    "`stem` must be a whole number of at least 1. Received: 0.": lambda: densenet((8, 8, 1), 3, stem=0),
    "`growth_rate` must be a whole number of at least 1. Received: 1.5.": lambda: densenet(
        (8, 8, 1), 3, growth_rate=1.5
    ),
    "`layers_per_block` must be a tuple of whole numbers of at least 1. Received: ().": lambda: densenet(
        (8, 8, 1), 3, layers_per_block=()
    ),
    "`blocks` must be a tuple of whole numbers of at least 1. Received: (1, -1).": lambda: resnet(
        (8, 8, 1), 3, blocks=(1, -1)
    ),
    "No attention named 'cban'. Did you mean 'cbam'? There are: cbam.": lambda: resnet((8, 8, 1), 3, attention="cban"),
}
SMALL = [name for name in MODELS if "_40_" not in name and "_bc_" not in name]


@pytest.mark.parametrize("sentence", REFUSED)
def test_bad_argument_is_refused_in_one_sentence(sentence):
    with pytest.raises(InputError) as caught:
        REFUSED[sentence]()
    assert str(caught.value) == sentence


def test_no_sizes_are_refused_unless_none_will_do():
    positive_sizes(hidden=(), or_none=True)
    positive_sizes(hidden=[3, 2])
    with pytest.raises(InputError):
        positive_sizes(hidden=())


def test_images_may_be_as_small_as_the_halvings_allow():
    assert image_input((4, 9, 2), halvings=2).shape == (None, 4, 9, 2)


def test_logits_are_a_linear_map_of_the_mean_over_space():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    inputs = keras.Input((3, 5, 4))
    model = keras.Model(inputs, logits_of_mean(inputs, 2))
    kernel, _ = model.get_weights()
    model.set_weights([kernel, np.array([3.0, -5.0])])
    np.testing.assert_allclose(model(x), x.mean(axis=(1, 2)) @ kernel + [3.0, -5.0], rtol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_classifier_gives_logits_and_survives_a_file(name, tmp_path):
    model = MODELS[name]((8, 9, 3), 5)
    x = np.random.default_rng(0).uniform(size=(2, 8, 9, 3)).astype("float32")
    y = np.asarray(model(x))
    assert y.shape == (2, 5)
    assert model.get_layer("logits").activation is keras.activations.linear
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), y)


@pytest.fixture
def mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", [*SMALL, "vae"])
def test_logits_and_weights_are_float32_under_mixed_precision(name, mixed_precision):
    model = vae((8, 8, 1)) if name == "vae" else MODELS[name]((8, 8, 1), 3)
    assert {y.dtype for y in model.outputs} == {"float32"}
    assert {w.dtype for w in model.weights} <= {"float32", "uint32"}  # integers: states of random generators
    assert any(layer.compute_dtype == "bfloat16" for layer in model.layers)


def test_a_vae_draws_in_float32_under_mixed_precision(mixed_precision):
    assert vae((8, 8, 1)).get_layer("sampling").compute_dtype == "float32"
