"""What is to be seen of a search while it goes on: how far it is, the best so far, the budget, and the time left.

On a terminal one live line, with a line above it for each trial that is better than all before or has failed; elsewhere
a plain line for each trial; both on standard error.
"""

import math
import sys
import time
from collections.abc import Iterable
from types import TracebackType

from keras_course.tuning.result import Trial

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


class Progress:
    """Follows a search from trial to trial; to be used in a `with`.

    Args:
        trials: the most that there will be; None when nobody knows.
        objective, direction: what is searched for, and whether "max" or "min" of it is best.
        epochs: the most that all trainings together may take, the budget.
        done: trials of an earlier process, which count as done and not for the time left.
        shown: False shows nothing.
    """

    def __init__(
        self,
        *,
        trials: int | None,
        objective: str,
        direction: str,
        epochs: int | None = None,
        done: Iterable[Trial] = (),
        shown: bool = True,
    ) -> None:
        self.trials, self.objective, self.direction, self.budget = trials, objective, direction, epochs
        self.best: Trial | None = None
        self.shown, self.spent = shown, 0
        self.seen: dict[int, Trial] = {}
        self.bars: Bars | None = None
        for trial in done:
            self._count(trial)
        self.before, self.start = len(self.seen), time.monotonic()

    def __enter__(self) -> "Progress":
        if self.shown and sys.stderr.isatty():
            columns = "trial {task.completed} of {task.fields[of]}", BarColumn(), "{task.fields[words]}"
            texts = [TextColumn(each) if isinstance(each, str) else each for each in columns]
            self.bars = Bars(*texts, console=Console(stderr=True))
            self.bars.start()
            self.task = self.bars.add_task("", total=self.trials, completed=len(self.seen), of=self._of(), words="")
            self._update()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bars:
            self.bars.stop()

    def ended(self, trial: Trial) -> None:
        """A trial has ended; one that is told of twice counts once."""
        earlier = self.best
        self._count(trial)
        if not self.shown:
            return
        line = f"trial {trial.number}: {outcome(trial)}"
        if self.bars is None:
            print("  ".join([f"{len(self.seen)}/{self._of()}", line, *self._words()]), file=sys.stderr, flush=True)
            return
        if trial.status != "completed" or self.best is not earlier:
            self.bars.console.print(line, highlight=False, markup=False)
        self._update()

    def _count(self, trial: Trial) -> None:
        if trial.number not in self.seen:
            self.spent += trial.epochs
        self.seen[trial.number] = trial
        if trial.status == "completed" and (self.best is None or self._better(trial.mean, self.best.mean)):
            self.best = trial

    def _better(self, one: float, other: float) -> bool:
        return one > other if self.direction == "max" else one < other

    def _of(self) -> str:
        return "?" if self.trials is None else str(self.trials)

    def _words(self) -> list[str]:
        """Best, budget and time left, as far as they are known."""
        found = []
        if self.best:
            found.append(f"best {self.objective} {self.best.mean:.4g} (trial {self.best.number})")
        if self.budget:
            found.append(f"{self.spent} of {self.budget} epochs")
        left = self.left()
        return [*found, f"{duration(left)} left"] if left else found

    def left(self) -> float | None:
        """Seconds that the rest will take if it goes on like this; None before the first trial and without an end."""
        ended = len(self.seen) - self.before
        if not ended or self.trials is None:
            return None
        return max(0, self.trials - len(self.seen)) * (time.monotonic() - self.start) / ended

    def _update(self) -> None:
        assert self.bars
        self.bars.update(self.task, completed=len(self.seen), words="  ".join(self._words()))


def outcome(trial: Trial) -> str:
    """What came of a trial, in a few words."""
    if trial.status != "completed":
        return f"{trial.status}, {trial.reason}" if trial.reason else trial.status
    spread = "" if trial.deviation is None or math.isnan(trial.deviation) else f" ± {trial.deviation:.2g}"
    return f"{trial.mean:.4g}{spread} in {duration(trial.seconds)}"
