from keras_course.layers import ResidualBlock
from keras_course.models import resnet
from tests.models.count import trainable

import keras
import numpy as np
import pytest

X = np.random.default_rng(0).uniform(size=(2, 8, 10, 3)).astype("float32")


def blocks(model):
    return [layer for layer in model.layers if isinstance(layer, ResidualBlock)]


def test_stages_double_the_maps_and_halve_the_image():
    model = resnet((8, 10, 3), 5, blocks=(1, 2), filters=3)
    shapes = {layer.name: layer.output.shape[1:] for layer in blocks(model)}
    assert shapes == {"stage_0_block_0": (8, 10, 3), "stage_1_block_0": (4, 5, 6), "stage_1_block_1": (4, 5, 6)}
    assert model.get_layer("features").output.shape == (None, 4, 5, 6)


@pytest.mark.parametrize("attention", [None, "cbam"])
def test_with_zeroed_branches_only_stem_and_end_remain(attention):
    model = resnet((8, 10, 3), 5, blocks=(3,), filters=4, attention=attention)
    for block in blocks(model):
        block.second.conv.kernel.assign(np.zeros(block.second.conv.kernel.shape))
    bare = keras.Model(model.input, model.get_layer("stem").output)
    last = keras.Model(model.input, blocks(model)[-1].output)
    np.testing.assert_array_equal(last(X), bare(X))


def test_plain_net_has_the_same_layers_without_the_shortcuts():
    residual, plain = resnet((8, 10, 3), 5, filters=3), resnet((8, 10, 3), 5, filters=3, residual=False)
    assert [layer.name for layer in residual.layers] == [layer.name for layer in plain.layers]
    assert trainable(residual) - trainable(plain) == 3 * 6 + 6 * 12  # two projections
    copied = {w.path: w for w in residual.weights if "projection" not in w.path}
    assert {w.path for w in plain.weights} == set(copied)
    for block in blocks(plain):
        block.second.conv.kernel.assign(np.zeros(block.second.conv.kernel.shape))
    # With nothing in the branches the plain net is blind: logits are those of a black image.
    np.testing.assert_array_equal(plain(X), plain(0 * X))


def test_attention_gates_every_block():
    plain, gated = resnet((8, 8, 1), 3, filters=16), resnet((8, 8, 1), 3, filters=16, attention="cbam")
    # per block: two matrices between C and C / 8, and a 7x7 convolution of two maps
    assert trainable(gated) - trainable(plain) == sum(2 * c * (c // 8) + 98 for c in (16, 32, 64))
