"""Looking without training: means of an objective over a set, and the outputs of a model."""

import functools
from typing import Any

from keras_course.base import require
from keras_course.training.runners import FOREVER, Batches, Runner, joined, means, runner
from keras_course.training.steps import Objective, measure

import keras
import numpy as np
import tensorflow as tf


@functools.lru_cache(maxsize=8)  # a call in every epoch must not trace again
def _runner(model: keras.Model, objective: Objective, batches: Any, graph: bool, variables: tuple[int, ...]) -> Runner:
    return runner(measure(model, objective), batches, graph=graph)


def evaluate(
    model: keras.Model, objective: Objective, batches: Batches | tf.data.Dataset, *, graph: bool = True
) -> dict[str, float]:
    """The means of the loss and the metrics over all examples, with training=False; exact with a short last batch.

    Args:
        objective: maps (model, batch, training) to a scalar loss or to (loss, {name: scalar}).
        batches: a `Batches` or a `tf.data.Dataset` of batches.
        graph: False steps through Python, for a debugger.

    Raises:
        InputError: no batches, or an objective that does not return scalars.
    """
    variables = tuple(map(id, model.variables))  # a model that got other layers since is another one
    looking = _runner(model, objective, batches, graph, variables)
    looking.begin(0)
    require(not looking.ended(0), "batches", "one batch or more", "none")
    parts, step = [], 0
    while not looking.ended(step):
        parts.append(looking.run(step, FOREVER))
        step += len(parts[-1]["size"])
    return means(joined(parts))


def predict(model: keras.Model, x: Any, *, batch_size: int = 512) -> np.ndarray:
    """The outputs of `model` for `x` (n, ...) in inference mode; a list of arrays where the model gives a list."""
    return model.predict(x, batch_size=batch_size, verbose=0)
