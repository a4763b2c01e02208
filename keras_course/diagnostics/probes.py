"""What is measured while a network trains: a row of numbers per step into a ring buffer, and a closer look at times.

Everything is computed inside the graph of the step, or eagerly where the step runs eagerly: the same code does both.
The row never leaves the device before it is asked for; the closer look is a call into Python in the first steps and in
every nineteenth one. No random number is drawn and no variable of the script is written, so training goes the way it
would.
"""

from collections.abc import Sequence
from typing import Any

from keras_course.diagnostics.forward import Forward
from keras_course.diagnostics.observation import Probe, Steps

import numpy as np
import tensorflow as tf

DENSE = 128  # the steps from the first on of which all rows are kept
EVERY = 10  # afterwards
ROWS = 4096
LOSSES = 20_000
UNWRITTEN = np.float32(-3e38)
LOOKS = 32  # the steps from the first on at which the closer look is taken
EVERY_LOOK = 19  # afterwards: a prime, so that all kinds are seen where batches of several take turns
WHOLE = 64_000_000  # bytes of whole batches that are kept, to run steps again
FEW = 64  # rows of a batch that a `Probe` keeps; of narrow ones as many as make `NUMBERS`
NUMBERS = 4096
PARAMETERS = 5_000_000  # with more, what a step changed is not measured: it needs two copies of the weights


def due(step: Any, first: int, every: int) -> Any:
    return (step < first) | (step % every == 0)


