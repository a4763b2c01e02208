"""The number of trainable parameters of a model."""

import math


def trainable(model):
    return sum(math.prod(w.shape) for w in model.trainable_weights)
