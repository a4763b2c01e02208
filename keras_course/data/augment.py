"""Random crops and flips of a whole batch in one gather of pixels, drawn for each image from a stateless seed."""

from collections.abc import Callable
from functools import cached_property

from keras_course.base import require

import numpy as np
import tensorflow as tf


def scaled(pixels: tf.Tensor) -> tf.Tensor:
    """Pixels as a network takes them: bytes become float32 in [0, 1], all else is passed as it is."""
    return tf.cast(pixels, tf.float32) * (1 / 255) if pixels.dtype == tf.uint8 else pixels


# Compiling takes half a second, and an epoch of so many images then 40 ms of CPU less.
REPAID = 10_000


class CropAndFlip:
    """Pads each image with zeros, cuts a crop of its old size out at random, and mirrors one in two left to right.

    padding: pixels on each side. flip: whether to mirror; not where left and right mean something, as in digits.
    He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition, section 4.2.
    """

    def __init__(self, padding: int = 4, flip: bool = True) -> None:
        require(padding >= 0, "padding", "a whole number of at least 0", padding)
        self.padding, self.flip = padding, flip

    def prepare(self, images: np.ndarray) -> tf.Tensor:
        """Images (n, h, w, c), padded once to (n, h + 2 padding, w + 2 padding, c): what `__call__` gathers from."""
        require(np.ndim(images) == 4, "images", "of shape (n, height, width, channels)", f"shape {np.shape(images)}")
        n, h, w, _ = images.shape
        pixels = n * (h + 2 * self.padding) * (w + 2 * self.padding)
        require(pixels < 2**31, "images", "of fewer than 2**31 pixels with their padding", pixels)  # int32 counts them
        margin = (self.padding, self.padding)
        return tf.constant(np.pad(images, ((0, 0), margin, margin, (0, 0))))

    def draw(self, count: int | tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Top row and left column of each crop in its padded image, and each flip, 0 or 1: three of int32 (count,)."""
        limits = [[2 * self.padding + 1], [2 * self.padding + 1], [1 + self.flip]]
        # whole numbers, since of floats XLA draws others than a graph without it
        drawn = tf.random.stateless_uniform((3, count), seed, 0, 2**31 - 1, tf.int32)
        top, left, flip = tf.unstack(drawn % limits)
        return top, left, flip

    def __call__(self, stored: tf.Tensor, rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The images `rows` (b,) of what `prepare` stored, cropped and flipped by `seed` (2,): float32 (b, h, w, c)."""
        change = self._compiled if (stored.shape[0] or 0) >= REPAID else self._change
        return change(stored, rows, seed)

    @cached_property
    def _compiled(self) -> Callable[..., tf.Tensor]:
        """`_change` as one loop over the pixels of a batch, without its indices in between; the same bits."""
        return tf.function(self._change, jit_compile=True, autograph=False)

    def _change(self, stored: tf.Tensor, rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        _, height, width, channels = stored.shape  # with padding
        h, w = height - 2 * self.padding, width - 2 * self.padding
        top, left, flip = (drawn[:, None, None] for drawn in self.draw(tf.size(rows), seed))
        # pixel (i, j) of a crop is (top + i, left + j) of its padded image, and (top + i, left + w-1-j) when mirrored
        i, j = tf.range(h)[None, :, None], tf.range(w)[None, None, :]
        column = left + tf.where(flip == 1, w - 1 - j, j)  # (b, 1, w)
        index = (rows[:, None, None] * height + top + i) * width + column  # (b, h, w)
        return scaled(tf.gather(tf.reshape(stored, (-1, channels)), index))
