from keras_course import scratch
from keras_course.base import InputError
from keras_course.scratch.convolution import Conv2D, same_padding

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import signal

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


def by_loops(conv, x):
    """The definition: every output, pixel by pixel, as a sum over the kernel."""
    kernel, s, d = conv.parameters["kernel"], conv.strides, conv.dilation
    y = np.zeros((len(x), *outputs(conv, x), kernel.shape[-1])) + conv.parameters["bias"]
    before = [0, 0]
    if conv.padding == "same":
        spans = zip(x.shape[1:3], y.shape[1:3], kernel.shape[:2], strict=True)
        before = [max((n - 1) * s + d * (k - 1) + 1 - size, 0) // 2 for size, n, k in spans]
    for i, j, a, b in np.ndindex(*y.shape[1:3], *kernel.shape[:2]):
        row, column = i * s + a * d - before[0], j * s + b * d - before[1]
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            y[:, i, j] += x[:, row, column] @ kernel[a, b]
    return y


def outputs(conv, x):
    """How many windows there are, by the textbook's formula."""
    spans = [conv.dilation * (k - 1) + 1 for k in conv.parameters["kernel"].shape[:2]]
    reach = [0, 0] if conv.padding == "same" else [span - 1 for span in spans]
    return [-(-(size - lost) // conv.strides) for size, lost in zip(x.shape[1:3], reach, strict=True)]


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 7)),
    st.tuples(st.integers(1, 4), st.integers(1, 3)),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
)
def test_it_is_the_sum_over_the_kernel_for_all_sizes_strides_and_dilations(size, kernel, strides, dilation, padding):
    fits = padding == "same" or all(dilation * (k - 1) < s for s, k in zip(size, kernel, strict=True))
    assume(fits and (padding == "valid" or dilation == 1 or all(k % 2 for k in kernel)))
    conv = layer({"kernel_size": kernel, "strides": strides, "dilation": dilation, "padding": padding})
    x = np.random.default_rng(2).normal(size=(2, *size, 2))
    y = conv.forward(x)
    np.testing.assert_allclose(y, by_loops(conv, x), rtol=1e-10, atol=1e-12)
    # backwards, by linearity: a change of x changes <y, dy> by <change, dL/dx>
    dy, change = np.random.default_rng(3).normal(size=y.shape), np.random.default_rng(4).normal(size=x.shape)
    dx = conv.backward(dy)
    np.testing.assert_allclose(np.vdot(by_loops(conv, x + change) - y, dy), np.vdot(change, dx), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("options", CASES, ids=str)
def test_the_gradients_are_those_of_the_tape(options):
    conv, x = layer(options), tf.constant(np.random.default_rng(0).normal(size=(3, 7, 8, 2)))
    kernel = tf.constant(conv.parameters["kernel"])
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = keras.ops.conv(x, kernel, conv.strides, conv.padding, "channels_last", conv.dilation)
        dy = np.random.default_rng(1).normal(size=y.shape)
        value = tf.reduce_sum(y * dy)
    by_x, by_kernel = tape.gradient(value, [x, kernel])
    conv.forward(x.numpy())
    np.testing.assert_allclose(conv.backward(dy), by_x, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(conv.gradients["kernel"], by_kernel, rtol=1e-10, atol=1e-12)


def test_one_channel_and_one_filter_are_the_correlation_of_scipy():
    conv = layer({"kernel_size": (2, 3)}, channels=1, filters=1)
    conv.parameters["bias"][:] = 0
    x = np.random.default_rng(0).normal(size=(5, 7))
    expected = signal.correlate(x, conv.parameters["kernel"][:, :, 0, 0], mode="valid")
    np.testing.assert_allclose(conv.forward(x[None, :, :, None])[0, :, :, 0], expected, rtol=1e-10)


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
    for field in ("strides", "dilation"):
        with pytest.raises(InputError, match=f"`{field}` must be a whole number of at least 1. Received: 0."):
            layer({"kernel_size": 3, field: 0})
    with pytest.raises(InputError, match="`padding` must be"):
        layer({"kernel_size": 3, "padding": "full"})


def test_float32_stays_float32():
    conv = layer({"kernel_size": 3}).astype("float32")
    y = conv.forward(np.ones((1, 5, 5, 2), "float32"))
    assert y.dtype == conv.backward(y).dtype == conv.gradients["kernel"].dtype == "float32"
