"""A small convolutional network, written in both of the ways in which Keras stacks layers."""

from keras_course.layers import arguments
from keras_course.models.ends import image_input, logits, positive_sizes

import keras


def stack(classes: int, filters: tuple[int, ...], dropout: float) -> list[keras.layers.Layer]:
    """The layers of both forms: 3x3 convolutions, each halved by max pooling, then dropout and logits."""
    positive_sizes(filters=filters)
    arguments.whole_numbers(classes=classes)
    arguments.rate(dropout=dropout)
    layers = []
    for i, width in enumerate(filters):
        layers.append(keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv_{i}"))
        layers.append(keras.layers.MaxPooling2D(2, name=f"pool_{i}"))
    end = [keras.layers.Flatten(name="flatten"), keras.layers.Dropout(dropout, name="dropout"), logits(classes)]
    return layers + end


def cnn(
    input_shape: tuple[int, int, int], classes: int, *, filters: tuple[int, ...] = (32, 64), dropout: float = 0.0
) -> keras.Model:
    """The network in functional form: a graph of tensors, which may branch.

    Images (batch, height, width, channels) -> logits (batch, classes). `dropout` acts before the logits.
    The layers are `conv_0` (ReLU included), `pool_0`, `conv_1`, …, `flatten`, `dropout`, `logits`.
    """
    layers = stack(classes, filters, dropout)
    x = inputs = image_input(input_shape, halvings=len(filters))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name="cnn")


def cnn_sequential(
    input_shape: tuple[int, int, int], classes: int, *, filters: tuple[int, ...] = (32, 64), dropout: float = 0.0
) -> keras.Sequential:
    """The same network as `cnn`, weight for weight, in Sequential form: a list of layers."""
    layers = stack(classes, filters, dropout)
    return keras.Sequential([image_input(input_shape, halvings=len(filters)), *layers], name="cnn_sequential")
