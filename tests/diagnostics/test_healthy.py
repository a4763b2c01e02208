"""Healthy programs, odd ones among them: no rule on data, labels, head or pipeline may name a cause."""

import functools
import operator

from keras_course.diagnostics.observation import Data, Plan, Stage
from keras_course.diagnostics.rules import copies, data, heads, labels, noise, pairs, scale, splits, stream
from tests.diagnostics.tables import DIGITS, IMAGES, LABELS
from tests.diagnostics.typed import BINARY, CROSS, RNG, SQUARED, softmax, training

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

RULES = functools.reduce(
    operator.or_, (m.RULES for m in (copies, data, heads, labels, noise, pairs, scale, splits, stream))
)
HOT = np.eye(10, dtype="float32")[LABELS]


def table(load):
    x, y = load(return_X_y=True)
    return ((x - x.mean(0)) / x.std(0)).astype("float32"), y


def split(seen, at=1400):
    seen.validation = Data(x=seen.train.x[at:], y=seen.train.y[at:], n=len(seen.train.x) - at)
    seen.train = Data(x=seen.train.x[:at], y=seen.train.y[:at], n=at)
    return seen


def probabilities(rows):
    return softmax(RNG.normal(size=(len(rows), 10)))


def logits(rows):
    return RNG.normal(size=(len(rows), 1)).astype("float32")


def sigmoids(rows):
    return 1 / (1 + np.exp(-logits(rows)))


def softmaxed(y, loss):
    return training(IMAGES, y, loss=loss, head="softmax", logits=False, output=probabilities)


def imbalanced():
    rare = np.flatnonzero((LABELS != 3) | (np.arange(len(LABELS)) % 20 == 0))
    x, y = IMAGES[rare], (LABELS[rare] == 3).astype("int64")
    return training(x, y, loss=BINARY, head="sigmoid", classes=1, output=lambda rows: y[rows][:, None] * 0.8 + 0.1)


def small():
    return training(*(part[:60] for part in table(load_wine)), classes=3, looks=6)


def series():
    level = np.sin(np.arange(3000) / 200) + 0.01 * RNG.normal(size=3000)
    windows = np.lib.stride_tricks.sliding_window_view(level, 21).astype("float32")
    return training(windows[:, :20, None], windows[:, 20:], loss=SQUARED, classes=1, output=logits, shuffle=False)


def words():
    ids = RNG.integers(0, 5000, (1000, 12))
    return training(
        ids, np.roll(ids, -1, 1), kind="embedding", classes=5000, output=lambda r: RNG.normal(size=(8, 12, 50))
    )


def bags():
    x = (RNG.random((1000, 300)) < 0.02).astype("float32")
    y = (x[:, :20].sum(1) > 0).astype("int64")
    return training(x, y, loss=BINARY, head="sigmoid", classes=1, output=sigmoids)


def normalised_rows():
    x = RNG.normal(size=(1000, 768)).astype("float32")
    x[:, 0] += 2 * (y := RNG.integers(0, 2, 1000))
    return training(x / np.linalg.norm(x, axis=1, keepdims=True), y, loss=BINARY, classes=1, output=logits)


def pixels():
    return training((IMAGES * 255).astype("uint8"), LABELS, entering=IMAGES)


def autoencoder():
    flat = lambda rows: np.clip(DIGITS[rows] + 0.1, 0, 1)  # noqa: E731 - one expression
    return training(DIGITS, DIGITS, loss=BINARY, head="sigmoid", classes=64, output=flat)


def denoiser():
    seen = training(IMAGES, IMAGES, loss=SQUARED, head="linear", classes=1, output=lambda rows: IMAGES[rows])
    seen.experiments["noise"] = 3.0
    return seen


def tags():
    y = (RNG.random((1000, 6)) < 0.3).astype("float32")
    x = np.concatenate([y + 0.3 * RNG.normal(size=y.shape), RNG.normal(size=(1000, 4))], axis=1).astype("float32")
    return training(x, y, loss=BINARY, head="sigmoid", classes=6, output=lambda r: RNG.random((len(r), 6)))


def regression():
    x, y = table(load_diabetes)
    return training(x, ((y - y.mean()) / y.std()).astype("float32"), loss=SQUARED, classes=1, output=logits)


def grades():
    x = RNG.normal(size=(1000, 5)).astype("float32")
    y = np.clip(np.round(5 + x.sum(1)), 2, 8).astype("float32")
    return training(x, y, loss=SQUARED, classes=1, output=logits)


