"""What is to be seen while a run goes on: a bar on a terminal, one line an epoch elsewhere, or nothing."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_live = False  # a second live display would write over the first


class Display(Protocol):
    def step(self, epoch: int, step: int, values: Mapping[str, float]) -> None: ...
    def epoch(self, epoch: int, values: Mapping[str, float]) -> None: ...
    def compiled(self, seconds: float) -> None: ...


class Silent:
    def step(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        pass

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        pass

    def compiled(self, seconds: float) -> None:
        pass


def words(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())


def first_calls(stage: str, seconds: float) -> str:
    """What tracing and compiling took: a cost of the first epoch that is none of its steps'."""
    return f"{stage}  traced and compiled in {seconds:.1f} s"


class Lines(Silent):
    """One plain line an epoch on standard error."""

    def __init__(self, stage: str, *, epochs: int):
        self.stage, self.epochs = stage, epochs

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        print(f"{self.stage}  epoch {epoch + 1}/{self.epochs}  {words(values)}", file=sys.stderr, flush=True)

    def compiled(self, seconds: float) -> None:
        print(first_calls(self.stage, seconds), file=sys.stderr, flush=True)


class Bar:
    """Stage, epoch, bar, the values of the last steps or of the last epoch, and the time left."""

    def __init__(self, progress: Progress, stage: str, *, epochs: int, steps: int):
        self.progress, self.stage, self.epochs, self.steps = progress, stage, epochs, steps
        self.task = progress.add_task(stage, total=epochs * steps or None, epoch=f"0/{epochs}", values="")

    def step(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        self._show(epoch, epoch * self.steps + step, values)

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        self._show(epoch, (epoch + 1) * self.steps, values)

    def compiled(self, seconds: float) -> None:
        self.progress.console.print(first_calls(self.stage, seconds), highlight=False)

    def _show(self, epoch: int, completed: int, values: Mapping[str, float]) -> None:
        self.progress.update(self.task, completed=completed, epoch=f"{epoch + 1}/{self.epochs}", values=words(values))


COLUMNS = ("{task.description}", "epoch {task.fields[epoch]}", BarColumn(), "{task.fields[values]}")


@contextmanager
def display(stage: str, *, epochs: int, steps: int, progress: bool = True) -> Iterator[Display]:
    """The display that fits where standard error goes. `steps` of an epoch, 0 when nobody knows."""
    global _live
    if not progress or _live:
        yield Silent()
    elif not sys.stderr.isatty():
        yield Lines(stage, epochs=epochs)
    else:
        columns = [TextColumn(column) if isinstance(column, str) else column for column in COLUMNS]
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
            _live = True
            try:
                yield Bar(bars, stage, epochs=epochs, steps=steps)
            finally:
                _live = False
