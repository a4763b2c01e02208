from keras_course.training.objectives import classification, negative_elbo

import numpy as np
import pytest

LOGITS = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [1.0, 3.0, -2.0], [0.0, 0.0, 5.0], [1.0, 0.0, 0.0]], np.float32)
LABELS = np.array([0, 1, 1, 2, 2])


def gives(outputs):
    """A model that says `outputs` whatever it sees."""
    return lambda x, training: outputs


def test_classification_is_the_mean_cross_entropy_of_logits():
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    loss, metrics = classification(gives(LOGITS), (None, LABELS), True)
    assert float(loss) == pytest.approx(-log_p[range(5), LABELS].mean(), rel=1e-6)
    assert float(metrics["accuracy"]) == pytest.approx(3 / 5)


def test_a_model_that_knows_nothing_costs_ln_classes():
    loss, _ = classification(gives(np.zeros((5, 3), np.float32)), (None, LABELS), False)
    assert float(loss) == pytest.approx(np.log(3))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_told_whether_it_trains(training):
    told = []

    def model(x, training):
        told.append(training)
        return LOGITS

    classification(model, (None, LABELS), training)
    assert told == [training]


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_negative_elbo_is_reconstruction_plus_beta_times_kl(beta):
    x = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 1.0]], np.float32)
    zeros = np.zeros((2, 3), np.float32)
    mean, log_var = np.array([[1.0, 2.0], [0.0, 1.0]], np.float32), np.zeros((2, 2), np.float32)
    loss, metrics = negative_elbo(beta=beta)(gives([zeros, mean, log_var]), (x,), True)
    reconstruction, kl = 3 * np.log(2), (2.5 + 0.5) / 2  # summed over 3 pixels; ½ Σ μ², mean over the batch
    assert float(metrics["reconstruction"]) == pytest.approx(reconstruction, rel=1e-6)
    assert float(metrics["kl"]) == pytest.approx(kl, rel=1e-6)
    assert float(loss) == pytest.approx(reconstruction + beta * kl, rel=1e-6)
