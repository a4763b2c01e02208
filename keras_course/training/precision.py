"""Half-precision training: which layers compute in bfloat16, and where that is refused."""

import re
from pathlib import Path

from keras_course.base import pick, require
from keras_course.training.xla import kinds

import keras
import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16")


def set_precision(model: keras.Model, precision: str) -> None:
    """Lets the layers of a built model compute in `precision`; weights, outputs and losses remain float32.

    "mixed_bfloat16" halves what convolutions move and takes the matrix units of processors that have them. The layers
    that give the outputs of the model, or of a model inside it, stay in float32: a loss of logits with 8 bits of
    mantissa is too coarse.

    Raises:
        InputError: an unknown name; a machine without a GPU where the network has no convolutions, or the processor
            no instructions for bfloat16: there it only gets slower.
    """
    pick(dict.fromkeys(PRECISIONS), precision, "precision")
    if precision == "float32":
        return apply(model, precision)
    if not tf.config.list_physical_devices("GPU"):
        convolutions = any("Conv" in kind for kind in kinds(model))
        rule = "float32 for a network without convolutions on a CPU, which bfloat16 only slows down"
        require(convolutions, "precision", rule, precision)
        require(has_bfloat16(), "precision", "float32 on a CPU without AVX512_BF16 or AMX_BF16", precision)
    apply(model, precision)


def apply(model: keras.Model, precision: str) -> None:
    """Gives every layer but those of the outputs the policy."""
    kept = {id(layer) for part in [model, *model._flatten_layers()] for layer in ends(part)}
    for layer in model._flatten_layers(include_self=False):
        if id(layer) not in kept and not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = precision


def ends(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers that give the outputs of a model whose graph is known."""
    if isinstance(model, keras.Sequential):
        return model.layers[-1:]
    outputs = getattr(model, "outputs", None) or []
    return [tensor._keras_history.operation for tensor in outputs if hasattr(tensor, "_keras_history")]


def has_bfloat16(description: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies in bfloat16, as far as the system tells."""
    try:
        return bool(re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", description.read_text()))
    except OSError:
        return False
