from keras_course.layers import CBAM, ChannelAttention, SpatialAttention
from tests.layers.cases import CASES, randomise
from tests.layers.reference import conv, sigmoid

import numpy as np
import pytest

X = CASES["cbam"].arrays()[0]  # (2, 5, 6, 4)


def built(layer):
    layer(X)
    randomise(layer)
    return layer


def channel_gate(layer, x):
    w0, w1 = (np.asarray(w, "float64") for w in layer.get_weights())
    hidden = [np.maximum(d @ w0, 0) for d in (x.mean(axis=(1, 2)), x.max(axis=(1, 2)))]
    return sigmoid(hidden[0] @ w1 + hidden[1] @ w1)[:, None, None, :]


def spatial_gate(layer, x):
    return sigmoid(conv(np.stack([x.mean(axis=-1), x.max(axis=-1)], axis=-1), layer.get_weights()[0]))


def test_channel_gate_is_the_definition_written_out():
    layer = built(ChannelAttention(2))
    np.testing.assert_allclose(layer.gate(X), channel_gate(layer, X), rtol=1e-5)
    np.testing.assert_allclose(layer(X), X * channel_gate(layer, X), rtol=1e-5)


@pytest.mark.parametrize("kernel_size", [3, 7])
def test_spatial_gate_is_the_definition_written_out(kernel_size):
    layer = built(SpatialAttention(kernel_size))
    np.testing.assert_allclose(layer.gate(X), spatial_gate(layer, X), rtol=1e-5)
    np.testing.assert_allclose(layer(X), X * spatial_gate(layer, X), rtol=1e-5)


def test_cbam_gates_channels_first_and_then_pixels():
    layer = built(CBAM(2, 3))
    gated = X * channel_gate(layer.channel, X)
    np.testing.assert_allclose(layer(X), gated * spatial_gate(layer.spatial, gated), rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(ChannelAttention(2), (2, 1, 1, 4)), (SpatialAttention(3), (2, 5, 6, 1))],
    ids=["what", "where"],
)
def test_gates_lie_between_0_and_1_and_broadcast(layer, shape):
    gate = np.asarray(built(layer).gate(X))
    assert gate.shape == shape
    assert 0 < gate.min() < gate.max() < 1


def test_permuted_channels_permute_the_channel_gate():
    layer, order = built(ChannelAttention(2)), [2, 0, 3, 1]
    expected = np.asarray(layer.gate(X))[..., order]
    w0, w1 = layer.get_weights()
    layer.set_weights([w0[order], w1[:, order]])
    np.testing.assert_allclose(layer.gate(X[..., order]), expected, rtol=1e-6)


def test_channel_gate_does_not_depend_on_where_things_are():
    layer = built(ChannelAttention(2))
    np.testing.assert_allclose(layer.gate(X[:, ::-1, [3, 0, 5, 1, 4, 2]]), layer.gate(X), rtol=1e-5)


def test_spatial_gate_does_not_depend_on_the_order_of_channels():
    layer = built(SpatialAttention(3))
    np.testing.assert_allclose(layer.gate(X[..., [2, 0, 3, 1]]), layer.gate(X), rtol=1e-5)


def test_the_default_kernel_is_seven_wide():
    layer = SpatialAttention()
    layer.build((None, 9, 9, 3))
    assert layer.conv.kernel.shape == (7, 7, 2, 1)


@pytest.mark.parametrize(("channels", "hidden"), [(3, 1), (8, 1), (40, 5)])
def test_the_mlp_has_channels_over_reduction_hidden_units_and_at_least_one(channels, hidden):
    layer = ChannelAttention(8)
    layer.build((None, 5, 5, channels))
    assert [w.shape for w in layer.weights] == [(channels, hidden), (hidden, channels)]
