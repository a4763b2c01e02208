"""From a linear model to a deep one: what do depth, width, activation, initial scale and learning rate change?

Softmax regression is the starting point: one layer, no hidden units, and already about nine digits in ten. Then the
same batches train deep networks. You write three functions:

- `softmax_cross_entropy`, the loss of them all, which must survive logits of a thousand;
- `initial_scale`, the standard deviation of the weights that keeps the size of a signal from layer to layer;
- `equal_width`, which makes deep against wide a fair question: the same number of parameters.

The run trains the linear model, the deep one and its wide twin, the linear model on pixels that nobody scaled, and
one table in which a single choice changes per row.

He, Zhang, Ren and Sun (2015), "Delving deep into rectifiers", section 2.2, for the initial scale.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Literal

from keras_course import data, models, plots, training
from keras_course.exercise import Band, Exercise, Floor, Result, blank
from keras_course.settings import Count, Positive, Seed

import keras


@dataclass(frozen=True)
class Settings:
    datasets: tuple[Literal["mnist", "fashion_mnist"], ...] = ("mnist",)  # the table of choices uses the first
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    hidden: tuple[Count, ...] = (256, 128, 64)  # units of the hidden layers of the deep model
    epochs: Count = 20
    choice_epochs: Count = 10  # epochs of each row of the table of choices
    learning_rate: Positive = 0.1  # of SGD with momentum .9 and a cosine down to 0
    batch_size: Count = 64
    seed: Seed = 0


@blank(
    "training/linear_to_deep",
    hints=(
        "exp(1000) is infinite. Which number can be taken from all logits of an example without changing its softmax?",
        "log softmax(z) = (z - max z) - log sum exp(z - max z): subtract first, then exponentiate.",
        "The label picks one entry of each row: multiply by `keras.ops.one_hot` and sum, or use `take_along_axis`.",
    ),
)
def softmax_cross_entropy(labels, logits):
    """The cross-entropy of each example in nats, from scratch: -log softmax(logits)[label].

    labels: integers, shape (n,). logits: floats, shape (n, classes). Returns shape (n,), the dtype of `logits`.
    """
    # log softmax(z) = z - max z - log sum exp(z - max z)
    shifted = logits - keras.ops.max(logits, axis=-1, keepdims=True)  # (n, classes)
    log_total = keras.ops.log(keras.ops.sum(keras.ops.exp(shifted), axis=-1))  # (n,)
    chosen = keras.ops.one_hot(labels, keras.ops.shape(logits)[-1], dtype=logits.dtype)
    return log_total - keras.ops.sum(shifted * chosen, axis=-1)


@blank(
    "training/linear_to_deep",
    hints=(
        "The variance of a sum of `fan_in` independent products w·x is fan_in · Var(w) · E[x²].",
        "ReLU sets half of a symmetric signal to zero, so it halves E[x²]; tanh near 0 and a linear layer do not.",
    ),
)
def initial_scale(fan_in, activation):
    """The standard deviation of a layer's weights that keeps E[x²] from one layer to the next.

    fan_in: inputs of the layer, at least 1. activation: of the layers, "relu", "tanh", "sigmoid" or "linear"; all but
    ReLU are treated as the identity near 0.
    """
    gain = 2.0 if activation == "relu" else 1.0
    return math.sqrt(gain / fan_in)


@blank(
    "training/linear_to_deep",
    hints=(
        "A dense layer from a to b units has a·b weights and b biases.",
        "With one hidden layer of w units there are (inputs + 1)·w + (w + 1)·classes parameters: solve for w, round.",
    ),
)
def equal_width(inputs, classes, hidden):
    """Units of the single hidden layer whose network has as nearly as possible the parameters of `hidden`'s.

    inputs, classes: sizes of the first and the last layer. hidden: units of the deep network's hidden layers.
    Returns a whole number of at least 1.
    """
    sizes = [inputs, *hidden, classes]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return max(1, round((parameters - classes) / (inputs + 1 + classes)))


def objective(model, batch, training):
    x, labels = batch
    logits = model(x, training=training)
    right = keras.ops.cast(keras.ops.equal(keras.ops.argmax(logits, axis=-1), labels), "float32")
    return keras.ops.mean(softmax_cross_entropy(labels, logits)), {"accuracy": keras.ops.mean(right)}


def network(splits, settings, *, hidden=(), activation="relu", scale=1.0):
    """A multi-layer perceptron whose weights start at `scale` times the scale that keeps the signal."""
    model = models.mlp(splits.train.x.shape[1:], len(splits.classes), hidden=hidden, activation=activation)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            deviation = scale * initial_scale(layer.kernel.shape[0], activation)
            layer.kernel.assign(keras.random.normal(layer.kernel.shape, stddev=deviation))
    return model


def train(model, splits, settings, stage, *, epochs, log=None, learning_rate=None, pixels=1.0):
    """Trains on the pixels times `pixels`; returns the test accuracy and the history."""

    def batches(split, *, shuffle):
        x, y = split
        return data.Batches(x * pixels, y, batch_size=settings.batch_size, shuffle=shuffle, seed=settings.seed)

    train_batches = batches(splits.train, shuffle=True)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate or settings.learning_rate, epochs * len(train_batches))
    history = training.fit(
        model,
        objective,
        train_batches,
        epochs=epochs,
        optimizer=keras.optimizers.SGD(rate, momentum=0.9),
        validation=batches(splits.validation, shuffle=False),
        log=log,
        stage=stage,
    )
    return training.evaluate(model, objective, batches(splits.test, shuffle=False))["accuracy"], history


def choices(settings):
    """The table of choices, one change a row: label -> (hidden, activation, scale of the weights, learning rate)."""
    deep, rate = settings.hidden, settings.learning_rate
    return {
        "as it is": (deep, "relu", 1.0, rate),
        "depth 1": (deep[:1], "relu", 1.0, rate),
        "depth 2": (deep[:2], "relu", 1.0, rate),
        "width / 8": (tuple(max(1, n // 8) for n in deep), "relu", 1.0, rate),
        "tanh": (deep, "tanh", 1.0, rate),
        "sigmoid": (deep, "sigmoid", 1.0, rate),
        "weights / 30": (deep, "relu", 1 / 30, rate),
        "weights × 5": (deep, "relu", 5.0, rate),
        "rate / 100": (deep, "relu", 1.0, rate / 100),
        "rate × 10": (deep, "relu", 1.0, rate * 10),
    }


def one_choice(splits, settings, label, hidden, activation, scale, rate):
    """A row of the table; a run that diverges is a result too."""
    model = network(splits, settings, hidden=hidden, activation=activation, scale=scale)
    row = {"choice": label, "parameters": model.count_params()}
    try:
        accuracy, history = train(model, splits, settings, label, epochs=settings.choice_epochs, learning_rate=rate)
    except training.Diverged as end:
        return row | {"loss of the first epoch": f"{end.loss} at step {end.step}", "test accuracy": 0.0}
    return row | {"loss of the first epoch": f"{history['loss'][0]:.3g}", "test accuracy": accuracy}


def run(settings, log):
    scores, curves, parameters = {}, {}, {}
    sets = [data.load(name, source=settings.source, seed=settings.seed) for name in settings.datasets]
    for splits in sets:
        width = equal_width(math.prod(splits.train.x.shape[1:]), len(splits.classes), settings.hidden)
        for kind, hidden in {"linear": (), "deep": settings.hidden, "wide": (width,)}.items():
            stage, model = f"{splits.name}_{kind}", network(splits, settings, hidden=hidden)
            scores[stage], history = train(model, splits, settings, stage, epochs=settings.epochs, log=log)
            curves[stage], parameters[kind] = history["val_accuracy"], model.count_params()
    first = sets[0]
    unscaled = network(first, settings)
    scores["unscaled_linear"], _ = train(
        unscaled, first, settings, "unscaled", epochs=settings.epochs, log=log, pixels=255.0
    )
    rows = [one_choice(first, settings, label, *choice) for label, choice in choices(settings).items()]
    scores["tiny_weights"] = next(row["test accuracy"] for row in rows if row["choice"] == "weights / 30")
    return Result(
        scores=scores,
        arrays={"curves": curves, "rows": rows},
        tables={"One choice changed": rows},
        data=tuple(sets),
        parameters=parameters,
    )


def figures(result):
    errors = {name: [1 - value for value in values] for name, values in result.arrays["curves"].items()}
    ends = {row["choice"]: row["test accuracy"] for row in result.arrays["rows"]}
    return {
        "error": plots.curves(
            errors, ylabel="validation error", yscale="log", title="linear, deep, and as wide as deep"
        ),
        "choices": plots.bars(ends, ylabel="test accuracy", title="one choice changed at a time"),
    }


EXERCISE = Exercise(
    source="S4 and S3: linear model, deep multi-layer perceptrons",
    small=Settings(),
    full=Settings(datasets=("mnist", "fashion_mnist"), source="full", batch_size=128, choice_epochs=3),
    quick=Settings(hidden=(16, 8), epochs=1, choice_epochs=1, batch_size=256),
    run=run,
    figures=figures,
    expect={
        "mnist_linear": Band(0.85, 0.95),
        "mnist_deep": Band(0.91, 0.98),
        "mnist_wide": Band(0.9, 0.98),
        "unscaled_linear": Band(0.82, 0.93),
        "tiny_weights": Band(0.08, 0.12),  # chance: signals shrink thirtyfold a layer, and nothing is learned
    },
    floors={
        "mnist_linear": Floor(0.914, "S4, linear softmax model on MNIST"),
        "mnist_deep": Floor(0.975, "S4, deep network on MNIST"),
        "fashion_mnist_deep": Floor(0.885, "S4 and the Fashion-MNIST README, which gives 0.900 for 256-128-64"),
    },
)
