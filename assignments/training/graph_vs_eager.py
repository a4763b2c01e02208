"""Graph against eager: one training step, run in four ways. What changes, and what must not?

The same step over the same batches from the same weights: line by line in Python, as one traced `tf.function`, as a
whole epoch inside one graph, and that graph compiled by XLA. You write the step and the epoch:

- `train_step` differentiates the loss with a gradient tape and applies the optimizer;
- `epoch_in_graph` turns a step into one function that runs many of them in a loop inside the graph, and that is traced
  once, whatever numbers it is called with.

Predict first: which of the speeds, the losses and the final weights will differ, and by how much? XLA rounds in another
order, by a bit in the seventh digit, and training amplifies it: over hundreds of steps it stays there, over thousands
it may not. Then look at what a Python number as an argument costs.

TensorFlow guide "Better performance with tf.function", sections "Tracing" and "Loops".
"""

import functools
import statistics
import time
from dataclasses import dataclass
from typing import Literal

from keras_course import data, models, plots
from keras_course.base import require
from keras_course.exercise import Band, Exercise, Floor, Result, blank
from keras_course.settings import Count, Positive, Seed

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    examples: Count = 4000  # of the training split
    hidden: tuple[Count, ...] = (64, 64)  # units of the hidden layers
    batch_size: Count = 32
    epochs: Count = 6  # each is timed; the first pays for tracing and compiling
    learning_rate: Positive = 0.1  # of plain SGD
    seed: Seed = 0


@blank(
    "training/graph_vs_eager",
    hints=(
        "The tape must watch the forward pass and the loss, and nothing after them.",
        "`tape.gradient(loss, variables)`, then `optimizer.apply(gradients, variables)`; the model gives logits.",
    ),
)
def train_step(model, optimizer, x, labels):
    """One step of gradient descent on the mean cross-entropy of a batch; returns the loss before the step, a scalar.

    x: (n, ...). labels: integers, (n,). The model maps x to logits (n, classes).
    """
    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(labels, model(x, training=True), from_logits=True)
        loss = tf.reduce_mean(losses)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@blank(
    "training/graph_vs_eager",
    hints=(
        "A Python `for` over `range` is unrolled while tracing; over `tf.range` it becomes a loop of the graph.",
        "A Python number is part of the signature, so each new number is a new trace; a tensor is not.",
        "Give `tf.function` an `input_signature` of two scalars, or convert both ends with `tf.constant` first.",
    ),
)
def epoch_in_graph(step, batches, *, jit_compile=None):
    """A function (start, stop) -> losses of the steps start … stop-1, shape (stop - start,), as one call of a graph.

    step: maps a batch to its loss and changes the model. batches: a tuple of tensors with one entry per batch on
    their first axis, (steps, batch size, ...). `start` and `stop` are whole numbers, and new ones cost no new trace.
    """
    total = len(batches[0])  # XLA wants to know the size of every array, so room for all losses is made

    def loop(start, stop):
        losses = tf.zeros(total)
        for i in tf.range(start, stop):
            losses = tf.tensor_scatter_nd_update(losses, [[i]], [step(*(part[i] for part in batches))])
        return losses

    traced = tf.function(loop, input_signature=[tf.TensorSpec((), tf.int32)] * 2, jit_compile=jit_compile)
    return lambda start, stop: traced(start, stop)[start:stop]


def ways(step, batches):
    """label -> a function that runs an epoch of `step` and returns its losses, (steps,)."""
    steps = len(batches[0])

    def one_by_one(function):
        return lambda: np.array([function(*(part[i] for part in batches)) for i in range(steps)])

    def in_graph(jit_compile):
        epoch = epoch_in_graph(step, batches, jit_compile=jit_compile)
        return lambda: epoch(0, steps).numpy()

    return {
        "eager": one_by_one(step),
        "one step a graph": one_by_one(tf.function(step)),
        "an epoch a graph": in_graph(None),
        "an epoch with XLA": in_graph(True),
    }


WAYS = ("eager", "one step a graph", "an epoch a graph", "an epoch with XLA")


FACTORS = (0.5, 1.0, 1.5, 2.0, 2.5)


