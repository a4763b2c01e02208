"""The reparameterisation trick: a random draw that lets the gradient through."""

from typing import Any

from keras_course.base import blank
from keras_course.layers import arguments

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_course")
class Sampling(keras.layers.Layer):
    """[mean, log_var], each (batch, latent) -> z ~ N(mean, exp(log_var)), (batch, latent); in inference too.

    `seed` fixes the sequence of draws; None starts a new one.

    Kingma and Welling (2014), section 2.4.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arguments.seed(seed)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    @blank(
        "generative/vae",
        hints=(
            "A draw has no derivative. Which part of a normal variable is random, and which part has to be learned?",
            "Draw epsilon from the standard normal with `seed=self.seed_generator`; then shift it and stretch it.",
            "It is stretched by the standard deviation, and log_var is the logarithm of its square.",
        ),
    )
    def call(self, inputs: Any) -> Any:
        """One draw for each row of [mean, log_var]; gradients reach both."""
        mean, log_var = inputs  # (batch, latent) each
        epsilon = keras.random.normal(ops.shape(mean), dtype=self.compute_dtype, seed=self.seed_generator)
        # z = mean + sigma * epsilon,  sigma = exp(log_var / 2)
        return mean + ops.exp(log_var / 2) * epsilon

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
