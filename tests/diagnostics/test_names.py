import dataclasses

from keras_course.diagnostics.names import is_users, names_of, scope_of_script
from tests.diagnostics.trained import mlp

import keras
import numpy as np
import tensorflow as tf


def test_a_keras_weight_is_called_by_its_path_without_the_model():
    model = mlp()
    names = [name for _, name in names_of([v.value for v in model.trainable_variables], model).items()]
    assert names == ["hidden/kernel", "hidden/bias", "head/kernel", "head/bias"]


def test_a_plain_variable_is_called_as_the_script_calls_it():
    some_weight = tf.Variable(1.0)
    pairs = [(tf.Variable(2.0), tf.Variable(3.0))]
    named = tf.Variable(4.0, name="scale")
    found = names_of([some_weight, pairs[0][1], named], None)
    assert found[some_weight] == "some_weight"
    assert found[pairs[0][1]] == "pairs[0][1]"
    assert found[named] in ("named", "scale")


def test_variables_that_nobody_knows_are_numbered():
    found = names_of((lambda: [tf.Variable(1.0), tf.Variable(2.0)])(), None)
    assert len({name for _, name in found.items()}) == 2


def test_spaces_do_not_get_into_tags():
    layer = keras.layers.Dense(2, name="my layer")
    model = keras.Sequential([keras.Input((3,)), layer])
    assert all(" " not in name for _, name in names_of([v.value for v in model.trainable_variables], model).items())


def test_a_name_that_was_given_is_better_than_a_place_in_a_list():
    several = [tf.Variable(1.0, name="kernel_of_one"), tf.Variable(2.0)]
    assert [name for _, name in names_of(several, None).items()] == ["kernel_of_one", "several[1]"]


def test_the_data_of_a_script_are_known_by_its_names_as_long_as_it_keeps_them():
    rows, weights, words = np.zeros((3, 2)), [tf.Variable(1.0)], "no data"

    def inside():
        rows = tf.zeros((5, 2))
        found = scope_of_script()
        assert found.names()["rows"] is rows, "the innermost"
        return found

    gone = inside().names()["rows"]
    assert not tf.is_tensor(gone), "its frame is gone"
    assert gone.shape == (5, 2)
    names = scope_of_script().names()
    assert names["rows"] is rows
    assert names["weights"] is weights
    assert "words" not in names
    assert words


def test_files_of_the_user_are_neither_installed_nor_of_this_package():
    assert is_users("/home/somebody/train.py")
    assert not is_users(tf.__file__)
    assert not is_users(keras.__file__)
    assert not is_users(dataclasses.__file__)
    assert not is_users("/home/somebody/keras_course/diagnostics/names.py")
    assert not is_users("<string>")
