"""The loss of a guess, in training as in validation: what is there to be learned?

A network that reads digits with ease, trained by Keras on a well-shuffled `tf.data` pipeline. It gets no better than a
guess, even on what it is trained on. Find out in TensorBoard why, and repair it: write `answer`, which says what is
wrong as data, and `repaired`, which may call `script` with other parts or be a script of its own.

TensorFlow guide "tf.data: Build TensorFlow input pipelines"; Zhang, Bengio, Hardt, Recht, Vinyals (2017), section 2.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras
import tensorflow as tf


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    epochs: Count = 5
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


def pipeline(x, y, batch_size):
    """Shuffled batches of images and labels."""
    images = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x))
    labels = tf.data.Dataset.from_tensor_slices(y)
    return tf.data.Dataset.zip((images, labels)).batch(batch_size)


def script(settings, train, validation, *, pipeline=pipeline, rate=None):
    """Trains the network and returns it."""
    model = network(train.x.shape[1:])
    model.compile(
        keras.optimizers.SGD(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(pipeline(*train, settings.batch_size), epochs=settings.epochs, verbose=0)
    return model


@blank(
    "diagnostics/pure_guessing",
    hints=(
        "Inputs, outputs and gradients look healthy. What would the loss be if the label had nothing to do "
        "with the image?",
        "Compare `loss` with `labels/entropy`: it never gets below.",
        "Look at the pipeline: what happens to an image, and what to its label?",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="labels_shuffled_apart", evidence="loss", repair="order")


@blank(
    "diagnostics/pure_guessing",
    hints=("Zip first, then shuffle.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and at least 9 of 10 digits right."""

    def together(x, y, batch_size):
        return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).batch(batch_size)

    return script(settings, train, validation, pipeline=together)


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
    expect={"script": Band(0.0, 0.3), "repaired": Band(0.88, 1.0)},
)
