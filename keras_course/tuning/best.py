"""The winner of a search, built again from its values and weights and scored again on the validation data."""

import dataclasses
from pathlib import Path
from statistics import fmean
from typing import Any

from keras_course import exercise
from keras_course.base import InputError
from keras_course.tuning import plan as plans
from keras_course.tuning.listing import newest
from keras_course.tuning.plan import Folder, Plan
from keras_course.tuning.result import SearchResult, Trial
from keras_course.tuning.subjects import Assigned, Subject
from keras_course.tuning.trainings import Asked, Trainer, measured


@dataclasses.dataclass(frozen=True)
class Rebuilt:
    """A winner: its trial, the scores that it has now, and the model of its best execution."""

    trial: Trial
    scores: tuple[float, ...]
    model: Any

    @property
    def same(self) -> bool:
        """Whether it scores as it did in the search, to the bit."""
        return self.scores == self.trial.scores


def rebuild(subject: Subject, folder: Folder) -> Rebuilt:
    """The winner of the search in `folder` over `subject`, from its weights; where they are lost, trained again.

    Raises:
        InputError: no trial was completed, or the subject's space or data are not those of the search.
    """
    result, content = SearchResult.read(folder.path), folder.plan()
    if content is None:
        raise InputError(f"`{folder.path / plans.PLAN}` is damaged: `--resume` writes it again.")
    plan = Plan(**content)
    if subject.space.plain() != plan.space or str(subject.source) != plan.data:
        raise InputError(f"The space or the data are not those of the search in {folder.path}: it cannot be rebuilt.")
    trainer = Trainer(subject, plan, folder, lambda trial_id: asked_in(folder, int(trial_id)))
    asked, scores, models = asked_in(folder, result.best.number), [], []
    for execution in range(len(result.best.scores)):
        ready = trainer.rebuilt(asked, execution)
        scores.append(measured(ready, plan))
        models.append(ready.model)
    sign = -1 if plan.direction == "min" else 1
    best = max(range(len(scores)), key=lambda i: sign * scores[i])
    return Rebuilt(result.best, tuple(scores), models[best])


def asked_in(folder: Folder, number: int) -> Asked:
    """What a trial was asked for, by its record."""
    record = folder.record(number)
    if record is None:
        raise InputError(f"The record of trial {number} in {folder.path} is missing: `--resume` repeats the trial.")
    return Asked(**record["asked"])


def best_of(name: str, runs: Path | str = plans.RUNS) -> tuple[Rebuilt, SearchResult]:
    """The winner of the newest finished search of an assignment."""
    folder = newest(name, runs)
    plan = folder.plan() or {}
    if plan.get("what") not in exercise.names():
        raise InputError(f"The search {name} is of no assignment: `rebuild` takes what it was called with.")
    item = exercise.load(plan["what"])
    kept = {key: tuple(value) if isinstance(value, list) else value for key, value in plan["settings"].items()}
    return rebuild(Assigned(item.name, dataclasses.replace(item.small, **kept)), folder), SearchResult.read(folder.path)


def words(rebuilt: Rebuilt, result: SearchResult) -> str:
    """The winner in a few lines."""
    values = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in rebuilt.trial.values.items())
    verdict = "the same as in the search" if rebuilt.same else f"in the search it was {rebuilt.trial.mean:.6g}"
    return f"trial {rebuilt.trial.number}: {values}\n{result.objective} {fmean(rebuilt.scores):.6g}, {verdict}"
