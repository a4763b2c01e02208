"""An error of a billion that shrinks by a hair each epoch: how far is there to go?

The load of an electric grid in three hours, in megawatt, from the last 24 hours: a network in Keras, standardised
inputs, Adam. The loss falls steadily, and would for years. Find out in TensorBoard why, and repair it: write `answer`,
which says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of its own.

Kingma, Ba (2015), "Adam", section 2.1, for the length of a step.
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures, r_squared
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras


@dataclass(frozen=True)
class Settings:
    days: Count = 120  # of the load curve
    epochs: Count = 10
    batch_size: Count = 64
    learning_rate: Positive = 0.003  # of Adam
    seed: Seed = 0


def network():
    """An untrained network: standardised loads to a load."""
    return keras.Sequential(
        [
            keras.Input((24, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu", name="hidden"),
            keras.layers.Dense(1, name="forecast"),
        ]
    )


def script(settings, train, validation, *, unit=1.0, zero=0.0, rate=None):
    """Trains the network and returns it: loads of 24 hours to a load, in megawatt."""
    mean, spread = train.x.mean(), train.x.std()
    model = network()
    model.compile(keras.optimizers.Adam(rate or settings.learning_rate), "mean_squared_error")
    model.fit(
        (train.x - mean) / spread,
        (train.y - zero) / unit,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=((validation.x - mean) / spread, (validation.y - zero) / unit),
        verbose=0,
    )
    return lambda x: model((x - mean) / spread) * unit + zero


@blank(
    "diagnostics/far_from_the_mark",
    hints=(
        "What is the first loss, and what is its root, in megawatt?",
        "Adam moves a weight by about its learning rate at each step. How many steps is it to 40 000?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="targets_not_scaled", evidence="loss", repair="targets")


@blank(
    "diagnostics/far_from_the_mark",
    hints=("Let the network speak in units of the spread, from the mean on, and translate its forecasts back.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and an R² of at least .7."""
    return script(settings, train, validation, unit=train.y.std(), zero=train.y.mean())


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
    quick=Settings(days=60, epochs=8),
    run=run,
    figures=figures,
    expect={"script": Band(-1.0, 0.0), "repaired": Band(0.7, 1.0)},
)
