from keras_course import scratch
from keras_course.base import InputError
from keras_course.scratch.dropout import Dropout

import numpy as np
import pytest


@pytest.mark.parametrize("convention", ["inverted", "classic"])
def test_training_and_test_mode_agree_in_the_mean_over_many_draws(convention):
    layer = Dropout(0.3, rng=np.random.default_rng(0), convention=convention)
    x = np.array([[1.0, -2.0, 5.0]])
    draws = np.array([layer.forward(x, True) for _ in range(20_000)])
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - layer.forward(x)) < 5 * error).all()
    assert abs((draws == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / draws.size)


@pytest.mark.parametrize("convention", ["inverted", "classic"])
@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_goes_where_the_values_went(convention, training):
    layer = Dropout(0.4, rng=np.random.default_rng(0), convention=convention)
    (row,) = scratch.gradcheck(layer, np.random.default_rng(1).normal(size=(4, 5)), training=training)
    assert row["error"] < 1e-8


def test_a_rate_of_nothing_changes_nothing_and_of_all_is_refused():
    x = np.random.default_rng(0).normal(size=(3, 2))
    for convention in ("inverted", "classic"):
        layer = Dropout(0.0, rng=np.random.default_rng(0), convention=convention)
        np.testing.assert_array_equal(layer.forward(x, True), x)
        np.testing.assert_array_equal(layer.forward(x), x)
    with pytest.raises(InputError, match=r"`rate` must be from 0 to below 1\. Received: 1\.0\."):
        Dropout(1.0, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="`convention` must be"):
        Dropout(0.5, rng=np.random.default_rng(0), convention="other")


def test_float32_stays_float32():
    layer = Dropout(0.5, rng=np.random.default_rng(0))
    x = np.ones((2, 3), "float32")
    assert layer.forward(x, True).dtype == layer.backward(x).dtype == "float32"
