"""Whether to compile the loop with XLA: on a CPU a dense network gains by it, a convolutional one is ruined by it."""

import re
from typing import Any

from keras_course.base import require

import keras
import tensorflow as tf

# The kinds of layer that were measured to gain, and the containers that add nothing of their own.
DENSE = {
    "Sequential", "Functional", "InputLayer", "Flatten", "Reshape", "Rescaling", "Normalization", "Dense", "Activation",
    "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Dropout", "GaussianNoise", "GaussianDropout", "Add", "Subtract",
    "Multiply", "Average", "Concatenate", "BatchNormalization", "LayerNormalization", "Sampling", "GetItem", "Exp",
}  # fmt: skip


def kinds(model: keras.Model) -> set[str]:
    """The class names of a model, of all layers in it however deep, and of the bare operations between them."""
    layers = model._flatten_layers()  # `model.layers` stops at nested models and at layers made of layers
    operations: list[Any] = [op for layer in layers for op in getattr(layer, "operations", [])]
    return {type(part).__name__ for part in [*layers, *operations]}


# Compiling takes about a second, and a step of a small dense network then a millisecond less: the run must repay it.
REPAID = 1000


def choose(model: keras.Model, xla: bool | None, *, steps: int) -> bool:
    """`xla` as asked for; None: yes when every layer is one that gains and the run has steps enough to repay it.

    Raises:
        InputError: XLA for convolutions or pooling on a machine that has no GPU.
    """
    found = kinds(model)
    slow = sorted(kind for kind in found if re.search("Conv|Pool", kind))
    allowed = not slow or tf.config.list_physical_devices("GPU")
    rule = f"None or False for a network with {' and '.join(slow)} on a CPU, which XLA makes up to 92 times slower"
    require(allowed or not xla, "xla", rule, xla)
    return found <= DENSE and steps >= REPAID if xla is None else xla
