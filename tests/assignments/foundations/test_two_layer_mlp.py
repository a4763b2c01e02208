from assignments.foundations.two_layer_mlp import Settings, network
from keras_course import data, scratch
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
X, DY = RNG.normal(size=(2, 5)), RNG.normal(size=(2, 3))
WEIGHTS = [RNG.normal(size=s) for s in ((5, 4), 4, (4, 3), 3)]


def perceptron(x, dy, weights, l2):
    """Outputs, gradients and dL/dx of dense, sigmoid, dense with these weights."""
    from keras_course.scratch import Dense, Network, Sigmoid

    import numpy as np

    sizes, rng = (weights[0].shape, weights[2].shape), np.random.default_rng(0)
    net = Network([Dense(*sizes[0], rng=rng, l2=l2), Sigmoid(), Dense(*sizes[1], rng=rng, l2=l2)])
    for parameter, value in zip(net.parameters.values(), weights, strict=True):
        parameter[:] = value
    y = net.forward(x, training=True)
    dx = net.backward(dy)
    return {"y": y, "dx": dx} | net.gradients


def order_of_calls():
    """Which layer was called when, and what it was told."""
    from keras_course.scratch import Layer, Network

    calls = []

    class Named(Layer):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def forward(self, x, training=False):
            calls.append(("forward", self.name, x, training))
            return x + self.name

        def backward(self, dy):
            calls.append(("backward", self.name, dy, None))
            return dy + self.name

    net = Network([Named("a"), Named("b"), Named("c")])
    return [net.forward("x", training=True), net.backward("y"), calls]


def of_the_tape():
    """The same network in TensorFlow."""
    variables = [tf.Variable(w) for w in WEIGHTS]
    with tf.GradientTape() as tape:
        x = tf.constant(X)
        tape.watch(x)
        y = tf.sigmoid(x @ variables[0] + variables[1]) @ variables[2] + variables[3]
        value = tf.reduce_sum(y * DY)
    by_x, by_weights = tape.gradient(value, [x, variables])
    names = ("0/kernel", "0/bias", "2/kernel", "2/bias")
    return {"y": y.numpy(), "dx": by_x.numpy()} | {n: g.numpy() for n, g in zip(names, by_weights, strict=True)}


@points(3)
def test_outputs_and_gradients_are_those_of_the_tape(subject):
    same(subject(perceptron, x=X, dy=DY, weights=WEIGHTS, l2=0.0), of_the_tape(), rtol=1e-9)


@points(2)
def test_the_penalty_pulls_the_kernels_and_leaves_the_biases_alone(subject):
    plain, pulled = (subject(perceptron, x=X, dy=DY, weights=WEIGHTS, l2=l2) for l2 in (0.0, 0.3))
    for name, weights in zip(("0/kernel", "0/bias", "2/kernel", "2/bias"), WEIGHTS, strict=True):
        extra = 0.3 * weights if name.endswith("kernel") else np.zeros_like(weights)
        same(pulled[name] - plain[name], extra, what=name)


@points(2)
def test_values_go_forward_and_gradients_back_through_every_layer(subject):
    out, back, calls = subject(order_of_calls)
    same(out, "xabc", what="forward")
    same(back, "ycba", what="backward")
    same([call[:2] for call in calls[:3]], [("forward", name) for name in "abc"], what="the order forward")
    same([call[:2] for call in calls[3:]], [("backward", name) for name in "cba"], what="the order backward")


def test_every_layer_is_told_the_mode(subject):
    *_, calls = subject(order_of_calls)
    same([call[3] for call in calls[:3]], [True, True, True])


def test_the_batch_counts_as_a_sum(subject):
    """The gradients of two examples together are the sum of those of each."""
    whole = subject(perceptron, x=X, dy=DY, weights=WEIGHTS, l2=0.0)
    parts = [subject(perceptron, x=X[i : i + 1], dy=DY[i : i + 1], weights=WEIGHTS, l2=0.0) for i in (0, 1)]
    for name in ("0/kernel", "0/bias", "2/kernel", "2/bias"):
        same(whole[name], parts[0][name] + parts[1][name], what=name)


def test_the_network_of_the_run_passes_the_gradient_check():
    splits = data.load("digits")
    rows = scratch.gradcheck(network(splits, Settings(hidden=6), 0.1), splits.train.x[:3].astype("float64"))
    assert max(row["error"] for row in rows) < 1e-6


