"""Activation functions and the layers that apply them; all are exact for inputs of any size."""

from keras_course.scratch.layer import Layer

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """σ(x) = 1 / (1 + exp(-x)), between 0 and 1, elementwise."""
    # exp is only ever taken of a number of at most 0: σ(x) = exp(x) / (1 + exp(x)) below 0
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0), elementwise."""
    return np.maximum(x, 0)


def leaky_relu(x: np.ndarray, slope: float = 0.2) -> np.ndarray:
    """x above 0 and slope · x below, elementwise."""
    return np.where(x > 0, x, slope * x)


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

    def backward(self, dy: np.ndarray) -> np.ndarray:
        # σ' = σ (1 - σ)
        return dy * self.y * (1 - self.y)


class Tanh(Layer):
    """y = tanh(x)."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy: np.ndarray) -> np.ndarray:
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

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return np.where(self.positive, dy, self.slope * dy)


class Softmax(Layer):
    """y = softmax(x) over the last axis. Before a cross-entropy take `SoftmaxCrossEntropy`, which is exact."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.y = softmax(x)
        return self.y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        # dL/dx = y (dL/dy - Σ y dL/dy)
        return self.y * (dy - np.sum(self.y * dy, axis=-1, keepdims=True))
