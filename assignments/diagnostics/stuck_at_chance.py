"""One tenth right from the first epoch on: what happened before the first epoch was over?

A network that reads digits with ease, trained by Keras. The loss jumps and then rests near ln 10; more epochs change
nothing. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and `repaired`,
which may call `script` with other parts or be a script of its own.

Goodfellow, Bengio, Courville (2016), "Deep Learning", section 11.4.1.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    epochs: Count = 10
    batch_size: Count = 32
    learning_rate: Positive = 5.0  # of gradient descent
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


def script(settings, train, validation, *, optimizer=keras.optimizers.SGD, rate=None):
    """Trains the network and returns it."""
    model = network(train.x.shape[1:])
    model.compile(
        optimizer(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*train, epochs=settings.epochs, batch_size=settings.batch_size, validation_data=validation, verbose=0)
    return model


@blank(
    "diagnostics/stuck_at_chance",
    hints=(
        "What is the loss in the very first steps? Dead units come later: look at what comes first.",
        "`update_ratio` is the length of a step by the length of the weights. In a healthy training it is "
        "near a thousandth.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="learning_rate_too_high", evidence="update_ratio/hidden_1", repair="learning rate")


@blank(
    "diagnostics/stuck_at_chance",
    hints=(
        "A step longer than the weights themselves forgets all they hold.",
        "Ten times less, and ten times less again, until the first steps go down.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same network and epochs, and at least 9 of 10 digits right."""
    return script(settings, train, validation, rate=settings.learning_rate / 50)


def load(settings):
    """The splits."""
    return data.load(settings.dataset, source=settings.source, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", epochs=5, batch_size=128),
    quick=Settings(epochs=4),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.3), "repaired": Band(0.88, 1.0)},
)
