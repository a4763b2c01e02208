"""Sequences of unequal length in batches with little padding: like is batched with like, and the order stays mixed."""

from collections.abc import Sequence

from keras_course.base import require
from keras_course.data.pipeline import Batches

import numpy as np
import tensorflow as tf

PADDING = 0  # the id that fills a short sequence; `Embedding(mask_zero=True)` hides it


class Sequences(Batches):
    """Batches (ids, labels): int32 (b, longest of the batch), filled with `PADDING` behind, and int (b,).

    Each epoch is shuffled in full; then every window of `window` batches is sorted by length and cut into batches,
    whose order is shuffled again. So a batch holds sequences of about one length, its members change each epoch, and
    the order is no longer uniform: two sequences of one length meet more often than others. With `window=1` it is.

    ids: each (length,), whole numbers above 0. labels: (n,). All else as in `Batches`.
    Raises InputError for ids of 0 or below, which would be taken for padding.
    """

    def __init__(
        self,
        ids: Sequence[np.ndarray],
        labels: np.ndarray,
        *,
        batch_size: int,
        window: int = 50,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        require(window >= 1, "window", "a whole number of at least 1", window)
        require(len(ids) == len(labels), "labels", f"as long as `ids`, {len(ids)}", len(labels))
        self.lengths = np.array([len(row) for row in ids], "int32")
        require(len(ids) and self.lengths.min() > 0, "ids", "sequences of at least one id", self.lengths[:3].tolist())
        values = np.concatenate([np.asarray(row) for row in ids])
        require(values.dtype.kind in "iu", "ids", "whole numbers", values.dtype.name)
        require(values.min() > PADDING, "ids", f"above {PADDING}, which is padding", int(values.min()))
        super().__init__(np.arange(len(ids), dtype="int32"), labels, batch_size=batch_size, shuffle=shuffle, seed=seed)
        self.window = window
        with tf.init_scope():
            self._ids = tf.RaggedTensor.from_row_lengths(tf.constant(values, tf.int32), self.lengths)
            self._lengths = tf.constant(self.lengths)

    def order(self, epoch: int | tf.Tensor) -> tf.Tensor:
        """The rows in the order of an epoch: int32 (n,); the last short batch is as mixed as it was drawn."""
        rows = super().order(epoch)
        if not self.shuffle:
            return rows
        full = self.n // self.batch_size * self.batch_size
        whole = rows[:full]
        place = tf.range(full, dtype=tf.int64) // (self.window * self.batch_size)  # which window
        length = tf.cast(tf.gather(self._lengths, whole), tf.int64)
        by_length = tf.gather(whole, tf.argsort(place * (int(self.lengths.max()) + 1) + length, stable=True))
        batches = tf.reshape(by_length, (-1, self.batch_size))
        mixed = tf.random.experimental.stateless_shuffle(batches, self._key(epoch))
        return tf.concat([tf.reshape(mixed, (-1,)), rows[full:]], 0)

    def take(self, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The sequences of `rows`, int32 (b,), as long as the longest of them. Works in a graph."""
        _, labels = super().take(rows, seed)
        return tf.gather(self._ids, rows).to_tensor(PADDING), labels

    def real_share(self, epoch: int = 0) -> float:
        """The share of the ids of an epoch's batches that are no padding, from 0 to 1."""
        ordered = self.lengths[self.order(epoch).numpy()]
        cut = np.split(ordered, range(self.batch_size, self.n, self.batch_size))
        return float(ordered.sum() / sum(len(batch) * batch.max() for batch in cut))
