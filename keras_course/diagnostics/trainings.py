"""One training as it is seen from outside: its steps while they run, and the observation that is made of them."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_course.base import summary_of
from keras_course.diagnostics.feeds import Feeds, stored
from keras_course.diagnostics.fits import (
    Measured,
    assigned,
    measure_of,
    noise_of,
    plan_of_loop,
    rows_of_loop,
    schedule_of,
)
from keras_course.diagnostics.forward import Forward, read
from keras_course.diagnostics.graph import ancestors, frame_of
from keras_course.diagnostics.layers import as_in_evaluation, layers_of
from keras_course.diagnostics.names import Scope, names_of, scope_of_script
from keras_course.diagnostics.objective import cuts_of
from keras_course.diagnostics.observation import (
    DECIDED,
    UNDECIDED,
    Data,
    Feed,
    Loss,
    Observation,
    Optimizer,
    Steps,
    Unit,
    Variable,
)
from keras_course.diagnostics.probes import PARAMETERS, Recorder, measured
from keras_course.diagnostics.seen import joined

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
        self.evaluating = False  # the model was called with training=False, or not told
        self.unseen: list[str] = []
        self.closed: Observation | None = None
        self.keep_alive: list[Any] = []
        self.names = names_of(self.variables, self.model)
        if facts:
            self.note_optimizer(facts["model"].optimizer)

    def adopt(self, older: "Training") -> None:
        """Goes on with the graph and the measuring variables of an earlier training, from their start."""
        self.recorder, self.forward = older.recorder, older.forward
        self.names, self.evaluating = older.names, older.evaluating
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
        self.disconnected = all(gradient is None for gradient in flat.values())
        self._guarded(self._measure, loss, forward, [flat.get(id(v)) for v in self.variables], slopes, jitted)
        return gradients

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
            self.names = names_of(self.variables, self.model)
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
        self.closed.fed, self.closed.asked = self._given()
        return self.closed

    def _given(self) -> tuple[list[Feed], list[Feed]]:
        """What the model was given in the steps of a loop, and outside of steps until it is trained again; without a
        model what the script holds out, by its names."""
        fed, asked = self.feeds.of(self.model, self.number, self.until) if self.feeds is not None else ([], [])
        return fed, [*asked, *self.stored]

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
        facts, forward, recorder = self.facts or {}, self.forward, self.recorder
        units = [f.unit for f in forward.found] if forward else []
        looks = recorder.looks if recorder else []
        plan, steps = facts.get("plan") or plan_of_loop(self.dataset), recorder.steps() if recorder else None
        measures = self._undecided() if facts.get("interface") == "fit" else [*self._measures(), *self._undecided()]
        plan = dataclasses.replace(plan, metrics=(*plan.metrics, *measures))
        train = facts.get("train") if facts else rows_of_loop(self.dataset, joined([p.y for p in looks]))
        fed, asked = self._given()
        return Observation(
            name=self.model.name if self.model is not None else "loop",
            interface=facts.get("interface", "loop"),
            file=self.site[0],
            line=self.site[1],
            finished=False,
            variables=self._variables(units),
            units=units,
            layers=layers_of(self.model),
            head=forward.head if forward else "",
            classes=_width(forward),
            loss=Loss(
                name=(forward.name if forward else "") or facts.get("loss", ""),
                from_logits=forward.from_logits if forward else None,
                regularised=bool(self.model is not None and self.model.losses),
            ),
            losses=facts.get("losses", {}),
            optimizer=self._optimizer(plan, steps),
            plan=plan,
            pipeline=facts.get("pipeline") if facts else _stages(self.dataset),
            validation_pipeline=facts.get("validation_pipeline"),
            train=train if train is not None or not units else self._sequences(units[0]),
            validation=facts.get("validation"),
            fed=fed,
            asked=asked,
            entering=self._entering(),
            stream=[p.y for p in looks if p.step < 32 and p.y is not None],
            steps=steps,
            probes=list(looks),
            epochs=list(facts.get("epochs", [])),
            experiments=self._structure(),
            cuts=cuts_of(forward.prediction) if forward and forward.prediction is not None else [],
            untaken=facts.get("untaken", []),
            refused=self.refused,
            unseen=[*facts.get("unseen", []), *self.unseen],
        )

    def _measures(self) -> list[str]:
        """What the script's own metrics measure, of predictions as wide as this network's, or of class numbers."""
        width = _width(self.forward)
        known = [(measure_of(m.metric), m) for m in self.measured.values()]
        wide = [name for name, m in known if width is not None and m.width == width and not m.decided]
        return wide + [name + DECIDED for name, m in known if m.decided and name.endswith("categorical_accuracy")]

    def _undecided(self) -> list[str]:
        """Metrics that take class numbers and are given what lies between them: those of the model's `fit`, or those
        that the script updates by itself."""
        model = self.facts["model"] if self.facts else None
        return [measure_of(m.metric) + UNDECIDED for m in self.measured.values() if m.undecided and m.model is model]

    def _sequences(self, unit: Unit) -> Data | None:
        """The first batches of what a recurrent network is given, whose cells see one place at a time, where the rows
        are not stored."""
        if unit.kind != "recurrent" or not self.recorder or not self.recorder.batches or not self.forward:
            return None
        targets = getattr(self.forward.targets, "name", None)
        found = [
            [batch[place] for batch in self.recorder.batches]
            for place, tensor in enumerate(self.forward.boundary)
            if tensor.shape.rank == 3 and tensor.dtype.is_floating and tensor.name != targets
        ]
        alike = len(found) == 1 and len({batch.shape[1:] for batch in found[0]}) == 1
        return Data(x=np.concatenate(found[0])[: Data.ROWS]) if alike else None

    def _entering(self) -> dict[str, np.ndarray]:
        """What enters the units behind further inputs in the first batches, as the graph is given it."""
        forward, batches = self.forward, self.recorder.batches if self.recorder else []
        if forward is None or not batches:
            return {}
        known = {forward.place(f.entering) for f in forward.found[:1]} | {forward.place(forward.targets)}
        found: dict[str, np.ndarray] = {}
        for unit, tensor in ((f.unit, f.entering) for f in forward.found[1:]):
            place = forward.place(tensor)
            if place is None or place in known or unit.kind not in ("dense", "conv") or not tensor.dtype.is_floating:
                continue
            known.add(place)
            if (rows := joined([batch[place] for batch in batches])) is not None:
                found[unit.name] = rows[: Data.ROWS]
        before = {t.name for op in ancestors(forward.found[-1].entering) for t in op.inputs} if forward.found else set()
        for place, tensor in enumerate(forward.boundary):  # joined to what is computed before it enters a unit
            numbers = tensor.dtype.is_floating and tensor.shape.rank == 2 and (tensor.shape[-1] or 0) > 1
            if not numbers or place in known or tensor.name not in before:
                continue
            if (rows := joined([batch[place] for batch in batches])) is not None:
                found[f"an input of {rows.shape[-1]} columns"] = rows[: Data.ROWS]
        return found

    def _gaps(self) -> float:
        """The share of rows with values that are not finite, of what enters in the first batches; the most there is."""
        batches = self.recorder.batches if self.recorder else []
        floats = [[a for a in batch if a.dtype.kind == "f" and a.ndim] for batch in batches]
        shares = [~np.isfinite(a.reshape(len(a), -1)).all(1) for batch in floats for a in batch if a.size]
        return max((float(np.mean(share)) for share in shares), default=0.0)

    def _structure(self) -> dict[str, float]:
        """What the graph says for certain, as numbers."""
        forward = self.forward
        found: dict[str, float] = {}
        if forward:
            found = {
                "broadcast": float(forward.broadcast),
                "draws": float(forward.draws),
                "sampled": float(forward.sampled),
                "moving": float(forward.moving),
                "turned": float(forward.turned),
                "rescued": float(forward.rescued and forward.inner not in ("softmax", "sigmoid")),
                "evaluating": float(self.evaluating),
            }
            found["gaps"] = self._gaps()
        found["idle"] = float(self.idle)
        found["disconnected"] = float(self.disconnected)
        found["penalty_start"] = self._penalty()
        noise = [p.noise for p in (self.recorder.looks if self.recorder else []) if p.noise is not None]
        drawn = self.facts.get("noise") if self.facts else noise_of(self.dataset)
        if noise or drawn:
            found["noise"] = max(float(np.median(noise or [0.0])), drawn or 0.0)
        found |= self._in_evaluation()
        return found

    def _in_evaluation(self) -> dict[str, float]:
        """Whether the model draws uniform numbers when it is told that it is not trained: dropout that is always on, if
        it is one by its name."""
        drawn: list[str] = []
        if self.model is not None and self.entering is not None:
            with contextlib.suppress(Exception):  # a model that cannot be called so says nothing
                model, told = self.model, as_in_evaluation(self.model)
                traced = tf.function(lambda x: model(x, **told)).get_concrete_function(self.entering)
                operations = [op for output in traced.outputs for op in ancestors(output)]
                drawn = [op.name for op in operations if "RandomUniform" in op.type]
        drops = any("dropout" in name.lower() for name in drawn)
        return {"draws_in_evaluation": float(bool(drawn)), "drops_in_evaluation": float(drops)}

    def _penalty(self) -> float:
        """What the regularizers of the model ask for its first weights."""
        total = 0.0
        for variable in self.model.trainable_variables if self.model is not None else ():
            first = self.initial.get(id(variable.value.handle))
            if getattr(variable, "regularizer", None) is not None and first is not None:
                total += float(variable.regularizer(tf.constant(first)))
        return total

    def _variables(self, units: Sequence[Any]) -> list[Variable]:
        owner = {name: unit.name for unit in units for name in unit.variables}
        known = self.names
        trained = {id(v) for v in self.variables}
        rest = [v for v in known if id(v) not in trained and v.dtype.is_floating]
        large = sum(int(np.prod(v.shape)) for v in self.variables) > PARAMETERS
        return [
            Variable(
                name=known[v],
                shape=tuple(v.shape.as_list()),
                trainable=id(v) in trained,
                trained_before=id(v.handle) in self.earlier,
                layer=owner.get(known[v], known[v].rpartition("/")[0]),
                initial=self.initial.get(id(v.handle)),
                final=None if large else _numpy(v),
            )
            for v in [*self.variables, *rest]
        ]

    def _optimizer(self, plan: Any, steps: Steps | None) -> Optimizer:
        optimizer = self.optimizer
        if optimizer is None:
            return Optimizer()
        schedule, later = schedule_of(optimizer, plan, self.count)
        if schedule is None and steps is not None:
            schedule = assigned(steps)
        clipped = any(getattr(optimizer, name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm"))
        return Optimizer(
            name=type(optimizer).__name__,
            rate=self.rate,
            schedule=schedule,
            later=later,
            momentum=float(getattr(optimizer, "momentum", 0.0) or 0.0),
            clipped=bool(clipped),
            decay=float(getattr(optimizer, "weight_decay", 0.0) or 0.0),
        )


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


def _numpy(variable: tf.Variable) -> np.ndarray | None:
    try:
        return variable.numpy()
    except (tf.errors.OpError, NotImplementedError):
        return None


def _width(forward: Forward | None) -> int | None:
    if forward is None or forward.prediction is None or not forward.prediction.shape.rank:
        return None
    rank = forward.prediction.shape.rank
    return 1 if rank == 1 else forward.prediction.shape[-1]


def _stages(dataset: Any) -> Any:
    from keras_course.diagnostics import pipeline

    return None if dataset is None else pipeline.stages(dataset)
