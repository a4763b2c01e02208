"""A quarter right in training, three quarters in the test: what does the network get to see?

Two hidden layers of 100 ReLU units, plain gradient descent at a rate of .1, and inputs with a little noise, so that the
network does not learn them by heart. It learns, and not well. Find out in TensorBoard why, and repair it: write
`answer`, which says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of
its own.

Bishop (1995), "Training with noise is equivalent to Tikhonov regularization".
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
NOISE = 4.0  # standard deviation of what is added to every pixel


def script(settings, train, validation, *, noise=NOISE):
    """Trains the network and returns it: images to logits."""
    batches = tf.data.Dataset.from_tensor_slices((train.x, train.y)).shuffle(len(train.x)).repeat()
    weights = [tf.Variable(tf.random.normal(size, stddev=(2 / size[0]) ** 0.5)) for size in pairwise(SIZES)]
    biases = [tf.Variable(tf.zeros(size)) for size in SIZES[1:]]

    def network(x):
        x = tf.reshape(x, (-1, SIZES[0]))
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = tf.nn.relu(x @ weight + bias)
        return x @ weights[-1] + biases[-1]

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(
                    y, network(x + tf.random.normal(tf.shape(x), stddev=noise))
                )
            )
        for variable, gradient in zip(weights + biases, tape.gradient(loss, weights + biases), strict=True):
            variable.assign_sub(settings.learning_rate * gradient)

    for x, y in batches.batch(settings.batch_size).take(settings.steps):
        step(x, y)
    return network


@blank(
    "diagnostics/drowned_inputs",
    hints=(
        "The network is better on the test than in training. What differs between the two?",
        "Look at `inputs/images`: would you know the digits?",
        "Compare `inputs/spread` with the spread of pixels between 0 and 1.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="inputs_drowned_in_noise", evidence="inputs/neighbour_correlation", repair="inputs")


@blank(
    "diagnostics/drowned_inputs",
    hints=(
        "How large may a disturbance be beside pixels from 0 to 1?",
        "Half of too much is still too much: a tenth of a pixel is plenty.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: with noise still, the same steps and learning rate, and at least 88 of 100 digits right."""
    return script(settings, train, validation, noise=0.1)


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def facts(events):
    """The correlation of neighbouring pixels and the spread of all, as the network sees them."""
    return {name: events[f"inputs/{name}"][1][-1] for name in ("neighbour_correlation", "spread")}


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, facts=facts)


EXERCISE = Exercise(
    source="S4 diagnostics, drowned inputs",
    small=Settings(),
    full=Settings(source="full"),
    quick=Settings(steps=300),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.85), "repaired": Band(0.88, 1.0)},
)
