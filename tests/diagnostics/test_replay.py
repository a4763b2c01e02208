from keras_course.diagnostics.replay import Own, Replay, optimizer_of, plain
from tests.diagnostics.trained import X, Y, crossentropy, loop, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

IMAGES = np.random.default_rng(1).normal(size=(60, 6, 5, 1)).astype("float32")
IDS = np.random.default_rng(2).integers(0, 9, (60, 4)).astype("int32")


def replay_of(training, **changes):
    trained = [id(v.handle) for v in training.variables]
    return Replay(training.forward, training.recorder.batches, training.initial, trained, **changes)


NETS = {
    "swish": ([layers.Dense(7, "swish"), layers.Dense(3)], X),  # whose gradient is one of its own
    "dense": ([layers.Dense(7, "tanh"), layers.LayerNormalization(), layers.Dense(3)], X),
    "conv": (
        [layers.Conv2D(3, 2, activation="relu"), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(3)],
        IMAGES,
    ),
    "recurrent": ([layers.Embedding(9, 4), layers.GRU(5), layers.Dense(3)], IDS),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
def test_the_steps_run_again_are_the_steps(net, graph):
    parts, x = NETS[net]
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input(x.shape[1:], dtype=x.dtype), *[type(p).from_config(p.get_config()) for p in parts]]
    )
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: crossentropy(model, a, b), variables, x=x, graph=graph, steps=5))
    before = [v.numpy() for v in variables]
    replay = replay_of(training)
    curve = replay.train(optimizer_of("SGD", 0.1), steps=5)
    np.testing.assert_allclose(curve.losses, training.recorder.steps().all_losses, rtol=2e-5)
    for name, value in curve.weights.items():
        own = next(v for v in variables if id(v.handle) == replay.owners[name])
        np.testing.assert_allclose(value, own, rtol=1e-4, atol=1e-6)
    for old, now in zip(before, variables, strict=True):
        np.testing.assert_array_equal(old, now, "the script's weights were touched")


def test_adam_as_keras_has_it():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    optimizer = keras.optimizers.Adam(0.02)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = crossentropy(model, x, y)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    def train():
        for i in range(5):
            step(tf.constant(X[i * 10 : i * 10 + 10]), tf.constant(Y[i * 10 : i * 10 + 10]))

    (training,) = watched(train)
    curve = replay_of(training).train(optimizer_of("Adam", 0.02), steps=5)
    np.testing.assert_allclose(curve.losses, training.recorder.steps().all_losses, rtol=2e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adadelta(1.0),
        lambda: keras.optimizers.Adam(0.02, clipnorm=0.05),
        lambda: keras.optimizers.SGD(0.1, momentum=0.5, nesterov=True),
        lambda: keras.optimizers.AdamW(0.02, weight_decay=0.5),
    ],
    ids=["adadelta", "clipped", "nesterov", "decayed"],
)
def test_any_optimiser_of_keras_with_its_settings(optimizer):
    model, own = keras.Sequential([keras.Input((5,)), layers.Dense(3)]), optimizer()
    assert not plain(own)

    def train():
        for i in range(5):
            with tf.GradientTape() as tape:
                loss = crossentropy(model, tf.constant(X[i * 10 : i * 10 + 10]), tf.constant(Y[i * 10 : i * 10 + 10]))
            own.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )

    (training,) = watched(train)
    curve = replay_of(training).train(Own(own, float(own.learning_rate)), steps=5)
    np.testing.assert_allclose(curve.losses, training.recorder.steps().all_losses, rtol=2e-5)


class Halving(keras.optimizers.schedules.LearningRateSchedule):
    """As scripts write them, without `get_config`."""

    def __call__(self, step):
        return 0.1 * 0.5 ** tf.cast(step, tf.float32)


def test_a_schedule_that_cannot_be_written_down_costs_no_setting():
    own = keras.optimizers.Adam(Halving(), beta_1=0.5, clipnorm=2.0)
    made = Own(own, 0.3).optimizer
    assert (made.beta_1, made.clipnorm, made.beta_2) == (0.5, 2.0, own.beta_2)
    assert float(made.learning_rate) == pytest.approx(0.3)
    assert not plain(own)
    assert plain(keras.optimizers.Adam(Halving()))


def test_plain_optimisers_are_those_whose_rule_is_ours():
    assert all(plain(each) for each in (keras.optimizers.Adam(0.5), keras.optimizers.SGD(0.1, momentum=0.5)))
    assert not any(plain(each) for each in (keras.optimizers.Adam(amsgrad=True), keras.optimizers.Lion(), None))


def test_uphill_other_batches_and_a_probe():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: crossentropy(model, a, b), variables))
    replay = replay_of(training)
    batch = replay.batches[2]
    down = replay.train(optimizer_of("SGD", 0.5), steps=6, batches=[batch], probe=batch)
    up = replay.train(optimizer_of("SGD", 0.5), steps=6, batches=[batch], sign=-1.0)
    assert np.all(np.diff(down.losses) < 0)
    assert np.all(np.diff(up.losses) > 0)
    np.testing.assert_allclose(down.probed[:-1], down.losses[1:], rtol=1e-5)


@pytest.mark.parametrize(("gathered", "kept"), [(None, None), (4, 4), (20, 20), (21, None)])
def test_gradients_that_are_gathered_over_more_steps_than_a_trial_has(gathered, kept):
    own = keras.optimizers.Lion(0.1, gradient_accumulation_steps=gathered)
    assert Own(own, 0.3).optimizer.gradient_accumulation_steps == kept
