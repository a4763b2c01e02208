"""Dropout by hand: which factor, where, so that training and test mode agree?

A 4 × 4 map, a mask, and two conventions: inverted dropout divides what it keeps by the probability q of keeping it and
leaves test mode alone; classic dropout leaves training alone and multiplies by q in test mode. You write
`Dropout.factor`, and `expected_output`, which needs no draws: it adds up every mask with its probability.

The course's source multiplied the *loss* by a probability at test time. The run shows what that is: the expected output
is right to the last digit under both conventions, and the scaled loss is neither the loss of the scaled output nor
anything else that a network was trained for. Then dropout does its work: a net on a few hundred digits, with and
without, over several starts.

Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014), "Dropout: a simple way to prevent neural networks
from overfitting", sections 4 and 10.
"""

import itertools
from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed, Share

import numpy as np

MAP = ((2.0, -1.0, 0.5, 3.0), (1.0, 4.0, -2.0, 0.0), (0.5, 1.5, 2.5, -3.0), (-1.0, 2.0, 1.0, 6.0))
MASK = ((1, 0, 1, 1), (0, 1, 1, 0), (1, 1, 0, 1), (1, 0, 1, 0))


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist", "fashion_mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    rate: Share = 0.5  # of the values that are set to 0; below 1
    examples: Count = 300  # training images: few, so that there is something to learn by heart
    hidden: Count = 256  # units of the two hidden layers, on which dropout acts
    epochs: Count = 60
    learning_rate: Positive = 0.001  # of Adam
    repeats: Count = 3  # starts of each network
    seed: Seed = 0


@blank(
    "foundations/dropout_by_hand",
    hints=(
        "A map of n values has 2ⁿ masks. What is the probability of a mask that keeps k of them?",
        "`itertools.product((False, True), repeat=n)` gives all masks; a sum of outputs times probabilities is exact.",
        "Every value is kept or not by itself: the probability is qᵏ (1 - q)ⁿ⁻ᵏ with q = 1 - rate.",
    ),
)
def expected_output(layer, x):
    """The mean of a `Dropout` layer's outputs in training over all masks, each with its probability: exact.

    layer: gives the factor of a mask by `layer.factor(mask, True)` and has a `rate`. x: a few values, of any shape.
    """
    keep = 1 - layer.rate
    total = np.zeros_like(x, dtype=float)
    for bits in itertools.product((False, True), repeat=x.size):
        mask = np.reshape(bits, x.shape)
        chance = keep ** mask.sum() * layer.rate ** (x.size - mask.sum())
        total += chance * x * layer.factor(mask, True)
    return total


def layer(rate, convention):
    """A dropout layer whose draws do not matter."""
    return scratch.Dropout(rate, rng=np.random.default_rng(0), convention=convention)


def by_hand(rate):
    """The map under the given mask and at test time, and the mean over all masks of one of its rows."""
    x, mask, rows = np.array(MAP), np.array(MASK, bool), []
    for convention in ("inverted", "classic"):
        dropout = layer(rate, convention)
        test = x * dropout.factor(mask, False)
        rows.append(
            {
                "convention": convention,
                "sum under the mask": float(np.sum(x * dropout.factor(mask, True))),
                "sum in test mode": float(test.sum()),
                "mean over all masks": float(
                    expected_output(dropout, x[:2]).sum() + expected_output(dropout, x[2:]).sum()
                ),
                "largest difference": max(
                    float(np.abs(expected_output(dropout, row) - row * dropout.factor(np.ones(4, bool), False)).max())
                    for row in x
                ),
            }
        )
    return rows


def scaled_loss(rate):
    """What it means to scale the loss at test time, for a linear unit with the map as its input and target 1."""
    x, w, target = np.ravel(MAP), np.linspace(-0.5, 0.5, 16), 1.0
    keep = 1 - rate
    loss = lambda output: float((output - target) ** 2)  # noqa: E731
    return [
        {"at test time": "classic dropout: the values times q", "loss": loss(keep * x @ w)},
        {"at test time": "nothing is scaled", "loss": loss(x @ w)},
        {"at test time": "the source (S3): the loss times q", "loss": keep * loss(x @ w)},
    ]


