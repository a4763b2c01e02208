"""The properties of an assignment, collected from its tests and run against a student's folder."""

import contextlib
import importlib.util
import inspect
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from keras_course.base import ROOT, InputError, assignments, pick, require
from keras_course.check.report import Outcome, Report
from keras_course.check.subjects import Zygote
from keras_course.handout import path_of_tests

import numpy as np
from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])
Property = Callable[..., None]


def points(worth: float) -> Callable[[F], F]:
    """Marks a property as worth so many points; without the mark it is worth one."""
    require(worth > 0, "points", "above 0", worth)

    def mark(function: F) -> F:
        function.points = worth  # type: ignore[attr-defined]
        return function

    return mark


def words(function: Property) -> str:
    """What `function` claims: the first line of its docstring, or its name."""
    doc = inspect.getdoc(function)
    return doc.splitlines()[0] if doc else function.__name__.removeprefix("test_").replace("_", " ")


def load_tests(name: str, root: Path = ROOT) -> ModuleType:
    """The module with the tests of the assignment `name`. InputError when there is none."""
    pick(assignments(root), name, "assignment")
    path = path_of_tests(name, root)
    if not path.is_file():
        raise InputError(f"The assignment {name!r} has no tests: there is no {path.relative_to(root)}.")
    spec = importlib.util.spec_from_file_location(f"tests of {name}", path)
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up there
    sys.path.insert(0, str(root))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(root))
    return module


def properties(module: ModuleType) -> dict[str, Property]:
    """The `test_*` functions of `module` whose only parameter is `subject`, in the order of the file."""
    return {
        name: function
        for name, function in vars(module).items()
        if name.startswith("test_")
        and inspect.isfunction(function)
        and list(inspect.signature(function).parameters) == ["subject"]
    }


@contextlib.contextmanager
def own_draws(module: ModuleType) -> Iterator[None]:
    """Winds the generators of `module` back at the end, so that each test draws what it would draw alone."""
    generators = [value for value in vars(module).values() if isinstance(value, np.random.Generator)]
    states = [generator.bit_generator.state for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state


def judge(function: Property, zygote: Zygote, *, work: Path, seconds: float) -> Outcome:
    """Runs one property against the folder `work`, the student's code in a process of its own."""
    message = ""
    with own_draws(sys.modules[function.__module__]), zygote.worker(work, seconds=seconds) as subject:
        start = time.monotonic()  # the first worker waits for TensorFlow
        try:
            function(subject)
        except Exception as error:
            message = explain(error)
    return Outcome(words(function), getattr(function, "points", 1), printable(message), time.monotonic() - start)


def explain(error: Exception) -> str:
    """One line about what ended a property; a bare assert is quoted."""
    if not isinstance(error, AssertionError):  # the property met a value of a kind that it does not know
        return f"what came back is not of the kind expected ({type(error).__name__}: {error})"
    return str(error) or f"does not hold: {traceback.extract_tb(error.__traceback__)[-1].line}"


def printable(text: str) -> str:
    """`text` in one line without control characters: part of it comes from the student's process."""
    return "".join(c if c.isprintable() else " " for c in text)[:500]


def check(
    name: str,
    *,
    work: Path = ROOT,
    seconds: float = 60,
    whole: float = 600,
    json: Path | None = None,
    junit: Path | None = None,
    root: Path = ROOT,
    zygote: Zygote | None = None,
) -> Report:
    """Checks the assignment `name` as it stands in the folder `work`, prints a table and returns the report.

    Each property may take `seconds`, all of them together `whole` seconds. The tests are those of `root`, whatever
    tests stand in `work`. Writes the report to the files `json` and `junit` too, where given. InputError for an
    unknown assignment, one without properties, a folder without the course, or a file that cannot be written.
    """
    found = properties(load_tests(name, root))
    require(seconds > 0, "seconds", "above 0", seconds)
    require(found, "name", "an assignment with `test_*` functions whose only parameter is `subject`", name)
    require((work / "keras_course").is_dir(), "work", "a folder with a student's `keras_course`", str(work))
    for field, path in (("json", json), ("junit", junit)):
        writable = path is None or (path.parent.is_dir() and not path.is_dir())
        require(writable, field, "a file in a folder that exists", str(path))
    with contextlib.nullcontext(zygote) if zygote else Zygote() as workers:
        report = Report(name, judge_all(found, workers, work=work, seconds=seconds, whole=whole))
    if json:
        report.write_json(json)
    if junit:
        report.write_junit(junit)
    Console().print(report.table())
    return report


def judge_all(
    found: dict[str, Property], zygote: Zygote, *, work: Path, seconds: float, whole: float
) -> tuple[Outcome, ...]:
    """Judges the properties one after the other while there is time left of `whole` seconds."""
    deadline = time.monotonic() + whole
    outcomes = []
    for function in found.values():
        if (left := deadline - time.monotonic()) > 0:
            outcomes.append(judge(function, zygote, work=work, seconds=min(seconds, left)))
        else:
            late = f"not run: the others took the {whole:g} s of the whole check"
            outcomes.append(Outcome(words(function), getattr(function, "points", 1), late, 0.0))
    return tuple(outcomes)
