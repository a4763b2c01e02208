"""Shuffle, batch, repeat: what does each of the six orders do to an epoch, and what does it cost?

Three calls on a `tf.data.Dataset`, six orders, and every one of them runs without a complaint. They differ in whether
an epoch holds each example once, in whether the same examples meet in every batch, and in how many batches are short.
You write what tells them apart:

- `coverage`: the share of the examples that the first epoch's worth of draws shows exactly once;
- `togetherness`: how often two examples that shared a batch share the next one too;
- `input_pipeline`: cache, shuffle, augment, batch and prefetch in the order that keeps the augmentation fresh.

The run measures all six orders on a stream of numbers, then trains on images that arrive sorted by label, which is
how many data sets come: there the order decides whether anything is learned. At the end it times five ways to feed
the same images; only ratios inside the run count.

TensorFlow guide "tf.data: Build TensorFlow input pipelines", section "Processing multiple epochs".
"""

import itertools
import statistics
import time
from dataclasses import dataclass
from typing import Literal

from keras_course import data, models, plots, training
from keras_course.data.pipeline import shuffle_batch_repeat
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed, Several

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    numbers: Count = 1000  # length of the stream on which the orders are measured
    batch_size: Several = 48  # does not divide the stream, so that short batches show
    epochs: Count = 3  # how often the stream and the images are repeated
    learning_rate: Positive = 0.05  # of plain SGD on the images sorted by label
    rounds: Count = 5  # how often each way to feed the images is timed, in turn
    seed: Seed = 0


ORDERS = list(itertools.permutations(("shuffle", "batch", "repeat")))


def label_of(order):
    return " → ".join(order)


@blank(
    "training/tfdata_order",
    hints=(
        "One epoch's worth of draws is the first n of the stream. How often does each example occur there?",
        "`numpy.bincount` counts; the answer is the share of the counts that are exactly one.",
    ),
)
def coverage(batches, n):
    """The share of the examples 0 … n-1 that the first n draws of the stream show exactly once, from 0 to 1.

    batches: a list of integer arrays, the batches of the stream in order; together they hold at least n draws.
    """
    draws = np.concatenate(batches)[:n]
    return float(np.mean(np.bincount(draws, minlength=n) == 1))


@blank(
    "training/tfdata_order",
    hints=(
        "For each example, write down the number of the batch of its first and of its second appearance.",
        "Two examples met if their first numbers are equal; they met again if the second ones are equal too.",
        "Comparing the vectors of numbers with themselves transposed gives all pairs at once; leave out the diagonal.",
    ),
)
def togetherness(batches, n):
    """Of the pairs that share a batch at their first appearance, the share that does so at their second, from 0 to 1.

    batches: a list of integer arrays in which each example 0 … n-1 occurs at least twice; some pair shares a batch. A
    uniform shuffle gives about (batch size - 1) / (n - 1); batches that are never mixed give 1.
    """
    place = np.repeat(np.arange(len(batches)), [len(batch) for batch in batches])  # the batch of each draw
    draws = np.concatenate(batches)
    by_example = place[np.argsort(draws, kind="stable")]  # the batches of example 0, then those of example 1, …
    start = np.searchsorted(np.sort(draws), np.arange(n))
    first, second = by_example[start], by_example[start + 1]  # (n,)
    met = (first[:, None] == first) & ~np.eye(n, dtype=bool)  # (n, n)
    return float(np.mean((second[:, None] == second)[met]))


