"""Runs a script unchanged, watches what it trains, and says what is wrong.

The patches are placed when the script has imported TensorFlow and Keras by itself, so that what it sets before still
counts. Its output, its exit status and its results stay what they are.
"""

import _thread
import importlib.abc
import importlib.util
import itertools
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from keras_course.base import require

LOOK = 5.0  # seconds between two writes for TensorBoard
EVERY = 0.2  # seconds between two looks at how far the script is


class Seconds(NamedTuple):
    """What the script took while it was watched, what the verdict took behind it, and the trials of repairs."""

    script: float
    verdict: float
    trials: float


class Outcome(NamedTuple):
    """reports: a verdict for each training. status: the exit status of the script. stopped: why it was ended early."""

    reports: list[Any]
    status: int
    seconds: Seconds
    stopped: str = ""


def diagnose(
    path: Path | str,
    arguments: Sequence[str] = (),
    *,
    max_steps: int | None = None,
    stop_early: bool = False,
    folder: Path | str | None = None,
    verify: bool = False,
) -> Outcome:
    """The verdict on every training of a script, run in this process as `python path arguments...` would run it.

    max_steps: ends the script soon after a training has so many steps. stop_early: ends it when the verdict is certain.
    folder: for TensorBoard. verify: tries the repair of each named cause on copies of the first steps.

    Raises:
        InputError: `path` is no file of Python; `max_steps` is below 1.
    """
    file = Path(path).resolve()
    require(file.is_file() and file.suffix == ".py", "script", "a Python file that exists", str(path))
    require(max_steps is None or max_steps >= 1, "max-steps", "at least 1", max_steps)
    session = Session(max_steps=max_steps, stop_early=stop_early, folder=folder)
    times = [time.perf_counter()]
    with session:
        status = _run(file, arguments, session)
    times.append(time.perf_counter())
    if session.seen is not None:
        _note_lines(file, session)
        session.seen.judge()
    times.append(time.perf_counter())
    if session.seen is not None and verify:
        session.seen.verify()
    times.append(time.perf_counter())
    seconds = Seconds(*(after - before for before, after in itertools.pairwise(times)))
    return Outcome(session.seen.reports if session.seen else [], status, seconds, session.stopped)


def summary(outcome: Outcome) -> str:
    """The outcome as text."""
    from keras_course.diagnostics import printed

    head = [f"keras-course: the script was {outcome.stopped}."] if outcome.stopped else []
    if outcome.status:
        head.append(f"keras-course: the script ended with status {outcome.status}; this is what was seen until then.")
    if not outcome.reports:
        return "\n".join(
            [*head, "keras-course: no training was seen: no gradient of a tape was taken by any variable."]
        )
    return "\n".join([*head, printed.as_text(outcome.reports)])


def as_json(outcome: Outcome) -> str:
    """The outcome as JSON; `healthy` is null when no training was seen."""
    import json

    from keras_course.diagnostics import printed

    content = printed.as_dict(outcome.reports) | {"status": outcome.status, "stopped": outcome.stopped or None}
    if not outcome.reports:
        content["healthy"] = None
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


class Session:
    """The time in which a script is watched."""

    def __init__(self, *, max_steps: int | None, stop_early: bool, folder: Path | str | None) -> None:
        self.max_steps, self.stop_early, self.folder = max_steps, stop_early, folder
        self.seen: Any = None
        self.stopped = ""
        self.names: dict[str, Any] = {}  # of the script, at its end
        self.running = False
        self.looked = time.monotonic()
        self.stack = ExitStack()

    def __enter__(self) -> "Session":
        if {"tensorflow", "keras"} <= sys.modules.keys():
            self.begin()
        else:
            self.stack.enter_context(after_import(self.begin))
        return self

    def __exit__(self, *error: Any) -> None:
        self.stack.close()

    def begin(self) -> None:
        """Places the patches; TensorFlow and Keras are imported."""
        from keras_course.diagnostics.hooks import watching
        from keras_course.diagnostics.watcher import Watch, repeated

        if self.seen is None:
            monitor = self.stack.enter_context(watching())
            self.seen = Watch(monitor, folder=self.folder, name="train")
            if self.folder is not None or self.max_steps or self.stop_early:
                self.stack.enter_context(repeated(self.check, EVERY))

    def check(self) -> None:
        """Writes what has been seen, and ends the script when it has gone far enough."""
        if self.folder is not None and self.seen is not None and time.monotonic() - self.looked > LOOK:
            self.seen.look()
            self.looked = time.monotonic()
        if not self.running or self.stopped:
            return
        trainings = [t for t in list(self.seen.monitor.trainings) if t.count]
        if self.max_steps and any(t.count >= self.max_steps for t in trainings):
            self.stopped = f"stopped after {self.max_steps} steps, as asked"
        elif self.stop_early and any(certain(t) for t in trainings):
            self.stopped = "stopped early: the verdict is certain"
        if self.stopped:
            _thread.interrupt_main()


