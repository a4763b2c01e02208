from keras_course.layers import CBAM, ResidualBlock
from tests.layers.cases import CASES, randomise
from tests.layers.reference import conv, unit

import numpy as np
import pytest

X = CASES["residual"].arrays()[0]  # (2, 5, 6, 3)


def built(layer):
    layer(X)
    randomise(layer)
    return layer


def branch(block):
    return unit(unit(X, block.first), block.second)


def test_block_is_its_input_plus_two_units():
    block = built(ResidualBlock(3))
    np.testing.assert_allclose(block(X), X + branch(block), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("filters", "stride"), [(5, 1), (5, 2), (3, 2)])
def test_a_new_shape_is_reached_by_a_projection(filters, stride):
    block = built(ResidualBlock(filters, stride=stride))
    expected = conv(X, np.asarray(block.match.kernel), stride) + branch(block)
    np.testing.assert_allclose(block(X), expected, rtol=1e-4, atol=1e-5)


def test_attention_gates_the_branch_and_not_the_shortcut():
    block = built(ResidualBlock(3, attention="cbam"))
    assert isinstance(block.gate, CBAM)
    gated = block.gate(branch(block).astype("float32"))
    np.testing.assert_allclose(block(X), X + gated, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", [None, "cbam"])
@pytest.mark.parametrize("training", [False, True])
def test_a_zeroed_branch_returns_its_input_to_the_bit(attention, training):
    block = built(ResidualBlock(3, attention=attention))
    block.second.conv.kernel.assign(np.zeros(block.second.conv.kernel.shape))
    np.testing.assert_array_equal(block(X, training=training), X)


def test_without_the_shortcut_the_branch_is_alone():
    block = built(ResidualBlock(5, stride=2, shortcut=False))
    np.testing.assert_allclose(block(X), branch(block), rtol=1e-4, atol=1e-5)
    names = {w.path.split("/")[1] for w in block.weights}
    assert names == {"first", "second"}
