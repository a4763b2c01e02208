"""The loss comes to rest at 1.46 or never leaves 2.30: what is it that the loss is given?

Two hidden layers of 100 ReLU units, small initial weights, a softmax that makes probabilities of the outputs, and the
cross-entropy of TensorFlow; plain gradient descent at a rate of .1. Find out in TensorBoard why, and repair it: write
`answer`, which says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of
its own.

TensorFlow's documentation of `tf.nn.sparse_softmax_cross_entropy_with_logits`.
"""

from dataclasses import dataclass
from itertools import pairwise
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
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    steps: Count = 2000  # of gradient descent
    batch_size: Count = 128
    learning_rate: Positive = 0.1  # of plain gradient descent
    seed: Seed = 0


SIZES = (784, 100, 100, 10)


def small(size):
    """Weights with a standard deviation of .01."""
    return tf.random.normal(size, stddev=0.01)


def script(settings, train, validation, *, initial=small, head=tf.nn.softmax):
    """Trains the network and returns it: images to one number for each class."""
    batches = tf.data.Dataset.from_tensor_slices((train.x, train.y)).shuffle(len(train.x)).repeat()
    weights = [tf.Variable(initial(size)) for size in pairwise(SIZES)]
    biases = [tf.Variable(tf.zeros(size)) for size in SIZES[1:]]

    def network(x):
        x = tf.reshape(x, (-1, SIZES[0]))
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = tf.nn.relu(x @ weight + bias)
        return head(x @ weights[-1] + biases[-1])

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x)))
        for variable, gradient in zip(weights + biases, tape.gradient(loss, weights + biases), strict=True):
            variable.assign_sub(settings.learning_rate * gradient)

    for x, y in batches.batch(settings.batch_size).take(settings.steps):
        step(x, y)
    return network


@blank(
    "diagnostics/double_softmax",
    hints=(
        "What does the loss expect, and what does it get? Look at `outputs/min`, `outputs/max`, `outputs/row_sum`.",
        "Softmax of probabilities: what is the largest value that it can give to the right class of ten, and "
        "what is the loss then?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="probabilities_to_logits_loss", evidence="outputs/row_sum", repair="output")


@blank(
    "diagnostics/double_softmax",
    hints=(
        "Apply softmax once: in the network or in the loss.",
        "The loss of TensorFlow applies it, and names its input logits.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same data, steps and learning rate, and at least 80 of 100 digits right."""
    return script(
        settings, train, validation, initial=lambda size: keras.initializers.HeNormal()(size), head=tf.identity
    )


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def facts(events):
    """The lowest loss, and what it would be if the right class always had probability 1: ln(1 + 9 / e)."""
    return {"lowest_loss": events["loss"][1].min(), "floor": float(np.log(1 + 9 / np.e))}


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, facts=facts)


EXERCISE = Exercise(
    source="S4 diagnostics, double softmax",
    small=Settings(),
    full=Settings(source="full"),
    quick=Settings(steps=200),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.6), "repaired": Band(0.85, 1.0)},
)
