"""Functions that a step calls, traced into the graph of the step itself.

A `tf.function` inside another one is a call in the graph of the outer one, whose layers nobody sees. While a script is
watched it is traced as a part of the step, as TensorFlow's own optimiser does before it runs: the operations are the
same, and so are the seeds of those that draw.
"""

import io
import random
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx
from tensorflow.python.eager.polymorphic_function import autograph_util
from tensorflow.python.framework import random_seed


def can_be_inlined(function: Any, arguments: Any) -> bool:
    """Whether a `tf.function` may be traced as a part of another one.

    Not one that is compiled apart, settles its arguments, or is given arrays, which it would turn into tensors first.
    """
    settled = getattr(function, "_jit_compile", None) or getattr(function, "input_signature", None)  # () without any
    arrays = any(isinstance(leaf, np.ndarray) for leaf in tf.nest.flatten(arguments))
    return tf.inside_function() and not settled and not arrays and hasattr(function, "python_function")


def inlined(function: Any, args: Any, kwargs: Any) -> Any:
    """What a `tf.function` returns, computed in the graph that is being made.

    It is traced by itself too, as it would be without us: that prints, draws and fails, and later calls find it traced.
    What it asks of the generators of Python and NumPy it is told again, each time that it is traced into a step.
    """
    before = _drawn()
    name = function.get_concrete_function(*args, **kwargs).name
    after = _drawn()
    _draw_from(_TRACED.setdefault(function, {}).setdefault(name, before))
    try:
        with _seeds_of_its_own(), redirect_stdout(io.StringIO()):
            return tf.nest.map_structure(_as_returned, _traced(function, args, kwargs))
    finally:
        _draw_from(after)


_TRACED: weakref.WeakKeyDictionary[Any, dict[bytes, tuple[Any, Any]]] = weakref.WeakKeyDictionary()


def _drawn() -> tuple[Any, Any]:
    """Where the generators of Python and NumPy stand."""
    return random.getstate(), np.random.get_state()


def _draw_from(states: tuple[Any, Any]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])


@contextmanager
def from_seed(seed: int) -> Iterator[None]:
    """What Python, NumPy and Keras's initializers draw comes from a seed; behind it they go on as if nothing had been
    drawn."""
    before = _drawn()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        _draw_from(before)


def _traced(function: Any, args: Any, kwargs: Any) -> Any:
    """Calls the Python function as TensorFlow traces it: with branches and loops made of tensors, or without."""
    if not getattr(function, "_autograph", True):
        return function.python_function(*args, **kwargs)
    with ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED):
        return autograph_util.py_func_from_autograph(function.python_function)(*args, **kwargs)


def _as_returned(value: Any) -> Any:
    """A function returns tensors for numbers, arrays and variables."""
    plain = isinstance(value, bool | int | float | complex | str | bytes | np.ndarray | np.generic | tf.Variable)
    return tf.convert_to_tensor(value) if plain else value


@contextmanager
def _seeds_of_its_own() -> Iterator[None]:
    """Operations that draw are numbered anew, as in a graph of their own."""
    graph, known = tf.compat.v1.get_default_graph(), random_seed._graph_to_seed_dict
    before = known.pop(graph, None)
    try:
        yield
    finally:
        known.pop(graph, None)
        if before is not None:
            known[graph] = before
