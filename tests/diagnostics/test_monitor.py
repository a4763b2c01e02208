from tests.diagnostics.trained import X, Y, mlp, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_each_fit_is_a_training_of_its_own():
    model = mlp()
    model.compile("sgd", LOSS)

    def train():
        model.fit(X, Y, batch_size=10, verbose=0)
        model.fit(X[:30], Y[:30], batch_size=10, verbose=0)

    assert [t.count for t in watched(train)] == [6, 3]


def test_a_model_that_was_traced_before_anybody_watched_is_seen():
    model = mlp()
    model.compile("sgd", LOSS)
    model.fit(X, Y, batch_size=10, verbose=0)
    assert [t.count for t in watched(lambda: model.fit(X, Y, batch_size=20, verbose=0))] == [3]


def test_a_game_of_two_is_two_trainings_by_name():
    one, two = keras.Sequential([layers.Dense(5)], name="generator"), keras.Sequential([layers.Dense(1)], name="judge")
    one.build((None, 5))
    two.build((None, 5))

    @tf.function
    def step(x):
        with tf.GradientTape() as first, tf.GradientTape() as second:
            made = two(one(x))
            win, lose = tf.reduce_mean(made), -tf.reduce_mean(made)
        for tape, loss, model in ((first, win, one), (second, lose, two)):
            for v, g in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
                v.assign_sub(0.01 * g)

    def train():
        for i in range(3):
            step(tf.constant(X[i * 10 : i * 10 + 10]))

    assert [(t.model.name, t.count) for t in watched(train)] == [("generator", 3), ("judge", 3)]


def test_a_gradient_by_inputs_is_no_training():
    def saliency():
        x = tf.constant(X[:4])
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(x**2)
        tape.gradient(loss, x)

    assert watched(saliency) == []


@pytest.mark.parametrize("when", ["first", "later", "never"])
def test_a_batch_of_which_nothing_can_be_trained_is_seen_where_its_step_is_made_so(when):
    """As of a discriminator that was frozen for its generator before it was first trained; steps made before train."""
    model = mlp()
    model.compile("sgd", LOSS)

    def train():
        if when == "later":
            model.train_on_batch(X[:10], Y[:10])
        model.trainable = when == "never"
        for _ in range(2):
            model.train_on_batch(X[:10], Y[:10])

    assert [seen.idle for seen in watched(train) if not seen.variables] == [True] * (when == "first")


def test_arguments_that_keras_will_not_take_are_its_own_to_say():
    model = mlp()
    model.trainable = False
    model.compile("sgd", LOSS)

    def train():
        with pytest.raises(TypeError, match="train_on_batch"):
            model.train_on_batch()

    assert watched(train) == []


def test_what_later_trainings_change_of_an_earlier_one():
    a, b = tf.Variable(1.0), tf.Variable(2.0)

    def train():
        for variables in ([a, b], [b]):
            with tf.GradientTape() as tape:
                loss = (a * b) ** 2
            tape.gradient(loss, variables)

    first, second = watched(train)
    assert (first.later, second.later) == ({id(b.handle)}, set())


def thawed(again):
    """A trunk that is frozen, and trained on behind the head."""
    model = mlp()
    model.layers[0].trainable = False
    model.compile("sgd", LOSS)
    model.fit(X, Y, batch_size=10, verbose=0)
    model.layers[0].trainable = True
    if again:
        model.compile("sgd", LOSS)
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize("again", [True, False], ids=["compiled again", "not"])
@pytest.mark.usefixtures("deterministic")
def test_a_trunk_that_is_thawed_behind_compile(again):
    """Keras takes no notice of it, and neither the steps nor their watch fail."""
    found = []
    for watch in (False, True):
        keras.utils.set_random_seed(3)
        if watch:
            trainings = watched(lambda: found.append(thawed(again)))
        else:
            found.append(thawed(again))
    for bare, seen in zip(*found, strict=True):
        np.testing.assert_array_equal(bare, seen)
    assert [(t.count, len(t.variables)) for t in trainings] == [(6, 2), (12, 4 if again else 2)]
    untaken = [[path.split("/", 1)[1] for path in t.close().untaken] for t in trainings]
    assert untaken == [[], [] if again else ["hidden/kernel", "hidden/bias"]]


def test_a_trunk_that_is_thawed_before_anybody_watched_is_left_alone():
    model = mlp()
    model.layers[0].trainable = False
    model.compile("sgd", LOSS)
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = True
    (training,) = watched(lambda: model.fit(X, Y, verbose=0))
    assert (training.count, len(training.close().untaken)) == (0, 2)
