from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, watched

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import config

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_rows_that_are_held_out_have_the_form_of_what_enters():
    """As flat pictures that the network makes rectangular; of another size they are of something else."""
    w = tf.Variable(tf.zeros((2, 3)))
    x = np.random.default_rng(0).normal(size=(40, 2, 2)).astype("float32")

    def train():
        x_test, x_val, y_test = x.reshape(40, 4), np.zeros((30, 5)), np.arange(40)
        loop(lambda a, b: tf.reduce_mean(tf.square(a @ w)), [w], x=x, y=y_test, steps=2)
        assert (len(x_test), len(x_val)) == (40, 30)

    (training,) = watched(train)
    training.look_for_held_out()
    (found,) = training.close().asked
    assert (found.name, found.x.shape) == ("x_test", (40, 2, 2))
    np.testing.assert_array_equal(found.labels["y_test"], np.arange(40))


def test_rows_are_copied_by_their_names_where_there_is_no_model_alone():
    x_test, model = X[40:], mlp()
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: crossentropy(model, a, b), variables, steps=2))
    assert training.candidates == []
    assert training.scope.names()["x_test"] is x_test


def test_a_mistake_of_ours_does_not_reach_the_script(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("ours")

    monkeypatch.setattr("keras_course.diagnostics.trainings.read", broken)
    model = mlp()
    (seen,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), [v.value for v in model.trainable_variables])
    )
    assert seen.count == 4
    assert "ours" in seen.unseen[0]


def test_compiled_steps_are_measured_without_a_closer_look():
    config.disable_op_determinism()
    w = tf.Variable(tf.ones((5, 3)))

    @tf.function(jit_compile=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x @ w))
        w.assign_sub(0.1 * tape.gradient(loss, w))

    def train():
        for i in range(4):
            step(tf.constant(X[i * 10 : i * 10 + 10]), tf.constant(Y[i * 10 : i * 10 + 10]))

    (seen,) = watched(train)
    assert seen.count == 4
    assert "XLA" in seen.unseen[0]
    np.testing.assert_allclose(seen.recorder.steps().update[:3], 0.1 * seen.recorder.steps().gradient[:3], rtol=1e-4)


def test_a_strategy_is_said_not_to_be_watched():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        model = mlp()
        model.compile("sgd", LOSS)
        (seen,) = watched(lambda: model.fit(X, Y, batch_size=10, verbose=0))
    assert "tf.distribute" in seen.unseen[0]
    assert seen.count == 0


def test_nothing_that_can_be_trained_is_seen_too():
    model = mlp()
    model.trainable = False
    model.compile("sgd", LOSS)
    (idle,) = watched(lambda: model.fit(X, Y, verbose=0))
    assert idle.idle
