"""How a training run goes on: calls of the graph; between them checks, the display, the checkpoint and the logs."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from keras_course.base import InputError, pick, require
from keras_course.training.checkpoints import Checkpoint
from keras_course.training.distribution import from_chief, is_chief
from keras_course.training.progress import Display
from keras_course.training.runners import Runner, Values, means
from keras_course.training.state import State
from keras_course.training.stopping import EarlyStopping

import keras
import numpy as np
import tensorflow as tf


class Log(Protocol):
    """Where a run writes what it measures: each method is called once an epoch, `checkpoint` once a stage."""

    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None: ...
    def weights(self, stage: str, step: int, model: keras.Model) -> None: ...
    def checkpoint(self, stage: str) -> Checkpoint | None: ...


class Diverged(InputError):  # noqa: N818, the field's word for it
    """The loss became NaN or infinite.

    Attributes:
        epoch, step: where, both from 0, `step` within the epoch: `batches.order(epoch)` holds the rows of that batch.
        loss: nan, inf or -inf.
    """

    def __init__(self, *, epoch: int, step: int, loss: float):
        self.epoch, self.step, self.loss = epoch, step, loss
        super().__init__(
            f"The loss became {loss} at step {step} of epoch {epoch} (both from 0): try a learning rate ten times "
            "lower, and look for NaN and unscaled values in the data."
        )


def rate_of(optimizer: keras.optimizers.Optimizer) -> float:
    """The learning rate of the next step, also where a strategy keeps a copy of it on each device."""
    return float(tf.convert_to_tensor(getattr(optimizer.learning_rate, "value", optimizer.learning_rate)))


@dataclasses.dataclass
class Pace:
    """How many steps to run before coming back to Python: about a second's worth, found by trying."""

    steps: int = 1

    def adjust(self, ran: int, seconds: float) -> None:
        if ran >= self.steps:  # the end of an epoch cut the others short
            self.steps = max(1, min(int(ran / seconds), 8 * self.steps))


@dataclasses.dataclass
class Session:
    """A run of `fit` whose parts have been checked. `validate` gives the curves `val_...` of an epoch."""

    state: State
    runner: Runner
    epochs: int
    validate: Callable[[], dict[str, float]]
    stopping: EarlyStopping | None
    checkpoint: Checkpoint | None
    log: Log | None
    stage: str
    strategy: tf.distribute.Strategy | None = None
    pace: Pace = dataclasses.field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.chief = is_chief(self.strategy)  # the one process that writes
        self._told = False  # what the first calls took

    def restore(self) -> None:
        """Goes on from the checkpoint, if there is one; with several processes from that of the chief."""
        if not self.checkpoint:
            return
        data = self.checkpoint.read() if self.chief else None
        if self.strategy:
            data = from_chief(self.strategy, data)
        if data is not None:
            self.state.unpack(*self.checkpoint.unpacked(data))

    def run(self, show: Display) -> None:
        while not self.state.done:
            self._steps(show)
            self._close_epoch(show)

    def _steps(self, show: Display) -> None:
        """The rest of the running epoch, call by call."""
        self.runner.begin(self.state.epoch)
        require(not self.runner.ended(0), "batches", "one batch or more", "none")
        while not self.runner.ended(self.state.step):
            if self.chief and self.checkpoint and self.checkpoint.due:
                self.checkpoint.save(*self.state.pack())
            values = self._call()
            self._check(values)
            self.state.add(values)
            show.step(self.state.epoch, self.state.step, means(values))

    def _call(self) -> Values:
        """One call of the graph, timed."""
        start, traces, history = time.perf_counter(), self.runner.traces, self.state.history
        values = self.runner.run(self.state.step, self.state.step + self.pace.steps)
        seconds = time.perf_counter() - start
        if self.runner.traces > traces:
            history.compile_seconds += seconds
        else:
            history.seconds += seconds
            self.pace.adjust(len(values["loss"]), seconds)
        return values

    def _check(self, values: Values) -> None:
        """Refuses a loss that is not finite, and a metric to stop on that there is not."""
        bad = np.flatnonzero(~np.isfinite(values["loss"]))
        if bad.size:
            loss = float(values["loss"][bad[0]])
            raise Diverged(epoch=self.state.epoch, step=self.state.step + int(bad[0]), loss=loss)
        if self.stopping:
            names = [name for name in values if name != "size"]
            pick(dict.fromkeys([*names, *map("val_{}".format, names)]), self.stopping.metric, "metric to stop on")

    def _close_epoch(self, show: Display) -> None:
        """Means, validation, logs; then whether this was the last epoch."""
        state, epoch = self.state, self.state.epoch
        measured = means(state.values) | self.validate() | {"learning_rate": rate_of(state.optimizer)}
        state.history.add(measured)
        state.close_epoch()
        if self.chief and self.log:
            self.log.scalars(self.stage, state.history.steps, measured)
            self.log.weights(self.stage, state.history.steps, state.model)
        show.epoch(epoch, measured)
        if not self._told and state.history.compile_seconds:
            show.compiled(state.history.compile_seconds)
            self._told = True
        self._decide()

    def _decide(self) -> None:
        """Keeps the best weights; at the end puts them back and marks the run as done."""
        state, stopped = self.state, False
        if self.stopping:
            curve = state.history[self.stopping.metric]
            state.history.best_epoch, stopped = self.stopping.best(curve), self.stopping.stops(curve)
            if state.history.best_epoch == state.epoch - 1:
                state.best = state.model.get_weights()
        state.history.stopped_early = stopped and state.epoch < self.epochs
        state.done = stopped or state.epoch >= self.epochs
        if state.done:
            self._finish()

    def _finish(self) -> None:
        if self.state.best:
            self.state.model.set_weights(self.state.best)
            self.state.best = []
        if self.chief and self.checkpoint:
            self.checkpoint.save(*self.state.pack())
