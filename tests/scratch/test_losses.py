from keras_course import scratch
from keras_course.base import InputError

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax

RNG = np.random.default_rng(0)
LOGITS = 3 * RNG.normal(size=(5, 3))
LABELS = np.array([2, 0, 1, 1, 2])
TARGETS = RNG.uniform(size=(5, 3))


def by_keras(name):
    """The mean loss in Keras as a function of the outputs."""
    ops = keras.ops
    return {
        "SoftmaxCrossEntropy": lambda z: ops.mean(ops.sparse_categorical_crossentropy(LABELS, z, from_logits=True)),
        "MeanSquaredError": lambda z: ops.mean(keras.losses.mean_squared_error(TARGETS, z)),
        "BinaryCrossEntropy": lambda z: ops.mean(ops.binary_crossentropy(TARGETS, z, from_logits=True)),
    }[name]


@pytest.mark.parametrize("name", ["SoftmaxCrossEntropy", "MeanSquaredError", "BinaryCrossEntropy"])
def test_value_and_gradient_are_those_of_keras(name):
    loss, targets = getattr(scratch, name)(), LABELS if name == "SoftmaxCrossEntropy" else TARGETS
    z = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(z)
        expected = by_keras(name)(z)
    assert loss.forward(LOGITS, targets) == pytest.approx(float(expected), rel=1e-12)
    np.testing.assert_allclose(loss.backward(), tape.gradient(expected, z), rtol=1e-9, atol=1e-15)


@given(arrays(float, (2, 3), elements=st.floats(-1e4, 1e4)))
@settings(max_examples=30, deadline=None)
def test_log_softmax_is_that_of_scipy_at_any_size(x):
    np.testing.assert_allclose(scratch.log_softmax(x), log_softmax(x, axis=-1), rtol=1e-12, atol=1e-12)


def test_logits_of_a_thousand_are_exact():
    cross, binary = scratch.SoftmaxCrossEntropy(), scratch.BinaryCrossEntropy()
    assert cross.forward(np.array([[1000.0, 0, -1000]]), np.array([2])) == 2000
    np.testing.assert_array_equal(cross.backward(), [[1, 0, -1]])
    assert binary.forward(np.array([[1000.0, -1000]]), np.array([[0.0, 1]])) == 1000
    np.testing.assert_array_equal(binary.backward(), [[0.5, -0.5]])


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([0, 3], r"`labels` must be a class from 0 to 2\. Received: \[3\]\."),
        ([0, -1], r"`labels` must be a class from 0 to 2\. Received: \[-1\]\."),
        ([0.0, 1.0], r"`labels` must be of whole numbers\. Received: 'float64'\."),
        ([0], r"`labels` must have size 2 on axis 0, \(2\)\. Received: 1, of shape \(1,\)\."),
        ([[0], [1]], r"`labels` must have 1 axes, \(2\)\. Received: shape \(2, 1\)\."),
    ],
)
def test_labels_outside_the_classes_are_refused(labels, sentence):
    with pytest.raises(InputError, match=sentence):
        scratch.SoftmaxCrossEntropy().forward(np.zeros((2, 3)), np.array(labels))


def test_targets_of_another_shape_are_refused_and_never_broadcast():
    for loss in (scratch.MeanSquaredError(), scratch.BinaryCrossEntropy()):
        with pytest.raises(InputError, match="`targets` must have 2 axes"):
            loss.forward(np.zeros((3, 1)), np.zeros(3))
