"""Batch normalisation with its gradient by hand."""

from keras_course.base import blank, require
from keras_course.scratch.layer import Layer, require_shape

import numpy as np


class BatchNorm(Layer):
    """y = γ (x - μ) / √(σ² + ε) + β, each channel (the last axis) by itself. Ioffe and Szegedy (2015), algorithm 1.

    In training μ and σ² are the mean and the (biased) variance of the batch; in test mode they are running averages,
    in `moving_mean` and `moving_variance`, so that an example's output does not depend on its neighbours.

    Args:
        channels: the size of the last axis.
        momentum: m of average ← m · average + (1 - m) · batch, from 0 to 1.
        epsilon: ε above 0; it bounds the scale where a channel hardly varies.

    Parameters: gamma γ (channels,), ones at first; beta β (channels,), zeros.
    """

    def __init__(self, channels: int, momentum: float = 0.99, epsilon: float = 1e-3) -> None:
        super().__init__()
        require(0 <= momentum <= 1, "momentum", "from 0 to 1", momentum)
        require(epsilon > 0, "epsilon", "above 0", epsilon)
        self.momentum, self.epsilon = momentum, epsilon
        self.parameters = {"gamma": np.ones(channels), "beta": np.zeros(channels)}
        self.moving_mean, self.moving_variance = np.zeros(channels), np.ones(channels)

    @blank(
        "foundations/batch_norm",
        hints=(
            "A channel's statistics are taken over every axis but the last.",
            "In training use the batch's mean and variance and move the averages; in test mode use the averages alone.",
            "Keep x̂ = (x - μ) / √(σ² + ε), the divisor and the mode: `backward` needs nothing else.",
        ),
    )
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Maps x (..., channels) to y of the same shape, and in training moves the averages.

        Keep `self.training`, `self.normal` (x̂) and `self.deviation` (√(σ² + ε)) for `backward`.
        """
        require_shape("x", x, (None,) * (x.ndim - 1) + (len(self.moving_mean),))
        self.training = training
        if training:
            over = tuple(range(x.ndim - 1))
            mean, variance = x.mean(axis=over), x.var(axis=over)  # (channels,)
            # average ← m · average + (1 - m) · batch
            self.moving_mean = self.momentum * self.moving_mean + (1 - self.momentum) * mean
            self.moving_variance = self.momentum * self.moving_variance + (1 - self.momentum) * variance
        else:
            mean, variance = self.moving_mean, self.moving_variance
        self.deviation = np.sqrt(variance + self.epsilon)
        self.normal = (x - mean) / self.deviation  # x̂
        return self.parameters["gamma"] * self.normal + self.parameters["beta"]

    @blank(
        "foundations/batch_norm",
        hints=(
            "γ and β are shared by all examples and places: their gradients are sums.",
            "In test mode μ and σ² are constants. In training each x moves them, and through them every other output.",
            "In training dL/dx = (g - mean(g) - x̂ mean(g x̂)) / √(σ² + ε) with g = γ dL/dy, means over the batch.",
        ),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy, keeps dL/dgamma and dL/dbeta, and returns dL/dx, all in the mode of the last `forward`."""
        over = tuple(range(dy.ndim - 1))
        # dL/dγ = Σ dL/dy x̂ and dL/dβ = Σ dL/dy
        self.gradients = {"gamma": np.sum(dy * self.normal, axis=over), "beta": np.sum(dy, axis=over)}
        dnormal = dy * self.parameters["gamma"]  # dL/dx̂
        if self.training:
            # μ moves with every x by 1/n, and σ with it by x̂/n: both are taken out again
            along = np.mean(dnormal * self.normal, axis=over)
            dnormal = dnormal - dnormal.mean(axis=over) - self.normal * along
        return dnormal / self.deviation

    def astype(self, dtype: str) -> "BatchNorm":
        self.moving_mean, self.moving_variance = self.moving_mean.astype(dtype), self.moving_variance.astype(dtype)
        return super().astype(dtype)
