"""The frame that every assignment fills: presets, what it runs, what it draws, and what is expected of its scores.

An assignment is one file, `assignments/<folder>/<slug>.py`, that ends in `EXERCISE = Exercise(...)`; its path is its
name. Run as a script it does what `keras-course run <name>` does: see `keras_course.script`.
"""

import dataclasses
import functools
import importlib
import importlib.abc
import importlib.util
import inspect
import math
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from keras_course.base import ASSIGNMENTS, assignments, blank, pick, reach_root

__all__ = ["Band", "Exercise", "Floor", "Result", "Target", "blank"]

PRESETS = ("small", "full", "quick")


class Band(NamedTuple):
    """The interval, ends included, in which a score of the `small` preset lies over seeds; a speed has no upper end."""

    low: float
    high: float = math.inf

    def holds(self, score: float) -> bool:
        return self.low <= score <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" if math.isfinite(self.high) else f"at least {self.low:g}"


class Floor(NamedTuple):
    """A published figure to reach or pass on the `full` preset; with `at_most` (a loss, an error) to stay below."""

    value: float
    source: str  # who published it, and for what
    at_most: bool = False
    examples: int = 0  # it was trained on so many; a run on fewer is not comparable

    def holds(self, score: float) -> bool:
        return score <= self.value if self.at_most else score >= self.value

    def __str__(self) -> str:
        return ("≤ " if self.at_most else "≥ ") + f"{self.value:g}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """What a run found: numbers to judge it by, arrays to draw, and what a reader needs to repeat it."""

    scores: dict[str, float]
    arrays: dict[str, Any] = dataclasses.field(default_factory=dict)  # all that the figures need
    tables: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)  # title -> rows
    unwritten: tuple[str, ...] = ()  # what a student has still to write; its scores are missing
    data: tuple[Any, ...] = ()  # the Splits that the run used, for their name, source, counts and licence
    parameters: dict[str, int] = dataclasses.field(default_factory=dict)  # model -> trainable parameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """What `keras-course tune` searches of an assignment: it trains one of its models on training and validation data.

    space: fields of the settings -> ranges and choices, as `keras_course.tuning.Space` reads them.
    data: settings -> Splits; the search lets go of the test part before anything is built.
    build: (settings, input shape, classes) -> the model. optimizer: (settings, steps of the training) -> its optimizer.
    """

    space: dict[str, Any]
    data: Callable[[Any], Any]
    build: Callable[[Any, tuple[int, ...], int], Any]
    optimizer: Callable[[Any, int], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exercise:
    """One assignment.

    small: settings of the default run: offline, a few minutes on two cores.
    full: settings on the real data set at a serious budget.
    quick: settings for the tests: seconds.
    run: maps (settings, log) to a Result; `log` is a `keras_course.runs.Run`, or anything that `fit` can log to.
    figures: maps the Result to named matplotlib figures; it sees arrays, never models.
    expect: score -> the Band in which `small` lands. At least one of them moves when the idea is switched off.
    floors: score -> the published figure that `full` must reach.
    tune: what a search for hyper-parameters changes; None where there is nothing to search.
    """

    source: str
    small: Any
    full: Any
    quick: Any
    run: Callable[[Any, Any], Result]
    figures: Callable[[Result], dict[str, Any]]
    expect: dict[str, Band]
    floors: dict[str, Floor] = dataclasses.field(default_factory=dict)
    tune: Target | None = None

    @functools.cached_property
    def path(self) -> Path:
        return Path(inspect.getfile(self.run)).resolve()

    @property
    def name(self) -> str:
        return self.path.relative_to(ASSIGNMENTS).with_suffix("").as_posix()

    @property
    def text(self) -> str:
        """Title and task: the docstring of the assignment's module."""
        return inspect.cleandoc(self.run.__globals__["__doc__"])

    @property
    def title(self) -> str:
        return self.text.splitlines()[0].rstrip(".")

    def preset_of(self, settings: Any) -> str | None:
        """The name of the preset that `settings` is, seed aside, or None when it is none."""
        for preset in PRESETS:
            if vars(dataclasses.replace(getattr(self, preset), seed=settings.seed)) == vars(settings):
                return preset
        return None

    def execute(self, settings: Any, log: Any) -> Result:
        """Runs the assignment from its seed, to the bit the same each time on one machine; checks its scores' names."""
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(settings.seed)
        tf.config.experimental.enable_op_determinism()
        result = self.run(settings, log)
        missing = sorted(self.expect.keys() - result.scores.keys())
        if missing and not result.unwritten:
            raise ValueError(f"{self.run.__module__} expects scores that its run does not give: {', '.join(missing)}")
        return result


def names() -> list[str]:
    """Every assignment, by name."""
    return list(assignments())


def path_of(name: str) -> Path:
    """The file of the assignment `name`; its slug is enough, since no two folders share one."""
    files = assignments()
    slugs = {known.split("/")[1]: file for known, file in files.items()}
    return slugs.get(name) or pick(files, name, "assignment")


def load(name: str) -> Exercise:
    """The assignment `name`, imported in earnest."""
    reach_root()
    path = path_of(name)
    return importlib.import_module(f"assignments.{path.parent.name}.{path.stem}").EXERCISE


def peek(name: str, path: Path | None = None) -> Exercise:
    """The assignment `name` for its settings and texts alone: TensorFlow and all else that is slow is left out.

    What it would import stands there as a stub, so `run` and `figures` of the result must not be called.
    path: its file, where it is known.
    """
    path = path or path_of(name)
    spec = importlib.util.spec_from_file_location(f"peeked:{path.parent.name}/{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where `inspect` looks for the source of `Settings`
    with _stubs():
        spec.loader.exec_module(module)
    return module.EXERCISE


LIGHT = {"keras_course", "keras_course.base", "keras_course.exercise", "keras_course.settings"}


class _Stub(types.ModuleType):
    """Module, function, decorator and base class at once: whatever an assignment's top level does with an import."""

    __path__ = ()  # type: ignore[assignment]  # a package without files, so that its submodules are stubs too

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Stub(name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if len(args) == 1 and isinstance(args[0], type | types.FunctionType) else self

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a stub for every module outside the standard library and the light part of the frame."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        light = name in LIGHT or name.split(".")[0] in sys.stdlib_module_names
        return None if light else importlib.util.spec_from_loader(name, self)

    def create_module(self, spec: Any) -> types.ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


@contextmanager
def _stubs() -> Iterator[None]:
    finder = _StubFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n, module in sys.modules.items() if isinstance(module, _Stub)]:
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if isinstance(vars(sys.modules.get(parent, _Stub)).get(child), _Stub):
                delattr(sys.modules[parent], child)
