"""What a search found: its trials, their ranking, and what of it is noise; one JSON file beside Keras Tuner's own."""

import dataclasses
import json
import math
import statistics
from pathlib import Path
from typing import Any, Literal

from keras_course.base import InputError
from keras_course.runs import write_atomically
from keras_course.tuning.space import Space, Value

FILE = "result.json"
Curves = dict[str, tuple[float, ...]]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One configuration and what came of it.

    number: from 0 in the order in which the trials began. id: Keras Tuner's name of it.
    values: the hyper-parameters that this configuration has; a tuple is the text "16 32".
    scores: the objective, one for each execution; empty unless the trial was completed.
    reason: of a failure, in one sentence. curves: for each execution, metric -> its value after each epoch.
    seconds, epochs: spent on all executions together.
    """

    number: int
    id: str
    values: dict[str, Value]
    status: Literal["completed", "failed"]
    scores: tuple[float, ...] = ()
    reason: str | None = None
    curves: tuple[Curves, ...] = ()
    seconds: float = 0.0
    epochs: int = 0

    @property
    def mean(self) -> float:
        """Of the scores; NaN without any."""
        return statistics.fmean(self.scores) if self.scores else math.nan

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation of the scores (over n-1); None with fewer than two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A trial at its place. tied: whether its distance to the place before is noise; None when nobody can know."""

    place: int
    trial: Trial
    tied: bool | None


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """All trials of a search, in the order of their numbers.

    set_aside: a sentence for each damaged file that was found and replaced.
    """

    folder: Path
    name: str
    method: str
    objective: str
    direction: Literal["max", "min"]
    seed: int
    space: Space
    trials: tuple[Trial, ...]
    set_aside: tuple[str, ...] = ()

    @property
    def completed(self) -> tuple[Trial, ...]:
        """The trials that have a score."""
        return tuple(trial for trial in self.trials if trial.status == "completed")

    @property
    def best(self) -> Trial:
        """The completed trial with the best mean, of equals the earliest."""
        if not self.completed:
            raise InputError(f"The search {self.name} has no completed trial: {self._why_none()}")
        return self._sorted()[0]

    def _why_none(self) -> str:
        reasons = [trial.reason for trial in self.trials if trial.reason]
        return f"of {len(self.trials)}, the last says: {reasons[-1]}" if reasons else f"{len(self.trials)} were begun."

    def _sorted(self) -> list[Trial]:
        sign = -1 if self.direction == "max" else 1
        return sorted(self.completed, key=lambda trial: (sign * trial.mean, trial.number))

    @property
    def noise(self) -> float | None:
        """Standard deviation of one execution's score, pooled over the trials; None where no trial has two."""
        groups = [trial.scores for trial in self.completed if len(trial.scores) > 1]
        freedom = sum(len(scores) - 1 for scores in groups)
        return math.sqrt(sum(statistics.variance(s) * (len(s) - 1) for s in groups) / freedom) if freedom else None

    def tied(self, one: Trial, other: Trial) -> bool | None:
        """Whether two means differ by no more than two standard errors of their difference; None when unknown."""
        if self.noise is None:
            return None
        error = self.noise * math.sqrt(1 / len(one.scores) + 1 / len(other.scores))
        return abs(one.mean - other.mean) <= 2 * error

    def ranking(self) -> tuple[Ranked, ...]:
        """The completed trials, best first, each with whether its distance to the one before is noise."""
        order = self._sorted()
        ties = [False if self.noise is not None else None, *map(self.tied, order, order[1:])]
        return tuple(Ranked(place, trial, tie) for place, (trial, tie) in enumerate(zip(order, ties, strict=False), 1))

    def write(self) -> Path:
        """Keeps the result in its folder; what it holds is what `read` gives."""
        write_atomically(self.folder / FILE, json.dumps(self.plain(), indent=1) + "\n")
        return self.folder / FILE

    def plain(self) -> dict[str, Any]:
        """The result as JSON has it, its folder aside."""
        kept = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("folder", "trials")}
        return kept | {"space": self.space.plain(), "trials": [dataclasses.asdict(trial) for trial in self.trials]}

    @classmethod
    def read(cls, folder: Path) -> "SearchResult":
        """The result that a search has written into `folder`; an InputError when there is none or it is damaged."""
        path = folder / FILE
        if not path.exists():
            raise InputError(f"`{path}` is not there: the search was broken off; `--resume` ends it.")
        try:
            content = json.loads(path.read_text())
            trials = tuple(trial_of(each) for each in content.pop("trials"))
            space, aside = Space(content.pop("space")), tuple(content.pop("set_aside"))
            return cls(folder=folder, space=space, trials=trials, set_aside=aside, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"`{path}` is damaged: `--resume` writes it again.") from error


def trial_of(content: dict[str, Any]) -> Trial:
    """A trial from what `dataclasses.asdict` and JSON made of it."""
    curves = tuple({k: tuple(v) for k, v in each.items()} for each in content["curves"])
    return Trial(**content | {"scores": tuple(content["scores"]), "curves": curves})
