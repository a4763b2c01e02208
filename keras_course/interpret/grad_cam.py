"""Grad-CAM: where in an image the evidence for a class stands.

Selvaraju et al. (2017), "Grad-CAM: visual explanations from deep networks via gradient-based localization", section 3.
"""

from typing import Any

from keras_course.base import InputError, require

import keras
import numpy as np
import tensorflow as tf


def grad_cam(model: keras.Model, images: Any, classes: Any, *, layer: str) -> np.ndarray:
    """The heat map of one class for each image, from the maps of the layer named `layer`.

    Args:
        model: functional, images (n, height, width, channels) -> logits (n, classes).
        classes: the class to explain, (n,) integers, each image its own.
        layer: its output is (n, h, w, maps).

    Returns:
        (n, height, width), upsampled to the images, each divided by its maximum: in [0, 1], 0 where nothing speaks
        for the class.

    Raises:
        InputError: no such layer, or one without spatial maps; other shapes.
    """
    if layer not in [each.name for each in model.layers]:
        raise InputError(
            f"No layer named {layer!r} in {model.name}. There are: {', '.join(e.name for e in model.layers)}."
        )
    maps = model.get_layer(layer).output
    require(len(maps.shape) == 4, "layer", "one whose output is (batch, height, width, maps)", (layer, maps.shape))
    images, classes = tf.convert_to_tensor(images, tf.float32), tf.convert_to_tensor(classes, tf.int32)
    require(len(classes) == len(images), "classes", f"one for each of the {len(images)} images", classes.shape)
    both = keras.Model(model.inputs, [maps, model.outputs[0]])
    with tf.GradientTape() as tape:
        tape.watch(images)  # so that a frozen network is recorded too
        activations, logits = both([images], training=False)  # (n, h, w, maps), (n, classes)
        scores = tf.gather(logits, classes, batch_dims=1)  # the logit, not the softmax: no other class speaks in it
    # One score depends on one image alone, so the gradient of their sum is the gradient of each.
    weights = tf.reduce_mean(tape.gradient(scores, activations), axis=(1, 2), keepdims=True)  # (n, 1, 1, maps)
    heat = tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1, keepdims=True))  # (n, h, w, 1)
    heat = tf.image.resize(heat, images.shape[1:3])[..., 0]
    return (heat / tf.maximum(tf.reduce_max(heat, axis=(1, 2), keepdims=True), 1e-12)).numpy()