def train(splits, settings, rate, repeat, log):
    """Trains one network on a few images; returns the curves and the test accuracy."""
    rng = np.random.default_rng((settings.seed, repeat))
    sizes = [splits.train.x[0].size, settings.hidden, settings.hidden]
    layers = [scratch.Flatten()]
    for inputs, units in itertools.pairwise(sizes):
        layers += [
            scratch.Dense(inputs, units, rng=rng, initial=scratch.he_normal),
            scratch.ReLU(),
            scratch.Dropout(rate, rng=rng),
        ]
    net = scratch.Network([*layers, scratch.Dense(settings.hidden, len(splits.classes), rng=rng)]).astype("float32")
    history = scratch.fit(
        net,
        scratch.SoftmaxCrossEntropy(),
        splits.train.x[: settings.examples],
        splits.train.y[: settings.examples],
        optimizer=scratch.Adam(settings.learning_rate),
        epochs=settings.epochs,
        batch_size=32,
        rng=rng,
        validation=(splits.validation.x[:1000], splits.validation.y[:1000]),
        metrics={"accuracy": scratch.accuracy},
        log=log,
        stage=f"dropout {rate:g}/{repeat}",
    )
    return history, scratch.accuracy(net.predict(splits.test.x), splits.test.y)


def converging(rate, draws=2000):
    """The running mean of the map's training outputs, as its largest distance from the test output."""
    x = np.array(MAP)
    found = {}
    for convention in ("inverted", "classic"):
        dropout = layer(rate, convention)
        outputs = np.array([dropout.forward(x, True) for _ in range(draws)])
        means = np.cumsum(outputs, axis=0) / np.arange(1, draws + 1)[:, None, None]
        found[convention] = np.abs(means - dropout.forward(x)).max(axis=(1, 2))
    return found


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    trained = {
        label: [train(splits, settings, rate, repeat, log) for repeat in range(settings.repeats)]
        for label, rate in (("without", 0.0), (f"rate {settings.rate:g}", settings.rate))
    }
    without, with_it = ([accuracy for _, accuracy in found] for found in trained.values())
    rows = by_hand(settings.rate)
    return Result(
        scores={
            "test_accuracy_without": float(np.mean(without)),
            "test_accuracy_with": float(np.mean(with_it)),
            "gain": float(np.mean(np.subtract(with_it, without))),
            "distance_of_the_mean_from_test_mode": max(row["largest difference"] for row in rows),
            "training_loss_left": float(np.mean([h["loss"][-1] for h, _ in list(trained.values())[1]])),
        },
        arrays={
            "curves": {label: [h["val_loss"] for h, _ in found] for label, found in trained.items()},
            "converging": converging(settings.rate),
            "maps": {
                c: np.array(MAP) * layer(settings.rate, c).factor(np.array(MASK, bool), True)
                for c in ("inverted", "classic")
            },
        },
        tables={
            "The 4 × 4 map by hand": rows,
            "What is scaled at test time": scaled_loss(settings.rate),
            f"{settings.examples} training images, {settings.repeats} starts": [
                {"dropout": label, "least": min(a), "mean test accuracy": float(np.mean(a)), "most": max(a)}
                for label, a in zip(trained, (without, with_it), strict=True)
            ],
        },
        data=(splits,),
    )


def figures(result):
    arrays = result.arrays
    drawing, axes = plots.panels(1, 3, width=3.1, height=3.2)
    maps = {"the map": np.array(MAP)} | {f"{name}, training": values for name, values in arrays["maps"].items()}
    for axis, (title, values) in zip(axes, maps.items(), strict=True):
        axis.imshow(values, cmap="RdBu", vmin=-12, vmax=12)
        for i, j in np.ndindex(4, 4):
            axis.text(
                j, i, f"{values[i, j]:g}", ha="center", va="center", color="white" if abs(values[i, j]) > 7 else "black"
            )
        axis.set(xticks=[], yticks=[], title=title)
        axis.grid(visible=False)
    means, mean_axes = plots.figure()
    for name, distance in arrays["converging"].items():
        mean_axes.plot(range(1, len(distance) + 1), distance, label=name)
    mean_axes.set(
        xscale="log",
        yscale="log",
        xlabel="draws",
        ylabel="largest distance from test mode",
        title="the mean of the draws",
    )
    mean_axes.legend(frameon=False, fontsize="small")
    return {
        "maps": drawing,
        "mean": means,
        "validation": plots.band(
            arrays["curves"], ylabel="validation loss (nats)", title="few images: mean and range over the starts"
        ),
    }


EXERCISE = Exercise(
    source="S3: dropout on a given map",
    small=Settings(),
    full=Settings(dataset="fashion_mnist", source="full", examples=2000, epochs=40),
    quick=Settings(examples=64, hidden=8, epochs=1, repeats=1),
    run=run,
    figures=figures,
    expect={
        "test_accuracy_with": Band(0.85, 1.0),
        "distance_of_the_mean_from_test_mode": Band(0, 1e-12),
        "training_loss_left": Band(1e-3, 0.5),
    },
)
