"""What is minimised: functions (model, batch, training) -> (loss, metrics), all means over the batch.

A penalty that layers keep in `model.losses` counts where the objective adds it, nowhere else.
"""

from typing import Any

from keras_course.losses import bernoulli_nll, kl_to_standard_normal
from keras_course.training.steps import Objective

import keras
from keras import ops


def classification(model: keras.Model, batch: Any, training: bool) -> tuple[Any, dict[str, Any]]:
    """Mean cross-entropy, in nats, of logits (n, classes) with integer labels (n,); metric: accuracy.

    Args:
        batch: (x, labels)
    """
    x, labels = batch
    logits = model(x, training=training)  # (n, classes)
    cross_entropy = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)  # (n,)
    hits = keras.metrics.sparse_categorical_accuracy(labels, logits)  # (n,)
    return ops.mean(cross_entropy), {"accuracy": ops.mean(hits)}


def negative_elbo(*, beta: float = 1.0) -> Objective:
    """The objective of a variational autoencoder, in nats per example, both terms summed over their axes.

    Kingma and Welling (2014), equation 3; with `beta` Higgins et al. (2017), equation 4.

    Args:
        beta: the weight of the KL term.

    Returns:
        An objective for models that map x (n, ...) in [0, 1] to [logits of x's shape, mean, log_var (n, latent)] and
        for batches that begin with x; metrics: reconstruction and kl.
    """

    def objective(model: keras.Model, batch: Any, training: bool) -> tuple[Any, dict[str, Any]]:
        x = batch[0]
        logits, mean, log_var = model(x, training=training)
        reconstruction = ops.mean(bernoulli_nll(x, logits))
        kl = ops.mean(kl_to_standard_normal(mean, log_var))
        # −ELBO = −E log p(x|z) + β KL(q(z|x) ‖ N(0, 1))
        return reconstruction + beta * kl, {"reconstruction": reconstruction, "kl": kl}

    return objective