def critic(value, turns=False):
    x = RNG.normal(size=(1000, 16)).astype("float32")
    y = np.full((1000, 1), value, "float32")
    seen = training(x, y, loss=BINARY, classes=1, output=logits, stored=False, interface="loop")
    seen.alone = False
    if turns:
        seen.stream = [np.full((32, 1), step % 2, "float32") for step in range(24)]
        for probe, labels in zip(seen.probes, seen.stream, strict=True):
            probe.y = labels
    return seen


def unlabelled():
    return training(IMAGES, None, loss="", output=lambda rows: RNG.normal(size=(len(rows), 8)), classes=8)


def triplets():
    return training(DIGITS, np.zeros(len(DIGITS), "float32"), loss="triplet", output=logits, classes=1)


def policy():
    actions = np.eye(2, dtype="float32")[RNG.integers(0, 2, 1000)] * RNG.normal(size=(1000, 1)).astype("float32")
    x = RNG.normal(size=(1000, 4)).astype("float32")
    seen = training(
        x, actions, loss=CROSS, head="softmax", logits=False, classes=2, output=lambda r: softmax(logits(r) * [1, -1])
    )
    return seen


def rescued():
    seen = training(IMAGES, LABELS, head="softmax", logits=True, output=probabilities)
    seen.experiments["rescued"] = 1.0
    return seen


def standardised_in_front():
    x, y = load_breast_cancer(return_X_y=True)
    return training(x, y, loss=BINARY, classes=1, output=logits, entering=table(load_breast_cancer)[0])


def piped():
    seen = training(IMAGES, LABELS)
    shuffle = {"buffer": 1797, "of": 1797, "reshuffle": True, "seed": None}
    seen.pipeline = [
        Stage(kind="source", detail={"n": 1797}),
        Stage(kind="cache"),
        Stage(kind="shuffle", detail=shuffle),
        Stage(kind="map", detail={"random": True}),
        Stage(kind="batch", detail={"size": 32}),
        Stage(kind="prefetch"),
    ]
    return seen


def buffered_in_random_order():
    seen = training(IMAGES, LABELS)
    seen.pipeline = [Stage(kind="source"), Stage(kind="shuffle", detail={"buffer": 50, "of": 1797, "reshuffle": True})]
    return seen


HEALTHY = {
    "digits": lambda: training(IMAGES, LABELS),
    "digits, split": lambda: split(training(IMAGES, LABELS)),
    "one-hot": lambda: training(IMAGES, HOT, loss=CROSS, head="softmax", logits=False, output=probabilities),
    "softmax with squared error": lambda: training(IMAGES, HOT, loss=SQUARED, head="softmax", output=probabilities),
    "softmax with binary loss": lambda: training(
        IMAGES, HOT, loss=BINARY, head="softmax", logits=False, output=probabilities
    ),
    "soft labels": lambda: training(
        IMAGES, 0.9 * HOT + 0.01, loss=CROSS, head="softmax", logits=False, output=probabilities
    ),
    "wine": lambda: training(*table(load_wine), classes=3),
    "breast cancer": lambda: training(*table(load_breast_cancer), loss=BINARY, classes=1, output=logits),
    "hinge": lambda: training(*table(load_breast_cancer), loss="hinge", classes=1, output=logits),
    "raw loop": lambda: training(IMAGES, LABELS, stored=False, interface="loop"),
    "imbalanced, learned": imbalanced,
    "small": small,
    "series in order": series,
    "words": words,
    "bags of words": bags,
    "rows of length 1": normalised_rows,
    "pixels rescaled inside": pixels,
    "autoencoder": autoencoder,
    "denoiser": denoiser,
    "tags": tags,
    "regression": regression,
    "grades": grades,
    "critic of real ones": lambda: critic(1.0),
    "critic of made ones": lambda: critic(0.0),
    "critic in turns": lambda: critic(0.0, turns=True),
    "without labels": unlabelled,
    "triplets": triplets,
    "policy gradient": policy,
    "softmax twice, rescued": rescued,
    "normalisation in front": standardised_in_front,
    "pipeline": piped,
    "short buffer, random source": buffered_in_random_order,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_no_cause_is_named(name):
    seen = HEALTHY[name]()
    found = [finding for rule in RULES.values() for finding in rule(seen)]
    named = [finding for finding in found if finding.kind == "named"]
    # Grades look like classes: that finding is not certain, so without harm it is not named either.
    assert [f for f in named if f.certain or not (name == "grades" and f.cause == "wrong_loss_for_task")] == []


def test_an_empty_observation_is_judged_by_nothing():
    from keras_course.diagnostics.observation import Observation

    assert [f for rule in RULES.values() for f in rule(Observation(name="m", plan=Plan()))] == []
