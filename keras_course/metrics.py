"""Scores of predictions that are already there as arrays."""

from keras_course.base import require

import numpy as np
from numpy.typing import ArrayLike


def accuracy(labels: ArrayLike, logits: ArrayLike) -> float:
    """Share of the examples whose largest logit is that of their label.

    Args:
        labels: (n,) integers
        logits: (n, classes); probabilities do as well.

    Raises:
        InputError: other shapes, which NumPy would compare n × n.
    """
    labels, logits = np.asarray(labels), np.asarray(logits)
    shapes = (labels.shape, logits.shape)
    require(logits.ndim == 2 and labels.shape == logits.shape[:1], "labels, logits", "(n,) and (n, classes)", shapes)
    return float(np.mean(np.argmax(logits, axis=-1) == labels))
