from assignments.foundations.perceptron import CLAIMED, Settings, cloud, novikoff, samples, train
from keras_course.base import InputError
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

X, Y, W = np.array([[1.0, 2, -1], [0, 1, 3]]), np.array([1.0, 0]), np.array([0.3, -0.2, 0.5])


def derivative(weights, x, y):
    from assignments.foundations.perceptron import gradient

    return gradient(weights, x, y)


def learned(x, y, passes):
    from assignments.foundations.perceptron import perceptron_rule

    return perceptron_rule(x, y, passes)


@points(2)
def test_the_gradient_is_that_of_the_tape(subject):
    """The loss is the mean over the samples of ½ (σ(x·w) - y)²."""
    w = tf.Variable(W)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(0.5 * (keras.ops.sigmoid(tf.linalg.matvec(X, w)) - Y) ** 2)
    same(subject(derivative, weights=W, x=X, y=Y), tape.gradient(value, w).numpy(), rtol=1e-9)


def test_repeating_the_samples_changes_nothing(subject):
    """The loss is a mean: the same samples twice have the same gradient."""
    twice = subject(derivative, weights=W, x=np.tile(X, (2, 1)), y=np.tile(Y, 2))
    same(twice, subject(derivative, weights=W, x=X, y=Y))


@points(2)
def test_a_sample_of_zeros_has_a_gradient_of_exactly_zero_for_any_weights(subject):
    """σ(0) = ½ and dL/dw = 0: there is nothing that could vanish."""
    for scale in (0.0, 1.0, 1000.0):
        received = subject(derivative, weights=scale * W, x=np.zeros((1, 3)), y=np.zeros(1))
        assert (received == 0).all(), f"{received}, expected zeros"


@points(2)
def test_the_rule_adds_each_mistake_and_nothing_else(subject):
    """By hand: 0 is no answer, so the first sample is a mistake; the second is right then, the third is not."""
    x, y = np.array([[1.0, 2], [1, 3], [1, -1]]), np.array([1.0, 1, 1])
    same(subject(learned, x=x, y=y, passes=1), np.array([[0.0, 0], [1, 2], [2, 1]]))


def test_the_rule_stops_at_the_first_pass_without_a_mistake(subject):
    x, y = np.array([[1.0, 1], [1, -1]]), np.array([1.0, -1])
    history = subject(learned, x=x, y=y, passes=50)
    assert len(history) < 6, f"{len(history) - 1} mistakes on two samples that a line parts"
    same(np.sign(x @ history[-1]), y, what="the signs that were learned")


def test_the_passes_are_an_end_where_no_line_parts_the_classes(subject):
    x, y = np.array([[1.0, 0], [1, 0]]), np.array([1.0, -1])  # one point in both classes
    same(subject(learned, x=x, y=y, passes=3).shape, (7, 2))


@points(2)
def test_mistakes_stay_within_novikoffs_bound_and_all_samples_come_right(subject):
    """At most (R / γ)² mistakes on classes that a line parts with the margin γ."""
    for seed in (0, 1, 2):
        x, y = cloud(seed, n=30)
        history = subject(learned, x=x, y=y, passes=10_000)
        same(np.sign(x @ history[-1]), y, what="the signs that were learned")
        bound = novikoff(x, y, np.array([-0.2, 0.8, 0.6]))
        assert len(history) - 1 <= bound, f"{len(history) - 1} mistakes, at most {bound:.0f}"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_any_classes_that_a_line_parts_are_learned(seed, inputs):
    from assignments.foundations.perceptron import perceptron_rule

    rng = np.random.default_rng(seed)
    x, line = rng.normal(size=(20, inputs)), rng.normal(size=inputs)
    x = x[np.abs(x @ line) > 0.2 * np.linalg.norm(line)]
    y = np.sign(x @ line)
    history = perceptron_rule(x, y, 100_000)
    np.testing.assert_array_equal(np.sign(x @ history[-1]), y)
    assert len(x) == 0 or len(history) - 1 <= novikoff(x, y, line)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_answers_of_the_source_come_out(seed):
    """One sample at a time, ½ squared error, rate .5, 1,000 rounds: .952 .997 .060 .500."""
    answers, _ = train(Settings(), bias=False, batch=False, seed=seed)
    np.testing.assert_allclose(answers[-1], CLAIMED, atol=0.0015)
    assert (answers[:, 3] == 0.5).all()


@pytest.mark.parametrize("batch", [True, False])
def test_with_a_bias_all_four_samples_come_right(batch):
    answers, _ = train(Settings(), bias=True, batch=batch, seed=0)
    np.testing.assert_array_equal(answers[-1] > 0.5, samples(True)[1] == 1)


def test_a_line_that_does_not_part_the_classes_has_no_bound():
    with pytest.raises(InputError, match="`weights` must be a line that parts the classes"):
        novikoff(np.array([[1.0, 1], [1, 1]]), np.array([1.0, -1]), np.array([1.0, 0]))


FILE = "assignments/foundations/perceptron.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="(p - y) * p * (1 - p) @ x / len(x)",
        new="(p - y) * p * (1 - p) @ x",
        caught_by="test_repeating_the_samples_changes_nothing",
        trap="a sum over the batch",
    ),
    Mutant(
        file=FILE,
        old="(p - y) * p * (1 - p) @ x / len(x)",
        new="(p - y) @ x / len(x)",
        caught_by="test_the_gradient_is_that_of_the_tape",
        trap="the gradient of another loss, the cross-entropy",
    ),
    Mutant(
        file=FILE,
        old="(p - y) * p * (1 - p) @ x / len(x)",
        new="(p - y) * p * (1 - p) @ (x + 1e-9) / len(x)",
        caught_by="test_a_sample_of_zeros_has_a_gradient_of_exactly_zero_for_any_weights",
        trap="a gradient that would only be small: the vanishing gradient that was blamed",
    ),
    Mutant(
        file=FILE,
        old="if sign * (sample @ history[-1]) <= 0:",
        new="if sign * (sample @ history[-1]) < 0:",
        caught_by="test_the_rule_adds_each_mistake_and_nothing_else",
        trap="0 taken for a right answer, so that nothing is ever learned",
    ),
    Mutant(
        file=FILE,
        old="history.append(history[-1] + sign * sample)",
        new="history.append(history[-1] + sample)",
        caught_by="test_mistakes_stay_within_novikoffs_bound_and_all_samples_come_right",
        trap="the sign of the sample forgotten",
    ),
    Mutant(
        file=FILE,
        old="if sign * (sample @ history[-1]) <= 0:",
        new="if sign * (sample @ history[-1]) <= 5:",
        caught_by="test_the_rule_stops_at_the_first_pass_without_a_mistake",
        trap="weights changed where the answer was right",
    ),
]
