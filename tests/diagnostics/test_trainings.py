from keras_course.diagnostics import trainings
from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, network, watched

import keras
import numpy as np
import tensorflow as tf
from keras import layers

CROSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fitted(model, *, optimizer="sgd", **more):
    model.compile(optimizer, CROSS)
    (training,) = watched(lambda: model.fit(X, Y, batch_size=20, verbose=0, **more))
    return training.close()


def test_what_is_observed_of_a_fit():
    keras.utils.set_random_seed(0)
    model = mlp()
    first = model.get_weights()
    momentum = keras.optimizers.SGD(0.05, momentum=0.9, clipnorm=1.0)
    seen = fitted(model, optimizer=momentum, epochs=2, validation_split=0.5)
    assert (seen.name, seen.interface, seen.head, seen.classes) == (model.name, "fit", "linear", 3)
    assert (seen.loss.name, seen.loss.from_logits) == ("sparse_categorical_crossentropy", True)
    optimizer = seen.optimizer
    assert (optimizer.name, optimizer.momentum, optimizer.clipped) == ("SGD", 0.9, True)
    np.testing.assert_allclose(optimizer.rate, 0.05, rtol=1e-6)
    assert [v.name for v in seen.variables] == ["hidden/kernel", "hidden/bias", "head/kernel", "head/bias"]
    assert [v.layer for v in seen.variables] == ["hidden", "hidden", "head", "head"]
    for variable, before, after in zip(seen.variables, first, model.get_weights(), strict=True):
        np.testing.assert_array_equal(variable.initial, before)
        np.testing.assert_array_equal(variable.final, after)
    assert [layer["class"] for layer in seen.layers] == ["Dense", "Dense"]
    assert len(seen.epochs) == 2
    assert "val_loss" in seen.epochs[0]
    assert seen.steps.count == 4
    assert seen.finished
    assert {len(labels) for labels in seen.stream} == {20, 10}


def test_frozen_weights_are_observed_too():
    model = mlp()
    model.layers[0].trainable = False
    seen = fitted(model)
    assert {v.name: v.trainable for v in seen.variables} == {
        "head/kernel": True, "head/bias": True, "hidden/kernel": False, "hidden/bias": False,
    }  # fmt: skip


def test_how_the_model_is_called_is_seen():
    model = network(layers.Dense(4), layers.Dropout(0.5), layers.Dense(3))
    variables = [v.value for v in model.trainable_variables]

    def observed(loss):
        (training,) = watched(lambda: loop(loss, variables))
        return training.observe().experiments

    training, evaluating = (
        observed(lambda a, b, mode=mode: CROSS(b, model(a, training=mode))) for mode in (True, False)
    )
    assert (training["draws"], training["evaluating"]) == (1.0, 0.0)
    assert (evaluating["draws"], evaluating["evaluating"]) == (0.0, 1.0)
    assert training["draws_in_evaluation"] == 0.0


def test_dropout_that_is_always_on_is_seen():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.5)(inputs, training=True)))
    (training,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), [v.value for v in model.trainable_variables])
    )
    assert training.observe().experiments["draws_in_evaluation"] == 1.0


def test_the_penalty_of_the_first_weights():
    model = network(layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.5)))
    square = float(np.sum(np.square(model.get_weights()[0])))
    seen = fitted(model)
    np.testing.assert_allclose(seen.experiments["penalty_start"], 0.5 * square, rtol=1e-5)
    assert seen.loss.regularised


def test_large_networks_are_not_copied(monkeypatch):
    monkeypatch.setattr(trainings, "PARAMETERS", 10)
    seen = fitted(mlp())
    assert all(v.initial is None and v.final is None for v in seen.variables)


def test_steps_under_a_strategy_are_said_not_to_be_watched():
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices[:2]])
    with strategy.scope():
        model = mlp()
        model.compile("sgd", CROSS)
    (training,) = watched(lambda: model.fit(X, Y, batch_size=20, epochs=2, verbose=0))
    seen = training.close()
    assert "Steps under tf.distribute are not measured: only data, plan and curves are." in seen.unseen
    assert len(seen.epochs) == 2
    np.testing.assert_array_equal(seen.train.x, X)
