from keras_course.layers import Sampling

import numpy as np
import tensorflow as tf

# Exact values 0, ±1.5 and log 0.25, log 9: deviations 0.5 and 3, never mean = deviation
MEAN, LOG_VAR = np.array([[0.0, 1.5, -1.5]], "float32"), np.log([[0.25, 9.0, 4.0]]).astype("float32")
DEVIATION = np.array([0.5, 3.0, 2.0])
N = 40_000


def draws(seed=0, n=N):
    return np.asarray(Sampling(seed)([np.repeat(MEAN, n, axis=0), np.repeat(LOG_VAR, n, axis=0)]))


def test_mean_and_variance_are_those_asked_for():
    z = draws()
    # 5 standard errors for six numbers: a correct layer fails for 4 seeds in a million, and this seed is fixed
    assert (np.abs(z.mean(axis=0) - MEAN[0]) < 5 * DEVIATION / np.sqrt(N)).all()
    assert (np.abs(z.var(axis=0) / DEVIATION**2 - 1) < 5 * np.sqrt(2 / N)).all()


def test_draws_are_independent_over_rows_and_columns():
    e = (draws() - MEAN) / DEVIATION
    correlations = [np.mean(e[:, 0] * e[:, 1]), np.mean(e[:, 1] * e[:, 2]), np.mean(e[1:, 0] * e[:-1, 0])]
    assert np.abs(correlations).max() < 5 / np.sqrt(N)  # fails for 2 seeds in a million


def test_gradients_are_those_of_shift_and_stretch():
    mean, log_var = tf.constant(MEAN), tf.constant(LOG_VAR)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        z = Sampling(1)([mean, log_var])
    to_mean, to_log_var = tape.gradient(z, [mean, log_var])
    np.testing.assert_array_equal(to_mean, np.ones_like(MEAN))
    # dz / d log_var = sigma * epsilon / 2 = (z - mean) / 2
    np.testing.assert_allclose(to_log_var, (z - MEAN) / 2, rtol=1e-5)


def test_a_seed_fixes_the_sequence_but_not_the_draw():
    layer, again = Sampling(7), Sampling(7)
    first, second = (np.asarray(layer([MEAN, LOG_VAR])) for _ in range(2))
    np.testing.assert_array_equal(again([MEAN, LOG_VAR]), first)
    np.testing.assert_array_equal(again([MEAN, LOG_VAR]), second)
    assert np.abs(first - second).min() > 0
    assert np.abs(np.asarray(Sampling(8)([MEAN, LOG_VAR])) - first).min() > 0


def test_it_draws_in_training_and_in_inference():
    layer = Sampling(7)
    for training in (True, False):
        assert np.abs(np.asarray(layer([MEAN, LOG_VAR], training=training)) - MEAN).min() > 0
