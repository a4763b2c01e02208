"""Activation functions and the layers that apply them; all are exact for inputs of any size."""

from keras_course.base import blank
from keras_course.scratch.layer import Layer

import numpy as np


@blank(
    "foundations/activations",
    hints=(
        "exp(1000) is infinite: for which sign of x is exp(-x) harmless, and which form of σ uses exp(x) instead?",
        "With e = exp(-|x|), at most 1: σ(x) is 1 / (1 + e) where x ≥ 0, and e / (1 + e) where x < 0.",
    ),
)
def sigmoid(x: np.ndarray) -> np.ndarray:
    """σ(x) = 1 / (1 + exp(-x)), between 0 and 1, elementwise."""
    # exp is only ever taken of a number of at most 0: σ(x) = exp(x) / (1 + exp(x)) below 0
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0), elementwise."""
    return np.maximum(x, 0)


@blank(
    "foundations/activations",
    hints=("`np.where` takes a condition and two answers.",),
)
def leaky_relu(x: np.ndarray, slope: float = 0.2) -> np.ndarray:
    """x above 0 and slope · x below, elementwise."""
    return np.where(x > 0, x, slope * x)


@blank(
    "foundations/activations",
    hints=(
        "Adding a number to all entries of a row changes nothing: choose it so that no exponential is infinite.",
        "Subtract the largest entry of each row; keep the axis, so that rows stay rows.",
    ),
)
def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / Σ exp(x) over the last axis: positive, of sum 1."""
    # softmax(x) = softmax(x - max x), whose largest exponential is exp(0)
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


class Sigmoid(Layer):
    """y = σ(x)."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.y = sigmoid(x)
        return self.y

    @blank(
        "foundations/activations",
        hints=("The derivative of σ can be written with σ alone: `forward` kept it.",),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy, of the shape of x, and returns dL/dx."""
        # σ' = σ (1 - σ)
        return dy * self.y * (1 - self.y)


class Tanh(Layer):
    """y = tanh(x)."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.y = np.tanh(x)
        return self.y

    @blank(
        "foundations/activations",
        hints=("The derivative of tanh can be written with tanh alone: `forward` kept it.",),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy, of the shape of x, and returns dL/dx."""
        # tanh' = 1 - tanh²
        return dy * (1 - self.y**2)


class ReLU(Layer):
    """y = max(x, 0); the derivative at 0 is taken as 0."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.positive = x > 0
        return relu(x)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return dy * self.positive


class LeakyReLU(Layer):
    """y = x above 0 and slope · x below; the derivative at 0 is taken as the slope."""

    def __init__(self, slope: float = 0.2) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.positive = x > 0
        return leaky_relu(x, self.slope)

    @blank(
        "foundations/activations",
        hints=("Two slopes: 1 where x was positive, the other elsewhere.",),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy, of the shape of x, and returns dL/dx."""
        return np.where(self.positive, dy, self.slope * dy)


class Softmax(Layer):
    """y = softmax(x) over the last axis. Before a cross-entropy take `SoftmaxCrossEntropy`, which is exact."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.y = softmax(x)
        return self.y

    @blank(
        "foundations/activations",
        hints=(
            "Every output depends on every input: ∂y_i/∂x_j = y_i (δ_ij - y_j).",
            "Multiply dL/dy by that matrix on paper: Σ_i dy_i y_i (δ_ij - y_j) is y_j dy_j minus y_j times one sum.",
        ),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy, of the shape of x, and returns dL/dx."""
        # dL/dx = y (dL/dy - Σ y dL/dy)
        return self.y * (dy - np.sum(self.y * dy, axis=-1, keepdims=True))
