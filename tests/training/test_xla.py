from keras_course.base import InputError
from keras_course.training.xla import choose, kinds

import keras
import pytest
from keras import layers


class Block(layers.Layer):
    """A layer made of layers."""

    def __init__(self):
        super().__init__()
        self.convolution = layers.Conv2D(2, 3)

    def call(self, x):
        return self.convolution(x)


def dense():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(5, "relu"), layers.Dropout(0.1)])
    x = keras.Input((3,))
    return keras.Model(x, layers.Dense(2)(layers.BatchNormalization()(inner(x))))


def convolutional(layer):
    x = keras.Input((5, 5, 1))
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(keras.Sequential([keras.Input((5, 5, 1)), layer])(x))))


def test_a_dense_network_is_compiled_unless_asked_not_to():
    assert choose(dense(), None, steps=5000)
    assert not choose(dense(), False, steps=5000)


def test_a_short_run_does_not_repay_the_compilation():
    assert [choose(dense(), None, steps=steps) for steps in (999, 1000)] == [False, True]
    assert choose(dense(), True, steps=1)


@pytest.mark.parametrize("layer", [layers.Conv2D(2, 3), layers.MaxPooling2D(), Block()])
def test_a_convolution_anywhere_in_the_model_is_left_to_the_plain_graph(layer):
    assert not choose(convolutional(layer), None, steps=5000)
    assert not choose(convolutional(layer), False, steps=5000)


@pytest.mark.parametrize(("layer", "name"), [(layers.Conv2D(2, 3), "Conv2D"), (Block(), "Conv2D")])
def test_xla_with_a_convolution_on_a_cpu_is_refused(layer, name, monkeypatch):
    model = convolutional(layer)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    with pytest.raises(InputError, match=f"`xla` must be None or False for a network with {name} on a CPU.*: True"):
        choose(model, True, steps=5000)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: ["one"])
    assert choose(model, True, steps=5000)


def test_what_a_model_of_ones_own_does_is_not_known_to_gain():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

    assert not choose(Own(), None, steps=5000)
    assert choose(Own(), True, steps=5000)


def test_bare_operations_of_a_functional_model_count():
    x = keras.Input((4, 1))
    model = keras.Model(x, keras.ops.conv(x, keras.ops.ones((2, 1, 3))))
    assert "Conv" in kinds(model)
    assert not choose(model, None, steps=5000)