def test_twenty_steps_are_those_of_the_same_model_in_keras():
    splits = data.load("digits")
    net = network(splits, Settings(hidden=6), 0.0).astype("float32")
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(6, "sigmoid"), keras.layers.Dense(10)]
    )
    model.set_weights(list(net.parameters.values()))
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = splits.train.x[:320], splits.train.y[:320]
    optimizer, cross = scratch.SGD(0.5), scratch.SoftmaxCrossEntropy()
    for i in range(0, 320, 16):
        ours = scratch.train_step(net, cross, x[i : i + 16], y[i : i + 16], optimizer)["loss"]
        model.reset_metrics()
        assert ours == pytest.approx(float(model.train_on_batch(x[i : i + 16], y[i : i + 16])), rel=1e-5)


def test_the_test_split_is_scored_once_and_picks_nothing(monkeypatch):
    """With false labels on the test split alone, everything but the final score stays as it was."""
    from assignments.foundations import two_layer_mlp

    settings = Settings(
        hidden=4, learning_rates=(1.0, 0.1), penalties=(0.0, 0.1), sweep_epochs=1, epochs=1, batch_size=50
    )
    real = data.load("digits")
    false = data.Splits(
        real.train, real.validation, data.Split(real.test.x, (real.test.y + 1) % 10), name="false", source="small",
        classes=real.classes, licence="none",
    )  # fmt: skip
    results = []
    for splits in (real, false):
        monkeypatch.setattr(two_layer_mlp.data, "load", lambda *args, splits=splits, **options: splits)
        results.append(two_layer_mlp.run(settings, None))
    assert results[0].scores.pop("best") != results[1].scores.pop("best")
    assert results[0].scores == results[1].scores
    assert results[0].tables == results[1].tables


LIBRARY = "keras_course/scratch"
MUTANTS = [
    Mutant(
        file=f"{LIBRARY}/dense.py",
        old="dy.sum(axis=0)",
        new='dy.sum(axis=0) + self.l2 * self.parameters["bias"]',
        caught_by="test_the_penalty_pulls_the_kernels_and_leaves_the_biases_alone",
        trap="L2 on biases",
    ),
    Mutant(
        file=f"{LIBRARY}/dense.py",
        old="+ self.l2 * kernel",
        new="+ 2 * self.l2 * kernel",
        caught_by="test_the_penalty_pulls_the_kernels_and_leaves_the_biases_alone",
        trap="the ½ of the penalty forgotten in its gradient",
    ),
    Mutant(
        file=f"{LIBRARY}/dense.py",
        old="return dy @ kernel.T",
        new="return dy @ kernel.T / len(dy)",
        caught_by="test_outputs_and_gradients_are_those_of_the_tape",
        trap="averaged a second time on the way back",
    ),
    Mutant(
        file=f"{LIBRARY}/dense.py",
        old="self.x.T @ dy + self.l2",
        new="self.x.T @ dy / len(dy) + self.l2",
        caught_by="test_the_batch_counts_as_a_sum",
        trap="a mean where the loss has taken it",
    ),
    Mutant(
        file=f"{LIBRARY}/activations.py",
        old="return dy * self.y * (1 - self.y)",
        new="return dy * self.y * (1 - self.y**2)",
        caught_by="test_outputs_and_gradients_are_those_of_the_tape",
        trap="the derivative of another function",
    ),
    Mutant(
        file=f"{LIBRARY}/network.py",
        old="for layer in reversed(self.layers):",
        new="for layer in self.layers:",
        caught_by="test_values_go_forward_and_gradients_back_through_every_layer",
        trap="backward in the order of forward",
    ),
    Mutant(
        file=f"{LIBRARY}/network.py",
        old="            dy = layer.backward(dy)",
        new="            layer.backward(dy)",
        caught_by="test_values_go_forward_and_gradients_back_through_every_layer",
        trap="every layer given the gradient of the last",
    ),
    Mutant(
        file=f"{LIBRARY}/network.py",
        old="x = layer.forward(x, training)",
        new="x = layer.forward(x)",
        caught_by="test_every_layer_is_told_the_mode",
        trap="layers that do not know the mode",
    ),
]
