"""A healthy loss, and from one step on not a number any more: what came in at that step?

Benign or malignant, from measurements of cell nuclei as they came from the laboratory: a small network in Keras with
standardised columns. Rate and initial weights are those of a training that works. Find out in TensorBoard why, and
repair it: write `answer`, which says what is wrong as data, and `repaired`, which may call `script` with other parts or
be a script of its own.

Little, Rubin (2019), "Statistical Analysis with Missing Data", section 1.3.
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras
import numpy as np


@dataclass(frozen=True)
class Settings:
    epochs: Count = 20
    batch_size: Count = 32
    learning_rate: Positive = 0.01  # of Adam
    seed: Seed = 0


def from_laboratory(x):
    """The columns as they came: now and then the device had nothing to say."""
    x = x.copy()
    x[7::40, 3] = np.nan
    return x


def script(settings, train, validation, *, prepared=from_laboratory, rate=None):
    """Trains the network and returns it."""
    mean, spread = train.x.mean(0), train.x.std(0)
    model = keras.Sequential(
        [
            keras.Input((train.x.shape[1],)),
            keras.layers.Dense(16, activation="relu", name="hidden"),
            keras.layers.Dense(1, activation="sigmoid", name="answer"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate or settings.learning_rate), "binary_crossentropy", metrics=["accuracy"])
    x = (prepared(train.x) - mean) / spread
    model.fit(x, train.y[:, None], epochs=settings.epochs, batch_size=settings.batch_size, verbose=0)
    return lambda x: model((x - mean) / spread)


@blank(
    "diagnostics/breaks_without_warning",
    hints=(
        "At which step does the loss break, and what is different at that step? Look at the gradients before, "
        "and at the inputs.",
        "The mean of a batch is a number only when all its entries are.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="nan_or_inf_in_data", evidence="inputs/mean", repair="inputs")


@blank(
    "diagnostics/breaks_without_warning",
    hints=(
        "Find the entries: `np.isfinite`.",
        "A missing entry may become the mean of its column; or leave its row out.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same layers, rate and epochs, the rows of the laboratory, and at least 9 of 10 rows right."""

    def filled(x):
        rows = from_laboratory(x)
        return np.where(np.isfinite(rows), rows, np.nanmean(rows, axis=0))

    return script(settings, train, validation, prepared=filled)


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
    expect={"script": Band(0.0, 0.2), "repaired": Band(0.88, 1.0)},
)
