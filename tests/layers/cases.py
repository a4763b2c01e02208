"""One or more instances of every layer, with shapes to call it on: what the tests that hold for all layers run over.

Run as a module it computes the outputs of all cases on the backend of KERAS_BACKEND, with weights handed in:

    KERAS_BACKEND=jax python -m tests.layers.cases weights.npz outputs.npz
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from keras_course import layers

import keras
import numpy as np

IMAGE, QUERY, VALUE = (2, 5, 6, 3), (2, 3, 4), (2, 5, 4)


@dataclass(frozen=True)
class Case:
    """A layer, the shapes of its positional inputs, and the options of its call."""

    make: Callable[..., keras.layers.Layer]  # takes the keywords that every layer takes
    shapes: list[tuple[int, ...]]
    options: dict = field(default_factory=dict)
    packed: bool = False  # the inputs come as one list
    keeps_mask: bool = False

    def arrays(self) -> list[np.ndarray]:
        rng = np.random.default_rng(5)
        return [rng.normal(size=shape).astype("float32") for shape in self.shapes]

    def shape_arguments(self) -> tuple:
        """What `build` and `compute_output_shape` take."""
        return (self.shapes,) if self.packed else tuple(self.shapes)

    def call(self, layer: keras.layers.Layer, arrays: list):
        return layer(*([arrays] if self.packed else arrays), **self.options)


def attention(make, shapes=(QUERY, VALUE), **options) -> Case:
    return Case(make, list(shapes), options, keeps_mask=True)


CASES = {
    "unit": Case(lambda **k: layers.PreActivationConv(5, 3, **k), [IMAGE]),
    "strided unit": Case(lambda **k: layers.PreActivationConv(5, 3, stride=2, dropout=0.3, **k), [IMAGE]),
    "dense block": Case(lambda **k: layers.DenseBlock(3, 2, **k), [IMAGE]),
    "bottleneck block": Case(lambda **k: layers.DenseBlock(2, 3, bottleneck=True, dropout=0.2, **k), [IMAGE]),
    "transition": Case(lambda **k: layers.Transition(**k), [IMAGE]),
    "compression": Case(lambda **k: layers.Transition(0.5, dropout=0.1, **k), [(2, 5, 6, 5)]),
    "channel attention": Case(lambda **k: layers.ChannelAttention(2, **k), [(2, 5, 6, 4)]),
    "spatial attention": Case(lambda **k: layers.SpatialAttention(3, **k), [IMAGE]),
    "cbam": Case(lambda **k: layers.CBAM(2, 5, **k), [(2, 5, 6, 4)]),
    "residual": Case(lambda **k: layers.ResidualBlock(3, **k), [IMAGE]),
    "projected residual": Case(lambda **k: layers.ResidualBlock(33, stride=2, attention="cbam", **k), [IMAGE]),
    "plain": Case(lambda **k: layers.ResidualBlock(5, shortcut=False, **k), [IMAGE]),
    "sampling": Case(lambda **k: layers.Sampling(3, **k), [(2, 5), (2, 5)], packed=True),
    "dot product": attention(lambda **k: layers.DotProductAttention(**k)),
    "unscaled dot product": attention(lambda **k: layers.DotProductAttention(False, **k), use_causal_mask=True),
    "cosine": attention(lambda **k: layers.CosineAttention(2.0, **k)),
    "additive": attention(lambda **k: layers.AdditiveAttention(5, **k), [(2, 3, 2), VALUE, (2, 5, 3)]),
    "multi-head": attention(lambda **k: layers.MultiHeadAttention(3, 2, **k), use_causal_mask=True),
    "multi-head, three depths": attention(
        lambda **k: layers.MultiHeadAttention(2, 3, value_dim=5, **k), [QUERY, (2, 5, 2), (2, 5, 3)]
    ),
}


def numbers(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The weights that are numbers: all but the states of random generators."""
    return [w for w in layer.weights if "float" in str(w.dtype)]


def randomise(layer: keras.layers.Layer) -> None:
    """Gives each weight values of its own, away from 0 and, summed over its inputs, of the size of 1."""
    rng = np.random.default_rng(7)
    for w in numbers(layer):
        sign = 1 if w.name in ("gamma", "moving_variance") else rng.choice([-1, 1], w.shape)
        w.assign(sign * rng.uniform(0.5, 1.5, w.shape) / np.sqrt(np.prod(w.shape[:-1])))


def outputs(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The output of each case with the weights "<case>/0", "<case>/1", …; a draw depends on the backend, so no draw."""
    result = {}
    for name, case in CASES.items():
        layer, arrays = case.make(), case.arrays()
        if name == "sampling":
            arrays[1] = np.full_like(arrays[1], -60.0)  # a deviation of 1e-13: the mean
        layer.build(*case.shape_arguments())
        for i, w in enumerate(numbers(layer)):
            w.assign(weights[f"{name}/{i}"])
        result[name] = keras.ops.convert_to_numpy(case.call(layer, arrays))
    return result


if __name__ == "__main__":
    np.savez(sys.argv[2], **outputs(dict(np.load(sys.argv[1]))))
    print(keras.backend.backend())
