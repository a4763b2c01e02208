"""Excellent for a while, then a shock, again and again: what does each batch teach?

A raw loop over a `tf.data` pipeline with everything that belongs into it: shuffle, repeat, batch. The loss falls to
almost nothing, jumps, falls again; the test is poor. Find out in TensorBoard why, and repair it: write `answer`, which
says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of its own.

TensorFlow guide "tf.data: Build TensorFlow input pipelines", section "Randomly shuffling input data".
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    epochs: Count = 15
    batch_size: Count = 32
    learning_rate: Positive = 0.03  # of gradient descent
    seed: Seed = 0


def network(shape, *, classes=10):
    """An untrained network: images to logits."""
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu", name="hidden_1"),
            keras.layers.Dense(64, activation="relu", name="hidden_2"),
            keras.layers.Dense(classes, name="logits"),
        ]
    )


def in_order(split):
    """The examples as an archive of ten folders, one for each digit, would give them."""
    order = np.argsort(split.y, kind="stable")
    return split.x[order], split.y[order]


def script(settings, train, validation, *, examples=in_order, buffer=100):
    """Trains the network and returns it."""
    model = network(train.x.shape[1:])
    source = tf.data.Dataset.from_tensor_slices(examples(train))
    batches = source.shuffle(buffer).repeat(settings.epochs).batch(settings.batch_size)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x)))
        for variable, gradient in zip(model.weights, tape.gradient(loss, model.weights), strict=True):
            variable.assign_sub(settings.learning_rate * gradient)

    for x, y in batches:
        step(x, y)
    return model


@blank(
    "diagnostics/forgets_every_lesson",
    hints=(
        "What is in a batch? `labels/entropy` is 0 when all its labels are the same and near 2.3 when all ten "
        "are there.",
        "A shuffle draws from a buffer. Which digits can be in it?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="shuffle_buffer_too_small", evidence="labels/entropy", repair="order")


@blank(
    "diagnostics/forgets_every_lesson",
    hints=(
        "The buffer must hold what has to be mixed.",
        "`shuffle(len(x))`, or a permutation of the arrays before.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and at least 9 of 10 digits right."""
    return script(settings, train, validation, buffer=len(train.x))


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", epochs=2, batch_size=128),
    quick=Settings(epochs=8),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.8), "repaired": Band(0.88, 1.0)},
)
