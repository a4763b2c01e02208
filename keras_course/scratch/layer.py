"""What every layer is: a function with parameters, that can be run forwards and backwards."""

import math
from collections.abc import Callable, Sequence
from typing import Self

from keras_course.base import InputError

import numpy as np

Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


class Layer:
    """A function y = f(x) with parameters.

    `forward` keeps what `backward` needs. `backward` takes dL/dy, leaves dL/dparameter in `gradients`, and returns
    dL/dx. Parameters are float64, the precision in which gradients are checked; `astype` makes them float32.

    Attributes:
        parameters: arrays by name, changed in place by an optimiser; none unless a layer has some.
        gradients: arrays with the same names and shapes, of the last `backward`.
    """

    def __init__(self) -> None:
        self.parameters: dict[str, np.ndarray] = {}
        self.gradients: dict[str, np.ndarray] = {}

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} has no `forward`")

    def backward(self, dy: np.ndarray) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} has no `backward`")

    def penalty(self) -> float:
        """What the layer adds to the loss; its gradient is part of `gradients`."""
        return 0.0

    def astype(self, dtype: str) -> Self:
        """Changes the precision of all arrays that the layer keeps, and returns the layer."""
        self.parameters = {name: value.astype(dtype) for name, value in self.parameters.items()}
        return self


def require_shape(field: str, value: np.ndarray, shape: Sequence[int | None]) -> None:
    """InputError unless `value` has the `shape`, in which None stands for any size. Names the first axis at fault."""
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    if value.ndim != len(shape):
        raise InputError(f"`{field}` must have {len(shape)} axes, ({wanted}). Received: shape {value.shape}.")
    for axis, (size, received) in enumerate(zip(shape, value.shape, strict=True)):
        if size not in (None, received):
            raise InputError(
                f"`{field}` must have size {size} on axis {axis}, ({wanted}). "
                f"Received: {received}, of shape {value.shape}."
            )


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs a unit has and how many units an input reaches, for a kernel (..., inputs, units)."""
    positions = math.prod(shape[:-2])
    return positions * shape[-2], positions * shape[-1]


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform with variance 2 / (fan in + fan out). Glorot and Bengio (2010), section 4.2.1."""
    limit = math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-limit, limit, shape)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with variance 2 / fan in, for layers before a ReLU. He et al. (2015), section 2.2."""
    return rng.normal(0, math.sqrt(2 / fans(shape)[0]), shape)
