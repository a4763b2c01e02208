from keras_course.diagnostics.layers import as_in_evaluation, layers_of

import keras
import numpy as np
import tensorflow as tf


def test_inputs_of_a_model_inside_of_a_model_are_none_of_its_own():
    inner = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)])
    both = [keras.Input((5,)), keras.Input((5,))]
    pair = keras.Model(both, keras.layers.Add()([inner(both[0]), inner(both[1])]))
    for model, count in ((keras.Sequential([keras.Input((5,)), inner, keras.layers.Dense(3)]), 1), (pair, 2)):
        kinds = [layer["class"] for layer in layers_of(model)]
        assert kinds.count("InputLayer") == count
        assert "Dense" in kinds


def test_the_width_of_what_a_layer_gives():
    entering = keras.Input((8, 5))
    layers = [keras.layers.Dense(1), keras.layers.Softmax(), keras.layers.Flatten()]
    functional = keras.Sequential([entering, *layers])
    assert [layer["width"] for layer in layers_of(functional)] == [5, 1, 1, 8]
    several = keras.layers.LSTM(3, return_state=True)
    several(entering)
    unbuilt = keras.Sequential([keras.layers.Dense(1), several])
    assert {layer["width"] for layer in layers_of(unbuilt)} == {None}, "several outputs, or none yet"


def test_an_input_that_leads_to_no_output_has_no_use():
    left, right = keras.Input((5,), name="left"), keras.Input((3,), name="right")
    used, beside = keras.layers.Dense(4)(left), keras.layers.Dense(4)(right)
    outputs = {
        "left": keras.layers.Concatenate()([used, used]),  # where `beside` was meant
        "left right": keras.layers.Concatenate()([used, beside]),
        "an operation": keras.ops.mean(right, axis=1) + keras.ops.mean(used, axis=1),
        "right itself": [used, right],
    }
    for name, output in outputs.items():
        layers = layers_of(keras.Model({"left": left, "right": right}, output))
        assert [layer["name"] for layer in layers if not layer["used"]] == (["right"] if name == "left" else [])
    subclassed = keras.Sequential([keras.layers.Dense(2)])
    subclassed(np.zeros((2, 5)))
    assert all(layer["used"] for layer in layers_of(subclassed))


def test_a_model_is_told_that_it_is_not_trained_as_it_takes_it():
    class Told(keras.Model):
        def call(self, x, is_training=True):
            return x

    class Both(keras.Model):
        def call(self, x, train_mask=None, training=False):
            return x

    class Masked(keras.Model):
        def call(self, x, train_mask=None):
            return x

    class Neither(keras.Model):
        def call(self, x):
            return x

    assert as_in_evaluation(Told()) == {"is_training": False}
    plain = [
        Both(),
        Masked(),
        Neither(),
        keras.Sequential(),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
    ]
    assert [as_in_evaluation(model) for model in plain] == [{"training": False}] * 5


def test_an_activation_has_a_name_also_where_it_is_a_function_of_tensorflow():
    given = ["relu", tf.nn.softmax, tf.nn.sigmoid, keras.activations.softmax, None]
    found = [layers_of(keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, each)]))[-1] for each in given]
    assert [layer["config"]["activation"] for layer in found] == ["relu", "softmax", "sigmoid", "softmax", "linear"]
