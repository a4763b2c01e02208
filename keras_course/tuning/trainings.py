"""The trainings of one trial: from seeds of its own, through our loop or Keras's `fit`, to scores or to a reason.

The seed of a training is a function of the search's seed, the number of the trial and the execution. So a trial that
is repeated, on whichever worker and after whatever else, gives the same scores.
"""

import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_course import training
from keras_course.base import InputError, pick
from keras_course.runs import write_atomically
from keras_course.training.checkpoints import Checkpoint, opened, sealed
from keras_course.tuning.plan import Folder, Plan
from keras_course.tuning.result import Curves, Trial
from keras_course.tuning.space import Space, Value
from keras_course.tuning.subjects import Prepared, Subject

import keras
import numpy as np
import tensorflow as tf

MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What Keras Tuner asks for: a configuration, and with Hyperband for which epochs and from whose weights."""

    number: int
    values: dict[str, Value]
    first_epoch: int = 0
    last_epoch: int = 0
    before: str | None = None  # Keras Tuner's name of the trial that it goes on from


def seed_of(seed: int, number: int, execution: int) -> int:
    """The seed of one training, from 0 to 2³¹ - 1."""
    digest = hashlib.sha256(f"{seed}/{number}/{execution}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 2**31


def weights_path(folder: Folder, number: int, execution: int) -> Path:
    return folder.trial(number) / f"execution_{execution}.weights"


@dataclasses.dataclass
class Trainer:
    """Runs the trials of a search on what it has prepared."""

    subject: Subject
    plan: Plan
    folder: Folder
    asked: Callable[[str], Asked]  # of the trial that Keras Tuner calls so

    def run(self, asked: Asked) -> dict[str, Any]:
        """The record of a trial: from the folder, when it was run before, or from its trainings."""
        kept = self._kept(asked)
        if kept is not None:
            return kept
        start, curves, scores, reason = time.perf_counter(), list[Curves](), list[float](), None
        try:
            for execution in range(self.plan.executions):
                curve, score = self.execution(asked, execution)
                curves.append(curve)
                scores.append(score)
        except Exception as error:  # whatever a configuration does, it costs that trial alone
            reason = self._reason(error, asked, len(scores))
        trial = Trial(
            number=asked.number,
            id=str(asked.number),
            values=asked.values,
            status="failed" if reason else "completed",
            scores=() if reason else tuple(scores),
            reason=reason,
            curves=tuple(curves),
            seconds=time.perf_counter() - start,
            epochs=sum(len(next(iter(curve.values()), ())) for curve in curves),
        )
        return {"trial": dataclasses.asdict(trial), "asked": dataclasses.asdict(asked), "seed": self.plan.seed}

    def _kept(self, asked: Asked) -> dict[str, Any] | None:
        """The record of the same trial, when the search was broken off between writing it and telling the oracle."""
        try:
            record = self.folder.record(asked.number)
        except ValueError:
            return None
        same = record is not None and record["asked"] == dataclasses.asdict(asked) and record["seed"] == self.plan.seed
        return record if same else None

    def prepared(self, asked: Asked, execution: int) -> Prepared:
        """A fresh model and all it needs; the same for the same trial and execution."""
        keras.backend.clear_session()  # which frees the graphs of the training before
        seed = seed_of(self.plan.seed, asked.number, execution)
        keras.utils.set_random_seed(seed)
        tf.config.experimental.enable_op_determinism()
        ready = self.subject.prepare(asked.values, seed=seed, epochs=asked.last_epoch - asked.first_epoch)
        if asked.before is not None:
            ready.model.set_weights(self.weights(self.asked(asked.before), execution))
            keras.utils.set_random_seed(seed)
        return ready

    def execution(self, asked: Asked, execution: int) -> tuple[Curves, float]:
        """One training: its curves and its score; keeps the weights that the score is of."""
        ready = self.prepared(asked, execution)
        begun = self.folder.trial(asked.number) / f".execution_{execution}.npz"
        epochs = asked.last_epoch - asked.first_epoch
        curves, score = LOOPS[self.plan.loop](ready, self.plan, epochs, begun, dataclasses.asdict(asked))
        require_finite(curves, score)
        arrays = {str(i): array for i, array in enumerate(ready.model.get_weights())}
        path = weights_path(self.folder, asked.number, execution)
        write_atomically(path, sealed(arrays, {"score": score}))
        begun.unlink(missing_ok=True)
        return curves, score

    def weights(self, asked: Asked, execution: int) -> list[np.ndarray]:
        """The weights that an execution ended with; where they are lost, it is run again."""
        path = weights_path(self.folder, asked.number, execution)
        try:
            arrays, _ = opened(path.read_bytes(), path)
        except (OSError, InputError):
            self.execution(asked, execution)
            arrays, _ = opened(path.read_bytes(), path)
        return [arrays[str(i)] for i in range(len(arrays))]

    def rebuilt(self, asked: Asked, execution: int) -> Prepared:
        """The trained model of an execution, with the pipelines that it was trained and compared on."""
        weights = self.weights(asked, execution)
        ready = self.prepared(dataclasses.replace(asked, before=None), execution)
        ready.model.set_weights(weights)
        return ready

    def _reason(self, error: Exception, asked: Asked, execution: int) -> str:
        """Why a trial failed, in a sentence, with the cause that the diagnostics find where the loss was not finite."""
        said = " ".join(str(error).split()).rstrip(".") or "no message"
        if isinstance(error, MEMORY):
            return f"It ran out of memory: {said[:200]}."
        if not isinstance(error, training.Diverged | NotFinite):
            return f"{type(error).__name__}: {said[:300]}."
        return f"{said.split(': try')[0]}.{self._cause(asked, execution)}"

    def _cause(self, asked: Asked, execution: int) -> str:
        """What the diagnostics say, by repeating the training under their eyes; nothing when they name no cause."""
        from keras_course import diagnostics

        try:
            with diagnostics.watch() as seen:
                try:
                    ready = self.prepared(asked, execution)
                    LOOPS[self.plan.loop](ready, self.plan, asked.last_epoch - asked.first_epoch, None, {})
                except Exception:  # it fails as before: that is what is looked at
                    pass
        except Exception:  # no verdict is no reason to end a search
            return ""
        return cause_of(seen.reports)


def cause_of(reports: Any) -> str:
    """The most certain cause that a verdict names, as words behind a sentence."""
    from keras_course.diagnostics.causes import CAUSES

    named = [finding for report in reports for finding in report.findings if finding.kind == "named"]
    if not named:
        return ""
    finding = max(named, key=lambda each: each.confidence)
    cause = CAUSES.get(finding.cause)
    return f" Diagnosis: {finding.cause}, {cause.what if cause else finding.evidence}."


class NotFinite(ArithmeticError):  # noqa: N818, as `Diverged`
    """A loss or a score that is NaN or infinite: our loop stops at the step, `fit` goes on to its end."""


def require_finite(curves: Mapping[str, tuple[float, ...]], score: float) -> None:
    """Refuses curves and a score that are no numbers."""
    for epoch, loss in enumerate(curves.get("loss", ())):
        if not math.isfinite(loss):
            raise NotFinite(f"The loss became {loss} in epoch {epoch} (from 0)")
    if not math.isfinite(score):
        raise NotFinite(f"The objective was {score}")


def _ours(ready: Prepared, plan: Plan, epochs: int, begun: Path | None, terms: dict[str, Any]) -> tuple[Curves, float]:
    """Our loop; a training that was broken off goes on from its checkpoint, where the pipeline allows it."""
    stopping = training.EarlyStopping(plan.objective, plan.patience or epochs, plan.direction)  # type: ignore[arg-type]
    streamed = isinstance(ready.train, tf.data.Dataset)
    checkpoint = None if streamed or begun is None else Checkpoint(begun, settings=terms)
    if checkpoint and not _usable(checkpoint):
        begun.unlink()  # type: ignore[union-attr]
    history = training.fit(
        ready.model,
        ready.task,
        ready.train,
        epochs=epochs,
        optimizer=ready.optimizer,
        validation=ready.validation,
        early_stopping=stopping,
        checkpoint=checkpoint,
        progress=False,
    )
    return {name: tuple(curve) for name, curve in history.items()}, history[plan.objective][history.best_epoch or 0]


def _usable(checkpoint: Checkpoint) -> bool:
    try:
        checkpoint.load()
    except InputError:
        return False
    return True


def _fit(ready: Prepared, plan: Plan, epochs: int, begun: Path | None, terms: dict[str, Any]) -> tuple[Curves, float]:
    """Keras's own `fit`."""
    stopping = keras.callbacks.EarlyStopping(
        plan.objective, mode=plan.direction, patience=plan.patience or epochs, restore_best_weights=True
    )
    train, steps = ready.train, None
    if not isinstance(train, tf.data.Dataset):
        train, steps = train.dataset(epochs=epochs), len(train)
    history = (
        _compiled(ready)
        .fit(
            train,
            steps_per_epoch=steps,
            epochs=epochs,
            validation_data=_dataset(ready.validation),
            callbacks=[stopping],
            shuffle=False,  # the pipeline does
            verbose=0,
        )
        .history
    )
    curve = pick(history, plan.objective, "curve")
    best = (max if plan.direction == "max" else min)((c for c in curve if not math.isnan(c)), default=math.nan)
    return {name: tuple(map(float, values)) for name, values in history.items()}, float(best)


