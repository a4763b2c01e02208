from keras_course import scratch
from keras_course.base import InputError

import keras
import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(7, 5))
Y = np.array([0, 2, 1, 1, 0, 2, 2])


def network(seed=1, **options):
    rng = np.random.default_rng(seed)
    return scratch.Network(
        [scratch.Dense(5, 4, rng=rng, **options), scratch.Tanh(), scratch.Dense(4, 3, rng=rng, **options)]
    )


def twin(net):
    """The same network in Keras, float64, with copied weights."""
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="float64"),
            keras.layers.Dense(4, activation="tanh", dtype="float64"),
            keras.layers.Dense(3, dtype="float64"),
        ]
    )
    model.set_weights(list(net.parameters.values()))
    return model


def fit(net, **options):
    defaults = {"optimizer": scratch.SGD(0.2), "epochs": 3, "batch_size": 3, "rng": np.random.default_rng(2)}
    return scratch.fit(net, scratch.SoftmaxCrossEntropy(), X, Y, **(defaults | options))


def test_outputs_are_those_of_keras_and_of_each_batch():
    net = network()
    np.testing.assert_allclose(net.forward(X), twin(net)(X), rtol=1e-12)
    np.testing.assert_array_equal(
        net.predict(X, batch_size=3), np.concatenate([net.forward(X[i : i + 3]) for i in (0, 3, 6)])
    )
    assert net.count() == twin(net).count_params() == 39


def test_gradients_pass_the_check_with_and_without_a_penalty():
    for options in ({}, {"l2": 0.3}, {"use_bias": False}):
        rows = scratch.gradcheck(network(**options), X)
        assert max(row["error"] for row in rows) < 1e-7
        assert sum(row["skipped"] for row in rows) == 0


def test_training_steps_are_those_of_keras():
    net = network()
    model = twin(net)
    model.compile(keras.optimizers.SGD(0.25), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss, optimizer = scratch.SoftmaxCrossEntropy(), scratch.SGD(0.25)
    for _ in range(5):
        ours = scratch.train_step(net, loss, X, Y, optimizer)["loss"]
        assert ours == pytest.approx(model.train_on_batch(X, Y), rel=1e-6)
    for received, expected in zip(net.parameters.values(), model.get_weights(), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-6, atol=1e-7)


def test_an_epoch_sees_each_example_once_in_a_new_order_and_weighs_them_alike(monkeypatch):
    seen = []

    def step(network, loss, x, y, optimizer, metrics):
        np.testing.assert_array_equal(Y[[np.flatnonzero((row == X).all(1))[0] for row in x]], y)
        seen.append(len(y))
        orders.append([int(np.flatnonzero((row == X).all(1))[0]) for row in x])
        return {"loss": float(np.mean(orders[-1]))}

    orders: list[list[int]] = []
    monkeypatch.setattr(scratch.network, "train_step", step)
    history = fit(network(), epochs=2)
    assert seen == [3, 3, 1] * 2
    first, second = sum(orders[:3], []), sum(orders[3:], [])
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second
    assert history["loss"] == pytest.approx([3.0, 3.0])  # the mean of 0..6, whatever the batches


def test_history_has_training_and_validation_curves_and_they_are_logged():
    points = []

    class Log:
        def scalars(self, stage, step, values):
            points.append((stage, step, values))

    net = network(l2=0.1)
    history = fit(net, validation=(X[:3], Y[:3]), metrics={"accuracy": scratch.accuracy}, log=Log(), stage="net")
    assert history.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert [(stage, step) for stage, step, _ in points] == [("net", 1), ("net", 2), ("net", 3)]
    assert [values["val_loss"] for *_, values in points] == history["val_loss"]
    outputs = net.forward(X[:3])
    expected = scratch.SoftmaxCrossEntropy().forward(outputs, Y[:3]) + net.penalty()
    assert history["val_loss"][-1] == expected
    assert history["val_accuracy"][-1] == scratch.accuracy(outputs, Y[:3])
    assert history["loss"][-1] < history["loss"][0]


def test_validation_examples_are_not_trained_on():
    nets = [network(), network()]
    fit(nets[0])
    fit(nets[1], validation=(100 * X, Y))
    for a, b in zip(nets[0].parameters.values(), nets[1].parameters.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_accuracy_counts_the_largest_output():
    assert scratch.accuracy(np.array([[1, 3, 2], [5, -1, 0], [0, 0, 1.0]]), np.array([1, 1, 2])) == pytest.approx(2 / 3)


def test_a_network_in_float32_stays_there():
    net = network().astype("float32")
    fit(net, optimizer=scratch.Adam(0.01))
    assert {w.dtype.name for w in net.parameters.values()} == {"float32"}
    assert net.forward(X.astype("float32")).dtype == "float32"


def test_inputs_without_targets_are_refused():
    with pytest.raises(InputError, match=r"`y` must be as long as `x`, 7\. Received: 6\."):
        scratch.fit(
            network(),
            scratch.SoftmaxCrossEntropy(),
            X,
            Y[:6],
            optimizer=scratch.SGD(1.0),
            epochs=1,
            batch_size=2,
            rng=None,
        )


def test_training_and_measuring_tell_the_layers_their_mode():
    modes = []

    class Mode(scratch.Layer):
        def forward(self, x, training=False):
            modes.append(training)
            return x

        def backward(self, dy):
            return dy

    net = scratch.Network([Mode(), *network().layers])
    fit(net, epochs=1, validation=(X, Y))
    assert modes == [True, True, True, False]
