"""Batch normalisation by hand: what may an example know of its neighbours, and when?

In training a layer normalises each channel by the mean and the variance of its batch, and keeps running averages of
both: average ← β · average + (1 - β) · batch. In test mode it uses the averages, so that an image's class does not
depend on which other images stand beside it. You write `BatchNorm.forward` for both modes and `BatchNorm.backward`.

The run shows what each part is for. With and without the layer over three learning rates. A test mode that uses the
batch's statistics after all, on batches of one class: where the mistake shows. The averages on their way from their
start, off by β to the number of batches. And ε, which decides alone once a channel stands still.

Ioffe and Szegedy (2015), "Batch normalization", sections 3 and 3.1.
"""

import copy
from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Result
from keras_course.settings import Count, Positive, Seed, Share

import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist", "fashion_mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    hidden: Count = 32  # units of each hidden layer
    depth: Count = 4  # hidden layers
    epochs: Count = 10
    learning_rates: tuple[Positive, ...] = (0.01, 0.1, 1.0)  # of plain gradient descent
    momentum: Share = 0.9  # β of the running averages
    batch_size: Count = 32
    seed: Seed = 0


def network(splits, settings, *, normalised):
    """Dense, batch normalisation where asked for, sigmoid, several times; then a dense layer."""
    rng, layers = np.random.default_rng(settings.seed), [scratch.Flatten()]
    inputs = splits.train.x[0].size
    for _ in range(settings.depth):
        # β of the normalisation takes the place of the bias, which it would subtract again
        layers.append(scratch.Dense(inputs, settings.hidden, rng=rng, use_bias=not normalised))
        layers += [scratch.BatchNorm(settings.hidden, settings.momentum)] if normalised else []
        layers.append(scratch.Sigmoid())
        inputs = settings.hidden
    return scratch.Network([*layers, scratch.Dense(inputs, len(splits.classes), rng=rng)]).astype("float32")


def train(splits, settings, rate, log, *, normalised):
    """Trains one network; returns it with its curves."""
    net = network(splits, settings, normalised=normalised)
    history = scratch.fit(
        net,
        scratch.SoftmaxCrossEntropy(),
        *splits.train,
        optimizer=scratch.SGD(rate),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        rng=np.random.default_rng(settings.seed),
        validation=splits.validation,
        metrics={"accuracy": scratch.accuracy},
        log=log,
        stage=f"{'with' if normalised else 'without'} {rate:g}",
    )
    return net, history


def in_batches(net, x, size, *, training):
    """The outputs of examples that are given `size` at a time, in one mode or the other."""
    return np.concatenate([net.forward(x[i : i + size], training) for i in range(0, len(x), size)])


def by_mode(net, split, sizes=(2, 5, 15, 60)):
    """Test accuracy by the size of the batches: running averages, batch statistics, those of batches of one class."""
    rows, by_class = [], np.argsort(split.y, kind="stable")
    for size in sizes:
        row = {
            "batch": size,
            "running averages": scratch.accuracy(in_batches(net, split.x, size, training=False), split.y),
        }
        for label, order in (("batch statistics", slice(None)), ("batch statistics, one class a batch", by_class)):
            outputs = in_batches(copy.deepcopy(net), split.x[order], size, training=True)
            row[label] = scratch.accuracy(outputs, split.y[order])
        rows.append(row)
    return rows


def averages(momentum, batches=60):
    """The running mean of a channel of mean 5, batch by batch, the closed form, and the mean without the bias."""
    rng, layer = np.random.default_rng(0), scratch.BatchNorm(1, momentum)
    measured = []
    for _ in range(batches):
        layer.forward(rng.normal(5, 1, (64, 1)), training=True)
        measured.append(float(layer.moving_mean[0]))
    steps = np.arange(1, batches + 1)
    return {
        "running mean": measured,
        "5 (1 - βⁿ)": (5 * (1 - momentum**steps)).tolist(),
        "divided by 1 - βⁿ": (np.array(measured) / (1 - momentum**steps)).tolist(),
    }


