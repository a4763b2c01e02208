from keras_course.layers import DenseBlock, Transition
from tests.layers.cases import CASES, randomise
from tests.layers.reference import unit

import numpy as np
import pytest
import tensorflow as tf

X = CASES["dense block"].arrays()[0]
BLOCKS = {"plain": {}, "bottleneck": {"bottleneck": True}}


def built(layer, x=X):
    layer(x)
    randomise(layer)
    return layer


@pytest.mark.parametrize("options", BLOCKS.values(), ids=BLOCKS)
def test_block_appends_the_maps_of_each_unit_to_all_before(options):
    block = built(DenseBlock(3, 2, **options))
    maps = X.astype("float64")
    for sequence in block.units:
        new = maps
        for layer in sequence.layers:
            new = unit(new, layer)
        maps = np.concatenate([maps, new], axis=-1)
    np.testing.assert_allclose(block(X), maps, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize(("layers", "growth_rate"), [(1, 5), (2, 3), (5, 2)])
def test_channels_after_a_block_are_k0_plus_layers_times_growth(layers, growth_rate, options):
    assert DenseBlock(layers, growth_rate, **options)(X).shape == (2, 5, 6, 3 + layers * growth_rate)


def test_the_input_comes_first_and_unchanged():
    np.testing.assert_array_equal(built(DenseBlock(2, 5))(X)[..., :3], X)


def test_bottleneck_narrows_to_four_times_the_growth_rate():
    block = built(DenseBlock(2, 3, bottleneck=True))
    assert [tuple(u.layers[0].conv.kernel.shape) for u in block.units] == [(1, 1, 3, 12), (1, 1, 6, 12)]
    assert [tuple(u.layers[1].conv.kernel.shape) for u in block.units] == [(3, 3, 12, 3)] * 2


@pytest.mark.parametrize(("earlier", "later"), [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
def test_every_unit_sees_all_earlier_ones_directly(earlier, later):
    """Through channels of its own kernel, not only through the units between."""
    block = built(DenseBlock(4, 2))
    speaker, listener = (block.units[i].layers[0].conv.kernel for i in (earlier, later))
    alone = np.zeros(listener.shape, "float32")
    alone[:, :, 3 + 2 * earlier : 5 + 2 * earlier] = 1.0  # the later unit listens to the earlier one only
    listener.assign(alone)
    with tf.GradientTape() as tape:
        maps = block(X)[..., 3 + 2 * later : 5 + 2 * later]
    assert np.abs(tape.gradient(maps, speaker.value)).max() > 1e-3


def test_no_unit_sees_a_later_one():
    block = built(DenseBlock(3, 2))
    before = np.asarray(block(X))
    block.units[2].layers[0].conv.kernel.assign(block.units[2].layers[0].conv.kernel * 2)
    after = np.asarray(block(X))
    np.testing.assert_array_equal(before[..., :7], after[..., :7])
    assert np.abs(before[..., 7:] - after[..., 7:]).min() > 0


def test_transition_averages_four_pixels_of_the_compressed_maps():
    layer, x = Transition(0.5), CASES["compression"].arrays()[0]  # (2, 5, 6, 5)
    built(layer, x)
    maps = unit(x, layer.unit)[:, :4]  # the fifth row has no partner
    pooled = (maps[:, ::2, ::2] + maps[:, 1::2, ::2] + maps[:, ::2, 1::2] + maps[:, 1::2, 1::2]) / 4
    assert pooled.shape == (2, 2, 3, 2)  # floor of 0.5 * 5 maps
    np.testing.assert_allclose(layer(x), pooled, rtol=1e-4, atol=1e-5)


def test_convolutions_have_no_biases():
    assert not [w.path for w in built(DenseBlock(2, 2, bottleneck=True)).weights if "bias" in w.path]
