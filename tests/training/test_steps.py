from keras_course.base import InputError
from keras_course.training.steps import measure, named, update
from tests.training.toys import linear, sgd, squared_error

import keras
import numpy as np
import pytest
import tensorflow as tf

BATCH = (tf.constant([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]]), tf.constant([[1.0], [2.0], [0.0]]))


def test_update_takes_the_gradient_step_written_out():
    model, (x, y) = linear(), map(np.asarray, BATCH)
    w, b = model.get_weights()
    error = x @ w + b - y
    update(model, squared_error, sgd(0.1))(BATCH)
    assert np.allclose(model.get_weights()[0], w - 0.1 * 2 * x.T @ error / 3, atol=1e-6)
    assert np.allclose(model.get_weights()[1], b - 0.1 * 2 * error.mean(0), atol=1e-6)


def test_a_token_that_occurs_several_times_is_one_row_to_adam():
    """By hand: Adam's first step is the rate, whatever the gradient; Keras alone takes √3 times it for three."""
    model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Embedding(5, 1, "zeros")])
    step = update(model, lambda model, x, training: keras.ops.sum(model(x)), keras.optimizers.Adam(0.1))
    for count in (1, 2):
        step(tf.constant([[1, 1, 1, 3]]))
        assert np.allclose(model.get_weights()[0][:, 0], [0, -0.1 * count, 0, -0.1 * count, 0], atol=1e-5)


def test_measure_changes_no_weight():
    model = linear()
    before = model.get_weights()
    measure(model, squared_error)(BATCH)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_update_trains_and_measure_does_not():
    seen = []

    def objective(model, batch, training):
        seen.append(training)
        return squared_error(model, batch, training)

    update(linear(), objective, sgd())(BATCH)
    measure(linear(), objective)(BATCH)
    assert seen == [True, False]


def test_a_scaled_loss_makes_the_same_step():
    plain, scaled = linear(), linear()
    update(plain, squared_error, sgd())(BATCH)
    update(scaled, squared_error, keras.optimizers.SGD(0.1, loss_scale_factor=64.0))(BATCH)
    assert np.allclose(plain.get_weights()[0], scaled.get_weights()[0], atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (1,)])
def test_a_loss_with_axes_is_refused_with_its_shape(shape):
    with pytest.raises(InputError) as refusal:
        named(tf.zeros(shape))
    assert f"`objective's loss` must be a scalar, the mean over the batch. Received: 'shape {shape}'." == str(
        refusal.value
    )


def test_a_metric_with_axes_is_refused_by_name():
    with pytest.raises(InputError, match="objective's accuracy"):
        named((tf.zeros(()), {"accuracy": tf.zeros(3)}))


def test_an_objective_that_returns_nothing_is_refused():
    with pytest.raises(InputError, match=r"`objective` must be a function that returns a loss.* Received: None"):
        named(None)


def test_an_objective_without_the_model_is_refused():
    with pytest.raises(InputError, match="must depend on the weights of `linear`"):
        update(linear(), lambda model, batch, training: tf.reduce_mean(batch[0]), sgd())(BATCH)


def test_a_metric_may_not_take_the_place_of_the_loss():
    assert float(named((tf.constant(2.0), {"loss": tf.constant(3.0)}))["loss"]) == 2.0
