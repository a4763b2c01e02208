"""Convolutional networks on images: is the deeper one better because it is deeper, or because it is larger?

Two networks learn the same images: a simple one, a single convolution with pooling and a matrix, and a deep one of
several convolutions. Then a table of eight models changes depth, width, activation and batch size one at a time. You
write four functions:

- `parameters`, the number of weights by formula, before anything is built;
- `equal_width`, the number of filters that gives a network of another depth the same number of weights;
- `depth_effect`, what the table says about depth, from those pairs of rows only that may be compared;
- `filter_images`, the filters of the first convolution as pictures.

Each convolution is halved by pooling, so a deeper network ends in a smaller map and its last matrix, which holds most
of the weights, shrinks: with as many filters a layer, the deeper network is the smaller one. Who then reads "deeper,
so worse" off the table has compared sizes. The run prints the comparison both ways.

LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document recognition", section II.
"""

import itertools
import statistics
from dataclasses import dataclass
from typing import Literal

from keras_course import data, models, plots, training
from keras_course.exercise import Band, Exercise, Floor, Result, Target, blank
from keras_course.settings import Count, Positive, Seed, Share

import keras
import numpy as np


@dataclass(frozen=True)
class Settings:
    datasets: tuple[Literal["mnist", "fashion_mnist", "cifar10"], ...] = ("mnist",)  # the table uses the first
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    simple: Count = 16  # filters of the single convolution of the simple network
    deep: tuple[Count, ...] = (16, 32, 64)  # filters of the convolutions of the deep network
    dropout: Share = 0.3  # of the inputs of the deep network's last layer
    width: Count = 16  # filters of each convolution in the table of eight models
    epochs: Count = 6  # of the simple and the deep network
    table_epochs: Count = 3  # of each model of the table
    learning_rate: Positive = 0.03  # of SGD with momentum .9 and a cosine down to 0
    batch_size: Count = 64
    seed: Seed = 0


@blank(
    "vision/cnn_images",
    hints=(
        "A filter sees kernel × kernel places of all channels before it, and has one bias.",
        "Pooling has no weights; it halves height and width, and an odd row or column is dropped.",
        "The last layer joins every number of the last map to every class: height × width × filters, and one bias.",
    ),
)
def parameters(input_shape, classes, filters, kernel=3):
    """The number of weights of a network of convolutions, each halved by pooling, and one dense layer to the classes.

    input_shape: (height, width, channels). filters: of each convolution, in order; the convolutions are square, of
    `kernel` places a side, keep height and width ("same" padding) and have biases. Returns a whole number.
    """
    height, width, channels = input_shape
    total = 0
    for count in filters:
        total += (kernel * kernel * channels + 1) * count
        height, width, channels = height // 2, width // 2, count
    return total + (height * width * channels + 1) * classes


@blank(
    "vision/cnn_images",
    hints=(
        "`parameters` grows with the number of filters: try 1, 2, 3, … until it passes what is wanted.",
        "The last width that is too small and the first that is too large are the two candidates: take the nearer.",
    ),
)
def equal_width(input_shape, classes, depth, wanted):
    """Filters of each of `depth` equal convolutions for which `parameters` comes nearest to `wanted`; at least 1.

    input_shape: (height, width, channels), large enough to be halved `depth` times. Of two that are as near, the
    smaller.
    """
    at = lambda width: parameters(input_shape, classes, (width,) * depth)  # noqa: E731
    width = 1
    while at(width) < wanted:
        width += 1
    return min((max(1, width - 1), width), key=lambda each: abs(at(each) - wanted))


@blank(
    "vision/cnn_images",
    hints=(
        "Take all pairs of rows of different depth. Which of them differ in more than depth?",
        "A pair with another activation or batch size is no evidence on depth.",
        "Nor is one of unequal size: the larger may have at most (1 + tolerance) times the parameters of the smaller.",
        "Accuracy of the deeper minus accuracy of the shallower, averaged over the fair pairs; None without any.",
    ),
)
def depth_effect(rows, tolerance=0.1):
    """What depth alone is worth: the mean gain in accuracy of the deeper of two models of equal size.

    rows: dictionaries with "depth", "activation", "batch", "parameters" and "accuracy". Only pairs count that differ in
    depth, that share activation and batch size, and of which the larger has at most 1 + `tolerance` times the
    parameters of the smaller. Returns a number, or None when no pair may be compared.
    """
    gains = []
    for shallow, deep in itertools.permutations(rows, 2):
        small, large = sorted((shallow["parameters"], deep["parameters"]))
        alike = all(shallow[choice] == deep[choice] for choice in ("activation", "batch"))
        if deep["depth"] > shallow["depth"] and alike and large <= (1 + tolerance) * small:
            gains.append(deep["accuracy"] - shallow["accuracy"])
    return statistics.fmean(gains) if gains else None


