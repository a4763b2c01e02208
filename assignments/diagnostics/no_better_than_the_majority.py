"""Two classes that a ruler could part, and the network says "benign" to all: what does it choke on?

Benign or malignant, from measurements of cell nuclei in their own units: a small network in Keras, plain gradient
descent. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and `repaired`,
which may call `script` with other parts or be a script of its own.

LeCun, Bottou, Orr, Müller (1998), "Efficient BackProp", section 4.3.
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras


@dataclass(frozen=True)
class Settings:
    epochs: Count = 20
    batch_size: Count = 32
    learning_rate: Positive = 0.1  # of gradient descent
    seed: Seed = 0


def prepared(train):
    """A layer that prepares the columns."""
    return keras.layers.Identity()


def script(settings, train, validation, *, prepared=prepared, rate=None):
    """Trains the network and returns it."""
    model = keras.Sequential(
        [
            keras.Input((train.x.shape[1],)),
            prepared(train),
            keras.layers.Dense(16, activation="relu", name="hidden"),
            keras.layers.Dense(1, activation="sigmoid", name="answer"),
        ]
    )
    model.compile(keras.optimizers.SGD(rate or settings.learning_rate), "binary_crossentropy", metrics=["accuracy"])
    model.fit(train.x, train.y[:, None], epochs=settings.epochs, batch_size=settings.batch_size, verbose=0)
    return model


@blank(
    "diagnostics/no_better_than_the_majority",
    hints=(
        "The rate is fine for columns of which size?",
        "Look at `inputs/max` and `inputs/spread`.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="inputs_not_scaled", evidence="inputs/max", repair="inputs")


@blank(
    "diagnostics/no_better_than_the_majority",
    hints=(
        "Zero mean and unit spread, learned from the training rows.",
        "`keras.layers.Normalization`, and its `adapt`.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same layers, rate and epochs, and at least 9 of 10 rows right."""

    def standardised(train):
        layer = keras.layers.Normalization()
        layer.adapt(train.x)
        return layer

    return script(settings, train, validation, prepared=standardised)


def load(settings):
    """The splits."""
    return data.load("breast_cancer", seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(epochs=100),
    quick=Settings(epochs=10),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.7), "repaired": Band(0.88, 1.0)},
)
