"""How well a network does by the numbers that its script computes itself, read by the names that it gives them."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from keras_course.diagnostics.lines import called

import numpy as np

RIGHT = re.compile(
    r"(^|_)(acc|accuracy|accuracies|balanced|recalls?|sensitivity|f1|macro|kappa|agreement|correct|right|hits?)(_|$)",
    re.IGNORECASE,
)
SCORE = re.compile(r"(^|_)(scores?|rate|share|precision|auc|result|found|overlap|skill|metrics?)(_|$)", re.IGNORECASE)
OTHERS = re.compile(  # of another model, of the same before it was trained, or of rows that were made difficult
    r"(^|_)(base|baseline|chance|naive|dummy|majority|random|guess(ing)?|floor|before|untrained|start|first|linear|"
    r"logistic|knn|forest|tree|simple|rule|old|adversarial|attack(ed)?|noisy|corrupted|shifted|zero|shot|worst|rare|"
    r"min|lowest|learning|dropout|exact)(_|$)",
    re.IGNORECASE,
)


def scores(source: str | bytes, names: Mapping[str, Any]) -> dict[str, float]:
    """The shares among what names stand for, from 0 to 1, by the words in them, or in the function that a line of the
    script assigns them from; of a dictionary the mean of what its words do not tell apart, and of a list its last
    number. Nothing that by its name is said of another model.

    Raises:
        SyntaxError: `source` is no Python.
    """
    found: dict[str, float] = {}
    from_functions = _from_functions(source)
    for name, value in names.items():
        if name.startswith("_") or OTHERS.search(name):
            continue
        if isinstance(value, dict):
            found |= dict(_of_dictionary(name, value))
        elif (number := _share(value[-1] if isinstance(value, list) and value else value)) is not None:
            found[name if RIGHT.search(name) else from_functions.get(name, name)] = number
    return {name: value for name, value in found.items() if RIGHT.search(name) or SCORE.search(name)}


def _from_functions(source: str | bytes) -> dict[str, str]:
    """Of names that are assigned from a function whose own name says what it measures, the latter."""
    lines = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    calls = [(line.targets[0], called(node.func)) for line in lines for node in ast.walk(line.value)
             if isinstance(node, ast.Call)]  # fmt: skip
    told = [(target, name) for target, name in calls if RIGHT.search(name) and not OTHERS.search(name)]
    return {target.id: name for target, name in told if isinstance(target, ast.Name)}


def _of_dictionary(name: str, value: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    """Its numbers, where their keys say what they are; else their mean by its name, as of a recall of each class."""
    numbers = {str(key): _share(each[-1] if isinstance(each, list) and each else each) for key, each in value.items()}
    told = {key: each for key, each in numbers.items() if RIGHT.search(key) or SCORE.search(key)}
    if told:
        yield from ((key, each) for key, each in told.items() if each is not None and not OTHERS.search(key))
    elif RIGHT.search(name) and None not in numbers.values() and numbers:
        yield name, float(np.mean([each for each in numbers.values() if each is not None]))


def _share(value: Any) -> float | None:
    """A single number from 0 to 1; None for anything else."""
    kind = str(getattr(getattr(value, "dtype", None), "name", ""))
    single = isinstance(value, float) or (getattr(value, "shape", None) == () and kind.startswith("float"))
    return float(value) if single and 0 <= float(value) <= 1 else None
