"""Sliding windows over a series: each is gathered when its batch is made, so that a series is kept only once.

The series is cut into parts first and windows are taken inside a part, so that none crosses from training into test.
"""

import itertools
from collections.abc import Sequence

from keras_course.base import require
from keras_course.data.pipeline import Batches

import numpy as np
import tensorflow as tf


def split_series(series: np.ndarray, *, sizes: Sequence[float], gap: int = 0) -> tuple[np.ndarray, ...]:
    """Cuts a series (time, ...) into parts in their order: the past trains, the future tests.

    sizes: shares above 0 that add up to 1. gap: steps left out between two parts, for targets that look ahead.
    Raises InputError for shares that do not add up, and for a part of which the gap leaves nothing.
    """
    series = np.asarray(series)
    require(
        len(sizes) > 0 and min(sizes) > 0 and abs(sum(sizes) - 1) < 1e-6,
        "sizes",
        "shares above 0 that add up to 1",
        tuple(sizes),
    )
    require(gap >= 0, "gap", "at least 0", gap)
    ends = np.rint(np.cumsum([0, *sizes]) * len(series)).astype(int)
    parts = tuple(series[start + (gap if start else 0) : end] for start, end in itertools.pairwise(ends))
    require(all(map(len, parts)), "series", "long enough for a step in each part", [len(part) for part in parts])
    return parts


class Windows(Batches):
    """Pairs of a window of a series and what follows it: x (b, width, ...), y (b, horizon, ...), both float32.

    series: (time,) or (time, features). targets: (time, ...), what is to be foretold; without it the series itself.
    width: steps of a window. horizon: steps behind it. stride: steps from one window to the next.
    All else as in `Batches`. Raises InputError for a series that is shorter than one window with its horizon.
    """

    def __init__(
        self,
        series: np.ndarray,
        targets: np.ndarray | None = None,
        *,
        width: int,
        horizon: int = 1,
        stride: int = 1,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        for field, value in (("width", width), ("horizon", horizon), ("stride", stride)):
            require(value >= 1, field, "a whole number of at least 1", value)
        series = np.asarray(series)
        need = width + horizon
        require(len(series) >= need, "series", f"of at least width + horizon = {need} steps", len(series))
        starts = np.arange(0, len(series) - need + 1, stride, dtype="int32")
        super().__init__(starts, batch_size=batch_size, shuffle=shuffle, seed=seed)
        self.width, self.horizon = width, horizon
        values = [np.asarray(a, "float32") for a in (series, series if targets is None else targets)]
        require(len(values[1]) == len(series), "targets", f"as long as `series`, {len(series)}", len(values[1]))
        require(all(np.isfinite(v).all() for v in values), "series", "finite", "NaN or infinity")
        with tf.init_scope():
            self._series, self._targets = map(tf.constant, values)

    def take(self, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The windows of `rows`, int32 (b,). Works in a graph."""
        (starts,) = super().take(rows, seed)
        first = starts[:, None]
        return (
            tf.gather(self._series, first + tf.range(self.width)),
            tf.gather(self._targets, first + self.width + tf.range(self.horizon)),
        )