@blank(
    "training/tfdata_order",
    hints=(
        "`cache` keeps what stands before it, for good. Should that be the images, or one random version of them?",
        "Shuffle examples, not batches; and let the next batch be prepared while the model works on this one.",
    ),
)
def input_pipeline(images, augment, *, n, batch_size, seed):
    """Batches of augmented images: every image once an epoch, in a new order and newly augmented each epoch.

    images: a `tf.data.Dataset` of n images that are slow to read, so each is read once, however many epochs follow.
    augment: maps one image to a random version of it. Any order of the n images is possible; the seed fixes it.
    Returns a `tf.data.Dataset` of batches whose last one may be short; the next is made while one is in use.
    """
    dataset = images.cache().shuffle(n, seed=seed).map(augment, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def measure(order, settings):
    """What one order does to a stream of numbers."""
    stream = shuffle_batch_repeat(
        tf.data.Dataset.range(settings.numbers),
        order,
        buffer=settings.numbers,
        batch_size=settings.batch_size,
        epochs=max(2, settings.epochs),
        seed=settings.seed,
    )
    batches = list(stream.as_numpy_iterator())
    return {
        "coverage": coverage(batches, settings.numbers),
        "togetherness": togetherness(batches, settings.numbers),
        "short batches": sum(len(batch) < settings.batch_size for batch in batches),
    }


def learn_sorted(order, splits, settings, *, buffer=1.0):
    """Test accuracy after training on images that arrive sorted by label; `buffer` is a share of their number."""
    keras.utils.set_random_seed(settings.seed)  # the same start for every order
    by_label = np.argsort(splits.train.y, kind="stable")
    stream = shuffle_batch_repeat(
        tf.data.Dataset.from_tensor_slices((splits.train.x[by_label], splits.train.y[by_label])),
        order,
        buffer=max(1, round(buffer * len(by_label))),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
    )
    model = models.mlp(splits.train.x.shape[1:], len(splits.classes), hidden=(64,))
    optimizer = keras.optimizers.SGD(settings.learning_rate)
    training.fit(model, training.classification, stream.prefetch(2), epochs=1, optimizer=optimizer, progress=False)
    test = data.Batches(*splits.test, batch_size=512, shuffle=False)
    return training.evaluate(model, training.classification, test)["accuracy"]


def freshness(n, settings):
    """The share of `n` numbered images that look different in the second epoch of `input_pipeline`."""
    noise = tf.random.Generator.from_seed(settings.seed)
    augment = lambda i: tf.stack([tf.cast(i, tf.float32), noise.uniform(())])  # noqa: E731 - a picture and its change
    dataset = input_pipeline(tf.data.Dataset.range(n), augment, n=n, batch_size=32, seed=settings.seed)
    first, second = (dict(np.concatenate(list(dataset.as_numpy_iterator())).tolist()) for _ in range(2))
    return float(np.mean([first[i] != second[i] for i in first]))


def ways_to_feed(images, settings):
    """Five pipelines of one epoch of the same scaled images: what each adds is one call."""
    pixels = tf.constant((images * 255).astype("uint8"))
    n, size = len(images), settings.batch_size
    scale = lambda x: tf.cast(x, tf.float32) / 255  # noqa: E731 - one expression, used in four pipelines
    source = tf.data.Dataset.from_tensor_slices(pixels)
    return {
        "map → shuffle → batch": source.map(scale).shuffle(n).batch(size),
        "shuffle → batch → map": source.shuffle(n).batch(size).map(scale),
        "… parallel, prefetched": source.shuffle(n).batch(size).map(scale, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE),
        "cache → shuffle → batch": source.map(scale).cache().shuffle(n).batch(size).prefetch(tf.data.AUTOTUNE),
        "gather by permutation": data.Batches(pixels.numpy(), batch_size=size, seed=settings.seed).dataset(),
    }


def cost(images, settings):
    """Seconds an epoch for each way to feed the images: the median over rounds in which all take their turn."""
    pipelines, seconds = ways_to_feed(images, settings), {}
    for _ in range(settings.rounds + 1):  # the first round warms up
        for label, pipeline in pipelines.items():
            start = time.perf_counter()
            for _batch in pipeline:
                pass
            seconds.setdefault(label, []).append(time.perf_counter() - start)
    return {label: statistics.median(values[1:]) for label, values in seconds.items()}


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    rows = []
    for order in ORDERS:
        rows.append({"order": label_of(order)} | measure(order, settings))
        rows[-1]["accuracy, sorted by label"] = learn_sorted(order, splits, settings)
    buffers = {share: learn_sorted(ORDERS[0], splits, settings, buffer=share) for share in (0.0, 0.03, 0.3, 1.0)}
    seconds = cost(splits.train.x, settings)
    slowest = seconds["map → shuffle → batch"]
    by_order = {tuple(row["order"].split(" → ")): row for row in rows}
    right, together, mixed = (
        by_order[order]
        for order in (("shuffle", "batch", "repeat"), ("batch", "shuffle", "repeat"), ("repeat", "shuffle", "batch"))
    )
    return Result(
        scores={
            "coverage_right": right["coverage"],
            "coverage_repeat_first": mixed["coverage"],
            "togetherness_right": right["togetherness"],
            "togetherness_batch_first": together["togetherness"],
            "accuracy_right": right["accuracy, sorted by label"],
            "accuracy_batch_first": together["accuracy, sorted by label"],
            "accuracy_small_buffer": buffers[0.03],
            "freshness": freshness(settings.numbers, settings),
            "gather_speedup": slowest / seconds["gather by permutation"],
        },
        arrays={"rows": rows, "speedups": {label: slowest / value for label, value in seconds.items()}},
        tables={
            "The six orders": rows,
            "Shuffle, batch, repeat with a smaller buffer": [
                {"buffer, share of the examples": share, "accuracy, sorted by label": accuracy}
                for share, accuracy in buffers.items()
            ],
            "Ways to feed one epoch": [
                {"pipeline": label, "times as fast as the first": slowest / value} for label, value in seconds.items()
            ],
        },
        data=(splits,),
    )


def figures(result):
    rows, speedups = result.arrays["rows"], result.arrays["speedups"]
    columns = ("coverage", "togetherness", "accuracy, sorted by label")
    return {
        "orders": plots.grouped(
            {column: [row[column] for row in rows] for column in columns},
            groups=[row["order"].replace(" → ", "\n→ ") for row in rows],
            ylabel="share",
            title="what each order does to an epoch",
        ),
        "speed": plots.bars(speedups, ylabel="speed against the first", title="ways to feed one epoch"),
    }


EXERCISE = Exercise(
    source="S4: tf.data pipelines",
    small=Settings(),
    full=Settings(source="full", batch_size=96, epochs=2, rounds=2),
    quick=Settings(numbers=100, epochs=2, rounds=1),
    run=run,
    figures=figures,
    expect={
        "coverage_right": Band(1.0, 1.0),
        "coverage_repeat_first": Band(0.49, 0.58),  # (1 - 1/e)² + 1/e² = 0.535 for a large buffer
        "togetherness_right": Band(0.042, 0.05),  # (48 - 1) / (1000 - 1) = 0.047
        "togetherness_batch_first": Band(1.0, 1.0),
        "accuracy_right": Band(0.8, 0.95),
        "accuracy_batch_first": Band(0.65, 0.92),
        "accuracy_small_buffer": Band(0.2, 0.5),
        "freshness": Band(1.0, 1.0),
        "gather_speedup": Band(1.5),
    },
)
