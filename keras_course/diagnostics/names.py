"""What a variable is called: its path in a Keras model, or the name that the script has for it."""

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf


class Names:
    """Variable -> name. A dictionary would compare variables element by element."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[tf.Variable, str]] = {}

    def __setitem__(self, variable: tf.Variable, name: str) -> None:
        self._names[id(variable)] = variable, name

    def __getitem__(self, variable: tf.Variable) -> str:
        return self._names[id(variable)][1]

    def __contains__(self, variable: tf.Variable) -> bool:
        return id(variable) in self._names

    def __iter__(self) -> Iterator[tf.Variable]:
        return (variable for variable, _ in self._names.values())

    def items(self) -> Sequence[tuple[tf.Variable, str]]:
        return list(self._names.values())


def names_of(variables: Sequence[tf.Variable], model: keras.Model | None, others: Sequence[keras.Model] = ()) -> Names:
    """The names of `variables`, of all others of `model`, and of the weights of `others` that gradients can train."""
    found = Names()
    for other in others:
        for variable in other.weights:
            if variable.name not in ("moving_mean", "moving_variance"):
                found[variable.value] = variable.path.replace(" ", "_")
    for variable in model.variables if model is not None else ():
        path = variable.path.removeprefix(f"{model.name}/") if model is not None else variable.path
        found[variable.value] = path.replace(" ", "_")
    missing = [v for v in variables if v not in found]
    if missing:
        scripts = _scripts_names({id(v) for v in missing})
        for number, variable in enumerate(missing):
            own, name = variable.name.split(":")[0], scripts.get(id(variable), "")
            given = own if own != "Variable" else ""  # better than a place in a list
            found[variable] = name if name.isidentifier() else given or name or f"variable_{number}"
    return found


class Form(NamedTuple):
    """What is left of data that a script no longer has."""

    shape: tuple[int, ...]


class Scope:
    """Arrays, tensors, variables and models of a script by its names; kept no longer than the script keeps them."""

    def __init__(self) -> None:
        self._kept: dict[str, Callable[[], Any]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def __setitem__(self, name: str, value: Any) -> None:
        shape = getattr(value, "shape", None)
        try:
            known, form = weakref.ref(value), None if shape is None else Form(tuple(shape))
        except TypeError:  # as of a list, or of what has no form that is known
            known, form = lambda: value, None  # type: ignore[assignment]
        self._kept[name] = lambda: form if (found := known()) is None else found

    def names(self) -> dict[str, Any]:
        """Each with what it stands for, or its form where that is gone."""
        found = {name: kept() for name, kept in self._kept.items()}
        return {name: value for name, value in found.items() if value is not None}


def scope_of_script() -> Scope:
    """By the names that the frames of the script have, the innermost first, and that its file has."""
    found = Scope()
    frame: Any = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            for scope in (frame.f_locals, frame.f_globals):
                for name, value in list(scope.items()):
                    first = value[0] if isinstance(value, list | tuple) and value else value
                    data = isinstance(first, np.ndarray | tf.Variable | keras.Model) or hasattr(first, "iloc")
                    if name not in found and (data or (tf.is_tensor(first) and hasattr(first, "numpy"))):
                        found[name] = value
        frame = frame.f_back
    return found


def _scripts_names(wanted: set[int]) -> dict[int, str]:
    """The names by which the frames of the script know variables: `w1`, `weights[3]`, `layers[0][1]`."""
    found: dict[int, str] = {}
    frame: Any = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            for scope in (frame.f_globals, frame.f_locals):
                for name, value in list(scope.items()):
                    if not name.startswith("__"):
                        _look(name, value, wanted, found, depth=3)
        frame = frame.f_back
    return found


def _look(name: str, value: Any, wanted: set[int], found: dict[int, str], depth: int) -> None:
    if isinstance(value, tf.Variable):
        if id(value) in wanted:
            found.setdefault(id(value), name)
    elif isinstance(value, list | tuple) and depth and len(value) <= 200:
        for i, each in enumerate(value):
            _look(f"{name}[{i}]", each, wanted, found, depth - 1)
    elif isinstance(value, dict) and depth and len(value) <= 200:
        for key, each in list(value.items()):
            _look(f"{name}[{key!r}]", each, wanted, found, depth - 1)
    elif isinstance(value, tf.Module) and depth:
        _look(name, {k: v for k, v in vars(value).items() if not k.startswith("_")}, wanted, found, depth - 1)


def is_users(filename: str) -> bool:
    """Whether a file is the user's: neither installed, nor Python's, nor of this package."""
    return not any(
        part in filename
        for part in (
            "site-packages",
            "dist-packages",
            "<",
            "autograph_generated",
            "keras_course/",
            f"{sys.base_prefix}/lib/",
        )
    )
