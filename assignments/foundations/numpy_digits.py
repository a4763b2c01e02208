"""Handwritten digits in NumPy: what does a hidden layer add, and how much of a score is memory?

A network of two dense layers, its gradients by hand, is trained on three quarters of the digits and judged on digits
that no training saw. The course's source had no hidden layer and reported 99.78 %, measured on the images that it had
trained on; the table of this run shows both protocols side by side.

You write `train_epoch`, one pass over all examples in a new order, and `accuracy`. The layers stand in
`keras_course.scratch`; their softmax takes off the largest logit first, so that logits of a thousand do no harm.

Bishop (2006), "Pattern Recognition and Machine Learning", sections 1.1 and 5.2, for held-out data and the network.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Result
from keras_course.settings import Count, Positive, Seed

import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    hidden: Count = 64  # units of the hidden layer
    epochs: Count = 60
    learning_rate: Positive = 0.2  # of plain gradient descent
    batch_size: Count = 32
    seed: Seed = 0


def network(splits, settings, *, hidden):
    """Dense layers with `hidden` ReLU units between them, or a single one when there are none."""
    rng = np.random.default_rng(settings.seed)
    inputs, classes = splits.train.x[0].size, len(splits.classes)
    if not hidden:
        return scratch.Network([scratch.Flatten(), scratch.Dense(inputs, classes, rng=rng)])
    return scratch.Network(
        [
            scratch.Flatten(),
            scratch.Dense(inputs, hidden, rng=rng, initial=scratch.he_normal),
            scratch.ReLU(),
            scratch.Dense(hidden, classes, rng=rng),
        ]
    )


def train(splits, settings, stage, log, *, hidden):
    """Trains on the training split; returns the network and its curves."""
    net = network(splits, settings, hidden=hidden).astype("float32")
    history = scratch.fit(
        net,
        scratch.SoftmaxCrossEntropy(),
        *splits.train,
        optimizer=scratch.SGD(settings.learning_rate),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        rng=np.random.default_rng(settings.seed),
        validation=splits.validation,
        metrics={"accuracy": scratch.accuracy},
        log=log,
        stage=stage,
    )
    return net, history


def score(net, split):
    """The accuracy on the examples of a split."""
    return scratch.accuracy(net.predict(split.x), split.y)


def claims(linear, deep, splits):
    """What the source reported, and what its protocol and the right one give."""
    rows = [
        ("no hidden layer, scored on what it was trained on", "0.9978", linear, splits.train),
        ("no hidden layer, scored on held-out digits", "not measured", linear, splits.test),
        ("a hidden layer, scored on what it was trained on", "–", deep, splits.train),
        ("a hidden layer, scored on held-out digits", "–", deep, splits.test),
    ]
    return [
        {"network and protocol": what, "source (S2)": claimed, "measured": score(net, split)}
        for what, claimed, net, split in rows
    ]


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    linear, linear_history = train(splits, settings, "linear", log, hidden=0)
    deep, deep_history = train(splits, settings, "hidden", log, hidden=settings.hidden)
    outputs = deep.predict(splits.test.x)
    wrong = np.flatnonzero(outputs.argmax(axis=1) != splits.test.y)[:12]
    check = scratch.gradcheck(network(splits, settings, hidden=settings.hidden), splits.train.x[:5].astype("float64"))
    return Result(
        scores={
            "test_accuracy": score(deep, splits.test),
            "test_accuracy_no_hidden_layer": score(linear, splits.test),
            "training_accuracy": score(deep, splits.train),
            "memory": score(deep, splits.train) - score(deep, splits.test),
            "gradient_error": max(row["error"] for row in check),
        },
        arrays={
            "curves": {"no hidden layer": linear_history["val_accuracy"], "hidden layer": deep_history["val_accuracy"]},
            "trained": deep_history["accuracy"],
            "wrong": splits.test.x[wrong],
            "answers": [
                f"{a} for {b}" for a, b in zip(outputs[wrong].argmax(axis=1), splits.test.y[wrong], strict=True)
            ],
        },
        tables={"Claimed and measured": claims(linear, deep, splits), "Gradients by hand against differences": check},
        data=(splits,),
        parameters={"no hidden layer": linear.count(), "hidden layer": deep.count()},
    )


def figures(result):
    arrays = result.arrays
    errors = {f"{name}, validation": [1 - v for v in values] for name, values in arrays["curves"].items()}
    errors["hidden layer, training"] = [1 - v for v in arrays["trained"]]
    drawn = {"error": plots.curves(errors, ylabel="error", title="what training shows is not what is learned")}
    if len(arrays["wrong"]):
        drawn["wrong"] = plots.images(
            arrays["wrong"][None], titles=arrays["answers"], title="test digits that it reads wrong: answer for truth"
        )
    return drawn


EXERCISE = Exercise(
    source="S2: handwritten digits in NumPy",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", hidden=128, epochs=15, learning_rate=0.1),
    quick=Settings(hidden=8, epochs=2),
    run=run,
    figures=figures,
    expect={
        "test_accuracy": Band(0.93, 1.0),
        "test_accuracy_no_hidden_layer": Band(0.9, 0.995),
        "memory": Band(0.0, 0.07),
        "gradient_error": Band(0, 1e-6),
    },
)
