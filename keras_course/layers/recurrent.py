"""Recurrent cells from their equations, to be run by `keras.layers.RNN`."""

from typing import Any

from keras_course.base import blank, require

import keras
from keras import ops

Tensor = Any  # of whichever backend Keras runs on


class _Cell(keras.layers.Layer):
    """What the cells share: `gates` blocks of `units` in the weights, and states of `units`.

    Weights: kernel W (inputs, gates · units), recurrent_kernel U (units, gates · units), bias b (gates · units,).
    """

    gates = 1
    states = 1

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require(isinstance(units, int) and units >= 1, "units", "a whole number of at least 1", units)
        self.units = units
        self.state_size = [units] * self.states if self.states > 1 else units
        self.output_size = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = self.gates * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], width), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=self.bias_shape(), initializer=self.bias_initializer, name="bias")

    def bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def bias_initializer(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        return ops.zeros(shape, dtype)

    def get_initial_state(self, batch_size: int | None = None) -> list[Tensor]:
        """The states before the first step: zeros (batch, units)."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype) for _ in range(self.states)]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable(package="keras_course")
class RNNCell(_Cell):
    """h' = tanh(x W + h U + b). Elman (1990); equals `keras.layers.SimpleRNNCell`.

    Args:
        units: of the state, at least 1.
    """

    @blank(
        "foundations/recurrent_cells",
        hints=("Two matrix products and a bias, then tanh; the output is the new state.",),
    )
    def call(self, inputs: Tensor, states: list[Tensor], training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Maps x (batch, inputs) and [h] to h' (batch, units) and [h']."""
        (h,) = states
        # h' = tanh(x W + h U + b)
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel) + self.bias)
        return h, [h]


@keras.saving.register_keras_serializable(package="keras_course")
class LSTMCell(_Cell):
    """c' = f c + i g and h' = o tanh(c'). Hochreiter and Schmidhuber (1997); equals `keras.layers.LSTMCell`.

    The blocks of the weights stand in the order of Keras: input gate i, forget gate f, candidate g, output gate o. The
    bias of the forget gate starts at 1, so that a new cell remembers (Jozefowicz et al. 2015, section 3.1).

    Args:
        units: of both states, at least 1.
    """

    gates = 4
    states = 2

    def bias_initializer(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        one = ops.ones((self.units,), dtype)
        return ops.concatenate([0 * one, one, 0 * one, 0 * one])

    @blank(
        "foundations/recurrent_cells",
        hints=(
            "One product for all four blocks: z = x W + h U + b, then `ops.split` into four along the last axis.",
            "Three blocks are gates between 0 and 1; the candidate is a value between -1 and 1.",
            "The cell state is never squashed on its way: c' = f c + i g. Only its output is, h' = o tanh(c').",
        ),
    )
    def call(self, inputs: Tensor, states: list[Tensor], training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Maps x (batch, inputs) and [h, c] to h' (batch, units) and [h', c']."""
        h, c = states
        z = ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel) + self.bias  # (batch, 4 units)
        i, f, g, o = ops.split(z, 4, axis=-1)
        # c' = σ(f) c + σ(i) tanh(g);  h' = σ(o) tanh(c')
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


@keras.saving.register_keras_serializable(package="keras_course")
class GRUCell(_Cell):
    """h' = u h + (1 - u) g with g = tanh(x W + r (h U + b)). Cho et al. (2014); equals `keras.layers.GRUCell`.

    The blocks of the weights stand in the order of Keras: update gate u, reset gate r, candidate g. The reset gate acts
    behind the product with U, which is why there is a bias for x and one for h: bias (2, 3 units).

    Args:
        units: of the state, at least 1.
    """

    gates = 3

    def bias_shape(self) -> tuple[int, ...]:
        return (2, self.gates * self.units)

    @blank(
        "foundations/recurrent_cells",
        hints=(
            "Two sums, each with its own bias: of x and of h, both split into three. Only the gates add them up.",
            "The update gate says how much of the old state stays: h' = u h + (1 - u) g.",
            "The reset gate multiplies the third block of h's sum, bias and all, before it meets that of x.",
        ),
    )
    def call(self, inputs: Tensor, states: list[Tensor], training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Maps x (batch, inputs) and [h] to h' (batch, units) and [h']."""
        (h,) = states
        from_x = ops.split(ops.matmul(inputs, self.kernel) + self.bias[0], 3, axis=-1)
        from_h = ops.split(ops.matmul(h, self.recurrent_kernel) + self.bias[1], 3, axis=-1)
        update, reset = (ops.sigmoid(a + b) for a, b in zip(from_x[:2], from_h[:2], strict=True))
        candidate = ops.tanh(from_x[2] + reset * from_h[2])
        h = update * h + (1 - update) * candidate
        return h, [h]
