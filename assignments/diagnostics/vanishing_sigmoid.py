"""2.30 from the first step to the last: where does the gradient go on its way to the first layer?

Eight hidden layers of 100 sigmoid units, weights drawn evenly from -.1 to .1, plain gradient descent at a rate of .1.
The loss is ln 10 and stays there. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong
as data, and `repaired`, which may call `script` with other parts or be a script of its own.

Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks".
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


def even(size):
    """Weights between -.1 and .1."""
    return tf.random.uniform(size, -0.1, 0.1)


def script(settings, train, validation, *, initial=even, activation=tf.nn.sigmoid):
    """Trains the network and returns it: images to logits."""
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
            variable.assign_sub(settings.learning_rate * gradient)

    for x, y in batches.batch(settings.batch_size).take(settings.steps):
        step(x, y)
    return network


@blank(
    "diagnostics/vanishing_sigmoid",
    hints=(
        "Compare the norm of the gradient in the first layer with that in the last, at the same step.",
        "Between two layers a gradient is multiplied by weights and by the slope of the activation. How large "
        "is the slope of a sigmoid at most?",
        "A unit without a gradient need not be dead or saturated: look at `saturated_share`.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="vanishing_gradient", evidence="gradient_norm/weights[0]", repair="layers")


@blank(
    "diagnostics/vanishing_sigmoid",
    hints=(
        "Another activation has a slope of 1 where it is active.",
        "ReLU, with the initial weights that fit it.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same data, steps and learning rate, and at least 85 of 100 digits right."""
    return script(
        settings, train, validation, initial=lambda size: keras.initializers.HeNormal()(size), activation=tf.nn.relu
    )


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def facts(events):
    """The norm of the first layer's gradient against the last one's at the start, and the loss at the end."""
    first, last = (events[f"gradient_norm/weights[{i}]"][1][0] for i in (0, 8))
    return {"first_to_last_gradient": first / last, "final_loss": float(np.mean(events["loss"][1][-50:]))}


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, facts=facts)


EXERCISE = Exercise(
    source="S4 diagnostics, vanishing gradient",
    small=Settings(),
    full=Settings(source="full"),
    quick=Settings(steps=200),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.2), "repaired": Band(0.85, 1.0)},
)
