"""Not a number after three steps: what do eight layers do to the scale of a signal?

Eight hidden layers of 100 ReLU units, weights drawn evenly from -.4 to .4, plain gradient descent at a rate of .1. The
loss starts far above ln 10 and is NaN at once. Run it, find out in TensorBoard why, and repair it:

- `answer` says what is wrong, as data;
- `repaired` is the script, repaired. It may call `script` with other parts, or be a script of its own.

A smaller rate looks like a repair: the run measures what it is worth.

He, Zhang, Ren and Sun (2015), "Delving deep into rectifiers", section 2.2.
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


SIZES = (784, *[100] * 8, 10)


def relu(x):
    """max(x, 0), and NaN for NaN: `tf.nn.relu` makes 0 of it in some graphs."""
    return tf.maximum(x, 0.0)


def even(size):
    """Weights between -.4 and .4."""
    return tf.random.uniform(size, -0.4, 0.4)


def script(settings, train, validation, *, initial=even, activation=relu, rate=None):
    """Trains the network and returns it: images to logits."""
    rate = rate or settings.learning_rate
    batches = tf.data.Dataset.from_tensor_slices((train.x, train.y)).shuffle(len(train.x)).repeat()
    weights = [tf.Variable(initial(size)) for size in pairwise(SIZES)]
    biases = [tf.Variable(tf.zeros(size)) for size in SIZES[1:]]

    def network(x):
        x = tf.reshape(x, (-1, SIZES[0]))
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = activation(x @ weight + bias)
        return x @ weights[-1] + biases[-1]

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x)))
        for variable, gradient in zip(weights + biases, tape.gradient(loss, weights + biases), strict=True):
            variable.assign_sub(rate * gradient)

    for x, y in batches.batch(settings.batch_size).take(settings.steps):
        step(x, y)
    return network


@blank(
    "diagnostics/exploding_init",
    hints=(
        "The first loss is a hundred, before any step was made. Can the learning rate be to blame for that?",
        "Look at the spread of the activations at step 0, one layer after the other.",
        "A factor for each layer: the spread grows from layer to layer, so the weights start too large.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="init_scale", evidence="activation_spread/weights[7]", repair="initial weights")


@blank(
    "diagnostics/exploding_init",
    hints=(
        "Which spread of the weights keeps the spread of a signal behind a ReLU?",
        "He: a variance of 2 / fan_in.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same data, steps and learning rate, and at least nine digits in ten right."""
    return script(settings, train, validation, initial=lambda size: keras.initializers.HeNormal()(size))


def lower_rate(settings, train, validation):
    """The script with a hundredth of its learning rate."""
    return script(settings, train, validation, rate=settings.learning_rate / 100)


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def facts(events):
    """The first loss, and the first step at which it is not finite."""
    loss = events["loss"][1]
    return {"first_loss": loss[0], "first_step_not_finite": float(np.argmin(np.isfinite(loss)))}


def run(settings, log):
    scripts = {"script": script, "repaired": repaired, "lower_rate": lower_rate}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, facts=facts)


EXERCISE = Exercise(
    source="S4 diagnostics, exploding initialisation",
    small=Settings(),
    full=Settings(source="full"),
    quick=Settings(steps=200),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.2), "repaired": Band(0.85, 1.0)},
)
