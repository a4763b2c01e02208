"""Pooling: what is kept of each window, and where its gradient goes."""

from keras_course.base import InputError, blank, require
from keras_course.scratch.layer import Layer, require_shape

import numpy as np


class MaxPool2D(Layer):
    """The largest value of each window and channel; windows that do not fit are left out.

    pool_size: rows and columns of a window. strides: from one window to the next; the pool size unless given.
    Where several values are the largest, the first of the window, row by row, is the one that was taken.
    """

    def __init__(self, pool_size: int = 2, strides: int | None = None) -> None:
        super().__init__()
        self.pool_size, self.strides = pool_size, pool_size if strides is None else strides
        require(self.pool_size >= 1, "pool_size", "a whole number of at least 1", pool_size)
        require(self.strides >= 1, "strides", "a whole number of at least 1", strides)

    def windows(self, x: np.ndarray) -> np.ndarray:
        """A view of all windows, (n, rows, columns, channels, pool, pool); nothing is copied."""
        require_shape("x", x, (None,) * 4)
        if min(x.shape[1:3]) < self.pool_size:
            raise InputError(f"`x` must be at least as large as the window: {self.pool_size} > {min(x.shape[1:3])}.")
        every = np.lib.stride_tricks.sliding_window_view(x, (self.pool_size,) * 2, axis=(1, 2))
        return every[:, :: self.strides, :: self.strides]

    @blank(
        "foundations/numpy_cnn",
        hints=(
            "`self.windows(x)` has the entries of a window on its last two axes. `backward` must know which one won.",
            "Make one axis of the two, take its `argmax` and keep it; `np.take_along_axis` reads the winners.",
        ),
    )
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Maps x (n, height, width, channels) to y (n, rows, columns, channels).

        Keep `self.shape`, that of x, and `self.winner`, the place of each maximum in its window, for `backward`.
        """
        self.shape = x.shape
        windows = self.windows(x)
        entries = windows.reshape(*windows.shape[:4], -1)  # (n, rows, columns, channels, pool · pool)
        self.winner = entries.argmax(axis=-1)[..., None]  # the first of equals
        return np.take_along_axis(entries, self.winner, axis=-1)[..., 0]

    @blank(
        "foundations/numpy_cnn",
        hints=(
            "Only the winner of a window changes its output: dy goes there, and zero to the others.",
            "Loop over the few entries of a window: dy where `self.winner` is this entry belongs to a strided slice.",
            "Windows that overlap can share a winner: add, never assign.",
        ),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Takes dL/dy (n, rows, columns, channels) and returns dL/dx: each dy at the winner of its window."""
        dx = np.zeros(self.shape, dy.dtype)
        s, (rows, columns) = self.strides, dy.shape[1:3]
        for entry in range(self.pool_size**2):
            a, b = divmod(entry, self.pool_size)
            won = dy * (self.winner[..., 0] == entry)
            dx[:, a : a + rows * s : s, b : b + columns * s : s] += won
        return dx


class GlobalAveragePool2D(Layer):
    """The mean of each channel: (n, height, width, channels) to (n, channels)."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        require_shape("x", x, (None,) * 4)
        self.shape = x.shape
        return x.mean(axis=(1, 2))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        # each pixel is one of height · width equal parts
        pixels = self.shape[1] * self.shape[2]
        return np.broadcast_to(dy[:, None, None] / pixels, self.shape)