def certain(training: Any) -> bool:
    """Whether what was seen until now has a cause that no further step can clear."""
    from keras_course.diagnostics import doctor

    if training.closed is not None or training.count < 30:
        return False
    report = doctor.examine(training.observe())
    return any(f.certain or (report.harm.diverged and f.confidence >= 0.5) for f in report.named)


def _run(file: Path, arguments: Sequence[str], session: Session) -> int:
    """Runs the script as Python would; returns its exit status."""
    kept = sys.argv, list(sys.path), os.getcwd()
    sys.argv, sys.path[0:0] = [str(file), *arguments], [str(file.parent)]
    session.running = True
    try:
        with interruptible() if session.max_steps or session.stop_early else nullcontext():
            session.names = runpy.run_path(str(file), run_name="__main__")
    except SystemExit as error:
        return _status(error)
    except KeyboardInterrupt:
        if not session.stopped:
            raise
        return 0
    except Exception:
        _print_traceback(file)
        return 1
    finally:
        session.running = False
        sys.argv, sys.path[:] = kept[0], kept[1]
        os.chdir(kept[2])
    return 0


def _note_lines(file: Path, session: Session) -> None:
    """Notes for the last training what the script's own lines say, by the names of its beginning and of the end."""
    from keras_course.diagnostics.by_class import by_class
    from keras_course.diagnostics.compared import compared, largest_of_one, softmax_of_one
    from keras_course.diagnostics.cuts import cuts
    from keras_course.diagnostics.decoded import decoded, misnamed
    from keras_course.diagnostics.kept import kept
    from keras_course.diagnostics.left_on import left_on
    from keras_course.diagnostics.scores import scores

    trainings = [training for training in session.seen.trainings if training.count]
    if not trainings or not file.is_file():  # a script may have removed itself
        return
    last = trainings[-1]
    source, names, seen = file.read_bytes(), {**last.scope.names(), **session.names}, last.close()
    functions = session.seen.monitor.feeds.functions(str(file))

    def own_cuts() -> list[tuple[float, int]]:
        mine = [cut for cut in cuts(source, names, functions) if cut.model is last.model]
        return [*seen.cuts, *((cut.level, cut.line) for cut in mine)]

    for field, read in {
        "by_class": lambda: by_class(source),
        "left_on": lambda: left_on(source, names),
        "kept": lambda: kept(source, names),
        "compared": lambda: compared(source, names),
        "single": lambda: largest_of_one(source, names),
        "ones": lambda: softmax_of_one(source, names),
        "misnamed": lambda: misnamed(source, names),
        "decoded": lambda: decoded(source, names, functions),
        "cuts": own_cuts,
        "scores": lambda: {
            k: v for own in (session.names, *functions.values()) for k, v in scores(source, own).items()
        },
    }.items():
        with suppress(Exception):  # what cannot be read is no mistake of the script's, nor does it hide the rest
            setattr(seen, field, read())


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets `_thread.interrupt_main` end what runs here, also in a job of the background, where SIGINT is ignored."""
    ignored = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    )
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _status(error: SystemExit) -> int:
    """As Python has it: nothing is 0, a text is printed and is 1."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


def _print_traceback(file: Path) -> None:
    """The script's traceback, from its own first line on."""
    kind, error, frames = sys.exc_info()
    while frames is not None and frames.tb_frame.f_code.co_filename != str(file):
        frames = frames.tb_next
    traceback.print_exception(kind, error, frames)


@contextmanager
def after_import(then: Callable[[], None]) -> Iterator[None]:
    """Calls `then` when TensorFlow and Keras have been imported, whichever comes last."""
    finder = _Finder(then)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, then: Callable[[], None]) -> None:
        self.then, self.finding = then, False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in ("tensorflow", "keras") or self.finding:
            return None
        self.finding = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.finding = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: self._execute(execute, module)  # type: ignore[method-assign]
        return spec

    def _execute(self, execute: Callable[[Any], None], module: Any) -> None:
        execute(module)
        if module.__name__ == "tensorflow" and "keras" in sys.modules:
            return  # Keras is being imported and has asked for it: its own end comes next
        sys.meta_path.remove(self)
        import keras  # noqa: F401  # a script of plain TensorFlow has not asked for it

        self.then()