@blank(
    "vision/cnn_images",
    hints=(
        "Keras keeps a kernel as (height, width, channels, filters); a list of pictures has the filters first.",
        "Per filter: subtract the smallest value, divide by the largest that is left. All channels share one scale.",
        "A filter whose values are all equal would be divided by 0: draw it grey, .5 everywhere.",
    ),
)
def filter_images(kernel):
    """The filters of a convolution as pictures, each scaled so that it reaches from 0 to 1.

    kernel: (height, width, channels, filters). Returns (filters, height, width, channels). A filter's channels share
    one scale, so that its colours are true; one that is constant is .5 throughout.
    """
    pictures = np.moveaxis(np.asarray(kernel), -1, 0)
    low, high = (f(pictures, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    flat = high == low
    return np.where(flat, 0.5, (pictures - low) / np.where(flat, 1, high - low))


def train(model, splits, settings, stage, *, epochs, batch_size, log=None):
    """Trains the model; returns its test accuracy and the history."""
    batches = data.Batches(*splits.train, batch_size=batch_size, seed=settings.seed)
    check, test = (data.Batches(*part, batch_size=500, shuffle=False) for part in (splits.validation, splits.test))
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, epochs * len(batches))
    history = training.fit(
        model,
        training.classification,
        batches,
        epochs=epochs,
        optimizer=keras.optimizers.SGD(rate, momentum=0.9),
        validation=check,
        log=log,
        stage=stage,
    )
    return training.evaluate(model, training.classification, test)["accuracy"], history


def eight(settings, input_shape, classes):
    """The eight models, one change a row: label -> (filters, activation, batch size)."""
    width, batch = settings.width, settings.batch_size
    deeper = equal_width(input_shape, classes, 3, parameters(input_shape, classes, (width,) * 2))
    return {
        "as it is": ((width,) * 2, "relu", batch),
        "shallower": ((width,), "relu", batch),
        "deeper": ((width,) * 3, "relu", batch),
        "deeper, equal size": ((deeper,) * 3, "relu", batch),
        "width × 2": ((2 * width,) * 2, "relu", batch),
        "tanh": ((width,) * 2, "tanh", batch),
        "batch / 4": ((width,) * 2, "relu", max(1, batch // 4)),
        "batch × 4": ((width,) * 2, "relu", 4 * batch),
    }


def one_model(splits, settings, label, filters, activation, batch):
    """A row of the table of eight."""
    shape, classes = splits.train.x.shape[1:], len(splits.classes)
    model = models.cnn(shape, classes, filters=filters, activation=activation)
    accuracy, history = train(model, splits, settings, label, epochs=settings.table_epochs, batch_size=batch)
    return {
        "model": label,
        "depth": len(filters),
        "filters": filters[0],
        "activation": activation,
        "batch": batch,
        "parameters": model.count_params(),
        "by formula": parameters(shape, classes, filters),
        "training loss": history["loss"][-1],
        "accuracy": accuracy,
    }


def networks(splits, settings):
    """The simple and the deep network."""
    shape, classes = splits.train.x.shape[1:], len(splits.classes)
    return {
        "simple": models.cnn(shape, classes, filters=(settings.simple,)),
        "deep": models.cnn(shape, classes, filters=settings.deep, dropout=settings.dropout),
    }


def run(settings, log):
    sets = [data.load(name, source=settings.source, seed=settings.seed) for name in settings.datasets]
    scores, curves, filters, sizes = {}, {}, {}, {}
    for splits in sets:
        for kind, model in networks(splits, settings).items():
            stage, first = kind if splits is sets[0] else f"{splits.name}_{kind}", model.get_layer("conv_0")
            filters[f"{stage}, before"] = filter_images(first.kernel)
            scores[stage], history = train(
                model, splits, settings, stage, epochs=settings.epochs, batch_size=settings.batch_size, log=log
            )
            filters[f"{stage}, after"] = filter_images(first.kernel)
            curves[stage], sizes[stage] = history["val_accuracy"], model.count_params()
    choices = eight(settings, sets[0].train.x.shape[1:], len(sets[0].classes))
    rows = [one_model(sets[0], settings, label, *choice) for label, choice in choices.items()]
    found = {row["model"]: row["accuracy"] for row in rows}
    scores["deeper_minus_as_it_is"] = found["deeper"] - found["as it is"]
    effect = depth_effect(rows)
    if effect is not None:  # a table in which no two sizes are equal says nothing about depth
        scores["depth_at_equal_size"] = effect
    scores["width_effect"] = found["width × 2"] - found["as it is"]
    scores["miscounted"] = sum(row["parameters"] != row["by formula"] for row in rows)
    return Result(
        scores=scores,
        arrays={"curves": curves, "filters": filters, "rows": rows},
        tables={"Eight models": rows},
        data=tuple(sets),
        parameters=sizes,
    )


def draw_filters(filters):
    """The first filters of each network, one row each; grey ones are drawn in three equal colours beside coloured."""
    shown = min(16, *map(len, filters.values()))
    deepest = max(pictures.shape[-1] for pictures in filters.values())
    rows = [np.broadcast_to(p[:shown], (shown, *p.shape[1:3], deepest)) for p in filters.values()]
    return plots.images(rows, row_labels=list(filters), title="filters of the first convolution, each from 0 to 1")


def draw_sizes(rows):
    """Accuracy against the number of parameters; rows of another activation or batch size are left out."""
    rows = [row for row in rows if row["activation"] == rows[0]["activation"] and row["batch"] == rows[0]["batch"]]
    drawing, axes = plots.figure(6.4, 4.0)
    for depth in sorted({row["depth"] for row in rows}):
        same = [row for row in rows if row["depth"] == depth]
        axes.scatter([r["parameters"] for r in same], [r["accuracy"] for r in same], label=f"depth {depth}")
        for row in same:
            axes.annotate(row["model"], (row["parameters"], row["accuracy"]), xytext=(5, 3), textcoords="offset points")
    axes.set(xlabel="parameters", ylabel="test accuracy", title="the same kind of network by depth and size")
    axes.margins(x=0.25, y=0.15)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawing


def figures(result):
    arrays = result.arrays
    errors = {name: [1 - value for value in values] for name, values in arrays["curves"].items()}
    return {
        "error": plots.curves(errors, ylabel="validation error", yscale="log", title="a simple and a deep network"),
        "filters": draw_filters(arrays["filters"]),
        "sizes": draw_sizes(arrays["rows"]),
        "eight": plots.bars(
            {row["model"]: 1 - row["accuracy"] for row in arrays["rows"]},
            ylabel="test error",
            title="one choice changed at a time",
        ),
    }


EXERCISE = Exercise(
    source="S2 and S4: convolutional networks on images",
    small=Settings(),
    full=Settings(
        datasets=("fashion_mnist", "cifar10"),
        source="full",
        simple=32,
        deep=(32, 64, 128),
        epochs=8,
        table_epochs=2,
    ),
    quick=Settings(simple=2, deep=(2, 3), width=2, epochs=1, table_epochs=1, batch_size=500),
    run=run,
    figures=figures,
    expect={
        "simple": Band(0.88, 0.96),
        "deep": Band(0.935, 0.99),
        "miscounted": Band(0, 0),
    },
    floors={
        "deep": Floor(0.89, "S4, a convolutional network on Fashion-MNIST"),
        "cifar10_simple": Floor(0.638, "S2, one convolution on CIFAR-10", examples=50_000),
        "cifar10_deep": Floor(0.7225, "S2, the best of its deeper networks on CIFAR-10", examples=50_000),
    },
    tune=Target(
        space={
            "deep": [(16,), (32,), (16, 32), (32, 64), (16, 32, 64)],
            "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
            "learning_rate": {"low": 0.001, "high": 0.3, "scale": "log"},
            "batch_size": [32, 64, 128],
        },
        data=lambda settings: data.load(settings.datasets[0], source=settings.source, seed=settings.seed),
        build=lambda settings, input_shape, classes: models.cnn(
            input_shape, classes, filters=settings.deep, dropout=settings.dropout
        ),
        optimizer=lambda settings, steps: keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps), momentum=0.9
        ),
    ),
)
