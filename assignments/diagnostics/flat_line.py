"""Gradients as they should be, and a loss as flat as a table: who uses them?

Is a short review good or bad? A vector for each word, their mean, and a decision, in a raw loop over variables. Find
out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and `repaired`, which may call
`script` with other parts or be a script of its own.

TensorFlow guide "Introduction to gradients and automatic differentiation".
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    reviews: Count = 3000  # made, of twelve words each
    epochs: Count = 10
    batch_size: Count = 64
    learning_rate: Positive = 1.0  # of gradient descent
    seed: Seed = 0


VOCABULARY = 64


def updated(variables, gradients, rate):
    """The variables after a step."""
    return [variable - rate * gradient for variable, gradient in zip(variables, gradients, strict=True)]


def script(settings, train, validation, *, updated=updated, rate=None):
    """Trains the network and returns it: word ids (n, 12) to logits."""
    vectors = tf.Variable(tf.random.normal((VOCABULARY, 16), stddev=0.1))
    weight, bias = tf.Variable(tf.random.normal((16, 2), stddev=0.3)), tf.Variable(tf.zeros(2))
    variables = [vectors, weight, bias]
    batches = tf.data.Dataset.from_tensor_slices(tuple(train)).shuffle(len(train.y)).batch(settings.batch_size)

    def network(x):
        return tf.reduce_mean(tf.gather(vectors, x), axis=1) @ weight + bias

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x)))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]
        return updated(variables, gradients, rate or settings.learning_rate)

    for x, y in batches.repeat(settings.epochs):
        step(x, y)
    return network


@blank(
    "diagnostics/flat_line",
    hints=(
        "`gradient_norm` is not 0. And `update_ratio`?",
        "A variable minus a tensor is a tensor. Who keeps it?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="optimiser_not_applied", evidence="update_ratio/variables[1]", repair="update")


@blank(
    "diagnostics/flat_line",
    hints=("`assign_sub` changes a variable.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and at least 8 of 10 reviews right."""

    def assigned(variables, gradients, rate):
        return [variable.assign_sub(rate * gradient) for variable, gradient in zip(variables, gradients, strict=True)]

    return script(settings, train, validation, updated=assigned)


def load(settings):
    """The splits."""
    return data.reviews(settings.reviews, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(reviews=30_000),
    quick=Settings(reviews=1500),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.65), "repaired": Band(0.75, 1.0)},
)