def scale_of(epsilon, deviations):
    """The standard deviation of the output for channels of these standard deviations."""
    z = np.array([[-1.0], [1.0]])
    return [float(scratch.BatchNorm(1, epsilon=epsilon).forward(d * z, True).std()) for d in deviations]


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    found = {
        (rate, normalised): train(splits, settings, rate, log, normalised=normalised)
        for rate in settings.learning_rates
        for normalised in (False, True)
    }
    rate = max(settings.learning_rates, key=lambda r: found[r, True][1]["val_accuracy"][-1])
    net = found[rate, True][0]
    rows = by_mode(net, splits.test)
    deviations = np.geomspace(1e-4, 1e2, 25)
    small = scratch.Network(
        [scratch.Dense(10, 20, rng=np.random.default_rng(0), use_bias=False), scratch.BatchNorm(20)]
    )
    return Result(
        scores={
            "test_accuracy": scratch.accuracy(net.predict(splits.test.x), splits.test.y),
            "best_with": max(found[r, True][1]["val_accuracy"][-1] for r in settings.learning_rates),
            "best_without": max(found[r, False][1]["val_accuracy"][-1] for r in settings.learning_rates),
            "lost_by_batch_statistics": max(
                row["running averages"] - row["batch statistics, one class a batch"] for row in rows
            ),
            "parameters_of_10_to_20": small.count(),
        },
        arrays={
            "curves": {
                f"{'with' if normalised else 'without'}, rate {r:g}": history["val_accuracy"]
                for (r, normalised), (_, history) in found.items()
            },
            "modes": rows,
            "averages": averages(settings.momentum),
            "epsilon": (deviations, {f"ε = {e:g}": scale_of(e, deviations) for e in (1e-6, 1e-3, 1e-1)}),
        },
        tables={
            "Test accuracy by what test mode uses": rows,
            "FC 10 → 20 with batch normalisation": [
                {"part": "weights, 10 × 20", "parameters": 200},
                {"part": "bias: left out, β does its work", "parameters": 0},
                {"part": "γ", "parameters": 20},
                {"part": "β", "parameters": 20},
                {"part": "together", "parameters": small.count()},
            ],
        },
        data=(splits,),
        parameters={"with": net.count(), "without": found[rate, False][0].count()},
    )


def figures(result):
    arrays = result.arrays
    rows = arrays["modes"]
    deviations, scales = arrays["epsilon"]
    epsilon = plots.curves(
        scales,
        x=deviations,
        xlabel="deviation of the channel",
        ylabel="deviation of the output",
        title="what ε decides",
    )
    epsilon.axes[0].set_xscale("log")
    return {
        "rates": plots.curves(arrays["curves"], ylabel="validation accuracy", title="with and without"),
        "modes": plots.grouped(
            {label: [row[label] for row in rows] for label in rows[0] if label != "batch"},
            groups=[str(row["batch"]) for row in rows],
            ylabel="test accuracy",
            title="test examples in batches of so many",
        ),
        "averages": plots.curves(
            arrays["averages"],
            xlabel="batches",
            ylabel="mean of a channel whose mean is 5",
            title="an average that starts at 0",
        ),
        "epsilon": epsilon,
    }


EXERCISE = Exercise(
    source="S3: batch normalisation in NumPy",
    small=Settings(),
    full=Settings(dataset="fashion_mnist", source="full", hidden=64, epochs=4, batch_size=64),
    quick=Settings(hidden=8, depth=1, epochs=1, learning_rates=(0.1,)),
    run=run,
    figures=figures,
    expect={
        "test_accuracy": Band(0.88, 1.0),
        "lost_by_batch_statistics": Band(0.3, 1.0),
        "parameters_of_10_to_20": Band(240, 240),
    },
)
