from assignments.foundations.softmax_regression import Settings, network
from keras_course import data, scratch
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

RNG = np.random.default_rng(0)
X, KERNEL, BIAS, DY = (RNG.normal(size=s) for s in ((2, 5), (5, 3), 3, (2, 3)))
LOGITS, LABELS = 3 * RNG.normal(size=(5, 3)), np.array([2, 0, 1, 1, 2])


def dense(x, kernel, bias, dy, l2):
    """Values, gradients and penalty of a dense layer with these weights; no bias where it is None."""
    from keras_course.scratch import Dense

    import numpy as np

    layer = Dense(*kernel.shape, rng=np.random.default_rng(0), l2=l2, use_bias=bias is not None)
    layer.parameters["kernel"][:] = kernel
    if bias is not None:
        layer.parameters["bias"][:] = bias
    y = layer.forward(x)
    dx = layer.backward(dy)
    return {"y": y, "dx": dx, "penalty": layer.penalty()} | layer.gradients


def loss(logits, labels):
    from keras_course.scratch import SoftmaxCrossEntropy

    cross = SoftmaxCrossEntropy()
    return [cross.forward(logits, labels), cross.backward()]


def logarithms(x):
    from keras_course.scratch import log_softmax

    return log_softmax(x)


def descend(parameters, gradients, learning_rate):
    """The parameters behind each of several steps."""
    from keras_course.scratch import SGD

    optimizer, found = SGD(learning_rate), []
    for step in gradients:
        optimizer.step(parameters, step)
        found.append({name: w.copy() for name, w in parameters.items()})
    return found


def gradient_behind_relu(logits, labels):
    """dL/dz for L the cross-entropy of relu(z)."""
    from keras_course.scratch import ReLU, SoftmaxCrossEntropy

    relu, cross = ReLU(), SoftmaxCrossEntropy()
    value = cross.forward(relu.forward(logits), labels)
    return [value, relu.backward(cross.backward())]


def refused(labels):
    from keras_course.base import InputError
    from keras_course.scratch import SoftmaxCrossEntropy

    import numpy as np

    try:
        SoftmaxCrossEntropy().forward(np.zeros((2, 3)), labels)
    except InputError as error:
        return str(error)
    return "accepted"


@points(2)
def test_a_dense_layer_and_its_gradients_are_those_of_the_tape(subject):
    kernel, bias, x = (tf.Variable(value) for value in (KERNEL, BIAS, X))
    with tf.GradientTape() as tape:
        y = x @ kernel + bias
        value = tf.reduce_sum(y * DY)
    by_x, by_kernel, by_bias = (g.numpy() for g in tape.gradient(value, [x, kernel, bias]))
    received = subject(dense, x=X, kernel=KERNEL, bias=BIAS, dy=DY, l2=0.0)
    same(received, {"y": y.numpy(), "dx": by_x, "penalty": 0.0, "kernel": by_kernel, "bias": by_bias})
    bare = subject(dense, x=X, kernel=KERNEL, bias=None, dy=DY, l2=0.0)
    same(bare["y"], y.numpy() - BIAS, what="without a bias")


def test_the_penalty_pulls_the_kernel_and_leaves_the_bias_alone(subject):
    """½ λ ‖W‖² adds λ W to the gradient of the kernel and nothing to that of the bias."""
    received = subject(dense, x=X, kernel=KERNEL, bias=BIAS, dy=np.zeros_like(DY), l2=0.3)
    same(received["kernel"], 0.3 * KERNEL, what="by the kernel")
    same(received["bias"], np.zeros(3), what="by the bias")


@points(2)
def test_the_loss_and_its_gradient_are_those_of_keras(subject):
    z = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(z)
        expected = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(LABELS, z, from_logits=True))
    value, gradient = subject(loss, logits=LOGITS, labels=LABELS)
    same(value, float(expected))
    same(gradient, tape.gradient(expected, z).numpy(), atol=1e-12)


def test_the_gradient_of_each_example_sums_to_zero(subject):
    """Softmax does not see a number added to all logits."""
    _, gradient = subject(loss, logits=LOGITS, labels=LABELS)
    same(gradient.sum(axis=1), np.zeros(5), atol=1e-12)


@points(2)
def test_logits_of_a_thousand_are_exact(subject):
    x = np.array([[1000.0, 0, -1000], [1e4, 1e4, -5]])
    same(subject(logarithms, x=x), log_softmax(x, axis=-1))
    value, gradient = subject(loss, logits=x, labels=np.array([2, 0]))
    same(value, (2000 + np.log(2)) / 2)
    assert np.isfinite(gradient).all()


def test_a_step_goes_down_the_gradient_in_place(subject):
    parameters = {"kernel": np.array([[1.0, -2.0]]), "bias": np.array([0.5])}
    gradients = [{"kernel": np.array([[4.0, 1.0]]), "bias": np.array([-1.0])}] * 2
    found = subject(descend, parameters=parameters, gradients=gradients, learning_rate=0.1)
    same(found[0], {"kernel": np.array([[0.6, -2.1]]), "bias": np.array([0.6])}, what="behind one step")
    same(found[1], {"kernel": np.array([[0.2, -2.2]]), "bias": np.array([0.7])}, what="behind two steps")


