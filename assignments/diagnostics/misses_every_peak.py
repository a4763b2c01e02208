"""A forecast that follows the load and never reaches its peaks: what holds it down?

The load of an electric grid in three hours, from the last 24: convolutions over time in Keras, standardised loads. The
forecast goes with the day, and cuts off what is high and what is low. Find out in TensorBoard why, and repair it: write
`answer`, which says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of
its own.

Goodfellow, Bengio, Courville (2016), "Deep Learning", section 6.2.2.1.
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


def network(*, head="sigmoid"):
    """An untrained network: standardised loads to a standardised load."""
    return keras.Sequential(
        [
            keras.Input((24, 1)),
            keras.layers.Conv1D(16, 5, activation="relu", name="hours"),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu", name="hidden"),
            keras.layers.Dense(1, activation=head, name="forecast"),
        ]
    )


def script(settings, train, validation, *, network=network, rate=None):
    """Trains the network and returns it: loads of 24 hours to a load, in megawatt."""
    mean, spread = train.x.mean(), train.x.std()
    model = network()
    model.compile(keras.optimizers.Adam(rate or settings.learning_rate), "mean_squared_error")
    model.fit(
        (train.x - mean) / spread,
        (train.y - mean) / spread,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=((validation.x - mean) / spread, (validation.y - mean) / spread),
        verbose=0,
    )
    return lambda x: model((x - mean) / spread) * spread + mean


@blank(
    "diagnostics/misses_every_peak",
    hints=(
        "Which values does the network give? Look at `outputs/min` and `outputs/max`.",
        "Standardised loads lie on both sides of 0. On which side are the outputs?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="output_range_cannot_reach_targets", evidence="outputs/min", repair="output")


@blank(
    "diagnostics/misses_every_peak",
    hints=("An output that may be any number has no activation.",),
)
def repaired(settings, train, validation):
    """As `script`: the same hidden layers, rate and epochs, and an R² of at least .7."""
    return script(settings, train, validation, network=lambda: network(head="linear"))


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
    expect={"script": Band(-1.0, 0.5), "repaired": Band(0.7, 1.0)},
)
