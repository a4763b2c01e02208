"""Grades an exercise of `exercise.py`: cause, evidence, part, and the repaired script, as properties of a check.

    test_cause, test_evidence, test_part, test_repaired = grading.properties("diagnostics/slug", ..., bar=0.9)

The key holds the right words only as seals, so that a student who reads the tests does not read the answer. The
evidence is looked up in event files that the checker records itself, once, from the script that was given.
"""

import functools
import hashlib
import importlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_course.base import closest
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.evidence import shows
from keras_course.diagnostics.exercise import PARTS, accuracy, run_script

import numpy as np

Subject = Callable[..., Any]
Property = Callable[[Subject], None]


def seal(name: str, word: str) -> str:
    """Eight letters that stand for `word` in the key of the exercise `name`."""
    return hashlib.sha256(f"{name}: {word}".encode()).hexdigest()[:8]


def answer_of(name):
    """The student's answer, as a list of three texts. A driver: it runs beside the student's code."""
    import importlib

    return [str(part) for part in importlib.import_module(f"assignments.{name.replace('/', '.')}").answer()]


def outputs_of_repaired(name, settings, train, validation, x):
    """What the student's repaired network says of `x`. A driver: it runs beside the student's code."""
    import collections
    import importlib

    import keras
    import numpy as np

    Split = collections.namedtuple("Split", "x y")  # as that of keras_course.data, which takes a second to import
    module = importlib.import_module(f"assignments.{name.replace('/', '.')}")
    keras.utils.set_random_seed(settings["seed"])
    trained = module.repaired(module.Settings(**settings), Split(*train), Split(*validation))
    return np.asarray(trained(x))


@functools.cache
def given(name: str) -> tuple[Any, Any, dict[str, Any]]:
    """Settings and splits of the quick run, and the event files of the script that fails, recorded once."""
    module = importlib.import_module(f"assignments.{name.replace('/', '.')}")
    settings = module.EXERCISE.quick
    splits = module.load(settings)
    with tempfile.TemporaryDirectory() as folder:
        events = run_script(module.script, settings, splits, Path(folder))[1]
    return settings, splits, events


def properties(
    name: str,
    *,
    causes: Sequence[str],
    parts: Sequence[str],
    bar: float,
    score: Callable[[np.ndarray, np.ndarray], float] = accuracy,
) -> tuple[Property, Property, Property, Property]:
    """The four properties of the exercise `name`, in the order cause, evidence, part, repaired script.

    causes, parts: seals of the words that are right. bar: what the repaired script reaches in the quick run by `score`.
    """

    def test_cause(subject: Subject) -> None:
        """The cause is the one behind the others."""
        cause = word(subject(answer_of, name=name)[0], CAUSES, "a cause")
        if seal(name, cause) not in causes:
            raise AssertionError(f"the cause is {cause!r}, expected {hint(name, cause, causes)}")

    def test_evidence(subject: Subject) -> None:
        """The evidence is a tag of the event files whose values show the cause."""
        tag = subject(answer_of, name=name)[1]
        events = given(name)[2]
        word(tag, events, "a tag of the event files of `script`")
        right = [known for known in CAUSES if seal(name, known) in causes]
        if not any(shows(known, tag, events) for known in right):
            raise AssertionError(f"what stands under {tag!r} does not show why, expected a tag that does")

    def test_part(subject: Subject) -> None:
        """The part to repair is where the cause is."""
        part = word(subject(answer_of, name=name)[2], PARTS, "a part")
        if seal(name, part) not in parts:
            raise AssertionError(f"the part is {part!r}, expected another: {PARTS[part]} is as it should be")

    def test_repaired(subject: Subject) -> None:
        """The repaired script reaches its bar on examples that it has not seen."""
        settings, splits, _ = given(name)
        outputs = subject(
            outputs_of_repaired,
            name=name,
            settings=vars(settings),
            train=list(splits.train),
            validation=list(splits.validation),
            x=splits.test.x,
        )
        reached = score(np.asarray(outputs), splits.test.y)
        if reached < bar:
            raise AssertionError(f"the repaired script reaches {reached:.3f}, expected at least {bar:g}")

    test_repaired.points = 2  # type: ignore[attr-defined]
    return test_cause, test_evidence, test_part, test_repaired


def word(given: str, known: Any, what: str) -> str:
    """`given`, when it is one of `known`."""
    if given not in known:
        raise AssertionError(f"{given!r}, expected {what}.{closest(given, known)}")
    return given


def hint(name: str, cause: str, causes: Sequence[str]) -> str:
    """What to say of a wrong cause: whether it is a symptom of the right one."""
    right = [known for known in CAUSES if seal(name, known) in causes]
    if any(cause in CAUSES[known].explains for known in right):
        return "what lies behind it: this is there, or may be, and something else brings it about"
    return "another: look at the evidence again"
