"""Multilayer perceptron."""

from typing import Any

from keras_course.layers import arguments
from keras_course.models.ends import logits, positive_sizes

import keras


def mlp(
    input_shape: tuple[int, ...],
    classes: int,
    *,
    hidden: tuple[int, ...] = (64,),
    activation: Any = "relu",
    dropout: float = 0.0,
    initializer: Any = "glorot_uniform",
) -> keras.Model:
    """Dense layers of the sizes in `hidden`, `activation` and dropout behind each, and logits at the end.

    Inputs of any rank are flattened. `initializer` fills the kernels of the hidden layers, not that of the logits: a
    name, or an initializer without a seed of its own (with one, layers of one shape would start as copies).
    The layers are `hidden_0`, `hidden_1`, … (activation included) and `logits`.
    """
    positive_sizes(input_shape=input_shape, hidden=hidden)
    arguments.whole_numbers(classes=classes)
    arguments.rate(dropout=dropout)
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    for i, units in enumerate(hidden):
        x = keras.layers.Dense(units, activation, kernel_initializer=initializer, name=f"hidden_{i}")(x)
        x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, logits(x, classes), name="mlp")
