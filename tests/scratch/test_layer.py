from keras_course.base import InputError
from keras_course.scratch.layer import Layer, fans, glorot_uniform, he_normal, require_shape

import keras
import numpy as np
import pytest


def test_a_shape_at_fault_names_its_axis():
    require_shape("x", np.zeros((4, 5)), (None, 5))
    with pytest.raises(InputError) as error:
        require_shape("x", np.zeros((4, 3)), (None, 5))
    assert str(error.value) == "`x` must have size 5 on axis 1, (any, 5). Received: 3, of shape (4, 3)."
    with pytest.raises(InputError) as error:
        require_shape("x", np.zeros(5), (None, 5))
    assert str(error.value) == "`x` must have 2 axes, (any, 5). Received: shape (5,)."


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 5, 7), (3, 2, 5)])
def test_fans_are_those_of_keras(shape):
    keras_fans = keras.src.initializers.random_initializers.compute_fans(shape)
    assert fans(shape) == keras_fans


def test_initial_weights_have_the_variance_of_their_papers():
    rng, shape = np.random.default_rng(0), (3, 3, 20, 50)  # fan in 180, fan out 450
    for initial, variance in ((glorot_uniform, 2 / (180 + 450)), (he_normal, 2 / 180)):
        weights = initial(rng, shape)
        assert weights.shape == shape
        assert abs(weights.var() / variance - 1) < 5 * np.sqrt(2 / weights.size)
        assert abs(weights.mean()) < 5 * np.sqrt(variance / weights.size)
    assert np.abs(glorot_uniform(rng, shape)).max() <= np.sqrt(6 / 630)


def test_a_layer_without_directions_says_which_is_missing():
    for call in (Layer().forward, Layer().backward):
        with pytest.raises(NotImplementedError, match=f"Layer has no `{call.__name__}`"):
            call(np.zeros(1))


def test_astype_reaches_every_parameter():
    layer = Layer()
    layer.parameters = {"kernel": np.ones((2, 3)), "bias": np.ones(3)}
    assert {w.dtype.name for w in layer.astype("float32").parameters.values()} == {"float32"}
