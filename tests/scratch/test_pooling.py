from keras_course import scratch
from keras_course.base import InputError
from keras_course.scratch.pooling import GlobalAveragePool2D, MaxPool2D

import keras
import numpy as np
import pytest
import tensorflow as tf

X = np.random.default_rng(0).normal(size=(2, 5, 7, 3))


@pytest.mark.parametrize(("pool", "strides"), [(2, None), (3, 1), (3, 2), (2, 3)])
def test_outputs_are_those_of_keras_and_gradients_pass_the_check(pool, strides):
    layer = MaxPool2D(pool, strides)
    expected = keras.ops.max_pool(tf.constant(X), pool, strides or pool, padding="valid", data_format="channels_last")
    np.testing.assert_array_equal(layer.forward(X), expected)
    assert scratch.gradcheck(layer, X, samples=200)[0]["error"] < 1e-8


def test_windows_that_overlap_add_their_gradients():
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1] = 5  # the largest of all four windows
    layer = MaxPool2D(2, 1)
    dx = layer.backward(np.ones_like(layer.forward(x)))
    assert dx[0, 1, 1, 0] == dx.sum() == 4


def test_of_equal_values_the_first_gets_the_gradient_as_in_tensorflow():
    x = np.ones((1, 2, 4, 1))
    x[0, 0, 2] = 0
    dy = np.array([[2.0, 3.0]]).reshape(1, 1, 2, 1)
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = tf.reduce_sum(dy * tf.nn.max_pool2d(variable, 2, 2, "VALID"))
    layer = MaxPool2D()
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(dy), tape.gradient(value, variable))
    assert scratch.gradcheck(MaxPool2D(), x)[0]["skipped"] > 0


def test_global_average_is_the_mean_and_spreads_its_gradient():
    layer = GlobalAveragePool2D()
    np.testing.assert_allclose(layer.forward(X), X.mean((1, 2)), rtol=1e-12)
    assert scratch.gradcheck(layer, X)[0]["error"] < 1e-8


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(InputError, match=r"`x` must be at least as large as the window: 6 > 5\."):
        MaxPool2D(6).forward(X)
    for options, field in (((0,), "pool_size"), ((2, 0), "strides")):
        with pytest.raises(InputError, match=f"`{field}` must be a whole number of at least 1. Received: 0."):
            MaxPool2D(*options)
    with pytest.raises(InputError, match="`x` must have 4 axes"):
        MaxPool2D().forward(X[0])