def test_clamped_logits_have_no_gradient_at_all(subject):
    """Behind a ReLU an example whose logits are all below 0 has the loss of a guess, and teaches nothing."""
    z = np.array([[-1.0, -2, -3], [2, -1, -1]])
    value, gradient = subject(gradient_behind_relu, logits=z, labels=np.array([0, 1]))
    p = np.exp(2) / (np.exp(2) + 2)
    same(value, (np.log(3) + np.log(np.exp(2) + 2)) / 2)
    same(gradient, np.array([[0, 0, 0], [p / 2, 0, 0]]))


def test_labels_outside_the_classes_are_refused(subject):
    for labels in ([0, 3], [-1, 0]):
        same(
            subject(refused, labels=np.array(labels)),
            f"`labels` must be a class from 0 to 2. Received: [{max(labels, key=abs)}].",
        )


def test_the_optimum_is_that_of_scikit_learn():
    """With an L2 penalty the problem is convex: any descent ends where LogisticRegression(C = 1 / (n λ)) does."""
    rng = np.random.default_rng(0)
    x, y, l2 = rng.normal(size=(60, 4)), rng.integers(0, 3, 60), 0.05
    net = scratch.Network([scratch.Dense(4, 3, rng=rng, l2=l2)])
    optimizer, cross = scratch.SGD(0.5), scratch.SoftmaxCrossEntropy()
    for _ in range(2000):
        scratch.train_step(net, cross, x, y, optimizer)
    expected = LogisticRegression(C=1 / (len(y) * l2), tol=1e-10, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(net.parameters["0/kernel"], expected.coef_.T, atol=1e-5)
    bias = net.parameters["0/bias"] - net.parameters["0/bias"].mean()  # a shift of all changes nothing
    np.testing.assert_allclose(bias, expected.intercept_ - expected.intercept_.mean(), atol=1e-5)


def test_twenty_steps_are_those_of_keras():
    splits, settings = data.load("digits"), Settings()
    net = network(splits, settings, np.random.default_rng(1), relu=True)
    kernel, bias = (tf.Variable(w) for w in net.parameters.values())
    x, y = splits.train.x[:320].astype("float64"), splits.train.y[:320]
    optimizer, cross = scratch.SGD(0.1), scratch.SoftmaxCrossEntropy()
    for i in range(0, 320, 16):
        with tf.GradientTape() as tape:
            logits = keras.ops.relu(x[i : i + 16].reshape(16, -1) @ kernel + bias)
            losses = keras.losses.sparse_categorical_crossentropy(y[i : i + 16], logits, from_logits=True)
            value = tf.reduce_mean(losses) + settings.l2 * tf.nn.l2_loss(kernel)
        for w, gradient in zip((kernel, bias), tape.gradient(value, (kernel, bias)), strict=True):
            w.assign_sub(0.1 * gradient)
        ours = scratch.train_step(net, cross, x[i : i + 16], y[i : i + 16], optimizer)["loss"]
        assert ours == pytest.approx(float(value), rel=1e-10)


DENSE, LOSSES = "keras_course/scratch/dense.py", "keras_course/scratch/losses.py"
MUTANTS = [
    Mutant(
        file=LOSSES,
        old="shifted = x - x.max(axis=-1, keepdims=True)",
        new="shifted = x",
        caught_by="test_logits_of_a_thousand_are_exact",
        trap="no max shift",
    ),
    Mutant(
        file=LOSSES,
        old="shifted = x - x.max(axis=-1, keepdims=True)",
        new="shifted = x - x.max()",
        caught_by="test_logits_of_a_thousand_are_exact",
        trap="one shift for the whole batch",
    ),
    Mutant(
        file=LOSSES,
        old="return gradient / len(gradient)",
        new="return gradient",
        caught_by="test_the_loss_and_its_gradient_are_those_of_keras",
        trap="a gradient that is not averaged over the batch",
    ),
    Mutant(
        file=LOSSES,
        old="self.labels] -= 1",
        new="self.labels] += 1",
        caught_by="test_the_gradient_of_each_example_sums_to_zero",
        trap="the label added",
    ),
    Mutant(
        file=DENSE,
        old="self.x.T @ dy + self.l2 * kernel",
        new="self.x.T @ dy",
        caught_by="test_the_penalty_pulls_the_kernel_and_leaves_the_bias_alone",
        trap="a penalty without a gradient",
    ),
    Mutant(
        file=DENSE,
        old="dy.sum(axis=0)",
        new='dy.sum(axis=0) + self.l2 * self.parameters["bias"]',
        caught_by="test_the_penalty_pulls_the_kernel_and_leaves_the_bias_alone",
        trap="L2 on the bias",
    ),
    Mutant(
        file=DENSE,
        old="dy.sum(axis=0)",
        new="dy.mean(axis=0)",
        caught_by="test_a_dense_layer_and_its_gradients_are_those_of_the_tape",
        trap="the bias's gradient averaged",
    ),
    Mutant(
        file="keras_course/scratch/optimizers.py",
        old="v -= self.learning_rate * gradients[name]",
        new="v += self.learning_rate * gradients[name]",
        caught_by="test_a_step_goes_down_the_gradient_in_place",
        trap="uphill",
    ),
    Mutant(
        file="keras_course/scratch/optimizers.py",
        old="            w += v",
        new="            w = w + v",
        caught_by="test_a_step_goes_down_the_gradient_in_place",
        trap="a new array instead of the layer's",
    ),
    Mutant(
        file="keras_course/scratch/activations.py",
        old="return dy * self.positive",
        new="return dy",
        caught_by="test_clamped_logits_have_no_gradient_at_all",
        trap="a gradient through clamped logits",
    ),
]
