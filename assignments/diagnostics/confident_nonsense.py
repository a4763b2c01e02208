"""The loss climbs, the answers get surer, and they are wrong: what are the outputs taken for?

A network that reads digits with ease, with one-hot labels, trained by Keras. The loss does not go down for long. Find
out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and `repaired`, which may call
`script` with other parts or be a script of its own.

Keras documentation, `CategoricalCrossentropy`, argument `from_logits`.
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
    epochs: Count = 5
    batch_size: Count = 32
    learning_rate: Positive = 0.1  # of gradient descent
    seed: Seed = 0


def network(shape, *, classes=10):
    """An untrained network: images to one number for each class."""
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu", name="hidden_1"),
            keras.layers.Dense(64, activation="relu", name="hidden_2"),
            keras.layers.Dense(classes, name="classes"),
        ]
    )


def script(settings, train, validation, *, network=network, loss="categorical_crossentropy", rate=None):
    """Trains the network and returns it."""
    model = network(train.x.shape[1:])
    model.compile(keras.optimizers.SGD(rate or settings.learning_rate), loss, metrics=["accuracy"])
    model.fit(
        train.x,
        keras.utils.to_categorical(train.y, 10),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=(validation.x, keras.utils.to_categorical(validation.y, 10)),
        verbose=0,
    )
    return model


@blank(
    "diagnostics/confident_nonsense",
    hints=(
        "What does this loss take the outputs for? Look at `outputs/min`, `outputs/max` and `outputs/row_sum`.",
        "A probability is never negative.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="logits_to_probability_loss", evidence="outputs/min", repair="loss")


@blank(
    "diagnostics/confident_nonsense",
    hints=("Either the network gives probabilities, or the loss is told that it does not.",),
)
def repaired(settings, train, validation):
    """As `script`: the same layers, rate and epochs, and at least 9 of 10 digits right."""
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    return script(settings, train, validation, loss=loss)


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
    quick=Settings(epochs=4),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.5), "repaired": Band(0.88, 1.0)},
)
