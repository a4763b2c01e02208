"""What all trials of a search have in common, and the folder that keeps it: plan, records, weights, what was damaged.

search.json        the plan, written first: what `--resume` compares with
oracle.json, tuner0.json, trial_<id>/trial.json      Keras Tuner's
trial_<id>/record.json                      ours: scores, curves, reason, sealed with its SHA-256
trial_<id>/execution_<k>.weights            the weights with the best value of the objective
set_aside/                                  damaged files, and what was said of them
result.json  report.md                      written last
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_course.base import ROOT, InputError
from keras_course.runs import require_writable, write_atomically
from keras_course.settings import differences
from keras_course.tuning.result import FILE, Trial, trial_of

RUNS = Path(os.environ.get("KERAS_COURSE_TUNER_RUNS", ROOT / "tuner_runs"))
PLAN, RECORD = "search.json", "record.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The terms of a search; those of a search that is resumed must be the same, but for the number of trials.

    epochs: of one execution, at most. patience: epochs without improvement after which it ends; None: it does not.
    data: what the examples are, as words and a digest. what: the builder, hyper-model or assignment.
    """

    name: str
    what: str
    method: str
    objective: str
    direction: str
    seed: int
    epochs: int
    executions: int
    loop: str
    patience: int | None
    batch_size: int
    data: str
    space: dict[str, Any]
    trials: int
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)  # of an assignment, but for what is searched

    def plain(self) -> dict[str, Any]:
        """As JSON gives it back."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def difference(self, old: dict[str, Any]) -> str:
        """How an older plan differs, in words; nothing when a search under it may be continued."""
        mine, theirs = self.plain(), dict(old)
        theirs.pop("trials", None), mine.pop("trials")
        words = []
        for part in ("space", "settings"):
            before, now = theirs.pop(part, None) or {}, mine.pop(part)
            if before != now:
                words.append(f"{part}: {differences(before, now)}")
            elif list(before) != list(now):
                words.append(f"the order of the {part}: {', '.join(before)} against {', '.join(now)}")
        return "; ".join([*([differences(theirs, mine)] if theirs != mine else []), *words])


@dataclasses.dataclass
class Folder:
    """The folder of one search."""

    path: Path

    def trial(self, number: int) -> Path:
        """The folder of a trial, whatever the width of its number is in Keras Tuner's names."""
        known = [p for p in self.path.glob("trial_*") if p.name.removeprefix("trial_").isdigit()]
        found = [p for p in known if int(p.name.removeprefix("trial_")) == number]
        return found[0] if found else self.path / f"trial_{number}"

    def keep(self, number: int, record: dict[str, Any]) -> None:
        """Writes the record of a trial, sealed."""
        text = json.dumps(record)
        seal = hashlib.sha256(text.encode()).hexdigest()
        write_atomically(self.trial(number) / RECORD, json.dumps({"sha256": seal, "record": text}) + "\n")

    def record(self, number: int) -> dict[str, Any] | None:
        """The record of a trial, or None without one. ValueError when a byte of it is not as written."""
        path = self.trial(number) / RECORD
        if not path.exists():
            return None
        try:
            sealed = json.loads(path.read_bytes())
            intact = sealed["sha256"] == hashlib.sha256(sealed["record"].encode()).hexdigest()
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            raise ValueError(f"{path} is damaged")
        return json.loads(sealed["record"])

    def set_aside(self, path: Path, consequence: str) -> str:
        """Moves a damaged file out of the way and says so, now and in the report."""
        aside = self.path / "set_aside"
        aside.mkdir(exist_ok=True)
        inside = path.relative_to(self.path)
        name = f"{len(self.notes())}-{'-'.join(inside.parts)}"
        os.replace(path, aside / name)
        note = f"`{inside}` was damaged: it is set aside as `set_aside/{name}`, and {consequence}."
        write_atomically(aside / "notes.json", json.dumps([*self.notes(), note], indent=1) + "\n")
        return note

    def notes(self) -> list[str]:
        """All that was said of damaged files."""
        try:
            return json.loads((self.path / "set_aside" / "notes.json").read_text())
        except (OSError, ValueError):
            return []

    def plan(self) -> dict[str, Any] | None:
        """The plan as it was written, or None when there is none or it is damaged."""
        with contextlib.suppress(OSError, ValueError):
            plan = json.loads((self.path / PLAN).read_text())
            return plan if isinstance(plan, dict) else None
        return None

    @property
    def finished(self) -> bool:
        return (self.path / FILE).exists()

    def trials(self) -> tuple[Trial, ...]:
        """All trials that have a record that can be read."""
        found = {}
        for path in self.path.glob("trial_*"):
            if path.name.removeprefix("trial_").isdigit():
                number = int(path.name.removeprefix("trial_"))
                with contextlib.suppress(ValueError):
                    if record := self.record(number):
                        found[number] = trial_of(record["trial"])
        return tuple(found[number] for number in sorted(found))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second process out; the lock ends with its process, however that ends."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(f"The search in {self.path} is running: wait for its end, or stop it.") from None
            yield


def searches(name: str, runs: Path) -> list[Folder]:
    """The searches of a name, oldest first."""
    return [Folder(path.parent) for path in sorted((runs / name).glob(f"*/{PLAN}"))]


def names(runs: Path) -> list[str]:
    """The names under which there are searches."""
    return sorted({str(path.parents[1].relative_to(runs)) for path in runs.glob(f"**/{PLAN}")})


def opened(plan: Plan, *, runs: Path, resume: bool, overwrite: bool) -> Folder:
    """The folder in which a search begins or goes on.

    Raises:
        InputError: a search of this name was broken off and neither flag is given; or it has other terms.
    """
    if resume and overwrite:
        raise InputError(
            "`resume` and `overwrite` exclude each other: one goes on with a search, the other removes it."
        )
    require_writable(runs)
    before = searches(plan.name, runs)
    last = before[-1] if before else None
    if last and overwrite:
        with last.locked():
            shutil.rmtree(last.path)
    elif last and resume:
        _require_same(plan, last)
        return last
    elif last and not last.finished:
        raise InputError(
            f"The search {plan.name} in {last.path} was broken off after {len(last.trials())} trials: `--resume` goes "
            "on with it, `--overwrite` removes it."
        )
    return _new(plan.name, runs)


def _require_same(plan: Plan, last: Folder) -> None:
    old = last.plan()
    if old is None:
        last.set_aside(last.path / PLAN, "it is written again from what this search was called with")
    elif words := plan.difference(old):
        beside = "without either a new one begins beside it" if last.finished else "it was broken off"
        raise InputError(
            f"`--resume` needs the terms of the search in {last.path}, which differ: {words}. `--overwrite` removes "
            f"that search; {beside}."
        )


def _new(name: str, runs: Path) -> Folder:
    first = folder = runs / name / time.strftime("%Y%m%d-%H%M%S")
    number = 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return Folder(folder)
