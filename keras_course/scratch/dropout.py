"""Dropout in its two conventions."""

from keras_course.base import blank, require
from keras_course.scratch.layer import Layer

import numpy as np


class Dropout(Layer):
    """Sets each value to 0 with probability `rate` in training; in test mode all values stay.

    Both conventions keep the expected value of an output the same in training and in test mode:
    "inverted" divides what is kept by 1 - rate in training and leaves test mode alone, as Keras does;
    "classic" leaves training alone and multiplies by 1 - rate in test mode. Srivastava et al. (2014), section 4.

    rate: from 0 to below 1. rng: draws the masks. InputError for a rate of 1, of which nothing would be left.
    """

    def __init__(self, rate: float, *, rng: np.random.Generator, convention: str = "inverted") -> None:
        super().__init__()
        require(0 <= rate < 1, "rate", "from 0 to below 1", rate)
        require(convention in ("inverted", "classic"), "convention", '"inverted" or "classic"', convention)
        self.rate, self.rng, self.convention = rate, rng, convention

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        """A mask: True where a value is kept."""
        return self.rng.random(shape) >= self.rate

    @blank(
        "foundations/dropout_by_hand",
        hints=(
            "Four cases: two conventions, two modes. In which of the four are the values multiplied by something?",
            "What is kept has probability q = 1 - rate. Inverted: mask / q in training, 1 in test mode. Classic: the "
            "mask in training, q in test mode.",
        ),
    )
    def factor(self, mask: np.ndarray, training: bool) -> np.ndarray | float:
        """What the values are multiplied by in this mode: of the shape of the `mask`, or one number for all."""
        keep = 1 - self.rate
        if self.convention == "inverted":
            return mask / keep if training else 1.0
        return mask if training else keep

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.scale = self.factor(self.draw(x.shape), training)
        return (x * self.scale).astype(x.dtype, copy=False)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        # y = scale · x
        return (dy * self.scale).astype(dy.dtype, copy=False)
