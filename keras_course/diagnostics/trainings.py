"""One training as it is seen from outside: its steps while they run."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_course.base import summary_of
from keras_course.diagnostics.feeds import Feeds, stored
from keras_course.diagnostics.fits import Measured
from keras_course.diagnostics.forward import Forward, read
from keras_course.diagnostics.graph import frame_of
from keras_course.diagnostics.names import Scope, names_of, scope_of_script
from keras_course.diagnostics.observation import Feed, Observation
from keras_course.diagnostics.observing import observe
from keras_course.diagnostics.probes import PARAMETERS, Recorder, measured
from keras_course.diagnostics.units import Change

import keras
import numpy as np
import tensorflow as tf


class Training:
    """Steps that change the same variables.

    variables: those that are trained. facts: what `fit` was called with, None for a loop. site: file and line.
    """

    def __init__(
        self, variables: Sequence[tf.Variable], *, facts: dict[str, Any] | None, site: tuple[str, int]
    ) -> None:
        self.variables, self.facts, self.site = list(variables), facts, site
        self.key = frozenset(map(id, variables))
        self.recorder: Recorder | None = None
        self.forward: Forward | None = None
        self.initial: dict[int, np.ndarray] = {}  # id of a handle -> value before the first step
        self.optimizer: Any = None
        self.rate: float | None = None
        self.dataset: Any = None
        self.model: keras.Model | None = facts["model"] if facts else None
        self.entering: Any = None  # what the model was called with: the form of one tensor, or of several
        self.disconnected = False  # no weight has a gradient
        self.refused: dict[str, str] = {}  # what a loss did not take
        self.earlier: set[int] = set()  # ids of the handles of what earlier trainings changed
        self.later: set[int] = set()  # and of what trainings change that began after this one
        self.feeds: Feeds | None = None  # what models are given
        self.measured: dict[int, Measured] = {}
        self.scope = Scope()  # the script's data by their names
        self.candidates: list[Feed] = []  # rows that it may hold out, when its training begins
        self.stored: list[Feed] = []  # and what a script without a model does hold out
        self.again: Any = None  # what answers for its last weights then
        self.number = 0  # of the trainings there were, with this one
        self.until: int | None = None  # and with the next one of the same weights
        self.made: dict[int, int] = {}  # steps before each later training began, by its number
        self.beside: list[keras.Model] = []  # others that were called for its loss
        self.evaluating = False  # the model was called with training=False, or not told
        self.unseen: list[str] = []
        self.closed: Observation | None = None
        self.untracked: list[tf.Variable] | None = None  # kernels of a `fit` that its model does not know
        self.keep_alive: list[Any] = []
        self.change: Change | None = None  # what its step makes of the targets of its data, once that is known
        self.names = names_of(self.variables, self.model)
        if facts:
            self.note_optimizer(facts["model"].optimizer)

    def adopt(self, older: "Training") -> None:
        """Goes on with the graph and the measuring variables of an earlier training, from their start."""
        self.recorder, self.forward = older.recorder, older.forward
        self.names, self.beside, self.evaluating = older.names, older.beside, older.evaluating
        self.unseen = list(older.unseen)
        if self.recorder:
            self.recorder.reset()
            handles = {id(h): h for h in self.forward.reads.values()} if self.forward else {}
            self._remember(handles.values())

    def note_optimizer(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        with tf.init_scope():
            try:
                self.rate = float(optimizer.learning_rate)
            except (TypeError, ValueError, AttributeError):
                self.rate = None

    def apply(self, optimizer: Any) -> None:
        """The optimizer is about to change the weights, by the gradients that were measured last."""
        if self.optimizer is None:
            self.note_optimizer(optimizer)
        rate = getattr(optimizer, "_learning_rate", None)
        if self.recorder is not None and isinstance(rate, keras.Variable) and not tf.distribute.has_strategy():
            self._guarded(self.recorder.record_rate, rate.value)

    def say_unseen(self, sentence: str) -> None:
        if sentence not in self.unseen:
            self.unseen.append(sentence)

    # Steps

    def step(
        self,
        original: Any,
        tape: Any,
        target: Any,
        loss: Any,
        sources: Any,
        args: Any,
        kwargs: Any,
        context: Any,
        jitted: bool,
    ) -> Any:
        """The gradient as asked for; on the way the step is measured."""
        if tf.distribute.has_strategy():
            self.say_unseen("Steps under tf.distribute are not measured: only data, plan and curves are.")
            return original(tape, target, sources, *args, **kwargs)
        forward = self._guarded(self._read, loss, context)
        leaving = [_value(f.leaving) for f in forward.found] if forward else []
        if not leaving:
            gradients, slopes = original(tape, target, sources, *args, **kwargs), []
        else:
            gradients, slopes = original(tape, target, [sources, leaving], *args, **kwargs)
        flat = dict(zip(map(_key, tf.nest.flatten(sources)), _flat(gradients, sources), strict=True))
        if self.untracked is None:  # which models the script has is looked up once
            self.untracked = self._guarded(self._unknown, tape) or []
        self.disconnected = all(gradient is None for gradient in flat.values())
        self._guarded(self._measure, loss, forward, [flat.get(id(v)) for v in self.variables], slopes, jitted)
        return gradients

    def _unknown(self, tape: Any) -> list[tf.Variable]:
        """The kernels that a `fit` computes with and no model of the script knows, as Keras 3 does not know a
        `tf.Variable` of a layer."""
        if not self.facts:
            return []
        models = [each for each in self.scope.names().values() if isinstance(each, keras.Model)]
        known = {id(v.value) for model in (self.facts["model"], *models) for v in model.variables}
        return [v for v in tape.watched_variables() if id(v) not in known and len(v.shape) >= 2]

    def _guarded(self, function: Any, *arguments: Any) -> Any:
        """A mistake of ours must not be one of the script's."""
        try:
            return function(*arguments)
        except Exception as error:
            self.say_unseen(f"A step could not be measured: {summary_of(error)}")
            return None

    def _read(self, loss: Any, context: Any) -> Forward | None:
        self._note_models(context.models)
        noted = context.noted
        if tf.executing_eagerly():
            if context.recording:
                context.recording.reads(self.variables)
            of = context.recording.of if context.recording else lambda _: None
            loss, noted = (
                of(loss),
                [dataclasses.replace(n, targets=of(n.targets), prediction=of(n.prediction)) for n in noted],
            )
        if loss is None:
            return None
        forward = read(loss, {id(v.handle): name for v, name in self.names.items()}, noted)
        if self.forward is None:
            self.forward = forward
            if self.facts is None and frame_of(forward.loss.op)[0]:
                self.site = frame_of(forward.loss.op)  # the call of a traced function says less
            self._remember(forward.reads.values())
            with contextlib.suppress(Exception):  # whatever a script calls its own
                self.scope = scope_of_script()
                self.candidates = stored(self.scope.names()) if self.model is None else []
        return forward

    def _note_models(self, models: Sequence[tuple[keras.Model, bool | None, Any]]) -> None:
        if models and self.model is None:
            mine = [m for m, *_ in models if {id(v.value) for v in m.trainable_variables} & self.key]
            self.model = mine[0] if mine else None
            self.beside = [m for m, *_ in models if m is not self.model]
            self.names = names_of(self.variables, self.model, self.beside)
        for model, training, entering in models:
            if model is self.model:
                self.evaluating, self.entering = not training, entering
                break

    def _remember(self, handles: Any) -> None:
        """The values of all variables that the forward pass reads, before the first step."""
        size = sum(int(np.prod(v.shape)) for v in self.variables)
        if size > PARAMETERS:
            return
        dtypes = {id(v.handle): v.dtype for v in self.names}
        with tf.init_scope():
            for handle in [*handles, *(v.handle for v in self.names)]:
                if id(handle) in self.initial or not hasattr(handle, "numpy"):
                    continue
                dtype = dtypes.get(id(handle)) or _dtype(handle)
                try:
                    value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype).numpy()
                    if value.size or id(handle) not in dtypes:  # empty: it gets its value when the graph first runs
                        self.initial[id(handle)] = value
                        self.keep_alive.append(handle)
                except (tf.errors.OpError, TypeError, ValueError):
                    continue

    def _measure(
        self, loss: Any, forward: Forward | None, gradients: Sequence[Any], slopes: Sequence[Any], jitted: bool
    ) -> None:
        if self.recorder is None:
            self.recorder = Recorder(self.variables)
        step = self.recorder.record(loss, gradients)
        if forward is None:
            return
        if tf.executing_eagerly():
            self._look_eagerly(int(step), forward, slopes)
        elif jitted:
            self.say_unseen("Activations are not looked at inside a function compiled by XLA.")
        else:
            self.recorder.look(step, forward, slopes)
            if self.recorder.copies and any(id(v.handle) not in self.initial for v in self.variables):
                self.recorder.first_weights(step, self.initial)

    def _look_eagerly(self, step: int, forward: Forward, slopes: Sequence[Any]) -> None:
        assert self.recorder
        kinds = [f.unit.activation for f in forward.found]
        table, fired = measured([_value(f.leaving) for f in forward.found], slopes, kinds)
        entering = [f.entering for f in forward.found][:1]
        tensors = [entering[0] if entering else None, forward.targets, forward.prediction, *(forward.noise or ())]
        values = [None if t is None else np.asarray(_value(t)) for t in tensors]
        boundary = [np.asarray(_value(t)) for t in forward.boundary]
        self.recorder.keep(step, table.numpy(), [f.numpy() for f in fired], values, boundary)

    # The observation

    def close(self) -> Observation:
        """What was seen; afterwards nothing is added but what the model is asked behind it."""
        if self.closed is None:
            self.closed = self.observe()
            self.closed.finished = True
        self.closed.fed, self.closed.asked = self.given()
        return self.closed

    def given(self) -> tuple[list[Feed], list[Feed]]:
        """What the model was given in the steps of a loop, and outside of steps until it is trained again; without a
        model what the script holds out, by its names."""
        fed, asked = self.feeds.of(self.model, self.number, self.until) if self.feeds is not None else ([], [])
        asked = [*asked, *self.stored]
        if self.change is None:
            return fed, asked
        return [self.change.feed(each) for each in fed], [self.change.feed(each) for each in asked]

    def look_for_held_out(self) -> None:
        """Without a model nobody sees what it is asked: rows are held out by the names that the script has for them."""
        looks = [look.x for look in (self.recorder.looks if self.recorder else []) if look.x is not None]
        if self.model is not None or not looks or looks[0].ndim < 2:
            return
        form = looks[0].shape[1:]
        fits = [feed for feed in self.candidates if feed.x[0].size == np.prod(form)]
        self.stored = [dataclasses.replace(feed, x=feed.x.reshape(-1, *form)) for feed in fits]

    @property
    def idle(self) -> bool:
        """Whether it is a call of `fit` in which nothing can be trained."""
        return self.facts is not None and not self.variables and not self.facts["model"].trainable_variables

    @property
    def count(self) -> int:
        if self.closed is not None:
            return self.closed.steps.count if self.closed.steps is not None else 0
        return int(self.recorder.step.numpy()) if self.recorder else 0

    def begins(self, later: "Training") -> None:
        """Another training begins."""
        with contextlib.suppress(Exception), tf.init_scope():  # it may begin inside of a graph that is being made
            self.made[later.number] = self.count

    def meets(self, other: "Training") -> bool:
        """Whether one of two trainings of other weights made steps while the other one did: a game of two, and no folds
        one after the other."""
        older, later = (self, other) if self.number < other.number else (other, self)
        return older.key != later.key and older.made.get(later.number, 0) < older.count and later.count > 0

    def observe(self) -> Observation:
        """What was seen until now."""
        return observe(self)


def _value(tensor: Any) -> Any:
    return tensor.value if hasattr(tensor, "value") and not tf.is_tensor(tensor) else tensor


def _key(source: Any) -> int:
    return id(source.value if isinstance(source, keras.Variable) else source)


def _flat(gradients: Any, sources: Any) -> list[Any]:
    """The gradients in the order of the flat sources; None keeps its place."""
    return list(tf.nest.flatten(gradients)) if isinstance(sources, list | tuple | dict) else [gradients]


def _dtype(handle: Any) -> Any:
    data = handle._handle_data
    return tf.as_dtype(data.shape_and_type[0].dtype) if data and data.shape_and_type else tf.float32
