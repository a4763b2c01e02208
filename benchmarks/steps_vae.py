"""Training steps of a variational autoencoder, 784-400-20-400-784, batches of 128; the noise is given, so that it is
the same for all."""

from benchmarks import _steps
from keras_course.bench import Goal, Workload

import numpy as np

PIXELS, LATENT = 784, 20


def model():
    import keras

    layers = keras.layers
    inputs = keras.Input((PIXELS + LATENT,))
    hidden = layers.Dense(400, "relu")(inputs[:, :PIXELS])
    mean, log_var = layers.Dense(LATENT)(hidden), layers.Dense(LATENT)(hidden)
    z = mean + keras.ops.exp(0.5 * log_var) * inputs[:, PIXELS:]
    logits = layers.Dense(PIXELS)(layers.Dense(400, "relu")(z))
    return keras.Model(inputs, layers.Concatenate()([logits, mean, log_var]))


def elbo(y, output):
    """The negative ELBO, mean over the batch, nats."""
    from keras_course.losses import bernoulli_nll, kl_to_standard_normal

    from keras import ops

    logits, mean, log_var = output[:, :PIXELS], output[:, PIXELS : PIXELS + LATENT], output[:, PIXELS + LATENT :]
    return ops.mean(bernoulli_nll(y, logits) + kl_to_standard_normal(mean, log_var))


def images_and_noise():
    rng = np.random.default_rng(0)
    x, _ = _steps.bytes_and_labels(12_800, (PIXELS,))
    x = (x / 255).astype("float32")
    return np.hstack([x, rng.normal(size=(len(x), LATENT))]).astype("float32"), x


def twin(weights):
    import torch
    from torch import nn

    pairs = [_steps.dense(*weights[i : i + 2]) for i in range(0, 10, 2)]

    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean, self.log_var, self.wide, self.out = pairs

        def forward(self, x, y):
            hidden = torch.relu(self.hidden(x[:, :PIXELS]))
            mean, log_var = self.mean(hidden), self.log_var(hidden)
            z = mean + torch.exp(0.5 * log_var) * x[:, PIXELS:]
            logits = self.out(torch.relu(self.wide(z)))
            nll = nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none").sum(1)
            kl = 0.5 * (mean**2 + torch.expm1(log_var) - log_var).sum(1)
            return (nll + kl).mean()

    return Autoencoder()


NET = _steps.Net(model, elbo, images_and_noise, 128, twin)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET),
    goals=(Goal(_steps.FIT, 3), Goal(_steps.JAX, 0.95), Goal(_steps.TORCH, 1.2)),
    tolerance=1e-3,
    note=_steps.NOTE,
)
