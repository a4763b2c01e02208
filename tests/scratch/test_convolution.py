from keras_course import scratch
from keras_course.base import InputError
from keras_course.scratch.convolution import Conv2D, same_padding

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

CASES = [
    {"kernel_size": 3},
    {"kernel_size": (2, 3), "padding": "same"},
    {"kernel_size": (3, 2), "strides": 2, "padding": "same"},
    {"kernel_size": 2, "strides": 3},
    {"kernel_size": 3, "dilation": 2, "padding": "same"},
    {"kernel_size": (2, 3), "dilation": 2},
    {"kernel_size": 1, "strides": 2},
]


def layer(options, channels=2, filters=5):
    conv = Conv2D(channels, filters, rng=np.random.default_rng(1), **options)
    conv.parameters["bias"][:] = np.arange(filters) - 1.5
    return conv


def by_keras(conv, x):
    y = keras.ops.conv(
        x,
        tf.constant(conv.parameters["kernel"]),
        strides=conv.strides,
        padding=conv.padding,
        dilation_rate=conv.dilation,
        data_format="channels_last",
    )
    return y + conv.parameters["bias"]


@pytest.mark.parametrize("options", CASES, ids=str)
def test_outputs_are_those_of_keras_and_gradients_pass_the_check(options):
    conv, x = layer(options), np.random.default_rng(0).normal(size=(3, 7, 8, 2))
    np.testing.assert_allclose(conv.forward(x), by_keras(conv, x), rtol=1e-10, atol=1e-12)
    assert max(row["error"] for row in scratch.gradcheck(conv, x)) < 1e-8


@pytest.mark.parametrize("options", CASES, ids=str)
def test_the_gradient_by_the_input_is_the_adjoint_of_the_convolution(options):
    conv, rng = layer(options), np.random.default_rng(0)
    conv.parameters["bias"][:] = 0
    x = rng.normal(size=(2, 7, 8, 2))
    dy = rng.normal(size=conv.forward(x).shape)
    assert np.vdot(conv.forward(x), dy) == pytest.approx(np.vdot(x, conv.backward(dy)), rel=1e-10)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4))
def test_same_padding_lets_ceil_of_size_over_stride_windows_fit(size, kernel, stride):
    before, after = same_padding(size, kernel, stride)
    starts = range(0, before + size + after - kernel + 1, stride)
    assert len(starts) == -(-size // stride)
    assert 0 <= after - before <= 1


def test_what_does_not_fit_is_refused_with_the_reason():
    with pytest.raises(InputError, match=r"effective kernel 33 > 11 on axis height; a smaller kernel"):
        layer({"kernel_size": 5, "dilation": 8}).forward(np.zeros((1, 11, 40, 2)))
    with pytest.raises(InputError, match=r"`x` must have size 2 on axis 3, \(any, any, any, 2\)\. Received: 3"):
        layer({"kernel_size": 3}).forward(np.zeros((1, 5, 5, 3)))
    with pytest.raises(
        InputError, match=r"`kernel_size` must be odd where padding is \"same\" and dilation is above 1"
    ):
        layer({"kernel_size": (3, 4), "padding": "same", "dilation": 2})
    with pytest.raises(InputError, match="`padding` must be"):
        layer({"kernel_size": 3, "padding": "full"})


def test_float32_stays_float32():
    conv = layer({"kernel_size": 3}).astype("float32")
    y = conv.forward(np.ones((1, 5, 5, 2), "float32"))
    assert y.dtype == conv.backward(y).dtype == conv.gradients["kernel"].dtype == "float32"
