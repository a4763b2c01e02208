"""The loss gets worse with every step, calmly and without an end: where do the steps lead?

Benign or malignant, from measurements of cell nuclei: a network with one hidden layer in a raw loop, standardised
columns, a modest rate. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data,
and `repaired`, which may call `script` with other parts or be a script of its own.

Cauchy (1847), for the method; Goodfellow, Bengio, Courville (2016), "Deep Learning", section 4.3.
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    epochs: Count = 10
    batch_size: Count = 32
    learning_rate: Positive = 0.05  # of gradient descent
    seed: Seed = 0


def update(variable, step):
    """Moves a variable by a step."""
    variable.assign_add(step)


def script(settings, train, validation, *, update=update, rate=None):
    """Trains the network and returns it: columns to logits."""
    rate = rate or settings.learning_rate
    mean, spread = train.x.mean(0), train.x.std(0)
    w1, b1 = tf.Variable(tf.random.normal((train.x.shape[1], 16), stddev=0.2)), tf.Variable(tf.zeros(16))
    w2, b2 = tf.Variable(tf.random.normal((16, 2), stddev=0.2)), tf.Variable(tf.zeros(2))
    batches = tf.data.Dataset.from_tensor_slices(tuple(train)).shuffle(len(train.x)).batch(settings.batch_size)

    def network(x):
        return tf.tanh((x - mean) / spread @ w1 + b1) @ w2 + b2

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x)))
        variables = [w1, b1, w2, b2]
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            update(variable, rate * gradient)

    for x, y in batches.repeat(settings.epochs):
        step(x, y)
    return network


@blank(
    "diagnostics/farther_every_step",
    hints=(
        "A rate that is too high makes a loss that jumps. How does this one move?",
        "The gradient points uphill.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="gradient_sign_flipped", evidence="loss", repair="update")


@blank(
    "diagnostics/farther_every_step",
    hints=("`assign_sub`.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and at least 9 of 10 rows right."""
    return script(settings, train, validation, update=lambda variable, step: variable.assign_sub(step))


def load(settings):
    """The splits."""
    return data.load("breast_cancer", seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(epochs=50),
    quick=Settings(epochs=8),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.4), "repaired": Band(0.88, 1.0)},
)
