from keras_course import models
from keras_course.base import InputError

import pytest


def test_a_model_is_built_by_its_name():
    model = models.build("mlp", (3, 2), 5, hidden=(7,))
    assert model.input_shape == (None, 3, 2)
    assert model.count_params() == 7 * 7 + 8 * 5


def test_an_unknown_model_gets_the_nearest_name_and_the_list():
    with pytest.raises(InputError, match=r"No model named 'densnet'\. Did you mean 'densenet'\? There are: cnn, "):
        models.build("densnet", (3, 2), 5)
