"""Watching a training from inside a script: a context for anything, a callback for `fit`."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_course.base import summary_of
from keras_course.diagnostics import answers, doctor, experiments, printed, twins
from keras_course.diagnostics.doctor import Report
from keras_course.diagnostics.fits import facts_of
from keras_course.diagnostics.hooks import watching
from keras_course.diagnostics.monitor import Monitor, users_frame
from keras_course.diagnostics.observation import Observation
from keras_course.diagnostics.seen import SHORT, badly_mixed
from keras_course.diagnostics.trainings import Training

import keras

SUSPICIOUS = 0.25  # of harm, from which on experiments are worth their seconds
TRIED = 10  # trainings of one line, as of a search or of folds and seeds, on which experiments are made
EVERY = 5.0  # seconds between two looks at a training that still goes on


class Watch:
    """What is being watched, and afterwards `reports`: a verdict for each training, in their order.

    folder: where TensorBoard finds it, one run for each training below it; None: nowhere.
    """

    def __init__(self, monitor: Monitor, *, folder: Path | str | None = None, name: str = "train") -> None:
        self.monitor, self.name = monitor, name
        self.folder = None if folder is None else Path(folder).resolve()
        self.reports: list[Report] = []
        self._writers: dict[int, Any] = {}

    @property
    def healthy(self) -> bool:
        return all(report.healthy for report in self.reports)

    @property
    def trainings(self) -> list[Training]:
        """Those of which something is to be said."""
        return [t for t in self.monitor.trainings if t.recorder is not None or t.idle or t.refused]

    def judge(self) -> list[Report]:
        """The verdict on every training, with experiments where there is harm. The last thing that is done."""
        met = [any(one.meets(other) for other in self.trainings) for one in self.trainings]
        tried = worth_trying(self.trainings)
        self.reports = [
            examined(training, alone=not game, tried=place in tried)
            for place, (training, game) in enumerate(zip(self.trainings, met, strict=True))
        ]
        for training, report in zip(self.trainings, self.reports, strict=True):
            self._write(training, report, finished=True)
        return self.reports

    def verify(self) -> None:
        """Tries the repair of each named cause on copies of the first steps, of those trainings that are tried out."""
        from keras_course.diagnostics import intervene

        for place in worth_trying(self.trainings):
            self.reports[place] = intervene.verified(self.trainings[place], self.reports[place])

    def look(self) -> None:
        """Writes what has been seen until now for TensorBoard, without a verdict."""
        for training in list(self.monitor.trainings):
            if training.count and training.closed is None:
                seen = training.observe()
                self._write(training, Report(observation=seen, harm=doctor.harm_of(seen), findings=[]), finished=False)

    def _write(self, training: Training, report: Report, *, finished: bool) -> None:
        if self.folder is None:
            return
        from keras_course.diagnostics.tensorboard import Writer

        if id(training) not in self._writers:
            number = len(self._writers)
            self._writers[id(training)] = Writer(
                self.folder / (self.name if not number else f"{self.name}_{number + 1}")
            )
        self._writers[id(training)].update(report.observation, report.findings, finished=finished)

    def __str__(self) -> str:
        return printed.as_text(self.reports)


# What is asked of the last weights of each training, and of twins of its model.
ANSWERS = (
    answers.by_heart,
    answers.surest,
    answers.at_their_shares,
    answers.of_other_words,
    answers.by_column,
    answers.in_evaluation,
)
TWINS = (twins.wider, twins.bent, twins.taught_elsewhere)


def worth_trying(trainings: Sequence[Training]) -> set[int]:
    """The places of those that experiments are made on: all but those beyond `TRIED` that one line of the script makes,
    of which the ones that do worst are taken."""
    lines: dict[tuple[str, int], list[int]] = {}
    for place, training in enumerate(trainings):
        lines.setdefault(training.site, []).append(place)
    return {place for places in lines.values() for place in _worst(trainings, places)}


def _worst(trainings: Sequence[Training], places: list[int]) -> list[int]:
    if len(places) <= TRIED:
        return places
    harm = {place: doctor.harm_of(trainings[place].close()) for place in places}
    return sorted(places, key=lambda place: (not harm[place].diverged, -harm[place].degree))[:TRIED]


def examined(training: Training, *, alone: bool = True, tried: bool = True) -> Report:
    """The verdict on one training. Experiments are made on copies, and only where there is harm.

    alone: whether the script trains no other weights meanwhile. tried: whether there may be experiments.
    """
    training.look_for_held_out()
    seen = training.close()
    seen.alone = alone
    if tried:
        _try(training, seen)
    else:
        seen.unseen.append(
            f"Nothing was tried out on it: its line made more than {TRIED} trainings, and others do worse."
        )
    for question in (*ANSWERS, *(TWINS if tried else ())):
        with contextlib.suppress(Exception):  # a model that is built by hand need not be one that can be asked so
            seen.experiments |= question(training, seen)
    if training.again is not None:
        training.again.close()
    return doctor.examine(seen)


def _try(training: Training, seen: Observation) -> None:
    """Adds to what was seen what runs of copies show, where there is harm or nobody knows whether there is."""
    harm = doctor.harm_of(seen)
    if harm.baseline is None and not harm.diverged and seen.alone:
        for experiment in (experiments.attainable, experiments.exchanged):
            try:
                seen.experiments |= experiment(training, seen)
            except Exception as error:
                seen.unseen.append(f"`{experiment.__name__}` could not be tried: {summary_of(error)}")
        harm = doctor.harm_of(seen)
    short = seen.steps is not None and seen.steps.count < SHORT and harm.elsewhere >= SUSPICIOUS
    harmed = harm.degree >= SUSPICIOUS or harm.diverged or short
    if harmed or badly_mixed(seen) or any(unit.activation == "linear" for unit in seen.units[:-1]):
        seen.experiments |= experiments.run(training, seen, harmed=harmed)


@contextmanager
def watch(folder: Path | str | None = None, name: str = "train") -> Iterator[Watch]:
    """Watches every training inside the block: `fit`, a tape over a model or over plain variables.

    folder: for TensorBoard; while the block runs it is written every five seconds. name: of the run there.
    Yields a `Watch`; behind the block its `reports` hold the verdicts, and printing it shows them.
    """
    with watching() as monitor:
        seen = Watch(monitor, folder=folder, name=name)
        with repeated(seen.look, EVERY if folder is not None else 0.0):
            yield seen
    seen.judge()


@contextmanager
def repeated(function: Callable[[], Any], seconds: float) -> Iterator[None]:
    """Calls a function again and again in a thread of its own; never for 0 seconds."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(seconds):
            with contextlib.suppress(Exception):  # it looks at what changes meanwhile; the next look may succeed
                function()

    thread = threading.Thread(target=run, daemon=True) if seconds else None
    if thread:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if thread:
            thread.join()


