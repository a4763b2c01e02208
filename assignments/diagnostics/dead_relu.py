"""One tenth right, and the same ten numbers for every image: what became of the units?

Two hidden layers of 100 ReLU units, plain gradient descent at a rate of .1. The network answers the same whatever it is
shown. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and `repaired`,
which may call `script` with other parts or be a script of its own.

He, Zhang, Ren and Sun (2015), "Delving deep into rectifiers", section 2.2, for weights to begin with.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

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


def first_weights(size):
    """Small weights, evenly spread."""
    return tf.random.uniform(size, -0.1, 0.0)


def script(settings, train, validation, *, initial=first_weights):
    """Trains the network and returns it: images to logits."""
    batches = tf.data.Dataset.from_tensor_slices((train.x, train.y)).shuffle(len(train.x)).repeat()
    weights = [tf.Variable(initial(size)) for size in pairwise(SIZES)]
    biases = [tf.Variable(tf.zeros(size)) for size in SIZES[1:]]

    def network(x):
        x = tf.reshape(x, (-1, SIZES[0]))
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = tf.nn.relu(x @ weight + bias)
        return x @ weights[-1] + biases[-1]

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
    "diagnostics/dead_relu",
    hints=(
        "What does the output depend on? Look at `outputs/spread_over_inputs`.",
        "How many units of the first layer ever answer with more than 0?",
        "Pixels are never negative. What is a sum of pixels times negative weights, behind a ReLU?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="dead_units", evidence="dead_share/weights[0]", repair="initial weights")


@blank(
    "diagnostics/dead_relu",
    hints=(
        "A unit that is silent on every input gets no gradient, so no learning rate wakes it.",
        "Weights on both sides of 0.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same data, steps and learning rate, and at least 85 of 100 digits right."""
    return script(settings, train, validation, initial=lambda size: tf.random.uniform(size, -0.1, 0.1))


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def facts(events):
    """The share of dead units in the first layer, and how much the outputs differ between inputs."""
    return {
        "dead_share": events["dead_share/weights[0]"][1][-1],
        "spread_over_inputs": events["outputs/spread_over_inputs"][1][-1],
    }


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, facts=facts)


EXERCISE = Exercise(
    source="S4 diagnostics, dead ReLU",
    small=Settings(),
    full=Settings(source="full"),
    quick=Settings(steps=400),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.2), "repaired": Band(0.85, 1.0)},
)
