from keras_course.base import InputError
from keras_course.training.history import History
from keras_course.training.state import State

import keras
import numpy as np
import pytest


def noisy(units=3):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units), keras.layers.BatchNormalization()])
    model.add(keras.layers.Dropout(0.5))
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    return State(model, optimizer)


def test_a_packed_state_makes_another_model_the_same_and_as_random():
    old, new = noisy(), noisy()
    x = np.ones((5, 2), np.float32)
    old.model(x, training=True)  # moves the statistics and the seeds
    old.optimizer.apply([keras.ops.ones(v.shape) for v in old.model.trainable_variables])
    old.history, old.epoch, old.step = History({"loss": [2.0]}, steps=9, best_epoch=0), 1, 2
    old.values, old.best = {"loss": np.float32([0.1, 0.2]), "size": np.float32([3, 3])}, old.model.get_weights()
    packed = old.pack()
    expected = old.model(x, training=True), keras.random.normal((3,))  # the second from the global seed
    new.unpack(*packed)
    assert np.array_equal(new.model(x, training=True), expected[0])
    assert np.array_equal(keras.random.normal((3,)), expected[1])
    assert int(new.optimizer.iterations) == 1
    assert (new.epoch, new.step, new.done, new.history, vars(new.history)) == (
        1,
        2,
        False,
        old.history,
        vars(old.history),
    )
    assert np.array_equal(new.values["loss"], old.values["loss"])
    assert all(np.array_equal(a, b) for a, b in zip(new.best, old.best, strict=True))


def test_more_than_ten_variables_come_back_in_their_order():
    state = noisy()
    assert len(state.variables) > 10
    arrays, facts = state.pack()
    for i, variable in enumerate(state.variables[:9]):
        variable.assign(np.full(variable.shape, i))
    changed = state.pack()
    state.unpack(arrays, facts)
    state.unpack(*changed)
    assert [float(np.ravel(v)[0]) for v in state.variables[:9]] == list(range(9))


def test_the_state_of_another_model_is_refused():
    with pytest.raises(InputError, match=r"is of another model or optimizer: it has .* here are "):
        noisy(units=5).unpack(*noisy().pack())


def test_steps_add_up_and_an_epoch_begins_anew():
    state = noisy()
    for losses in ([1.0, 2.0], [3.0]):
        state.add({"loss": np.float32(losses), "size": np.float32([2] * len(losses))})
    assert (state.step, state.history.steps, state.values["loss"].tolist()) == (3, 3, [1, 2, 3])
    state.close_epoch()
    assert (state.epoch, state.step, state.history.steps, state.values) == (1, 0, 3, {})
