"""Every class gets a tenth, whatever the image: what keeps the weights from growing?

A network that reads digits with ease, with a little weight decay against learning by heart, trained by Keras. It comes
to rest at ten equal outputs. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as
data, and `repaired`, which may call `script` with other parts or be a script of its own.

Krogh, Hertz (1992), "A simple weight decay can improve generalization".
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


def network(shape, *, decay=0.5):
    """An untrained network: images to logits."""
    penalty = keras.regularizers.L2(decay)
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu", kernel_regularizer=penalty, name="hidden_1"),
            keras.layers.Dense(64, activation="relu", kernel_regularizer=penalty, name="hidden_2"),
            keras.layers.Dense(10, kernel_regularizer=penalty, name="logits"),
        ]
    )


def script(settings, train, validation, *, network=network, rate=None):
    """Trains the network and returns it."""
    model = network(train.x.shape[1:])
    model.compile(
        keras.optimizers.SGD(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*train, epochs=settings.epochs, batch_size=settings.batch_size, validation_data=validation, verbose=0)
    return model


@blank(
    "diagnostics/one_tenth_for_everything",
    hints=(
        "The loss falls a long way, and the accuracy does not rise. What is it that falls?",
        "Follow `weight_norm` of each layer.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="regularisation_overwhelms", evidence="weight_norm/hidden_2", repair="penalty")


@blank(
    "diagnostics/one_tenth_for_everything",
    hints=(
        "What does the penalty cost beside the ln 10 that is to be gained?",
        "Divide it by ten until the weights hold.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: with a penalty still, the same rate and epochs, and at least 9 of 10 digits right."""
    return script(settings, train, validation, network=lambda shape: network(shape, decay=1e-4))


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
    quick=Settings(epochs=5),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.3), "repaired": Band(0.88, 1.0)},
)
