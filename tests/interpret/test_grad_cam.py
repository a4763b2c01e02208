from keras_course.base import InputError
from keras_course.interpret import grad_cam

import keras
import numpy as np
import pytest

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 6, 4, 2)).astype("float32")
CLASSES = np.array([2, 0, 1])


def network():
    """Maps of the image's size, their mean, and a linear head: the case in which Grad-CAM is the older CAM."""
    inputs = keras.Input((6, 4, 2))
    maps = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="maps")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling2D()(maps)))


def test_equals_the_class_weights_for_mean_and_linear_head():
    model = network()
    maps = keras.Model(model.inputs, model.get_layer("maps").output)([IMAGES]).numpy()
    weights = model.get_layer("logits").kernel.numpy()[:, CLASSES]  # (maps, n)
    expected = np.maximum(np.einsum("nhwm,mn->nhw", maps, weights), 0)
    expected /= np.maximum(expected.max((1, 2), keepdims=True), 1e-12)
    np.testing.assert_allclose(grad_cam(model, IMAGES, CLASSES, layer="maps"), expected, atol=1e-5)


def test_an_image_is_explained_alike_alone_and_in_a_batch():
    model = network()
    together = grad_cam(model, IMAGES, CLASSES, layer="maps")
    alone = [grad_cam(model, IMAGES[i : i + 1], CLASSES[i : i + 1], layer="maps")[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_small_maps_are_upsampled_to_the_image():
    model = keras.Sequential(
        [
            keras.Input((6, 4, 2)),
            keras.layers.Conv2D(5, 3, strides=2, padding="same", activation="relu", name="maps"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    heat = grad_cam(model, IMAGES, CLASSES, layer="maps")
    assert heat.shape == (3, 6, 4)
    assert heat.min() >= 0
    assert heat.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"classes": CLASSES, "layer": "map"}, "No layer named 'map'"),
        ({"classes": CLASSES, "layer": "logits"}, r"\(batch, height, width, maps\)"),
        ({"classes": CLASSES[:2], "layer": "maps"}, "one for each of the 3 images"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(arguments, words):
    with pytest.raises(InputError, match=words):
        grad_cam(network(), IMAGES, **arguments)