class Recorder:
    """Measures the steps of one training.

    variables: of TensorFlow, those that are trained. names: of the units, for the closer look.
    """

    def __init__(self, variables: Sequence[tf.Variable]) -> None:
        self.variables = list(variables)
        self.looks: list[Probe] = []
        self.batches: list[list[np.ndarray]] = []  # what entered through the boundary, in the first steps
        self.kept = 0  # bytes
        self.fired: list[list[np.ndarray]] = []  # of the last looks: which outputs of each ReLU fired
        self.copies = sum(int(np.prod(v.shape)) for v in variables) <= PARAMETERS
        v = len(self.variables)
        with tf.init_scope(), tf.device("CPU:0"):
            self.step = _quiet(tf.zeros((), tf.int64))
            self.rows = _quiet(tf.fill((ROWS, 2 + 2 * v), np.float32(np.nan)))  # step, loss, gradients, weights
            self.changes = _quiet(tf.fill((ROWS, 2 * v), np.float32(np.nan)))  # updates, cosines
            self.losses = _quiet(tf.fill((LOSSES,), UNWRITTEN))
            self.rates = _quiet(tf.fill((ROWS,), np.float32(np.nan)))
            self.before = [_quiet(tf.zeros(w.shape, w.dtype)) for w in self.variables] if self.copies else []
            self.uphill = [_quiet(tf.zeros(w.shape, w.dtype)) for w in self.variables] if self.copies else []

    def reset(self) -> None:
        """Begins again, for a second training of the same variables in the same graph."""
        self.step.assign(0)
        for table in (self.rows, self.changes, self.rates):
            table.assign(tf.fill(table.shape, np.float32(np.nan)))
        self.losses.assign(tf.fill((LOSSES,), UNWRITTEN))
        self.looks, self.batches, self.kept, self.fired = [], [], 0, []

    def record(self, loss: tf.Tensor, gradients: Sequence[Any]) -> tf.Tensor:
        """One step, before the weights change; returns its number. gradients: None where there is none."""
        step = self.step.assign_add(1, read_value=True) - 1
        loss = tf.cast(tf.reshape(tf.reduce_mean(loss), ()), tf.float32)
        self.losses.scatter_nd_update([[step % LOSSES]], [loss])
        values = [tf.convert_to_tensor(v) for v in self.variables]
        if self.copies:
            tf.cond(due(step - 1, DENSE, EVERY) & (step > 0), lambda: self._change(step - 1, values), lambda: False)
        tf.cond(due(step, DENSE, EVERY), lambda: self._row(step, loss, gradients, values), lambda: False)
        return step

    def record_rate(self, rate: tf.Variable) -> None:
        """The learning rate of the step that was recorded last."""
        step = self.step.read_value() - 1

        def write() -> bool:
            self.rates.scatter_nd_update([[_place(step)]], [tf.cast(rate, tf.float32)])
            return True

        tf.cond(due(step, DENSE, EVERY) & (step >= 0), write, lambda: False)

    def _row(self, step: tf.Tensor, loss: tf.Tensor, gradients: Sequence[Any], values: Sequence[tf.Tensor]) -> bool:
        dense = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
        norms = [tf.constant(np.nan, tf.float32) if g is None else _norm(g) for g in dense]
        row = tf.stack([tf.cast(step, tf.float32), loss, *norms, *map(_norm, values)])
        self.rows.scatter_nd_update([[_place(step)]], [row])
        if self.copies:
            for copy, value in zip(self.before, values, strict=True):
                copy.assign(value)
            for copy, g in zip(self.uphill, dense, strict=True):
                copy.assign(tf.zeros_like(copy) if g is None else tf.cast(tf.reshape(g, copy.shape), copy.dtype))
        return True

    def _change(self, step: tf.Tensor, values: Sequence[tf.Tensor]) -> bool:
        """What the step before did to the weights."""
        moved = [value - copy for value, copy in zip(values, self.before, strict=True)]
        norms = [_norm(m) for m in moved]
        cosines = [
            tf.math.divide_no_nan(tf.cast(tf.reduce_sum(m * g), tf.float32), n * _norm(g))
            for m, g, n in zip(moved, self.uphill, norms, strict=True)
        ]
        self.changes.scatter_nd_update([[_place(step)]], [tf.stack(norms + cosines)])
        return True

    def first_weights(self, step: tf.Tensor, store: dict[int, np.ndarray]) -> None:
        """Keeps the weights before the first step, where they did not exist yet when it was traced."""
        handles = [id(v.handle) for v in self.variables]

        def host(*values: np.ndarray) -> np.int64:
            store.update((handle, value.copy()) for handle, value in zip(handles, values, strict=True))
            return np.int64(0)

        def take() -> tf.Tensor:
            return tf.numpy_function(host, [tf.convert_to_tensor(v) for v in self.variables], tf.int64)

        tf.cond(step == 0, take, lambda: tf.constant(0, tf.int64))

    def look(self, step: tf.Tensor, forward: Forward, gradients: Sequence[Any]) -> None:
        """The closer look of a graph: batch, prediction and the units, where the step is one for it."""
        tf.cond(
            due(step, LOOKS, EVERY_LOOK), lambda: self._take(step, forward, gradients), lambda: tf.constant(0, tf.int64)
        )

    def _take(self, step: tf.Tensor, forward: Forward, gradients: Sequence[Any]) -> tf.Tensor:
        leaving = [f.leaving for f in forward.found]
        kinds = [f.unit.activation for f in forward.found]
        table, fired = measured(leaving, gradients, kinds)
        entering = [f.entering for f in forward.found][:1]
        optional = [entering[0] if entering else None, forward.targets, forward.prediction, *(forward.noise or ())]
        optional = [t if t is not None and t.dtype not in OPAQUE else None for t in optional]
        here = [t is not None for t in optional]
        given = [t for t in optional if t is not None]

        def host(step: np.ndarray, table: np.ndarray, *rest: np.ndarray) -> np.int64:
            flags, rest = rest[: len(fired)], rest[len(fired) :]
            values, boundary = iter(rest), rest[len(given) :]
            self.keep(int(step), table, flags, [next(values) if there else None for there in here], list(boundary))
            return np.int64(0)

        return tf.numpy_function(host, [step, table, *fired, *given, *forward.boundary], tf.int64)

    def keep(
        self,
        step: int,
        table: np.ndarray,
        fired: Sequence[np.ndarray],
        values: Sequence[np.ndarray | None],
        boundary: Sequence[np.ndarray],
    ) -> None:
        """Keeps a closer look; whole batches of the first steps, while there is room."""
        x, y, output, *noise = values
        self.fired = [*self.fired[-3:], [flags.copy() for flags in fired]]
        silent = self._silent(table[:, COLUMNS.index("dead")])
        self.looks.append(
            Probe(
                step=step,
                x=_few(x),
                y=_few(y, NUMBERS),
                output=_few(output, NUMBERS),
                **{name: column.copy() for name, column in zip(COLUMNS, table.T, strict=True)} | {"dead": silent},
                noise=_ratio(noise[0], noise[1]) if len(noise) == 2 else None,
            )
        )
        size = sum(array.nbytes for array in boundary)
        if step < LOOKS and len(self.batches) == step and self.kept + size <= WHOLE:
            self.kept += size
            self.batches.append([array.copy() for array in boundary])

    def _silent(self, dead: np.ndarray) -> np.ndarray:
        """The share of each unit's outputs that fired in none of the last four looks, where that is asked."""
        rows = [looks for looks in zip(*self.fired, strict=True) if len({f.shape for f in looks}) == 1]
        shares = iter(1 - float(np.mean(np.any(np.stack(looks), axis=0))) for looks in rows)
        return np.array([np.nan if np.isnan(d) else next(shares, d) for d in dead], np.float32)

    def steps(self) -> Steps:
        """What was measured until now."""
        count, v = int(self.step.numpy()), len(self.variables)
        rows, changes = self.rows.numpy(), self.changes.numpy()
        order = [place for place in np.argsort(rows[:, 0], kind="stable") if np.isfinite(rows[place, 0])]
        rows, changes, rates = rows[order], changes[order], self.rates.numpy()[order]
        losses = self.losses.numpy()
        if count > LOSSES:
            losses = np.roll(losses, -(count % LOSSES))
        written = losses[:count][losses[:count] != UNWRITTEN]  # a step that fails is counted and leaves no loss
        return Steps(
            all_losses=written,
            count=count - (min(count, LOSSES) - len(written)),
            index=rows[:, 0].astype(int),
            loss=rows[:, 1],
            gradient=rows[:, 2 : 2 + v],
            weight=rows[:, 2 + v :],
            update=changes[:, :v],
            aligned=changes[:, v:],
            rate=rates,
        )