def _compiled(ready: Prepared) -> keras.Model:
    """The model; one that its builder did not compile gets the cross-entropy of logits and the accuracy."""
    if not ready.model.compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        ready.model.compile(ready.optimizer, loss, metrics=["accuracy"])
    return ready.model


def _dataset(pipeline: Any) -> tf.data.Dataset:
    return pipeline if isinstance(pipeline, tf.data.Dataset) else pipeline.dataset()


LOOPS = {"ours": _ours, "fit": _fit}


def measured(ready: Prepared, plan: Plan) -> float:
    """The objective of a trained model on the validation data, as its training measured it."""
    metric = plan.objective.removeprefix("val_")
    if plan.loop == "ours":
        return training.evaluate(ready.model, ready.task, ready.validation)[metric]
    return float(_compiled(ready).evaluate(_dataset(ready.validation), return_dict=True, verbose=0)[metric])


def asked_of(trial: Any, space: Space, epochs: int) -> Asked:
    """What a trial of Keras Tuner asks for: Hyperband says from which epoch to which, else it is all epochs."""
    values = trial.hyperparameters.values
    return Asked(
        number=int(trial.trial_id),
        values=space.active(values),
        first_epoch=int(values.get("tuner/initial_epoch", 0)),
        last_epoch=int(values.get("tuner/epochs", epochs)),
        before=values.get("tuner/trial_id"),
    )
