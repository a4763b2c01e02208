"""After ten epochs still no better than a guess: why does so little arrive?

A network that reads digits with ease, trained by Keras on images prepared by `prepared`. The loss falls by a hair in
each epoch. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and
`repaired`, which may call `script` with other parts or be a script of its own.

LeCun, Bottou, Orr, Müller (1998), "Efficient BackProp", section 4.3.
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
    learning_rate: Positive = 0.1  # of gradient descent
    seed: Seed = 0


def prepared(x):
    """Images between 0 and 255 become images between 0 and 1."""
    return x / 255


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


def script(settings, train, validation, *, prepared=prepared, rate=None):
    """Trains the network and returns it, the preparation of its inputs included."""
    model = network(train.x.shape[1:])
    model.compile(
        keras.optimizers.SGD(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        prepared(train.x),
        train.y,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=(prepared(validation.x), validation.y),
        verbose=0,
    )
    return lambda x: model(prepared(x))


@blank(
    "diagnostics/hardly_learns",
    hints=(
        "The rate is that of many a good training. What is it that the first layer gets?",
        "How large is the largest pixel, `inputs/max`? How large would you have it?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="inputs_scaled_twice", evidence="inputs/max", repair="inputs")


@blank(
    "diagnostics/hardly_learns",
    hints=("The loader has scaled the images once.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and at least 9 of 10 digits right."""
    return script(settings, train, validation, prepared=lambda x: x)


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
    quick=Settings(epochs=6),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.6), "repaired": Band(0.88, 1.0)},
)
