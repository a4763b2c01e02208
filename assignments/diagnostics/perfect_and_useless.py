"""All right in training, all wrong in validation: whom does the validation ask?

A network that reads digits with ease, trained by Keras with `validation_split`. The training accuracy is nearly 1, the
validation accuracy 0 from the first epoch to the last. Find out in TensorBoard why, and repair it: write `answer`,
which says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of its own.

Keras documentation, `Model.fit`, argument `validation_split`.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras
import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    epochs: Count = 8
    batch_size: Count = 32
    learning_rate: Positive = 0.1  # of gradient descent
    seed: Seed = 0


def network(shape, *, classes=10):
    """An untrained network: images to logits."""
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu", name="hidden_1"),
            keras.layers.Dense(64, activation="relu", name="hidden_2"),
            keras.layers.Dense(classes, name="logits"),
        ]
    )


def examples(train):
    """Images and labels as the archive has them, one digit after the other."""
    order = np.argsort(train.y, kind="stable")
    return train.x[order], train.y[order]


def script(settings, train, validation, *, examples=examples, rate=None):
    """Trains the network and returns it."""
    model = network(train.x.shape[1:])
    model.compile(
        keras.optimizers.SGD(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, y = examples(train)
    model.fit(x, y, epochs=settings.epochs, batch_size=settings.batch_size, validation_split=0.2, verbose=0)
    return model


@blank(
    "diagnostics/perfect_and_useless",
    hints=(
        "Overfitting never takes a validation accuracy to 0: a guess would have a tenth.",
        "Which rows does `validation_split` take, and which digits are these?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="validation_split_sorted", evidence="epoch/val_accuracy", repair="split")


@blank(
    "diagnostics/perfect_and_useless",
    hints=("`validation_split` takes the last rows, before `fit` shuffles.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate, epochs and share of validation, and at least 9 of 10 digits right."""

    def shuffled(train):
        order = np.random.default_rng(settings.seed).permutation(len(train.y))
        return train.x[order], train.y[order]

    return script(settings, train, validation, examples=shuffled)


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", epochs=3, batch_size=128),
    quick=Settings(epochs=6),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.82), "repaired": Band(0.85, 1.0)},
)
