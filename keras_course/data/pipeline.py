"""Batches of arrays in memory: a full uniform shuffle each epoch, one gather a batch, no state.

The order of epoch e and the draws of its step s are pure functions of the seed, e and s. So a run that is resumed in
the middle of an epoch sees exactly the batches it would have seen, and tf.data gives the same batches as a loop that
gathers inside its own graph.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, reduce
from typing import Protocol

from keras_course.base import require
from keras_course.data.augment import scaled

import numpy as np
import tensorflow as tf


class Augment(Protocol):
    """What changes images at random, as `CropAndFlip` does."""

    def prepare(self, images: np.ndarray) -> tf.Tensor:
        """What to keep of the images (n, height, width, channels)."""

    def __call__(self, stored: tf.Tensor, rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The images `rows` of what was kept, changed by draws from `seed` alone: float32."""


class Batches:
    """Arrays with a common first axis as batches; the last one is short when the batch size leaves a rest.

    arrays: inputs first, then labels or whatever belongs to them, as in `Batches(*splits.train, batch_size=128)`.
    Pixels, which are arrays of uint8 with more than one axis, are kept as bytes and come out as float32 in [0, 1].
    shuffle: a new order each epoch; without it always the order of the arrays.
    augment: changes the first array at random, such as `CropAndFlip()`.

    There is no `__iter__`, since an epoch has a number: `for x, y in batches.dataset(first_epoch=3)`.
    Raises InputError for arrays that are empty, not finite or of unequal length, a batch size below 1, a seed below 0.
    """

    def __init__(
        self, *arrays: np.ndarray, batch_size: int, shuffle: bool = True, seed: int = 0, augment: Augment | None = None
    ) -> None:
        whole = isinstance(batch_size, int | np.integer)
        require(whole and batch_size >= 1, "batch_size", "a whole number of at least 1", batch_size)
        require(0 <= seed < 2**31, "seed", "a whole number from 0 to 2147483647", seed)
        self._arrays = _checked(arrays)
        self.n = len(self._arrays[0])
        self.batch_size, self.shuffle, self.seed, self.augment = batch_size, shuffle, seed, augment

    def __len__(self) -> int:
        """Batches in an epoch, the short one included."""
        return -(-self.n // self.batch_size)

    @cached_property
    def _stored(self) -> tuple[tf.Tensor, ...]:
        with tf.init_scope():  # eager even when the first use is inside a graph: the tensors outlive it
            first, *rest = self._arrays
            return (self.augment.prepare(first) if self.augment else tf.constant(first), *map(tf.constant, rest))

    def order(self, epoch: int | tf.Tensor) -> tf.Tensor:
        """The rows in the order of an epoch: int32 (n,)."""
        rows = tf.range(self.n)
        return tf.random.experimental.stateless_shuffle(rows, self._key(epoch)) if self.shuffle else rows

    def step_seed(self, epoch: int | tf.Tensor, step: int | tf.Tensor) -> tf.Tensor:
        """The seed of the draws of one step: int32 (2,)."""
        # not `fold_in`, whose seeds may be negative: XLA draws other values from those
        mixed = tf.random.stateless_uniform((), self._key(epoch), 0, 2**31 - 1, tf.int32)
        return tf.stack([mixed, tf.cast(step, tf.int32)])

    def take(self, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The batch of `rows`, int32 (b,), augmented by draws from `seed`, int32 (2,). Works in a graph."""
        first, *rest = self._stored
        images = self.augment(first, rows, seed) if self.augment else _batch(first, rows)
        return images, *(_batch(array, rows) for array in rest)

    def dataset(self, *, first_epoch: int = 0, epochs: int = 1, threads: int = 1) -> tf.data.Dataset:
        """The batches of `epochs` epochs from `first_epoch` on, prefetched: the same as `order` and `take` give.

        threads: of the whole pipeline, with what is mapped behind it: a gather does not outgrow one. 0 leaves them to
            tf.data.
        """
        require(type(threads) is int and threads >= 0, "threads", "a whole number of at least 0", threads)
        bounds = (tf.constant(epoch, tf.int64) for epoch in (first_epoch, first_epoch + epochs))
        batches = self._traced(*bounds).apply(tf.data.experimental.assert_cardinality(epochs * len(self)))
        options = tf.data.Options()
        if threads:
            options.threading.private_threadpool_size = threads
        if threads == 1:  # nothing to tune, and looking for it delays the first batch
            options.autotune.enabled = False
            options.experimental_optimization.apply_default_optimizations = False
        return batches.prefetch(tf.data.AUTOTUNE if threads != 1 else 2).with_options(options)

    @cached_property
    def _traced(self) -> Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]:
        """The epochs from the first up to the second, traced once: tracing takes longer than most first batches."""
        epochs = lambda first, stop: tf.data.Dataset.range(first, stop).flat_map(self._epoch)  # noqa: E731
        return tf.function(epochs, autograph=False)

    def _epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        order, full = self.order(epoch), self.n // self.batch_size
        cut = full * self.batch_size
        # Slices of one matrix cost half of what slicing the order in each step does.
        rows = tf.data.Dataset.from_tensor_slices(tf.reshape(order[:cut], (full, self.batch_size)))
        if cut < self.n:
            rows = rows.concatenate(tf.data.Dataset.from_tensors(order[cut:]))
        if not self.augment:
            unused = self._key(epoch)  # a seed for each step would cost more than the gather
            return rows.map(lambda rows: self.take(rows, unused))
        return rows.enumerate().map(lambda step, rows: self.take(rows, self.step_seed(epoch, step)))

    def _key(self, epoch: int | tf.Tensor) -> tf.Tensor:
        return tf.stack([self.seed, tf.cast(epoch, tf.int32)])


def _batch(array: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    found = tf.gather(array, rows)
    return found if found.shape.rank == 1 else scaled(found)  # bytes of one axis are labels


def _checked(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The arrays, floats as float32, or an InputError for the first that batches cannot be made of."""
    require(arrays, "arrays", "at least one", len(arrays))
    found = [np.asarray(array) for array in arrays]
    for array in found:
        require(array.dtype.kind in "biuf", "arrays", "of numbers", array.dtype.name)
        require(array.ndim and len(array), "arrays", "of at least one example", f"shape {array.shape}")
        require(len(array) == len(found[0]), "arrays", "of equal length", [len(array) for array in found])
        require(np.isfinite(array).all(), "arrays", "finite", f"NaN or infinity in an array of shape {array.shape}")
    return tuple(array.astype("float32", copy=False) if array.dtype.kind == "f" else array for array in found)


def shuffle_batch_repeat(
    dataset: tf.data.Dataset,
    order: Sequence[str] = ("shuffle", "batch", "repeat"),
    *,
    buffer: int,
    batch_size: int,
    epochs: int,
    seed: int = 0,
) -> tf.data.Dataset:
    """Applies the three operations in any order, to see what the order does to an epoch.

    Shuffle before repeat keeps epochs apart, after it mixes them; shuffle after batch keeps the members of a batch
    together; batch after repeat fills every batch but the very last, across the border of epochs.
    """
    steps: dict[str, Callable[[tf.data.Dataset], tf.data.Dataset]] = {
        "shuffle": lambda d: d.shuffle(buffer, seed=seed),
        "batch": lambda d: d.batch(batch_size),
        "repeat": lambda d: d.repeat(epochs),
    }
    require(sorted(order) == sorted(steps), "order", f"{', '.join(steps)}, each once in any order", tuple(order))
    return reduce(lambda d, step: steps[step](d), order, dataset)
