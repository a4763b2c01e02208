"""The loss falls to almost nothing, and every answer is the same: what can this output say?

Benign or malignant, from measurements of cell nuclei: a small network in Keras, standardised columns, the loss for two
classes. The accuracy does not move from the first epoch on. Find out in TensorBoard why, and repair it: write `answer`,
which says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of its own.

Goodfellow, Bengio, Courville (2016), "Deep Learning", section 6.2.2.
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


def network(columns, *, head="softmax"):
    """An untrained network: columns to the probability of the second class."""
    return keras.Sequential(
        [
            keras.Input((columns,)),
            keras.layers.Dense(16, activation="relu", name="hidden"),
            keras.layers.Dense(1, activation=head, name="answer"),
        ]
    )


def script(settings, train, validation, *, network=network, loss="binary_crossentropy", rate=None):
    """Trains the network and returns it, the scaling of its inputs included."""
    scale = keras.layers.Normalization()
    scale.adapt(train.x)
    model = network(train.x.shape[1])
    model.compile(keras.optimizers.Adam(rate or settings.learning_rate), loss, metrics=["accuracy"])
    model.fit(
        np.asarray(scale(train.x)),
        train.y[:, None],
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=(np.asarray(scale(validation.x)), validation.y[:, None]),
        verbose=0,
    )
    return lambda x: model(scale(x))


@blank(
    "diagnostics/one_answer_for_all",
    hints=(
        "How much do the outputs differ between inputs? Look at `outputs/spread_over_inputs`, `outputs/min` "
        "and `outputs/max`.",
        "Softmax makes numbers that add up to 1. How many are there?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="softmax_on_single_unit", evidence="outputs/spread_over_inputs", repair="output")


@blank(
    "diagnostics/one_answer_for_all",
    hints=("One unit for two classes needs a function of its own.",),
)
def repaired(settings, train, validation):
    """As `script`: the same layers, rate and epochs, and at least 9 of 10 rows right."""
    return script(settings, train, validation, network=lambda columns: network(columns, head="sigmoid"))


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
