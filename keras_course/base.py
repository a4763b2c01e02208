"""What everything may import: where files are, how a value is refused, how a name is looked up, what a blank is."""

import contextlib
import difflib
import importlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

# The clone the package stands in: assignments, their records and the outputs of runs belong to it.
ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENTS = ROOT / "assignments"
RECORDS = ASSIGNMENTS / "records"
FIGURES = ASSIGNMENTS / "figures"
LOGS = Path(os.environ.get("KERAS_COURSE_LOGS", ROOT / "logs"))


def assignments(root: Path = ROOT) -> dict[str, Path]:
    """The file of each assignment by its name, "<folder>/<slug>": the folder is the registry."""
    files = sorted((root / "assignments").glob("*/*.py"))
    return {f"{file.parent.name}/{file.stem}": file for file in files if file.stem != "__init__"}


def reach_root() -> None:
    """Makes what stands beside the package importable: `keras-course` may be called from anywhere."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))


def on_demand(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose names bring in their modules when they are first used (PEP 562).

    homes: a name of the package -> the module in it where it stands.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return find, lambda: sorted(homes)


@contextlib.contextmanager
def without_advice() -> Iterator[None]:
    """Without TensorFlow's warnings, where what they warn of is meant: many models in turn, sessions of version 1."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


class InputError(ValueError):
    """Bad input. Its message is one sentence for the user: the field, the rule, what was received, what would do.

    The command line prints it on standard error and exits with status 2; any other exception is a mistake of ours
    and keeps its traceback.
    """


def summary_of(error: BaseException) -> str:
    """The kind of an error and the first line of what it says, of at most 120 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]:.120}" if lines else type(error).__name__


def closest(name: object, known: Iterable[object]) -> str:
    """ " Did you mean 'x'?" for the nearest of `known`, or nothing when none is near."""
    match = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f" Did you mean {match[0]!r}?" if match else ""


def pick(table: Mapping[str, T], name: str, kind: str) -> T:
    """`table[name]`, or an `InputError` that gives the nearest name and lists the rest."""
    if name in table:
        return table[name]
    raise InputError(f"No {kind} named {name!r}.{closest(name, table)} There are: {', '.join(sorted(table))}.")


def require(condition: object, field: str, rule: str, received: Any) -> None:
    """Refuses `received` for `field` unless `condition` holds.

    >>> require(0 < 1.5 < 1, "rate", "between 0 and 1", 1.5)
    Traceback (most recent call last):
    keras_course.base.InputError: `rate` must be between 0 and 1. Received: 1.5.
    """
    if not condition:
        raise InputError(f"`{field}` must be {rule}. Received: {received!r}.")


def blank(exercise: str, *, hints: tuple[str, ...] = ()) -> Callable[[T], T]:
    """Marks a function or method that the students of `exercise` write; at run time it changes nothing.

    `keras_course.handout` reads the mark from the source: it replaces the body and keeps signature and docstring.
    `hints` go from the gentlest to the plainest; the student opens them one at a time.
    """
    return lambda function: function


def worker_index() -> int:
    """Which worker this process is, from 0, by the environment variable TF_CONFIG.

    Raises:
        InputError: TF_CONFIG is not set, no JSON, or names no workers or no index among them.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        workers, index = config["cluster"]["worker"], int(config["task"]["index"])
    except (ValueError, KeyError, TypeError):
        workers, index = [], 0
    require(
        index in range(len(workers)),
        "TF_CONFIG",
        'JSON as {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}',
        text or "nothing",
    )
    return index
