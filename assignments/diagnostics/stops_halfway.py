"""The loss falls, and stands still long before the end, far from what the network can do: who stopped it?

The load of an electric grid in three hours, from the last 24: a network in Keras, standardised loads, a rate that
decays. It learns for a moment. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as
data, and `repaired`, which may call `script` with other parts or be a script of its own.

Goyal and others (2017), "Accurate, large minibatch SGD", section 2.2, for schedules in steps and in epochs.
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


def schedule(settings, steps_per_epoch):
    """The learning rate: a fifth less with every epoch."""
    return keras.optimizers.schedules.ExponentialDecay(settings.learning_rate, decay_steps=1, decay_rate=0.8)


def script(settings, train, validation, *, schedule=schedule):
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
    steps_per_epoch = -(-len(train.y) // settings.batch_size)
    model.compile(keras.optimizers.Adam(schedule(settings, steps_per_epoch)), "mean_squared_error")
    x, y = (train.x - mean) / spread, (train.y - mean) / spread
    model.fit(x, y, epochs=settings.epochs, batch_size=settings.batch_size, verbose=0)
    return lambda x: model((x - mean) / spread) * spread + mean


@blank(
    "diagnostics/stops_halfway",
    hints=(
        "The gradient is still there. What becomes of the length of a step?",
        "`update_ratio` falls by a constant factor at each step. What is a step of this schedule?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="lr_schedule_wrong", evidence="update_ratio/hidden", repair="learning rate")


@blank(
    "diagnostics/stops_halfway",
    hints=("`decay_steps` counts steps, not epochs.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, epochs and first rate, and an R² of at least .83."""

    def by_epoch(settings, steps_per_epoch):
        return keras.optimizers.schedules.ExponentialDecay(settings.learning_rate, steps_per_epoch, 0.8)

    return script(settings, train, validation, schedule=by_epoch)


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
    expect={"script": Band(-1.0, 0.75), "repaired": Band(0.83, 1.0)},
)
