"""Rules that change parameters along their gradients, in place, as the optimisers of Keras do."""

import math
from collections.abc import Mapping

from keras_course.base import blank, require

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Optimizer:
    """Keeps the state of a rule for each parameter, by its name.

    learning_rate: the step size, above 0; may be changed between steps.
    """

    def __init__(self, learning_rate: float) -> None:
        require(learning_rate > 0, "learning_rate", "above 0", learning_rate)
        self.learning_rate = learning_rate
        self.slots: dict[str, np.ndarray] = {}

    def slot(self, kind: str, name: str, like: np.ndarray) -> np.ndarray:
        """The array in which the rule remembers something of a parameter; zeros at first."""
        return self.slots.setdefault(f"{kind} of {name}", np.zeros_like(like))

    def step(self, parameters: Arrays, gradients: Arrays) -> None:
        """One update of all `parameters`; `gradients` has the same names and shapes."""
        raise NotImplementedError(f"{type(self).__name__} has no `step`")


class SGD(Optimizer):
    """v ← m v - η g and w ← w + v; plain gradient descent for m = 0. Sutskever et al. (2013), section 2."""

    def __init__(self, learning_rate: float, momentum: float = 0.0) -> None:
        super().__init__(learning_rate)
        require(0 <= momentum < 1, "momentum", "from 0 to below 1", momentum)
        self.momentum = momentum

    @blank(
        "foundations/softmax_regression",
        hints=(
            "Each parameter has a gradient under the same name.",
            "In place: `w += v` changes the array that the layer holds, `w = w + v` makes another one.",
        ),
    )
    @blank(
        "foundations/numpy_cnn",
        hints=(
            "The velocity remembers earlier gradients: it shrinks by the momentum, then gets the new gradient.",
            "In place: `v *= m` changes the array in the slot, `v = v * m` makes another one that is forgotten.",
        ),
    )
    def step(self, parameters: Arrays, gradients: Arrays) -> None:
        """One update of all `parameters`, in place; `self.slot("velocity", name, w)` is the v of each, 0 at first."""
        for name, w in parameters.items():
            v = self.slot("velocity", name, w)
            # v ← m v - η g
            v *= self.momentum
            v -= self.learning_rate * gradients[name]
            # w ← w + v
            w += v


class RMSprop(Optimizer):
    """s ← ρ s + (1 - ρ) g² and w ← w - η g / √(s + ε). Tieleman and Hinton (2012), lecture 6.5."""

    def __init__(self, learning_rate: float = 0.001, rho: float = 0.9, epsilon: float = 1e-7) -> None:
        super().__init__(learning_rate)
        require(0 <= rho < 1, "rho", "from 0 to below 1", rho)
        self.rho, self.epsilon = rho, epsilon

    def step(self, parameters: Arrays, gradients: Arrays) -> None:
        for name, w in parameters.items():
            s, g = self.slot("square", name, w), gradients[name]
            s *= self.rho
            s += (1 - self.rho) * g**2
            w -= self.learning_rate * g / np.sqrt(s + self.epsilon)  # ε under the root, as in Keras


class Adam(Optimizer):
    """RMSprop with momentum, both corrected for their start at 0. Kingma and Ba (2015), algorithm 1."""

    def __init__(
        self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
    ) -> None:
        super().__init__(learning_rate)
        require(0 <= beta_1 < 1, "beta_1", "from 0 to below 1", beta_1)
        require(0 <= beta_2 < 1, "beta_2", "from 0 to below 1", beta_2)
        self.steps = 0
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def step(self, parameters: Arrays, gradients: Arrays) -> None:
        self.steps += 1
        # the averages start at 0 and are too small by 1 - βᵗ; the order of Keras, ε beside the uncorrected root
        rate = self.learning_rate * math.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        for name, w in parameters.items():
            m, s, g = self.slot("mean", name, w), self.slot("square", name, w), gradients[name]
            m += (1 - self.beta_1) * (g - m)
            s += (1 - self.beta_2) * (g**2 - s)
            w -= rate * m / (np.sqrt(s) + self.epsilon)
