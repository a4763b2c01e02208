"""Down by a thousandth in each epoch, and never a surprise: what is it waiting for?

Is a short review good or bad? Word vectors, their mean and a decision, in Keras with Adam. The loss falls, smoothly and
next to nothing. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong as data, and
`repaired`, which may call `script` with other parts or be a script of its own.

Goodfellow, Bengio, Courville (2016), "Deep Learning", section 11.4.1.
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras


@dataclass(frozen=True)
class Settings:
    reviews: Count = 3000  # made, of twelve words each
    epochs: Count = 10
    batch_size: Count = 64
    learning_rate: Positive = 1e-5  # of Adam
    seed: Seed = 0


VOCABULARY = 64


def network():
    """An untrained network: word ids to logits."""
    return keras.Sequential(
        [
            keras.Input((12,), dtype="int64"),
            keras.layers.Embedding(VOCABULARY, 16, name="words"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2, name="decision"),
        ]
    )


def script(settings, train, validation, *, network=network, rate=None):
    """Trains the network and returns it."""
    model = network()
    model.compile(
        keras.optimizers.Adam(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*train, epochs=settings.epochs, batch_size=settings.batch_size, validation_data=validation, verbose=0)
    return model


@blank(
    "diagnostics/barely_moves",
    hints=(
        "A plateau has no slope; this has one. How long are the steps beside the weights?",
        "`update_ratio` near a thousandth is healthy.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="learning_rate_too_low", evidence="update_ratio/decision", repair="learning rate")


@blank(
    "diagnostics/barely_moves",
    hints=("Ten times as much, until the loss falls visibly in the first epoch.",),
)
def repaired(settings, train, validation):
    """As `script`: the same network and epochs, and at least 85 of 100 reviews right."""
    return script(settings, train, validation, rate=1000 * settings.learning_rate)


def load(settings):
    """The splits."""
    return data.reviews(settings.reviews, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(reviews=30_000, epochs=1),  # as many steps: in ten times as many even these come somewhere
    quick=Settings(reviews=1500),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.75), "repaired": Band(0.85, 1.0)},
)
