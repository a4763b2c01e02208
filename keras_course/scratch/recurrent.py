"""Recurrent layers and backpropagation through time by hand."""

from keras_course.base import blank
from keras_course.scratch.activations import sigmoid
from keras_course.scratch.layer import Layer, glorot_uniform, require_shape

import numpy as np


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A random orthogonal matrix, which keeps the length of every vector. Saxe et al. (2014), section 3."""
    q, r = np.linalg.qr(rng.normal(size=shape))
    return q * np.sign(np.diag(r))


class RNN(Layer):
    """h_t = tanh(x_t W + h_{t-1} U + b) with h_0 = 0, all states as output. Elman (1990).

    inputs, units: sizes of x_t and of h_t. linear: leaves the tanh out, to see what the matrix U does by itself.

    Parameters: kernel W (inputs, units), recurrent_kernel U (units, units), bias b (units,).

    Attributes:
        state_gradients: after `backward`, dL/dh_t of each step with all that comes later, (n, time, units).
    """

    def __init__(self, inputs: int, units: int, *, rng: np.random.Generator, linear: bool = False) -> None:
        super().__init__()
        self.linear = linear
        self.parameters = {
            "kernel": glorot_uniform(rng, (inputs, units)),
            "recurrent_kernel": orthogonal(rng, (units, units)),
            "bias": np.zeros(units),
        }

    @blank(
        "foundations/rnn_bptt",
        hints=(
            "Only h_{t-1} must wait for the step before: what x contributes can be had for all steps at once.",
            "Keep every state: the derivative of tanh is 1 - h², and h_{t-1} is needed for the gradient of U.",
        ),
    )
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Maps x (n, time, inputs) to all states h (n, time, units). Keep `self.x` and `self.h` for `backward`."""
        kernel, recurrent = self.parameters["kernel"], self.parameters["recurrent_kernel"]
        require_shape("x", x, (None, None, len(kernel)))
        projected = x @ kernel + self.parameters["bias"]  # (n, time, units): of all steps in one product
        self.x, self.h = x, np.empty_like(projected)
        state = np.zeros_like(projected[:, 0])
        for t in range(x.shape[1]):
            # h_t = tanh(x_t W + h_{t-1} U + b)
            state = projected[:, t] + state @ recurrent
            state = state if self.linear else np.tanh(state)
            self.h[:, t] = state
        return self.h

    @blank(
        "foundations/rnn_bptt",
        hints=(
            "Go backwards in time. h_t reaches the loss twice: through the output of step t, and through h_{t+1}.",
            "With δ_t = dL/d(x_t W + h_{t-1} U + b): dL/dh_t = dy_t + δ_{t+1} Uᵀ and δ_t = dL/dh_t (1 - h_t²).",
            "The weights are the same at every step: their gradients are sums over the steps and over the batch.",
        ),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dh_t from outside (n, time, units), keeps the gradients and returns dL/dx (n, time, inputs).

        Keeps `self.state_gradients`, dL/dh_t with all that comes later, (n, time, units), too.
        """
        recurrent = self.parameters["recurrent_kernel"]
        self.state_gradients, delta = np.empty_like(dy), np.empty_like(dy)
        later = np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            # dL/dh_t = dy_t + δ_{t+1} Uᵀ;  δ_t = dL/dh_t (1 - h_t²)
            self.state_gradients[:, t] = dy[:, t] + later
            slope = 1.0 if self.linear else 1 - self.h[:, t] ** 2
            delta[:, t] = self.state_gradients[:, t] * slope
            later = delta[:, t] @ recurrent.T
        before = np.concatenate([np.zeros_like(self.h[:, :1]), self.h[:, :-1]], axis=1)  # h_{t-1}
        # Σ over examples and steps: axes 0 and 1 of both factors
        self.gradients = {
            "kernel": np.tensordot(self.x, delta, axes=((0, 1), (0, 1))),
            "recurrent_kernel": np.tensordot(before, delta, axes=((0, 1), (0, 1))),
            "bias": delta.sum(axis=(0, 1)),
        }
        return delta @ self.parameters["kernel"].T


class LSTM(Layer):
    """The cell state c_t = f c_{t-1} + i g forgets and adds through gates; h_t = o tanh(c_t). All states as output.

    The pre-activations z = x_t W + h_{t-1} U + b hold four blocks in the order of Keras: input gate i = σ, forget gate
    f = σ, candidate g = tanh, output gate o = σ. The forget gate's bias starts at 1, so that a new cell remembers.
    Hochreiter and Schmidhuber (1997); Gers et al. (2000) for the forget gate.

    Parameters: kernel W (inputs, 4 units), recurrent_kernel U (units, 4 units), bias b (4 units,).
    """

    def __init__(self, inputs: int, units: int, *, rng: np.random.Generator) -> None:
        super().__init__()
        self.units = units
        self.parameters = {
            "kernel": glorot_uniform(rng, (inputs, 4 * units)),
            "recurrent_kernel": np.concatenate([orthogonal(rng, (units, units)) for _ in range(4)], axis=1),
            "bias": np.repeat([0.0, 1.0, 0.0, 0.0], units),
        }

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Maps x (n, time, inputs) to all states h (n, time, units)."""
        require_shape("x", x, (None, None, len(self.parameters["kernel"])))
        projected = x @ self.parameters["kernel"] + self.parameters["bias"]  # (n, time, 4 units)
        recurrent = self.parameters["recurrent_kernel"]
        h = np.zeros_like(projected[:, 0, : self.units])
        c, self.x, self.steps = np.zeros_like(h), x, []
        outputs = []
        for t in range(x.shape[1]):
            i, f, g, o = np.split(projected[:, t] + h @ recurrent, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            before = (h, c)
            c = f * c + i * g
            h = o * np.tanh(c)
            self.steps.append((i, f, g, o, c, *before))
            outputs.append(h)
        return np.stack(outputs, axis=1)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dh_t from outside (n, time, units), keeps the gradients and returns dL/dx (n, time, inputs)."""
        recurrent = self.parameters["recurrent_kernel"]
        delta = np.empty((*dy.shape[:2], 4 * self.units), dy.dtype)
        dh = dc = np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            i, f, g, o, c, _, c_before = self.steps[t]
            dh = dh + dy[:, t]
            squashed = np.tanh(c)
            dc = dc + dh * o * (1 - squashed**2)  # through h_t, and through c_{t+1} from before
            slopes = (
                dc * g * i * (1 - i),
                dc * c_before * f * (1 - f),
                dc * i * (1 - g**2),
                dh * squashed * o * (1 - o),
            )
            delta[:, t] = np.concatenate(slopes, axis=1)
            dh, dc = delta[:, t] @ recurrent.T, dc * f
        before = np.stack([step[5] for step in self.steps], axis=1)  # h_{t-1}
        self.gradients = {
            "kernel": np.einsum("nti,ntu->iu", self.x, delta),
            "recurrent_kernel": np.einsum("nth,ntu->hu", before, delta),
            "bias": np.einsum("ntu->u", delta),
        }
        return delta @ self.parameters["kernel"].T


class LastStep(Layer):
    """The last step of a sequence: (n, time, units) to (n, units)."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        require_shape("x", x, (None, None, None))
        self.shape = x.shape
        return x[:, -1]

    def backward(self, dy: np.ndarray) -> np.ndarray:
        dx = np.zeros(self.shape, dy.dtype)
        dx[:, -1] = dy
        return dx
