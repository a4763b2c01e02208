"""No better than a coin, however long it trains: which part of the network learns?

Is a short review good or bad? Word vectors, a layer that reads their mean, and a decision, in Keras. The loss falls by
next to nothing. Find out in TensorBoard why, and repair it: write `answer`, which says what is wrong
as data, and `repaired`, which may call `script` with other parts or be a script of its own.

Yosinski, Clune, Bengio, Lipson (2014), "How transferable are features in deep neural networks?"
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
    learning_rate: Positive = 0.003  # of Adam
    seed: Seed = 0


VOCABULARY = 64


def network(*, freeze=True):
    """An untrained network: word ids to logits."""
    model = keras.Sequential(
        [
            keras.Input((12,), dtype="int64"),
            keras.layers.Embedding(VOCABULARY, 8, name="words"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(4, activation="relu", name="reader"),
            keras.layers.Dense(2, name="decision"),
        ]
    )
    for layer in model.layers[:3]:
        layer.trainable = not freeze
    return model


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
    "diagnostics/misses_the_point",
    hints=("Which weights change? Compare the histograms of all layers, before and after.",),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="frozen_or_disconnected", evidence="weights/words/embeddings", repair="layers")


@blank(
    "diagnostics/misses_the_point",
    hints=("Nobody has trained the vectors before, so there is nothing in them to be kept.",),
)
def repaired(settings, train, validation):
    """As `script`: the same layers, rate and epochs, and at least 8 of 10 reviews right."""
    return script(settings, train, validation, network=lambda: network(freeze=False))


def load(settings):
    """The splits."""
    return data.reviews(settings.reviews, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(reviews=30_000),
    quick=Settings(reviews=1500),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.7), "repaired": Band(0.75, 1.0)},
)
