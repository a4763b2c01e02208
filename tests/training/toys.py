"""Small models and sets with axes of different sizes, for the tests of the loop."""

from keras_course.data.pipeline import Batches

import keras
import numpy as np


def regression(n=11, batch_size=3, seed=1, shuffle=True):
    """Rows of 2 numbers and a linear target; the last batch is short."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 2)).astype("float32")
    y = (x @ [[2.0], [-1.0]] + 0.5).astype("float32")
    return Batches(x, y, batch_size=batch_size, seed=seed, shuffle=shuffle)


def linear():
    """x (n, 2) -> (n, 1), from weights that are the same each time."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="out")], name="linear")
    model.set_weights([np.array([[0.3], [0.4]]), np.array([0.1])])
    return model


def squared_error(model, batch, training):
    x, y = batch
    error = model(x, training=training) - y
    return keras.ops.mean(error**2), {"size_of_error": keras.ops.mean(keras.ops.abs(error))}


def sgd(rate=0.1):
    return keras.optimizers.SGD(rate)


class Memory:
    """A log that remembers."""

    def __init__(self, checkpoint=None):
        self.kept, self.points, self.drawn = checkpoint, [], []

    def scalars(self, stage, step, values):
        self.points.append((stage, step, dict(values)))

    def weights(self, stage, step, model):
        self.drawn.append((stage, step, model.name))

    def checkpoint(self, stage):
        return self.kept
