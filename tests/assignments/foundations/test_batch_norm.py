from assignments.foundations.batch_norm import averages, scale_of
from keras_course import scratch
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
GAMMA, BETA = np.array([0.5, -2.0, 3.0]), np.array([1.0, 0.0, -4.0])
BATCHES = [5 + 3 * RNG.normal(size=(5, 3)) for _ in range(3)]
IMAGES = [RNG.normal(size=(2, 3, 4, 3)) for _ in range(2)]
DY = RNG.normal(size=(5, 3))


def outputs(batches, gamma, beta, momentum, epsilon):
    """Behind each batch: the outputs in both modes and the running averages."""
    from keras_course.scratch import BatchNorm

    layer, found = BatchNorm(len(gamma), momentum, epsilon), []
    layer.parameters = {"gamma": gamma, "beta": beta}
    for x in batches:
        y = layer.forward(x, training=True)
        mean, variance = layer.moving_mean.copy(), layer.moving_variance.copy()
        found.append({"training": y, "test": layer.forward(x), "mean": mean, "variance": variance})
    return found


def gradients(x, dy, gamma, beta, epsilon, training):
    from keras_course.scratch import BatchNorm

    layer = BatchNorm(len(gamma), 0.9, epsilon)
    layer.parameters = {"gamma": gamma, "beta": beta}
    layer.forward(x, training)
    dx = layer.backward(dy)
    return {"dx": dx, "gamma": layer.gradients["gamma"], "beta": layer.gradients["beta"]}


def in_keras(momentum, epsilon, shape):
    layer = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype="float64")
    layer.build(shape)
    layer.gamma.assign(GAMMA)
    layer.beta.assign(BETA)
    return layer


@points(3)
def test_outputs_and_averages_are_those_of_keras_in_both_modes(subject):
    for batches in (BATCHES, IMAGES):
        layer = in_keras(0.9, 0.01, batches[0].shape)
        received = subject(outputs, batches=batches, gamma=GAMMA, beta=BETA, momentum=0.9, epsilon=0.01)
        for i, (x, found) in enumerate(zip(batches, received, strict=True)):
            expected = {
                "training": np.asarray(layer(x, training=True)),
                "test": np.asarray(layer(x, training=False)),
                "mean": np.asarray(layer.moving_mean),
                "variance": np.asarray(layer.moving_variance),
            }
            same(found, expected, rtol=1e-5, atol=1e-5, what=f"behind batch {i + 1} of shape {x.shape}")


@points(3)
def test_gradients_are_those_of_the_tape_in_both_modes(subject):
    for training in (True, False):
        gamma, beta, x = tf.Variable(GAMMA), tf.Variable(BETA), tf.Variable(BATCHES[0])
        with tf.GradientTape() as tape:
            mean, variance = tf.nn.moments(x, 0) if training else (tf.zeros(3, tf.float64), tf.ones(3, tf.float64))
            value = tf.reduce_sum(DY * (gamma * (x - mean) / tf.sqrt(variance + 0.01) + beta))
        by_x, by_gamma, by_beta = (g.numpy() for g in tape.gradient(value, [x, gamma, beta]))
        received = subject(gradients, x=BATCHES[0], dy=DY, gamma=GAMMA, beta=BETA, epsilon=0.01, training=training)
        expected = {"dx": by_x, "gamma": by_gamma, "beta": by_beta}
        same(received, expected, rtol=1e-6, atol=1e-9, what="training" if training else "test mode")


def test_the_gradients_of_a_batch_add_up_to_nothing(subject):
    """A shift or a stretch of the whole batch is taken out again: Σ dx = 0 and Σ dx x̂ = 0 (for small ε)."""
    x = BATCHES[0]
    dx = subject(gradients, x=x, dy=DY, gamma=GAMMA, beta=BETA, epsilon=1e-12, training=True)["dx"]
    same(dx.sum(axis=0), np.zeros(3), atol=1e-9, what="Σ dx")
    same((dx * (x - x.mean(axis=0))).sum(axis=0), np.zeros(3), atol=1e-9, what="Σ dx (x - μ)")


@points(2)
def test_a_batch_of_one_gives_beta(subject):
    """The mean of one example is itself: nothing of it is left."""
    (found,) = subject(outputs, batches=[BATCHES[0][:1]], gamma=GAMMA, beta=BETA, momentum=0.9, epsilon=0.01)
    same(found["training"], BETA[None])


