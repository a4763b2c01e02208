"""A small convolutional network, written in both of the ways in which Keras stacks layers."""

from typing import Any

from keras_course.base import require
from keras_course.layers import arguments
from keras_course.models.ends import image_input, logits, positive_sizes

import keras


def stack(
    classes: int, filters: tuple[int, ...], pools: int, dense: tuple[int, ...], activation: Any, dropout: float
) -> list[keras.layers.Layer]:
    """The layers of both forms: 3x3 convolutions, the first `pools` halved, dense layers, dropout and logits."""
    positive_sizes(dense=dense, or_none=True)
    arguments.whole_numbers(classes=classes)
    arguments.rate(dropout=dropout)
    layers = []
    for i, width in enumerate(filters):
        layers.append(keras.layers.Conv2D(width, 3, padding="same", activation=activation, name=f"conv_{i}"))
        if i < pools:
            layers.append(keras.layers.MaxPooling2D(2, name=f"pool_{i}"))
    layers.append(keras.layers.Flatten(name="flatten"))
    layers += [keras.layers.Dense(units, activation, name=f"dense_{i}") for i, units in enumerate(dense)]
    return [*layers, keras.layers.Dropout(dropout, name="dropout"), logits(classes)]


def halvings(filters: tuple[int, ...], pools: int | None) -> int:
    """How many convolutions are followed by pooling: all of them unless `pools` says."""
    positive_sizes(filters=filters)
    valid = pools is None or (type(pools) is int and 0 <= pools <= len(filters))
    require(valid, "pools", f"None or a whole number from 0 to {len(filters)}, the number of convolutions", pools)
    return len(filters) if pools is None else pools


def cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: tuple[int, ...] = (32, 64),
    pools: int | None = None,
    dense: tuple[int, ...] = (),
    activation: Any = "relu",
    dropout: float = 0.0,
) -> keras.Model:
    """The network in functional form: a graph of tensors, which may branch.

    Images (batch, height, width, channels) -> logits (batch, classes). `filters` are those of the convolutions, `dense`
    the units of hidden layers behind them, `activation` acts in both; `dropout` acts before the logits.
    `pools`: the first so many convolutions are each followed by max pooling that halves; None: all are.
    The layers are `conv_0` (activation included), `pool_0`, `conv_1`, …, `flatten`, `dense_0`, …, `dropout`, `logits`.
    """
    halved = halvings(filters, pools)
    layers = stack(classes, filters, halved, dense, activation, dropout)
    x = inputs = image_input(input_shape, halvings=halved)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name="cnn")


def cnn_sequential(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: tuple[int, ...] = (32, 64),
    pools: int | None = None,
    dense: tuple[int, ...] = (),
    activation: Any = "relu",
    dropout: float = 0.0,
) -> keras.Sequential:
    """The same network as `cnn`, weight for weight, in Sequential form: a list of layers."""
    halved = halvings(filters, pools)
    layers = stack(classes, filters, halved, dense, activation, dropout)
    return keras.Sequential([image_input(input_shape, halvings=halved), *layers], name="cnn_sequential")
