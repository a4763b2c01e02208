"""The same forecast for every hour, and it is the mean: what does the loss compare?

The load of an electric grid in three hours, from the last 24: a raw loop with the optimizer of Keras, standardised
loads, a squared error written out. The network forecasts the mean whatever the hours before. Find out in TensorBoard
why, and repair it: write `answer`, which says what is wrong as data, and `repaired`, which may call `script` with other
parts or be a script of its own.

NumPy documentation, "Broadcasting".
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures, r_squared
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras
import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    days: Count = 120  # of the load curve
    epochs: Count = 10
    batch_size: Count = 64
    learning_rate: Positive = 0.003  # of Adam
    seed: Seed = 0


def squared_error(y, outputs):
    """The mean squared error. y: (n,). outputs: (n, 1)."""
    return tf.reduce_mean(tf.square(y - outputs))


def script(settings, train, validation, *, loss_of=squared_error, rate=None):
    """Trains the network and returns it: loads of 24 hours to a load, in megawatt."""
    mean, spread = train.x.mean(), train.x.std()
    model = keras.Sequential(
        [
            keras.Input((24, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu", name="hidden"),
            keras.layers.Dense(1, name="forecast"),
        ]
    )
    optimizer = keras.optimizers.Adam(rate or settings.learning_rate)
    standardised = (train.x - mean) / spread, (train.y - mean) / spread
    batches = tf.data.Dataset.from_tensor_slices(standardised).shuffle(len(train.y)).batch(settings.batch_size)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    optimizer.build(model.trainable_variables)
    for x, y in batches.repeat(settings.epochs):
        step(x, y)
    return lambda x: model((x - mean) / spread) * spread + mean


@blank(
    "diagnostics/same_for_every_row",
    hints=(
        "How much do the forecasts of one batch differ? Look at `outputs/spread_over_inputs`.",
        "What is the shape of y - outputs?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="loss_broadcast", evidence="outputs/spread_over_inputs", repair="loss")


@blank(
    "diagnostics/same_for_every_row",
    hints=("Give both the same shape before they are subtracted.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and an R² of at least .6."""
    return script(settings, train, validation, loss_of=lambda y, outputs: squared_error(y, outputs[:, 0]))


def load(settings):
    """The splits."""
    return data.load_curve(settings.days, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, score=r_squared)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(days=1000),
    quick=Settings(days=60),
    run=run,
    figures=figures,
    expect={"script": Band(-1.0, 0.3), "repaired": Band(0.6, 1.0)},
)
