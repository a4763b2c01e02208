"""Where every model begins and ends: the input is checked, the logits come in full precision."""

import math
from collections.abc import Sequence
from typing import Any

from keras_course.base import require
from keras_course.layers import arguments

import keras


def positive_sizes(**fields: Any) -> None:
    """Refuses a field that is not a tuple of whole numbers of at least 1."""
    for field, sizes in fields.items():
        valid = isinstance(sizes, Sequence) and all(type(size) is int and size >= 1 for size in sizes)
        require(valid, field, "a tuple of whole numbers of at least 1", sizes)


def image_input(input_shape: tuple[int, int, int], *, halvings: int) -> keras.KerasTensor:
    """Images (batch, height, width, channels) that remain at least one pixel wide when halved `halvings` times."""
    positive_sizes(input_shape=input_shape)
    require(len(input_shape) == 3, "input_shape", "(height, width, channels)", input_shape)
    side = 2**halvings
    require(min(input_shape[:2]) >= side, "input_shape", f"at least {side} pixels high and wide here", input_shape)
    return keras.Input(input_shape, name="image")


def logits(x: Any, outputs: int, *, name: str = "logits") -> Any:
    """A dense layer without activation, (batch, features) -> (batch, outputs).

    Under a mixed-precision policy it computes in float32: a loss of logits with 8 bits of mantissa is too coarse.
    """
    return keras.layers.Dense(outputs, dtype=keras.config.floatx(), name=name)(x)


def classify(features: Any, classes: int) -> Any:
    """Images of features (batch, height, width, channels) -> logits (batch, classes) of their mean over space."""
    arguments.whole_numbers(classes=classes)
    return logits(keras.layers.GlobalAveragePooling2D(name="mean")(features), classes)


def image_logits(x: Any, input_shape: tuple[int, ...]) -> Any:
    """(batch, features) -> one logit for each number of an input of the shape `input_shape`."""
    return keras.layers.Reshape(input_shape, dtype=keras.config.floatx())(logits(x, math.prod(input_shape)))
