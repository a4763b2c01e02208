"""Many steps in one graph call, so that a small step does not pay for its way through Python.

Both runners give a table of one value per step and name; nothing is synchronised before the call returns. `start` and
`stop` are tensors: however the steps are cut into calls, each function is traced once and computes the same numbers.
A call ends early behind the first step whose loss is not finite.
"""

from collections.abc import Callable
from typing import Protocol

from keras_course.base import require
from keras_course.training.steps import Batch, Scalars, Step

import numpy as np
import tensorflow as tf

RowsStep = Callable[[tf.Tensor, tf.Tensor], Scalars]  # the rows of a batch, the seed of its draws
Values = dict[str, np.ndarray]  # name -> one float32 per step; "size" is the number of examples in its batch
FOREVER = np.iinfo(np.int32).max


class Batches(Protocol):
    """Batches gathered by rows; which rows is a function of the seed and the epoch alone."""

    n: int  # examples
    batch_size: int
    seed: int

    def __len__(self) -> int: ...
    def __hash__(self) -> int: ...
    def order(self, epoch: int) -> tf.Tensor: ...
    def take(self, rows: tf.Tensor, seed: tf.Tensor) -> Batch: ...
    def step_seed(self, epoch: tf.Tensor, step: tf.Tensor) -> tf.Tensor: ...


class Runner(Protocol):
    """Runs steps `start` up to `stop` of an epoch, or fewer where a part of the epoch ends."""

    def begin(self, epoch: int) -> None: ...
    def ended(self, step: int) -> bool: ...
    def run(self, start: int, stop: int) -> Values: ...
    @property
    def traces(self) -> int: ...


class Rows:
    """Collects the scalars of successive steps inside a graph."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def of(self, scalars: Scalars, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The row (names,) of one step over `size` examples, and whether its loss is finite."""
        scalars = {**scalars, "size": tf.cast(size, tf.float32)}
        self.names = list(scalars)  # known once the loop's body is traced, which is before `columns` is
        return tf.stack(list(scalars.values())), tf.math.is_finite(scalars["loss"])

    def columns(self, table: tf.TensorArray) -> dict[str, tf.Tensor]:
        return dict(zip(self.names, tf.unstack(table.stack(), axis=1), strict=True))


def gathering(step: RowsStep, batches: Batches) -> Callable[..., dict[str, tf.Tensor]]:
    """The loop over rows of indices: gathers the batch of each step inside the graph."""

    def run(rows, epoch, first, start, stop):  # rows: (steps, batch), of the steps from `first` on
        collected = Rows()

        def more(i, finite, _):
            return (i < stop) & finite

        def body(i, finite, table):
            scalars = step(rows[i], batches.step_seed(epoch, first + i))
            row, finite = collected.of(scalars, tf.size(rows[i]))
            return i + 1, finite, table.write(i, row)

        table = tf.TensorArray(tf.float32, size=rows.shape[0])  # XLA wants a size that is known when it compiles
        return collected.columns(tf.while_loop(more, body, (start, True, table))[-1])

    return run


def streaming(step: Step) -> Callable[..., tuple[tf.experimental.Optional, dict[str, tf.Tensor]]]:
    """The loop over an iterator; it holds the next batch, so the end of the data is seen without an error."""

    def run(batch, iterator, count):
        collected = Rows()

        def more(i, finite, batch, table):
            return (i < count) & finite & batch.has_value()

        def body(i, finite, batch, table):
            value = batch.get_value()
            row, finite = collected.of(step(value), tf.shape(tf.nest.flatten(value)[0])[0])
            return i + 1, finite, iterator.get_next_as_optional(), table.write(i, row)

        table = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        *_, batch, table = tf.while_loop(more, body, (0, True, batch, table))
        return batch, collected.columns(table)

    return run


def compiled(function: Callable, *, graph: bool, xla: bool = False) -> Callable:
    """`function` as a graph, or as it stands: the same code steps through Python."""
    return tf.function(function, autograph=False, jit_compile=xla) if graph else function


def traces(function: Callable) -> int:
    return function.experimental_get_tracing_count() if hasattr(function, "experimental_get_tracing_count") else 0


class Gathered:
    """Runs a step over `Batches`. The last short batch has a function of its own: a shape of its own, one trace."""

    def __init__(self, step: Step, batches: Batches, *, graph: bool = True, xla: bool = False):
        self._over_rows(lambda rows, seed: step(batches.take(rows, seed)), batches, graph=graph, xla=xla)

    def _over_rows(self, step: RowsStep, batches: Batches, *, graph: bool, xla: bool) -> None:
        self.batches = batches
        self.full = batches.n // batches.batch_size  # steps with a whole batch
        self._whole = compiled(gathering(step, batches), graph=graph, xla=xla)
        self._short = compiled(gathering(step, batches), graph=graph)  # one step an epoch repays no second compilation

    def begin(self, epoch: int) -> None:
        order = self.batches.order(epoch)  # (n,)
        cut = self.full * self.batches.batch_size
        self._epoch = tf.constant(epoch)
        self._rows = tf.reshape(order[:cut], (self.full, self.batches.batch_size))
        self._rest = order[cut:][None]  # (1, rest)

    def ended(self, step: int) -> bool:
        return step >= len(self.batches)

    def run(self, start: int, stop: int) -> Values:
        short = start >= self.full
        function, rows, first = (self._short, self._rest, self.full) if short else (self._whole, self._rows, 0)
        part = slice(start - first, min(stop - first, rows.shape[0]))
        bounds = map(tf.constant, (first, part.start, part.stop))
        return {name: column.numpy()[part] for name, column in function(rows, self._epoch, *bounds).items()}

    @property
    def traces(self) -> int:
        return traces(self._whole) + traces(self._short)


class Streamed:
    """Runs a step over a `tf.data.Dataset` of batches, which is one epoch."""

    def __init__(self, step: Step, dataset: tf.data.Dataset, *, graph: bool = True):
        endless = dataset.cardinality() == tf.data.INFINITE_CARDINALITY
        require(not endless, "batches", "one epoch", "a tf.data.Dataset without an end")
        self.dataset = dataset
        self._function = compiled(streaming(step), graph=graph)

    def begin(self, epoch: int) -> None:
        self._iterator = iter(self.dataset)
        self._batch = self._iterator.get_next_as_optional()

    def ended(self, step: int) -> bool:
        return not self._batch.has_value()

    def run(self, start: int, stop: int) -> Values:
        self._batch, columns = self._function(self._batch, self._iterator, tf.constant(stop - start))
        return {name: column.numpy() for name, column in columns.items()}

    @property
    def traces(self) -> int:
        return traces(self._function)


def runner(step: Step, batches: Batches | tf.data.Dataset, *, graph: bool = True, xla: bool = False) -> Runner:
    """The runner for batches of either kind."""
    if isinstance(batches, tf.data.Dataset):
        return Streamed(step, batches, graph=graph)
    return Gathered(step, batches, graph=graph, xla=xla)


def joined(parts: list[Values]) -> Values:
    """The values of successive calls as those of one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def means(values: Values) -> dict[str, float]:
    """Means over the examples: each step counts as often as its batch has examples. Float64, over all steps at once."""
    sizes = values["size"].astype(np.float64)
    return {name: float(np.average(column, weights=sizes)) for name, column in values.items() if name != "size"}
