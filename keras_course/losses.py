"""Losses as functions of arrays: one value per example, so that a caller weighs or averages them as it likes."""

from typing import Any

from keras_course.base import blank

from keras import ops

Tensor = Any  # of whichever backend Keras runs on


@blank(
    "generative/vae",
    hints=(
        "Both distributions are diagonal Gaussians, so the divergence is a sum over the latent dimensions.",
        "The network gives log σ², not σ: where does the closed form need the exponential?",
        "Per dimension: ½ (μ² + σ² − 1 − log σ²). Sum over the last axis only: the batch is not yours to average.",
    ),
)
def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mean, exp(log_var)) from N(0, 1), in nats, at least 0.

    Kingma and Welling (2014), appendix B.

    Args:
        mean, log_var: (batch, latent)

    Returns:
        (batch,), the sum over the latent dimensions.
    """
    # KL = ½ Σ (μ² + σ² − 1 − log σ²)
    return 0.5 * ops.sum(ops.square(mean) + ops.expm1(log_var) - log_var, axis=-1)  # expm1: exact near σ = 1


@blank(
    "generative/vae",
    hints=(
        "A pixel x in [0, 1] is the probability of a Bernoulli variable, and the logit l is the model's.",
        "−x log σ(l) − (1 − x) log(1 − σ(l)) is right, but overflows: which function of `keras.ops` takes logits?",
        "Sum over every axis but the first: a mean over the pixels would make the KL term hundreds of times too heavy.",
    ),
)
def bernoulli_nll(x: Tensor, logits: Tensor) -> Tensor:
    """Negative log-likelihood of `x` under independent Bernoulli pixels, in nats; exact for logits of any size.

    Kingma and Welling (2014), appendix C.1.

    Args:
        x: (batch, ...) in [0, 1]
        logits: (batch, ...), the shape of `x`

    Returns:
        (batch,), the sum over the pixels.
    """
    # NLL = Σ −x log σ(l) − (1 − x) log(1 − σ(l))
    nll = ops.binary_crossentropy(x, logits, from_logits=True)  # (batch, ...)
    return ops.sum(nll, axis=tuple(range(1, len(nll.shape))))
