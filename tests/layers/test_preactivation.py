from keras_course.layers import PreActivationConv
from tests.layers.cases import CASES, randomise
from tests.layers.reference import unit

import numpy as np
import pytest


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_unit_is_norm_then_relu_then_convolution(stride):
    layer, x = PreActivationConv(5, 3, stride=stride), CASES["unit"].arrays()[0]
    layer(x)
    randomise(layer)
    np.testing.assert_allclose(layer(x), unit(x, layer), rtol=1e-4, atol=1e-5)


def test_dropout_acts_in_training_only_and_keeps_the_mean():
    layer, x = PreActivationConv(50, 1, dropout=0.4), np.ones((20, 5, 6, 1), "float32")
    plain = np.asarray(layer(x))
    assert np.ptp(plain, axis=(0, 1, 2)).max() == 0
    layer.norm.trainable = False  # so that training differs by dropout alone
    dropped = np.asarray(layer(x, training=True))
    # 30,000 places: the share of zeros has a standard deviation of 0.0028, and 5 of them fail in 1 of 2 million
    assert abs((dropped == 0).mean() - 0.4) < 5 * 0.0028
    np.testing.assert_allclose(dropped, np.where(dropped == 0, 0, plain / 0.6), rtol=1e-5)


def test_training_uses_the_statistics_of_the_batch():
    layer, x = PreActivationConv(3, 1), CASES["unit"].arrays()[0]
    layer(x, training=True)
    # the moving mean keeps 0.99 of its start at 0
    np.testing.assert_allclose(layer.norm.moving_mean, 0.01 * x.mean(axis=(0, 1, 2)), rtol=1e-4)


def test_kernels_have_the_variance_of_he():
    layer = PreActivationConv(100, 3)
    layer.build((None, 4, 4, 50))
    # Var = 2 / fan in; 45,000 draws leave an error of 0.7 %
    assert np.var(layer.conv.kernel) == pytest.approx(2 / (9 * 50), rel=0.05)
