"""A hundred units, and no more than one could do: what do they have in common?

Two hidden layers of 100 tanh units in a raw loop. The network learns next to nothing; twice as many units change
nothing. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and `repaired`,
which may call `script` with other parts or be a script of its own.

Goodfellow, Bengio, Courville (2016), "Deep Learning", section 8.4.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras
import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    epochs: Count = 10
    batch_size: Count = 32
    learning_rate: Positive = 0.1  # of gradient descent
    seed: Seed = 0


def first_weights(size):
    """Weights to begin with, as small as the layer is wide."""
    return tf.fill(size, 1 / size[0])


def script(settings, train, validation, *, initial=first_weights, width=100):
    """Trains the network and returns it: images to logits."""
    sizes = (train.x[0].size, width, width, 10)
    weights = [tf.Variable(initial(size)) for size in pairwise(sizes)]
    biases = [tf.Variable(tf.zeros(size)) for size in sizes[1:]]
    batches = tf.data.Dataset.from_tensor_slices((train.x, train.y)).shuffle(len(train.x)).batch(settings.batch_size)

    def network(x):
        x = tf.reshape(x, (-1, sizes[0]))
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = tf.tanh(x @ weight + bias)
        return x @ weights[-1] + biases[-1]

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x)))
        for variable, gradient in zip(weights + biases, tape.gradient(loss, weights + biases), strict=True):
            variable.assign_sub(settings.learning_rate * gradient)

    for x, y in batches.repeat(settings.epochs):
        step(x, y)
    return network


@blank(
    "diagnostics/no_use_of_width",
    hints=(
        "The gradient reaches every layer. How do the weights of one layer differ from each other?",
        "Look at the histograms of the weights, before and after training: how many different values are there?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="symmetric_or_zero_init", evidence="weights/weights[1]", repair="initial weights")


@blank(
    "diagnostics/no_use_of_width",
    hints=(
        "Units that start equal get equal gradients, and stay equal.",
        "Random weights: Glorot before tanh.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same layers, rate and epochs, and at least 9 of 10 digits right."""
    return script(settings, train, validation, initial=lambda size: keras.initializers.GlorotUniform()(size))


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
    quick=Settings(epochs=4),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.7), "repaired": Band(0.88, 1.0)},
)
