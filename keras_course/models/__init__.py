"""Builders: shapes in, logits out, never probabilities; no data set and no training inside.

MODELS: the classifiers by name, each a builder(input_shape, classes, **choices). `vae` takes no classes.
"""

from collections.abc import Callable
from typing import Any

from keras_course.base import pick
from keras_course.models.cnn import cnn, cnn_sequential
from keras_course.models.densenet import (
    densenet,
    densenet_40_12,
    densenet_bc_100_12,
    densenet_bc_190_40,
    densenet_bc_250_24,
)
from keras_course.models.mlp import mlp
from keras_course.models.resnet import resnet
from keras_course.models.vae import vae

import keras

MODELS: dict[str, Callable[..., keras.Model]] = {
    "cnn": cnn,
    "cnn_sequential": cnn_sequential,
    "densenet": densenet,
    "densenet_40_12": densenet_40_12,
    "densenet_bc_100_12": densenet_bc_100_12,
    "densenet_bc_190_40": densenet_bc_190_40,
    "densenet_bc_250_24": densenet_bc_250_24,
    "mlp": mlp,
    "resnet": resnet,
}


def build(name: str, input_shape: tuple[int, ...], classes: int, **choices: Any) -> keras.Model:
    """The classifier `name` of `MODELS`; InputError gives the nearest name for one that is not there."""
    return pick(MODELS, name, "model")(input_shape, classes, **choices)


__all__ = ["MODELS", "build", "vae", *MODELS]
