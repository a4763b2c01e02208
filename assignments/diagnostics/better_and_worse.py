"""Surer and surer in training, worse and worse in validation: when was the network at its best?

Is a short review good or bad? Word vectors in a wide network, in Keras with Adam, on a few hundred reviews. The run
scores what the probabilities tell of the labels, and in the end they tell less than nothing. Find out in TensorBoard
why, and repair it: write `answer`, which says what is wrong as data, and `repaired`, which may call `script` with other
parts or be a script of its own.

Prechelt (1998), "Early stopping, but when?"
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, compare, figures, told
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras


@dataclass(frozen=True)
class Settings:
    reviews: Count = 600  # made, of twelve words each
    epochs: Count = 40
    batch_size: Count = 64
    learning_rate: Positive = 0.01  # of Adam
    seed: Seed = 0


VOCABULARY = 64


def network():
    """An untrained network: word ids to probabilities."""
    return keras.Sequential(
        [
            keras.Input((12,), dtype="int64"),
            keras.layers.Embedding(VOCABULARY, 32, name="words"),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu", name="reader"),
            keras.layers.Dense(2, activation="softmax", name="decision"),
        ]
    )


def script(settings, train, validation, *, network=network, callbacks=(), rate=None):
    """Trains the network and returns it."""
    model = network()
    model.compile(
        keras.optimizers.Adam(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    model.fit(
        *train,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=validation,
        callbacks=list(callbacks),
        verbose=0,
    )
    return model


@blank(
    "diagnostics/better_and_worse",
    hints=("Compare `epoch/loss` and `epoch/val_loss`. Where do they part?",),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="overfitting", evidence="epoch/val_loss", repair="epochs")


@blank(
    "diagnostics/better_and_worse",
    hints=("`keras.callbacks.EarlyStopping`, and its `restore_best_weights`.",),
)
def repaired(settings, train, validation):
    """As `script`: the same reviews, and probabilities that tell something: a score above 0."""
    stop = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    return script(settings, train, validation, callbacks=[stop])


def load(settings):
    """The splits."""
    return data.reviews(settings.reviews, seed=settings.seed)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, score=told)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(reviews=1000, epochs=100),
    quick=Settings(epochs=25),
    run=run,
    figures=figures,
    expect={"script": Band(-1.0, -0.3), "repaired": Band(0.15, 0.6)},
)