class DiagnosticsCallback(keras.callbacks.Callback):
    """Watches one call of `fit`: `model.fit(..., callbacks=[DiagnosticsCallback("logs/mine")])`.

    folder: for TensorBoard. verbose: whether the verdict is printed at the end, on standard error.
    Afterwards `reports` holds it.
    """

    def __init__(self, folder: Path | str | None = None, *, name: str = "train", verbose: bool = True) -> None:
        super().__init__()
        self.folder, self.name, self.verbose = folder, name, verbose
        self.reports: Sequence[Report] = ()
        self._open: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        context = watch(self.folder, self.name)
        seen = context.__enter__()
        facts = facts_of(self.model, _arguments(), users_frame())
        fitting = seen.monitor.fit(facts)
        fitting.__enter__()
        self.model.make_train_function(force=True)
        self._open = [context, fitting, seen, facts]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        facts = self._open[3]
        facts["callbacks"][-1].on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        context, fitting, seen, _ = self._open
        fitting.__exit__(None, None, None)
        context.__exit__(None, None, None)
        self.model.make_train_function(force=True)  # without the measurements
        self.reports = seen.reports
        if self.verbose:
            print(seen, file=sys.stderr)


def _arguments() -> dict[str, Any]:
    """The arguments of the running `fit`, from its frame."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and "validation_data" in frame.f_locals:
            names = ("x", "y", "batch_size", "epochs", "validation_data", "shuffle", "class_weight", "steps_per_epoch")
            return {name: frame.f_locals.get(name) for name in names}
        frame = frame.f_back
    return {}
