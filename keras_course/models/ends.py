"""Where every model begins and ends: the input is checked, the logits come in full precision."""

from typing import Any

from keras_course.base import require

import keras


def positive_sizes(*, or_none: bool = False, **fields: Any) -> None:
    """Refuses a field that is not a tuple of whole numbers of at least 1; an empty one too, unless `or_none`."""
    for field, sizes in fields.items():
        valid = isinstance(sizes, tuple | list) and all(type(size) is int and size >= 1 for size in sizes)
        require(valid and (sizes or or_none), field, "a tuple of whole numbers of at least 1", sizes)


def image_input(input_shape: tuple[int, int, int], *, halvings: int) -> keras.KerasTensor:
    """Images (batch, height, width, channels) that remain at least one pixel wide when halved `halvings` times."""
    positive_sizes(input_shape=input_shape)
    require(len(input_shape) == 3, "input_shape", "(height, width, channels)", input_shape)
    side = 2**halvings
    rule = f"at least {side} pixels high and wide to be halved {halvings} times"
    require(min(input_shape[:2]) >= side, "input_shape", rule, input_shape)
    return keras.Input(input_shape, name="image")


def logits(outputs: int, *, name: str = "logits") -> keras.layers.Dense:
    """A dense layer without activation, (batch, features) -> (batch, outputs).

    Under a mixed-precision policy it computes in float32: a loss of logits with 8 bits of mantissa is too coarse.
    """
    return keras.layers.Dense(outputs, dtype=keras.config.floatx(), name=name)


def logits_of_mean(features: Any, classes: int) -> Any:
    """Maps (batch, height, width, channels) -> logits (batch, classes) of their mean over height and width."""
    return logits(classes)(keras.layers.GlobalAveragePooling2D(name="mean")(features))