OPAQUE = (tf.variant, tf.resource)  # lists of tensors in a recurrent layer, handles: nothing that NumPy has
COLUMNS = ("mean", "spread", "dead", "saturated", "gradient")


def measured(
    leaving: Sequence[tf.Tensor], gradients: Sequence[Any], kinds: Sequence[str]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """(units, 5): mean, spread, dead share and saturated share of each activation, and the gradient by it.

    Beside it, for each ReLU, which of its outputs fired for an example: boolean, (outputs,).
    """
    rows = [_unit_row(a, g, kind) for a, g, kind in zip(leaving, gradients, kinds, strict=True)]
    fired = [tf.reduce_max(_flat(a), axis=0) > 0 for a, kind in zip(leaving, kinds, strict=True) if kind in RECTIFIED]
    return tf.stack(rows) if rows else tf.zeros((0, len(COLUMNS))), fired


RECTIFIED = ("relu", "relu6")


def _flat(activation: tf.Tensor) -> tf.Tensor:
    """(cases, outputs)"""
    return (
        tf.reshape(activation, (-1, tf.shape(activation)[-1]))
        if activation.shape.rank
        else tf.reshape(activation, (1, 1))
    )


def _unit_row(activation: tf.Tensor, gradient: Any, kind: str) -> tf.Tensor:
    a = tf.cast(activation, tf.float32)
    nan = tf.constant(np.nan, tf.float32)
    mean = tf.reduce_mean(a)
    spread = tf.sqrt(tf.maximum(tf.reduce_mean(tf.square(a)) - tf.square(mean), 0.0))
    flat = _flat(a)
    dead = nan
    if kind in RECTIFIED:
        dead = tf.reduce_mean(tf.cast(tf.reduce_max(flat, axis=0) <= 0, tf.float32))
    saturated = nan
    if kind in ("sigmoid", "tanh"):
        low = 0.01 if kind == "sigmoid" else -0.99
        flat_part = tf.reduce_mean(tf.cast((flat < low) | (flat > 0.99), tf.float32), axis=0)
        saturated = tf.reduce_mean(tf.cast(flat_part >= 0.95, tf.float32))
    slope = nan if gradient is None else _slope(tf.cast(gradient, tf.float32))
    return tf.stack([mean, spread, dead, saturated, slope])


def _slope(gradient: tf.Tensor) -> tf.Tensor:
    """Root mean square over examples and features of the gradient, summed over the places of a picture or a sequence:
    to spread over many places, as pooling does, is no loss."""
    shape = tf.shape(gradient)
    numbers = shape[0] * shape[-1] if gradient.shape.rank else 1
    return tf.sqrt(tf.reduce_sum(tf.square(gradient)) / tf.cast(numbers, tf.float32))


def _norm(value: Any) -> tf.Tensor:
    return tf.cast(tf.norm(tf.reshape(value, (-1,))), tf.float32)


def _place(step: tf.Tensor) -> tf.Tensor:
    """The row of a kept step; when all rows are taken the oldest of the later ones go."""
    later = DENSE + ((step - DENSE) // EVERY) % (ROWS - DENSE)
    return tf.where(step < DENSE, step, later)


def _quiet(value: tf.Tensor) -> tf.Variable:
    """A variable that the script cannot come across: neither trained nor collected."""
    return tf.Variable(value, trainable=False, name="watch", aggregation=tf.VariableAggregation.NONE)


def _few(array: np.ndarray | None, rows: int = 0) -> np.ndarray | None:
    """The first rows of a batch: for 0 as many as make `NUMBERS` numbers, but `FEW` at least."""
    if array is None or not np.ndim(array):
        return None if array is None else np.array(array)
    return np.array(array[: rows or max(FEW, NUMBERS // max(array[:1].size, 1))])


def _ratio(signal: Any, noisy: Any) -> float:
    """Standard deviation of the noise against that of the signal."""
    return float(np.std(noisy - signal) / max(float(np.std(signal)), 1e-12))