def traces(numbers, convert):
    """How often `tf.function` traces when it is called with these numbers, each converted."""
    seen = []

    @tf.function
    def scaled(x, factor):
        seen.append(factor)  # Python runs while tracing only
        return x * factor

    for number in numbers:
        scaled(tf.ones(3), convert(number))
    return len(seen)


def batches_of(split, settings):
    """The same whole batches every epoch: images (steps, batch, ...) and labels (steps, batch)."""
    steps = min(settings.examples, len(split.y)) // settings.batch_size
    require(steps, "examples", f"enough for a batch of {settings.batch_size}", settings.examples)
    return tuple(
        tf.constant(part[: steps * settings.batch_size].reshape(steps, settings.batch_size, *part.shape[1:]))
        for part in split
    )


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    batches = batches_of(splits.train, settings)
    networks = {way: models.mlp(splits.train.x.shape[1:], len(splits.classes), hidden=settings.hidden) for way in WAYS}
    epochs, losses, seconds = {}, {way: [] for way in WAYS}, {way: [] for way in WAYS}
    for way, model in networks.items():
        model.set_weights(networks["eager"].get_weights())  # the same start: only the way to run differs
        optimizer = keras.optimizers.SGD(settings.learning_rate)
        optimizer.build(model.trainable_variables)
        epochs[way] = ways(functools.partial(train_step, model, optimizer), batches)[way]
    for _ in range(settings.epochs):  # in turn, so that the machine's mood meets all of them
        for way, epoch in epochs.items():
            begin = time.perf_counter()
            losses[way].append(epoch())
            seconds[way].append(time.perf_counter() - begin)
    return measured(settings, splits, losses, seconds, networks)


def measured(settings, splits, losses, seconds, networks):
    """Scores and table: speeds as ratios to eager, losses and weights as largest differences from eager."""
    steady = {label: statistics.median(values[1:] or values) for label, values in seconds.items()}
    speed = {label: steady["eager"] / value for label, value in steady.items()}
    gap = {label: float(np.max(np.abs(np.array(found) - losses["eager"]))) for label, found in losses.items()}
    weights = {label: model.get_weights() for label, model in networks.items()}
    rows = [
        {
            "way": label,
            "speed against eager": speed[label],
            "first epoch, in later epochs": seconds[label][0] / steady[label],
            "largest difference of a loss": f"{gap[label]:.1e}",
            "largest difference of a weight": f"{_distance(weights[label], weights['eager']):.1e}",
        }
        for label in losses
    ]
    return Result(
        scores={
            "speed_step": speed["one step a graph"],
            "speed_epoch": speed["an epoch a graph"],
            "speed_xla": speed["an epoch with XLA"],
            "largest_loss_gap": max(gap.values()),
            "traces_of_python_numbers": traces(FACTORS, float),
            "traces_of_tensors": traces(FACTORS, tf.constant),
        },
        arrays={"losses": {k: np.concatenate(v) for k, v in losses.items()}, "speed": speed},
        tables={f"{settings.epochs} epochs of {len(losses['eager'][0])} steps": rows},
        data=(splits,),
        parameters={"mlp": networks["eager"].count_params()},
    )


def _distance(first, second):
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def figures(result):
    losses = result.arrays["losses"]
    away = {label: np.abs(values - losses["eager"]) + 1e-12 for label, values in losses.items() if label != "eager"}
    return {
        "speed": plots.bars(result.arrays["speed"], ylabel="speed against eager", title="the same steps, four ways"),
        "losses": plots.curves(losses, xlabel="step", ylabel="loss (nats)", title="the same losses"),
        "difference": plots.curves(
            away, xlabel="step", ylabel="difference of the loss from eager", yscale="log", title="rounding, and no more"
        ),
    }


EXERCISE = Exercise(
    source="S4: graph-based execution",
    small=Settings(),
    full=Settings(source="full", examples=55000, epochs=3),
    quick=Settings(examples=320, epochs=2),
    run=run,
    figures=figures,
    expect={
        "speed_step": Band(3),
        "speed_epoch": Band(5),
        "speed_xla": Band(5),
        "largest_loss_gap": Band(0, 1e-5),
        "traces_of_python_numbers": Band(5, 5),
        "traces_of_tensors": Band(1, 1),
    },
    floors={"speed_step": Floor(5.59, "S4, 43.9 s eager against 7.85 s as a graph")},
)
