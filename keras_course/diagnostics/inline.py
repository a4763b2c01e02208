"""Functions that a step calls, traced into the graph of the step itself.

A `tf.function` inside another one is a call in the graph of the outer one, whose layers nobody sees. While a script is
watched it is traced as a part of the step, as TensorFlow's own optimiser does before it runs: the operations are the
same, and so are the seeds of those that draw.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx, converter
from tensorflow.python.framework import random_seed


def can_be_inlined(function: Any, arguments: Any) -> bool:
    """Whether a `tf.function` may be traced as a part of another one.

    Not one that is compiled apart, settles its arguments, or is given arrays, which it would turn into tensors first.
    """
    settled = getattr(function, "_jit_compile", None) or getattr(function, "input_signature", None)  # () without any
    arrays = any(isinstance(leaf, np.ndarray) for leaf in tf.nest.flatten(arguments))
    return tf.inside_function() and not settled and not arrays and hasattr(function, "python_function")


def inlined(function: Any, args: Any, kwargs: Any) -> Any:
    """What a `tf.function` returns, computed in the graph that is being made."""
    with _seeds_of_its_own():
        return tf.nest.map_structure(_as_returned, _converted(function)(*args, **kwargs))


def _converted(function: Any) -> Callable[..., Any]:
    if not getattr(function, "_autograph", True):
        return function.python_function
    options = converter.ConversionOptions(recursive=True, user_requested=True)
    context = ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED, options=options)
    return tf.__internal__.autograph.tf_convert(function.python_function, context)


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
