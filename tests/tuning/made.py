"""Small searches for the tests: points of three kinds, builders, trainings that cost nothing."""

import os
import time
from pathlib import Path

from keras_course import models
from keras_course.data import Split, Splits
from keras_course.tuning import search, trainings

import numpy as np

SPACE = {
    "hidden": {"low": 2, "high": 40},
    "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
    "activation": ["relu", "tanh"],
}
GRID = {"hidden": [3, 5], "activation": ["relu", "tanh"], "learning_rate": [0.01, 0.1]}


def points(n=48, *, seed=0, overlap=1.0):
    """Points (n, 2) around three corners, and which."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    corners = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    return Split((corners[y] + rng.normal(0, overlap, (n, 2))).astype("float32"), y.astype("int64"))


def splits(**options):
    parts = [points(n, seed=seed, **options) for seed, n in enumerate((48, 30, 33))]
    return Splits(*parts, name="points", source="made", classes=("a", "b", "c"), licence="none needed")


def note(line):
    """Writes down that a training has begun, where the environment says."""
    if path := os.environ.get("TUNING_TEST_LOG"):
        with open(path, "a") as file:
            file.write(f"{os.getpid()} {line}\n")


def begun(path):
    """The (process, what) of every training that was begun."""
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return [(int(pid), what) for pid, what in (line.split(" ", 1) for line in lines)]


def build(input_shape, classes, *, hidden=8, activation="relu"):
    note(hidden)
    return models.mlp(input_shape, classes, hidden=(hidden,), activation=activation)


def slow(input_shape, classes, *, hidden=8, activation="relu"):
    """A builder that takes its time, so that there is a middle to be killed in."""
    note(hidden)
    time.sleep(1.5)
    return models.mlp(input_shape, classes, hidden=(hidden,), activation=activation)


def pretended(ready, plan, epochs, begun, terms):
    """A training that costs nothing: the score is a function of the untrained weights, and so of the seed."""
    total = float(sum(np.abs(weights).sum() for weights in ready.model.get_weights()))
    score = total % 1.0
    return {"loss": (1.0,) * epochs, plan.objective: (score,) * epochs}, score


def pretend():
    trainings.LOOPS["ours"] = pretended


def run(folder, *, space=None, builder=build, **options):
    """A short search in `folder`."""
    defaults = {"name": "points", "trials": 4, "epochs": 2, "batch_size": 16, "progress": False}
    return search(builder, space or SPACE, splits(), runs=folder, **defaults | options)


def facts(result):
    """What two searches must have in common: the seconds are not part of it."""
    return [(t.number, t.values, t.status, t.scores, t.reason, t.curves, t.epochs) for t in result.trials]