@points(2)
def test_in_test_mode_an_example_does_not_see_its_neighbours(subject):
    alone, beside = (
        subject(outputs, batches=[BATCHES[0], x], gamma=GAMMA, beta=BETA, momentum=1.0, epsilon=0.01)[1]["test"]
        for x in (BATCHES[1][:1], BATCHES[1])
    )
    same(alone[0], beside[0])


def test_test_mode_leaves_the_averages_alone(subject):
    """Three batches of training move them three times, whatever is looked at in between."""
    found = subject(outputs, batches=BATCHES, gamma=GAMMA, beta=BETA, momentum=0.5, epsilon=0.01)
    mean = np.zeros(3)
    for x in BATCHES:
        mean = 0.5 * mean + 0.5 * x.mean(axis=0)
    same(found[-1]["mean"], mean)


def test_the_scale_and_the_shift_of_a_batch_do_not_matter(subject):
    """BN(a x + b) = BN(x) as ε goes to 0."""
    plain, moved = (
        subject(outputs, batches=[x], gamma=GAMMA, beta=BETA, momentum=0.9, epsilon=1e-12)[0]["training"]
        for x in (BATCHES[0], 7 * BATCHES[0] - 3)
    )
    same(moved, plain, rtol=1e-8)


def test_epsilon_bounds_the_scale_of_a_channel_that_stands_still():
    """A deviation d becomes d / √(d² + ε)."""
    d = np.array([1e-3, 0.1, 10])
    np.testing.assert_allclose(scale_of(0.01, d), d / np.sqrt(d**2 + 0.01), rtol=1e-9)


def test_the_average_starts_off_by_beta_to_the_number_of_batches():
    found = averages(0.9)
    np.testing.assert_allclose(found["running mean"], found["5 (1 - βⁿ)"], atol=0.5)
    assert found["running mean"][0] == pytest.approx(0.5, abs=0.1)
    np.testing.assert_allclose(found["divided by 1 - βⁿ"], 5, atol=0.6)


def test_dense_10_to_20_with_it_has_240_parameters():
    ours = scratch.Network([scratch.Dense(10, 20, rng=np.random.default_rng(0), use_bias=False), scratch.BatchNorm(20)])
    theirs = keras.Sequential(
        [keras.Input((10,)), keras.layers.Dense(20, use_bias=False), keras.layers.BatchNormalization()]
    )
    assert ours.count() == sum(np.prod(w.shape) for w in theirs.trainable_weights) == 240


FILE = "keras_course/scratch/normalisation.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="mean, variance = self.moving_mean, self.moving_variance",
        new="mean, variance = x.mean(axis=tuple(range(x.ndim - 1))), x.var(axis=tuple(range(x.ndim - 1)))",
        caught_by="test_in_test_mode_an_example_does_not_see_its_neighbours",
        trap="test mode using batch statistics",
    ),
    Mutant(
        file=FILE,
        old="self.moving_mean = self.momentum * self.moving_mean + (1 - self.momentum) * mean",
        new="self.moving_mean = (1 - self.momentum) * self.moving_mean + self.momentum * mean",
        caught_by="test_outputs_and_averages_are_those_of_keras_in_both_modes",
        trap="β and 1 - β exchanged",
    ),
    Mutant(
        file=FILE,
        old="mean, variance = x.mean(axis=over), x.var(axis=over)",
        new="mean, variance = x.mean(axis=over), x.var(axis=over, ddof=1)",
        caught_by="test_outputs_and_averages_are_those_of_keras_in_both_modes",
        trap="the unbiased variance",
    ),
    Mutant(
        file=FILE,
        old="            over = tuple(range(x.ndim - 1))\n            mean",
        new="            over = (0,)\n            mean",
        caught_by="test_outputs_and_averages_are_those_of_keras_in_both_modes",
        trap="each pixel of an image normalised by itself",
    ),
    Mutant(
        file=FILE,
        old="np.sqrt(variance + self.epsilon)",
        new="np.sqrt(variance) + self.epsilon",
        caught_by="test_outputs_and_averages_are_those_of_keras_in_both_modes",
        trap="ε outside of the root",
    ),
    Mutant(
        file=FILE,
        old="dnormal = dnormal - dnormal.mean(axis=over) - self.normal * along",
        new="dnormal = dnormal - dnormal.mean(axis=over)",
        caught_by="test_the_gradients_of_a_batch_add_up_to_nothing",
        trap="the variance taken for a constant",
    ),
    Mutant(
        file=FILE,
        old="        if self.training:\n            # μ moves",
        new="        if True:\n            # μ moves",
        caught_by="test_gradients_are_those_of_the_tape_in_both_modes",
        trap="the gradient of training in test mode",
    ),
]
