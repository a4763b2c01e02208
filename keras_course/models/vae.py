"""Variational autoencoder: an encoder, a draw, a decoder.

Kingma and Welling (2014), "Auto-Encoding Variational Bayes", section 3 and appendix C.
"""

import math
from typing import Any

from keras_course.layers import Sampling, arguments
from keras_course.models.ends import logits, positive_sizes

import keras


def encoder(input_shape: tuple[int, ...], *, latent: int, hidden: tuple[int, ...], activation: Any) -> keras.Model:
    """x (batch, *input_shape) -> [mean, log_var] of q(z | x), (batch, latent) each."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    for i, units in enumerate(hidden):
        x = keras.layers.Dense(units, activation, name=f"hidden_{i}")(x)
    heads = [logits(latent, name="mean")(x), logits(latent, name="log_var")(x)]
    return keras.Model(inputs, heads, name="encoder")


def decoder(output_shape: tuple[int, ...], *, latent: int, hidden: tuple[int, ...], activation: Any) -> keras.Model:
    """z (batch, latent) -> Bernoulli logits (batch, *output_shape)."""
    x = inputs = keras.Input((latent,))
    for i, units in enumerate(hidden):
        x = keras.layers.Dense(units, activation, name=f"hidden_{i}")(x)
    x = logits(math.prod(output_shape))(x)
    x = keras.layers.Reshape(output_shape, dtype=keras.config.floatx())(x)
    return keras.Model(inputs, x, name="decoder")


def vae(
    input_shape: tuple[int, ...],
    *,
    latent: int = 2,
    hidden: tuple[int, ...] = (400,),
    activation: Any = "relu",
    seed: int | None = None,
) -> keras.Model:
    """x (batch, *input_shape) -> [logits of the shape of x, mean, log_var], the last two (batch, latent).

    `hidden` are the sizes of the encoder's layers in order, each followed by `activation`; the decoder has them in
    reverse. `seed` fixes the sequence of draws. The layers are the models `encoder` (x -> [mean, log_var]) and
    `decoder` (z -> logits), with `sampling` between.
    """
    positive_sizes(input_shape=input_shape)
    positive_sizes(hidden=hidden, or_none=True)
    arguments.whole_numbers(latent=latent)
    inputs = keras.Input(input_shape)
    mean, log_var = encoder(input_shape, latent=latent, hidden=hidden, activation=activation)(inputs)
    z = Sampling(seed, dtype=keras.config.floatx(), name="sampling")([mean, log_var])
    reconstruction = decoder(input_shape, latent=latent, hidden=hidden[::-1], activation=activation)(z)
    return keras.Model(inputs, [reconstruction, mean, log_var], name="vae")
