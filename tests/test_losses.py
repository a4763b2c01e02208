from keras_course.losses import bernoulli_nll, kl_to_standard_normal

import keras
import numpy as np
import pytest
import tensorflow as tf


def test_kl_is_zero_for_the_standard_normal_itself():
    assert np.array_equal(kl_to_standard_normal(np.zeros((2, 3)), np.zeros((2, 3))), [0, 0])


def test_kl_equals_the_integral_that_defines_it():
    mean, log_var = np.array([0.7, -1.5, 0.2]), np.array([-0.8, 0.5, 1.1])
    z = np.linspace(-30, 30, 200_001)[:, None]  # (points, latent)
    log_q = -0.5 * ((z - mean) ** 2 / np.exp(log_var) + log_var)
    log_p = -0.5 * z**2
    integrand = np.exp(log_q) / np.sqrt(2 * np.pi) * (log_q - log_p)
    expected = np.trapezoid(integrand, z, axis=0).sum()
    assert float(kl_to_standard_normal(mean[None], log_var[None])[0]) == pytest.approx(expected, rel=1e-6)


def test_kl_keeps_the_examples_apart():
    mean = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    assert np.allclose(kl_to_standard_normal(mean, np.zeros((2, 3))), [2.5, 4.5])  # ½ Σ μ²


def test_bernoulli_nll_is_the_definition_summed_over_the_pixels():
    rng = np.random.default_rng(0)
    x, logits = rng.random((2, 3, 5, 1)), 3 * rng.normal(size=(2, 3, 5, 1))
    p = 1 / (1 + np.exp(-logits))
    expected = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=(1, 2, 3))
    assert np.allclose(bernoulli_nll(x.astype("float32"), logits.astype("float32")), expected, rtol=1e-5)


def test_logits_of_a_thousand_are_exact():
    x = np.array([[1.0], [0.0], [1.0], [0.3]], np.float32)
    logits = np.array([[1000.0], [1000.0], [-1000.0], [-1000.0]], np.float32)
    assert np.allclose(bernoulli_nll(x, logits), [0, 1000, 1000, 300], atol=1e-3)


def test_gradient_of_bernoulli_nll_is_sigmoid_minus_x_however_large_the_logit():
    x, logits = tf.constant([[0.3, 1.0, 0.0]]), tf.Variable([[0.5, -1000.0, 1000.0]])
    with tf.GradientTape() as tape:
        total = keras.ops.sum(bernoulli_nll(x, logits))
    assert np.allclose(tape.gradient(total, logits), [[1 / (1 + np.exp(-0.5)) - 0.3, -1, 1]], atol=1e-6)
