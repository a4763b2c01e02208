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
    name or a `keras.initializers.Initializer`; one with a seed of its own makes layers of equal shape start equal.
    The layers are `hidden_0`, `hidden_1`, … (activation included) and `logits`.
    """
    positive_sizes(input_shape=input_shape)
    positive_sizes(hidden=hidden, or_none=True)  # none: a linear model
    arguments.whole_numbers(classes=classes)
    arguments.rate(dropout=dropout)
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    for i, units in enumerate(hidden):
        start = keras.initializers.get(initializer).clone()  # one instance would fill equal shapes with equal numbers
        x = keras.layers.Dense(units, activation, kernel_initializer=start, name=f"hidden_{i}")(x)
        x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, logits(classes)(x), name="mlp")
