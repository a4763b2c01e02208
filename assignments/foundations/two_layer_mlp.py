"""A two-layer perceptron from scratch: what do the learning rate and an L2 penalty change?

Dense, sigmoid, dense, with biases, trained by plain gradient descent. You write the chain rule in two places:
`Network.forward` and `Network.backward`, which pass values on and gradients back, and `Dense.backward`, with an L2
penalty that pulls the kernel and leaves the bias alone.

The run repeats the source's sweep of learning rates, sweeps the penalty, picks both on the validation split, and
trains the network that was picked for longer. The test split is scored once, for that one.

Bishop (2006), "Pattern Recognition and Machine Learning", section 5.3, for backpropagation.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Floor, Result
from keras_course.settings import Count, NonNegative, Positive, Seed, Several

import numpy as np

CLAIMED = {1.0: 0.951, 0.1: 0.921, 0.05: 0.914, 0.01: 0.755}  # S1: learning rate -> accuracy


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    hidden: Several = 128  # sigmoid units
    learning_rates: tuple[Positive, ...] = (1.0, 0.1, 0.05, 0.01)  # of the sweep, without a penalty
    penalties: tuple[NonNegative, ...] = (0.0, 1e-4, 1e-3, 1e-2)  # of the sweep of L2, at the best learning rate
    sweep_epochs: Count = 5  # of each training of a sweep
    epochs: Count = 40  # of the network that was picked
    batch_size: Count = 32
    seed: Seed = 0


def network(splits, settings, l2):
    """Dense, sigmoid, dense, with the penalty on both kernels."""
    rng = np.random.default_rng(settings.seed)
    inputs, classes = splits.train.x[0].size, len(splits.classes)
    return scratch.Network(
        [
            scratch.Flatten(),
            scratch.Dense(inputs, settings.hidden, rng=rng, l2=l2),
            scratch.Sigmoid(),
            scratch.Dense(settings.hidden, classes, rng=rng, l2=l2),
        ]
    )


def train(splits, settings, stage, *, learning_rate, l2, epochs, log=None):
    """Trains one network; returns it with its curves."""
    net = network(splits, settings, l2).astype("float32")
    history = scratch.fit(
        net,
        scratch.SoftmaxCrossEntropy(),
        *splits.train,
        optimizer=scratch.SGD(learning_rate),
        epochs=epochs,
        batch_size=settings.batch_size,
        rng=np.random.default_rng(settings.seed),
        validation=splits.validation,
        metrics={"accuracy": scratch.accuracy},
        log=log,
        stage=stage,
    )
    return net, history


def size(net):
    """The length of all kernels, seen as one vector."""
    return float(np.sqrt(sum(np.sum(w**2) for name, w in net.parameters.items() if name.endswith("kernel"))))


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    sweep = {"epochs": settings.sweep_epochs}
    rates, penalties = {}, {}
    for rate in settings.learning_rates:
        _, history = train(splits, settings, f"rate {rate:g}", learning_rate=rate, l2=0.0, **sweep)
        rates[rate] = history["val_accuracy"]
    rate = max(rates, key=lambda r: rates[r][-1])
    for l2 in settings.penalties:
        net, history = train(splits, settings, f"l2 {l2:g}", learning_rate=rate, l2=l2, **sweep)
        penalties[l2] = (history["val_accuracy"][-1], history["accuracy"][-1], size(net))
    l2 = max(penalties, key=lambda p: penalties[p][0])
    best, history = train(splits, settings, "best", learning_rate=rate, l2=l2, epochs=settings.epochs, log=log)
    return Result(
        scores={
            "best": scratch.accuracy(best.predict(splits.test.x), splits.test.y),
            "learning_rate": rate,
            "l2": l2,
            "spread_of_rates": max(v[-1] for v in rates.values()) - min(v[-1] for v in rates.values()),
            "shrinkage": penalties[max(penalties)][2] / penalties[min(penalties)][2],
        },
        arrays={
            "rates": {f"rate {r:g}": values for r, values in rates.items()},
            "penalties": penalties,
            "history": history,
            "filters": best.parameters["1/kernel"]
            .T[: min(20, settings.hidden // 2 * 2)]
            .reshape(-1, *splits.train.x.shape[1:]),
        },
        tables={
            f"Learning rates, {settings.sweep_epochs} epochs each": [
                {
                    "learning rate": f"{r:g}",
                    "source (S1)": CLAIMED.get(r, "–"),
                    "validation accuracy": values[-1],
                }
                for r, values in rates.items()
            ],
            f"L2 at rate {rate:g}, {settings.sweep_epochs} epochs each": [
                {"l2": f"{p:g}", "validation accuracy": v, "training accuracy": t, "length of the kernels": norm}
                for p, (v, t, norm) in penalties.items()
            ],
        },
        data=(splits,),
        parameters={"two layers": best.count()},
    )


def figures(result):
    arrays = result.arrays
    filters = 0.5 + arrays["filters"] / (2 * np.abs(arrays["filters"]).max())
    return {
        "rates": plots.curves(arrays["rates"], ylabel="validation accuracy", title="learning rate of plain descent"),
        "penalties": plots.bars(
            {f"{p:g}": norm for p, (*_, norm) in arrays["penalties"].items()},
            ylabel="length of the kernels",
            title="what the penalty does to the weights",
        ),
        "best": plots.curves(
            {"training": arrays["history"]["accuracy"], "validation": arrays["history"]["val_accuracy"]},
            ylabel="accuracy",
            title="the network that was picked",
        ),
        "filters": plots.images(
            filters.reshape(-1, len(filters) // 2, *filters.shape[1:]),
            title="what hidden units look for: white for, black against",
        ),
    }


EXERCISE = Exercise(
    source="S1: two-layer perceptron from scratch, sweeps of learning rate and L2",
    small=Settings(),
    full=Settings(source="full", epochs=30),
    quick=Settings(
        hidden=8, learning_rates=(0.5, 0.1), penalties=(0.0, 0.01), sweep_epochs=1, epochs=1, batch_size=200
    ),
    run=run,
    figures=figures,
    expect={
        "best": Band(0.89, 0.97),
        "spread_of_rates": Band(0.1, 0.8),
        "shrinkage": Band(0.05, 0.8),
    },
    floors={"best": Floor(0.9767, "S1, the best of its two-layer perceptrons on MNIST")},
)
