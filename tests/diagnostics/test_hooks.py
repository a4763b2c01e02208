"""Which gradients are steps of a training, and of which; what watching does to results is in test_watcher.py."""

from keras_course.diagnostics import hooks
from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, watched

import tensorflow as tf


def test_gradients_by_inputs_are_no_training():
    def train():
        x = tf.constant(X)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(x**2)
        assert tape.gradient(loss, x).shape == x.shape

    assert watched(train) == []


def test_steps_of_the_same_variables_are_one_training_and_others_another():
    a, b = mlp(), mlp()

    def train():
        for model in (a, b, a):
            loop(lambda x, y, model=model: crossentropy(model, x, y), [v.value for v in model.trainable_variables])

    first, second = watched(train)
    assert [t.count for t in (first, second)] == [8, 4]
    assert first.site[0].endswith("trained.py")


def test_a_single_variable_is_a_source_too():
    w = tf.Variable([1.0, 2.0])

    def train():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w**2)
        gradient = tape.gradient(loss, w)
        assert gradient.numpy().tolist() == [2.0, 4.0]

    (training,) = watched(train)
    assert training.observe().steps.gradient[0, 0] == 20**0.5


def test_a_persistent_tape_gives_a_training_for_each_set():
    v, w = tf.Variable(1.0), tf.Variable(2.0)

    def train():
        with tf.GradientTape(persistent=True) as tape:
            loss = v * w
        assert (float(tape.gradient(loss, v)), float(tape.gradient(loss, w))) == (2.0, 1.0)

    assert [len(t.variables) for t in watched(train)] == [1, 1]


def test_a_tape_that_is_left_by_an_error_is_forgotten():
    w = tf.Variable(1.0)
    with hooks.watching() as monitor:
        try:
            with tf.GradientTape():
                raise KeyError
        except KeyError:
            pass
        assert monitor.stack == []
        with tf.GradientTape() as tape:
            loss = w * w
        tape.gradient(loss, w)
    assert monitor.trainings[0].observe().units == []
    assert len(monitor.trainings) == 1


def test_the_outer_watch_is_back_behind_an_inner_one():
    with hooks.watching() as outer:
        with hooks.watching() as inner:
            assert hooks.Monitor.active is inner
        assert hooks.Monitor.active is outer
    assert hooks.Monitor.active is None


def test_data_that_a_loop_iterates_over_are_its_data():
    model = mlp()
    variables = [v.value for v in model.trainable_variables]

    def train():
        for x, y in tf.data.Dataset.from_tensor_slices((X, Y)).batch(20):
            loop(lambda a, b: crossentropy(model, a, b), variables, x=x.numpy(), y=y.numpy(), steps=1, batch=20)

    (training,) = watched(train)
    assert (training.observe().train.x == X).all()
    assert training.observe().plan.steps_per_epoch == 3
