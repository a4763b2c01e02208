"""The observation that is made of a training: what its graph, its steps, its data and its models say, as plain data."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_course.diagnostics.fits import assigned, measure_of, noise_of, plan_of_loop, rows_of_loop, schedule_of
from keras_course.diagnostics.forward import Forward
from keras_course.diagnostics.graph import ancestors
from keras_course.diagnostics.layers import as_in_evaluation, layers_of
from keras_course.diagnostics.objective import cuts_of
from keras_course.diagnostics.observation import (
    DECIDED,
    SWAPPED,
    UNDECIDED,
    Data,
    Loss,
    Observation,
    Optimizer,
    Steps,
    Unit,
    Variable,
)
from keras_course.diagnostics.probes import PARAMETERS
from keras_course.diagnostics.seen import joined
from keras_course.diagnostics.units import change_of

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from keras_course.diagnostics.trainings import Training


def observe(training: "Training") -> Observation:
    """What was seen until now."""
    facts, forward, recorder = training.facts or {}, training.forward, training.recorder
    found = [f.unit for f in forward.found] if forward else []
    looks = recorder.looks if recorder else []
    plan, steps = facts.get("plan") or plan_of_loop(training.dataset), recorder.steps() if recorder else None
    measures = [*([] if facts.get("interface") == "fit" else _measures(training)), *_undecided(training)]
    if forward and forward.capped and steps is not None and np.median(steps.uphill) > 0:
        forward.climbed = True  # on purpose: the negative is what is minimised
        steps = steps.of_the_negative
    if forward and forward.offset and steps is not None:
        steps = steps.lowered(forward.offset)
    plan = dataclasses.replace(plan, metrics=(*plan.metrics, *measures))
    looked = joined([p.y for p in looks])
    train = facts.get("train") if facts else rows_of_loop(training.dataset, looked)
    validation = facts.get("validation")
    if train is not None and (change := change_of(train.y, looked)) is not None:
        training.change, train, validation = change, change.data(train), change.data(validation)
    fed, asked = training.given()
    return Observation(
        name=training.model.name if training.model is not None else "loop",
        interface=facts.get("interface", "loop"),
        file=training.site[0],
        line=training.site[1],
        finished=False,
        variables=_variables(training, found),
        units=found,
        layers=layers_of(training.model),
        head=forward.head if forward else "",
        classes=_width(forward),
        loss=Loss(
            name=(forward.name if forward else "") or facts.get("loss", ""),
            from_logits=forward.from_logits if forward else None,
            delta=forward.delta if forward else 1.0,
            weighed=forward.weighed if forward else False,
            several=bool(forward and forward.several),
            climbed=bool(forward and forward.climbed),
            offset=forward.offset if forward else 0.0,
            regularised=bool(training.model is not None and training.model.losses),
        ),
        losses=facts.get("losses", {}),
        logits=facts.get("logits", set()),
        optimizer=_optimizer(training, plan, steps),
        plan=plan,
        pipeline=facts.get("pipeline") if facts else _stages(training.dataset),
        validation_pipeline=facts.get("validation_pipeline"),
        train=train if train is not None or not found else _sequences(training, found[0]),
        validation=validation,
        fed=fed,
        asked=asked,
        entering=_entering(training),
        stream=[p.y for p in looks if p.step < 32 and p.y is not None],
        steps=steps,
        probes=list(looks),
        epochs=list(facts.get("epochs", [])),
        experiments=_structure(training),
        cuts=cuts_of(forward.prediction) if forward and forward.prediction is not None else [],
        untaken=facts.get("untaken", []),
        untracked=[tuple(v.shape) for v in training.untracked or ()],
        refused=training.refused,
        unseen=[*facts.get("unseen", []), *training.unseen],
    )


def _measures(training: "Training") -> list[str]:
    """What the script's own metrics measure, of predictions as wide as this network's, or of class numbers."""
    width = _width(training.forward)
    known = [(measure_of(m.metric), m) for m in training.measured.values()]
    wide = [name for name, m in known if width is not None and m.width == width and not m.decided]
    decided = [name for name, m in known if m.decided and not m.swapped and name.endswith("categorical_accuracy")]
    return wide + [name + DECIDED for name in decided] + [name + SWAPPED for name, m in known if m.swapped]


def _undecided(training: "Training") -> list[str]:
    """Metrics that take class numbers and are given what lies between them: those of the model's `fit`, or those
    that the script updates by itself."""
    model = training.facts["model"] if training.facts else None
    return [measure_of(m.metric) + UNDECIDED for m in training.measured.values() if m.undecided and m.model is model]


def _sequences(training: "Training", unit: Unit) -> Data | None:
    """The first batches of what a recurrent network is given, whose cells see one place at a time, where the rows
    are not stored."""
    if unit.kind != "recurrent" or not training.recorder or not training.recorder.batches or not training.forward:
        return None
    targets = getattr(training.forward.targets, "name", None)
    found = [
        [batch[place] for batch in training.recorder.batches]
        for place, tensor in enumerate(training.forward.boundary)
        if tensor.shape.rank == 3 and tensor.dtype.is_floating and tensor.name != targets
    ]
    alike = len(found) == 1 and len({batch.shape[1:] for batch in found[0]}) == 1
    return Data(x=np.concatenate(found[0])[: Data.ROWS]) if alike else None


def _entering(training: "Training") -> dict[str, np.ndarray]:
    """What enters the units behind further inputs in the first batches, as the graph is given it."""
    forward, batches = training.forward, training.recorder.batches if training.recorder else []
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


def _gaps(training: "Training") -> float:
    """The share of rows with values that are not finite, of what enters in the first batches; the most there is."""
    batches = training.recorder.batches if training.recorder else []
    floats = [[a for a in batch if a.dtype.kind == "f" and a.ndim] for batch in batches]
    shares = [~np.isfinite(a.reshape(len(a), -1)).all(1) for batch in floats for a in batch if a.size]
    return max((float(np.mean(share)) for share in shares), default=0.0)


def _structure(training: "Training") -> dict[str, float]:
    """What the graph says for certain, as numbers."""
    forward = training.forward
    found: dict[str, float] = {}
    if forward:
        found = {
            "broadcast": float(forward.broadcast),
            "draws": float(forward.draws),
            "sampled": float(forward.sampled),
            "moving": float(forward.moving),
            "turned": float(forward.turned),
            "capped": float(forward.capped),
            "swapped": float(forward.swapped),
            "rescued": float(forward.rescued and forward.inner not in ("softmax", "sigmoid")),
            "evaluating": float(training.evaluating),
        }
        found["gaps"] = _gaps(training)
    found["idle"] = float(training.idle)
    found["disconnected"] = float(training.disconnected)
    found["penalty_start"] = _penalty(training)
    noise = [p.noise for p in (training.recorder.looks if training.recorder else []) if p.noise is not None]
    drawn = training.facts.get("noise") if training.facts else noise_of(training.dataset)
    if noise or drawn:
        found["noise"] = max(float(np.median(noise or [0.0])), drawn or 0.0)
    found |= _in_evaluation(training)
    return found


def _in_evaluation(training: "Training") -> dict[str, float]:
    """Whether the model draws uniform numbers when it is told that it is not trained: dropout that is always on, if
    it is one by its name."""
    drawn: list[str] = []
    if training.model is not None and training.entering is not None:
        with contextlib.suppress(Exception):  # a model that cannot be called so says nothing
            model, told = training.model, as_in_evaluation(training.model)
            traced = tf.function(lambda x: model(x, **told)).get_concrete_function(training.entering)
            operations = [op for output in traced.outputs for op in ancestors(output)]
            drawn = [op.name for op in operations if "RandomUniform" in op.type]
    drops = any("dropout" in name.lower() for name in drawn)
    return {"draws_in_evaluation": float(bool(drawn)), "drops_in_evaluation": float(drops)}


def _penalty(training: "Training") -> float:
    """What the regularizers of the model ask for its first weights."""
    total = 0.0
    for variable in training.model.trainable_variables if training.model is not None else ():
        first = training.initial.get(id(variable.value.handle))
        if getattr(variable, "regularizer", None) is not None and first is not None:
            total += float(variable.regularizer(tf.constant(first)))
    return total


def _variables(training: "Training", units: Sequence[Any]) -> list[Variable]:
    owner = {name: unit.name for unit in units for name in unit.variables}
    known = training.names
    trained = {id(v) for v in training.variables}
    lost = _of_others(training, units)
    rest = [v for v in known if id(v) not in trained | lost and v.dtype.is_floating]
    large = sum(int(np.prod(v.shape)) for v in training.variables) > PARAMETERS
    return [
        Variable(
            name=known[v],
            shape=tuple(v.shape.as_list()),
            trainable=id(v) in trained,
            trained_before=id(v.handle) in training.earlier,
            layer=owner.get(known[v], known[v].rpartition("/")[0]),
            initial=training.initial.get(id(v.handle)),
            final=None if large else _numpy(v),
        )
        for v in [*training.variables, *rest]
    ]


def _of_others(training: "Training", units: Sequence[Unit]) -> set[int]:
    """The ids of the weights of other models that say nothing of this training: those that change, as of a copy that
    follows, and all of them where another model stands last, and judges."""
    own = {id(v) for v in training.variables}
    own |= {id(v.value) for v in training.model.variables} if training.model is not None else set()
    others = [v.value for model in training.beside for v in model.weights if id(v.value) not in own]
    names = {training.names[v] for v in others if v in training.names}
    judges = bool(units) and bool(names & set(units[-1].variables))
    return {id(v) for v in others if judges or _moved(training, v)}


def _moved(training: "Training", variable: tf.Variable) -> bool:
    """Whether a variable has another value than before the first step, or one is not known."""
    before, now = training.initial.get(id(variable.handle)), _numpy(variable)
    return before is None or now is None or not np.array_equal(before, now)


def _optimizer(training: "Training", plan: Any, steps: Steps | None) -> Optimizer:
    optimizer = training.optimizer
    if optimizer is None:
        return Optimizer()
    schedule, later = schedule_of(optimizer, plan, training.count)
    if schedule is None and steps is not None:
        schedule = assigned(steps)
    clipped = any(getattr(optimizer, name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm"))
    return Optimizer(
        name=type(optimizer).__name__,
        rate=training.rate,
        schedule=schedule,
        later=later,
        momentum=float(getattr(optimizer, "momentum", 0.0) or 0.0),
        clipped=bool(clipped),
        decay=float(getattr(optimizer, "weight_decay", 0.0) or 0.0),
    )


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
