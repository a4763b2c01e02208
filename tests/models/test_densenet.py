from keras_course.models import MODELS, densenet
from tests.layers.cases import randomise
from tests.models.count import trainable

import numpy as np
import pytest
import tensorflow as tf

# Of the architecture in Huang et al. (2017), table 2, on CIFAR-10; moving averages of the norms do not count.
COUNTS = {
    "densenet_40_12": 1_019_722,
    "densenet_bc_100_12": 769_162,
    "densenet_bc_250_24": 15_324_406,
    "densenet_bc_190_40": 25_624_430,
}


@pytest.mark.parametrize("name", COUNTS)
def test_trainable_parameters_are_those_of_the_paper(name):
    assert trainable(MODELS[name]((32, 32, 3), 10)) == COUNTS[name]


@pytest.mark.parametrize(
    ("options", "channels"),
    [
        ({"layers_per_block": (2, 3), "growth_rate": 5}, [16, 26, 26, 41]),
        ({"layers_per_block": (2, 3), "growth_rate": 5, "compression": 0.5}, [16, 26, 13, 28]),
        ({"layers_per_block": (3, 1), "growth_rate": 2, "compression": 0.5, "bottleneck": True}, [4, 10, 5, 7]),
        ({"layers_per_block": (3, 1), "growth_rate": 2, "stem": 7}, [7, 13, 13, 15]),
    ],
)
def test_channels_grow_by_layers_times_growth_and_shrink_by_compression(options, channels):
    model = densenet((8, 10, 3), 5, **options)
    names = ["stem", "block_0", "transition_0", "block_1"]
    sizes = [(8, 10), (8, 10), (4, 5), (4, 5)]
    shapes = [(None, *size, channel) for size, channel in zip(sizes, channels, strict=True)]
    assert [model.get_layer(name).output.shape for name in names] == shapes
    assert model.get_layer("features").output.shape == shapes[-1]


def test_the_output_depends_on_every_unit_and_transition():
    model = densenet((8, 8, 3), 5, layers_per_block=(2, 3), growth_rate=2, bottleneck=True, compression=0.5)
    randomise(model)
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 3))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(model(x) * [[1.0, -2.0, 3.0, 0.5, -1.0]])
    kernels = [w for w in model.trainable_weights if w.name == "kernel"]
    assert len(kernels) == 1 + 2 * 5 + 1 + 1  # stem, units, transition, logits
    for kernel, gradient in zip(kernels, tape.gradient(y, [k.value for k in kernels]), strict=True):
        assert np.abs(gradient).max() > 1e-6, kernel.path


def test_dropout_reaches_blocks_and_transitions():
    model = densenet((8, 8, 3), 5, layers_per_block=(1, 1), dropout=0.2)
    assert [model.get_layer(n).dropout for n in ("block_0", "transition_0", "block_1")] == [0.2] * 3
