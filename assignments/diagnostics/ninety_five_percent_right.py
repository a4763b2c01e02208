"""Nineteen of twenty right after the first epoch, and not one complaint found: what is the score worth?

Which of the reviews are bad? One in twenty is. Word vectors, their mean and a decision, in Keras. The accuracy is
splendid at once; the run scores the mean over both classes. Find out in TensorBoard why, and repair it: write `answer`,
which says what is wrong as data, and `repaired`, which may call `script` with other parts or be a script of its own.

He, Garcia (2009), "Learning from imbalanced data", section 2.
"""

from dataclasses import dataclass

from keras_course import data
from keras_course.diagnostics.exercise import Answer, balanced_accuracy, compare, figures
from keras_course.exercise import Band, Exercise, blank
from keras_course.settings import Count, Positive, Seed

import keras


@dataclass(frozen=True)
class Settings:
    reviews: Count = 4000  # made, of twelve words each
    epochs: Count = 4
    batch_size: Count = 64
    learning_rate: Positive = 0.003  # of Adam
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


def script(settings, train, validation, *, class_weight=None, rate=None):
    """Trains the network and returns it."""
    model = network()
    model.compile(
        keras.optimizers.Adam(rate or settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        *train,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=validation,
        class_weight=class_weight,
        verbose=0,
    )
    return model


@blank(
    "diagnostics/ninety_five_percent_right",
    hints=(
        "What accuracy has a network that says good to everything?",
        "`labels/entropy` would be .69 if both classes came equally often.",
    ),
)
def answer():
    """What is wrong, as an `Answer`: the cause, a tag of the event files that shows it, the part to repair."""
    return Answer(cause="class_imbalance", evidence="labels/entropy", repair="class weights")


@blank(
    "diagnostics/ninety_five_percent_right",
    hints=(
        "Let an example of the rare class count for more.",
        "`class_weight`: in inverse proportion to how often a class comes.",
    ),
)
def repaired(settings, train, validation):
    """As `script`: the same network, rate and epochs, and a mean of at least .75 over both classes."""
    return script(settings, train, validation, class_weight={0: 10.0, 1: 0.5})


def load(settings):
    """The splits."""
    return data.reviews(settings.reviews, seed=settings.seed, negative=0.05)


def run(settings, log):
    scripts = {"script": script, "repaired": repaired}
    return compare(settings, log, load(settings), scripts=scripts, answer=answer, score=balanced_accuracy)


EXERCISE = Exercise(
    source="S4 diagnostics, further causes",
    small=Settings(),
    full=Settings(reviews=30_000),
    quick=Settings(reviews=2500, epochs=6),
    run=run,
    figures=figures,
    expect={"script": Band(0.0, 0.6), "repaired": Band(0.75, 1.0)},
)
