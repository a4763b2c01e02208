from keras_course.diagnostics.experiments import replay_of
from keras_course.diagnostics.replay import optimizer_of
from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, watched

import keras
import numpy as np
import pytest
from keras import layers

IMAGES = np.random.default_rng(1).normal(size=(60, 6, 5, 1)).astype("float32")
IDS = np.random.default_rng(2).integers(0, 9, (60, 4)).astype("int32")

NETS = {
    "dense": (X, lambda: mlp("tanh").layers),
    "conv": (IMAGES, lambda: [layers.Conv2D(3, 2, activation="relu"), layers.Flatten(), layers.Dense(3)]),
    "lstm": (IDS, lambda: [layers.Embedding(9, 4), layers.LSTM(5), layers.Dense(3)]),
}


def trained(net, graph=True, rate=0.1, steps=4):
    keras.utils.set_random_seed(0)
    x, of = NETS[net]
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype), *of()])
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), variables, graph=graph, steps=steps, x=x, rate=rate)
    )
    return training, variables


@pytest.mark.parametrize(("net", "graph"), [("dense", True), ("dense", False), ("conv", True), ("lstm", True)])
def test_the_steps_come_again_with_the_losses_that_were_seen(net, graph):
    training, variables = trained(net, graph)
    kept = [v.numpy() for v in variables]
    replay = replay_of(training)
    seen = training.recorder.steps().all_losses
    curve = replay.train(optimizer_of("SGD", 0.1), steps=4)
    np.testing.assert_allclose(curve.losses, seen, rtol=1e-4)
    assert np.ptp(seen) > 1e-3, "steps that change nothing would show nothing"
    for owner, value in curve.weights.items():
        final = {id(v.handle): v.numpy() for v in variables}[replay.owners[owner]]
        np.testing.assert_allclose(value, final, atol=1e-5)
    for variable, value in zip(variables, kept, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    slower = replay.train(optimizer_of("SGD", 1e-6), steps=4)
    np.testing.assert_allclose(slower.losses, replay.losses(replay.start, replay.batches), rtol=1e-3)
    replay.close()


def test_the_steps_of_adam_in_fit_come_again():
    keras.utils.set_random_seed(0)
    model = mlp()
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    (training,) = watched(lambda: model.fit(X, Y, batch_size=20, epochs=2, verbose=0))
    replay = replay_of(training)
    curve = replay.train(optimizer_of("Adam", 0.01), steps=6)
    np.testing.assert_allclose(curve.losses, training.recorder.steps().all_losses, rtol=1e-3)
    uphill = replay.train(optimizer_of("Adam", 0.01), steps=6, sign=-1.0)
    assert uphill.end > curve.end
    replay.close()


def test_a_curve_that_diverges_ends_at_infinity():
    training, _ = trained("dense", steps=3)
    replay = replay_of(training)
    batch = [np.full_like(a, np.nan) if a.dtype.kind == "f" else a for a in replay.batches[0]]
    curve = replay.train(optimizer_of("SGD", 0.1), steps=5, batches=[batch])
    assert len(curve.losses) == 1
    assert curve.end == float("inf")
    replay.close()
