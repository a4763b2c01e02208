from keras_course.base import InputError
from keras_course.training.evaluation import evaluate, predict
from tests.training.toys import linear, regression, squared_error

import keras
import numpy as np
import pytest
import tensorflow as tf


def arrays(batches):
    return map(np.asarray, batches.take(tf.range(batches.n), batches.step_seed(0, 0)))


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3, 11, 20])
def test_means_are_over_the_examples_whatever_the_batch_size(batch_size, graph):
    model, batches = linear(), regression(n=11, batch_size=batch_size)
    (w, b), (x, y) = model.get_weights(), arrays(batches)
    error = x @ w + b - y
    found = evaluate(model, squared_error, batches, graph=graph)
    assert found == pytest.approx({"loss": np.mean(error**2), "size_of_error": np.mean(np.abs(error))}, rel=1e-6)


def test_a_dataset_gives_what_its_batches_give():
    model, batches = linear(), regression()
    assert evaluate(model, squared_error, batches.dataset()) == evaluate(model, squared_error, batches)


def test_the_second_evaluation_traces_nothing_and_sees_the_weights_of_now():
    model, batches, traced = linear(), regression(), []

    def objective(model, batch, training):
        traced.append(training)
        return squared_error(model, batch, training)

    first = evaluate(model, objective, batches)
    count = len(traced)
    model.set_weights([np.array([[2.0], [-1.0]]), np.array([0.5])])  # the target itself
    second = evaluate(model, objective, batches)
    assert len(traced) == count == 2  # one for each shape
    assert not any(traced)
    assert first["loss"] > 0.1 > 1e-10 > second["loss"]


def test_a_model_that_grew_is_evaluated_as_it_is():
    model, batches = linear(), regression()
    evaluate(model, squared_error, batches)
    model.add(keras.layers.Dense(1, kernel_initializer="zeros"))
    model(np.zeros((1, 2)))
    _, y = arrays(batches)
    assert evaluate(model, squared_error, batches)["loss"] == pytest.approx(np.mean(y**2), rel=1e-6)


def test_an_empty_dataset_is_refused():
    with pytest.raises(InputError, match="`batches` must be one batch or more"):
        evaluate(linear(), squared_error, regression().dataset().take(0))


def test_predict_gives_the_outputs_in_order_and_in_inference_mode():
    model = keras.Sequential([linear(), keras.layers.Dropout(0.5)])
    x = np.random.default_rng(0).normal(size=(11, 2)).astype("float32")
    w, b = model.get_weights()
    assert np.allclose(predict(model, x, batch_size=3), x @ w + b, atol=1e-6)
