"""Nearly all right in training, a guess in validation, on the same kind of images: what changes in between?

A network with batch normalisation, trained by Keras. Training goes well, validation does not, not even on the training
images themselves. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and
`repaired`, which may call `script` with other parts or be a script of its own.

Ioffe, Szegedy (2015), "Batch normalization", section 3.1.
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


def network(shape, *, momentum=0.9999):
    """An untrained network: images to logits."""
    layers = [keras.Input(shape), keras.layers.Flatten()]
    for number in (1, 2):
        layers += [
            keras.layers.Dense(64, use_bias=False, name=f"hidden_{number}"),
            keras.layers.BatchNormalization(momentum=momentum),
            keras.layers.ReLU(),
        ]
    return keras.Sequential([*layers, keras.layers.Dense(10, name="logits")])


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
    "diagnostics/good_in_training_only",
    hints=(
        "Compare `epoch/loss` and `epoch/val_loss`. Overfitting comes slowly and on few images; when does this come?",
        "Which layer does something else in evaluation than in training, and with which numbers?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="batchnorm_mode", evidence="epoch/val_loss", repair="mode")


@blank(
    "diagnostics/good_in_training_only",
    hints=("How many steps does a moving average with this momentum need, and how many are there?",),
)
def repaired(settings, train, validation):
    """As `script`: the same layers, rate and epochs, and at least 9 of 10 digits right."""
    return script(settings, train, validation, network=lambda shape: network(shape, momentum=0.9))


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
    expect={"script": Band(0.0, 0.8), "repaired": Band(0.88, 1.0)},
)
