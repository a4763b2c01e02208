from assignments.foundations.activations import EXERCISE, saturation
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest
import tensorflow as tf

Z = np.array([[-3.0, -0.5, 0.2], [1.5, 4.0, -7.0]])
DY = np.array([[1.0, -2.0, 0.5], [0.3, 2.0, -1.0]])
KERAS = {
    "sigmoid": keras.ops.sigmoid,
    "tanh": keras.ops.tanh,
    "relu": keras.ops.relu,
    "leaky_relu": lambda z: keras.ops.leaky_relu(z, negative_slope=0.25),
    "softmax": lambda z: keras.ops.softmax(z, axis=-1),
}


def functions(z):
    """The values of each function; leaky ReLU with slope ¼."""
    from keras_course import scratch

    import numpy as np

    return {
        "sigmoid": scratch.sigmoid(z),
        "tanh": np.tanh(z),
        "relu": scratch.relu(z),
        "leaky_relu": scratch.leaky_relu(z, 0.25),
        "softmax": scratch.softmax(z),
    }


def gradients(z, dy):
    """dL/dz of each layer."""
    from keras_course import scratch

    layers = {
        "sigmoid": scratch.Sigmoid(),
        "tanh": scratch.Tanh(),
        "relu": scratch.ReLU(),
        "leaky_relu": scratch.LeakyReLU(0.25),
        "softmax": scratch.Softmax(),
    }
    found = {}
    for name, layer in layers.items():
        layer.forward(z)
        found[name] = layer.backward(dy)
    return found


def two_class_head(z):
    from keras_course import scratch

    return scratch.sigmoid(scratch.relu(z))


@points(2)
def test_values_are_those_of_keras(subject):
    received = subject(functions, z=Z)
    same(received, {name: function(tf.constant(Z)).numpy() for name, function in KERAS.items()}, rtol=1e-9, atol=1e-12)


@points(3)
def test_gradients_are_those_of_the_tape(subject):
    expected = {}
    for name, function in KERAS.items():
        z = tf.constant(Z)
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = tf.reduce_sum(function(z) * DY)
        expected[name] = tape.gradient(value, z).numpy()
    same(subject(gradients, z=Z, dy=DY), expected, rtol=1e-9, atol=1e-12)


@points(2)
def test_values_of_a_thousand_are_exact(subject):
    with np.errstate(over="raise", invalid="raise"):
        received = subject(functions, z=np.array([[1000.0, 0, -1000]]))
    same(received["sigmoid"], np.array([[1.0, 0.5, 0.0]]), what="sigmoid")
    same(received["softmax"], np.array([[1.0, 0, 0]]), what="softmax")
    same(received["leaky_relu"], np.array([[1000.0, 0, -250]]), what="leaky ReLU")


def test_sigmoid_is_exact_far_down_where_it_is_small(subject):
    """σ(-40) is e⁻⁴⁰ and not 0: what is small is not nothing."""
    same(subject(functions, z=np.array([[-40.0]]))["sigmoid"], np.array([[np.exp(-40)]]), rtol=1e-12, atol=0)


def test_softmax_rows_sum_to_one_and_do_not_see_a_shift(subject):
    p = subject(functions, z=Z)["softmax"]
    same(p.sum(axis=1), np.ones(2), what="the sums of the rows")
    same(subject(functions, z=Z + np.array([[100.0], [-3]]))["softmax"], p, what="behind a shift of each row")


def test_tanh_is_a_stretched_sigmoid(subject):
    """tanh(z) = 2 σ(2 z) - 1, and so are their derivatives related."""
    same(2 * subject(functions, z=2 * Z)["sigmoid"] - 1, subject(functions, z=Z)["tanh"])
    same(4 * subject(gradients, z=2 * Z, dy=DY)["sigmoid"], subject(gradients, z=Z, dy=DY)["tanh"], rtol=1e-6)


def test_derivatives_are_largest_at_zero(subject):
    """σ' is at most ¼ and tanh' at most 1."""
    z = np.linspace(-5, 5, 101)[None]
    found = subject(gradients, z=z, dy=np.ones_like(z))
    for name, most in (("sigmoid", 0.25), ("tanh", 1.0)):
        same(float(found[name].max()), most, what=name)
        same(int(found[name].argmax()), 50, what=f"where {name} is steepest")


def test_the_softmax_gradient_is_the_jacobian_times_dy(subject):
    """∂y/∂z = diag(p) - p pᵀ."""
    p = subject(functions, z=Z)["softmax"]
    expected = np.stack([(np.diag(row) - np.outer(row, row)) @ dy for row, dy in zip(p, DY, strict=True)])
    same(subject(gradients, z=Z, dy=DY)["softmax"], expected)


def test_a_sigmoid_behind_a_relu_never_says_class_0(subject):
    """σ(ReLU(z)) is at least ½ for every z, so the threshold ½ answers class 1 always."""
    p = subject(two_class_head, z=np.array([-1e3, -2.0, -1e-9, 0, 1e-9, 3]))
    assert (p >= 0.5).all()
    same(p[:4], np.full(4, 0.5), what="for z of 0 and below")


def test_the_saturation_points_are_where_the_derivative_falls_below_the_limit():
    limits = saturation(1e-3)
    assert limits["sigmoid"] == pytest.approx(6.9058, abs=1e-4)
    for name, function in (("sigmoid", KERAS["sigmoid"]), ("tanh", KERAS["tanh"])):
        z = tf.constant(limits[name], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = function(z)
        assert float(tape.gradient(value, z)) == pytest.approx(1e-3, rel=1e-6)


def test_the_head_that_cannot_say_no_scores_the_base_rate():
    result = EXERCISE.run(EXERCISE.quick, None)
    rows = {row["head"]: row for row in result.tables["Two heads at the threshold ½"]}
    base = float(np.mean(result.arrays["truth"]))
    assert rows["σ(ReLU(z))"]["accuracy"] == base
    assert rows["σ(ReLU(z))"]["recall of class 0"] == 0
    assert rows["σ(z)"]["accuracy"] > 1 - base - 0.01


LIBRARY = "keras_course/scratch/activations.py"
MUTANTS = [
    Mutant(
        file=LIBRARY,
        old="small = np.exp(-np.abs(x))\n    return np.where(x >= 0, 1, small) / (1 + small)",
        new="return np.exp(x) / (1 + np.exp(x))",
        caught_by="test_values_of_a_thousand_are_exact",
        trap="a sigmoid that overflows",
    ),
    Mutant(
        file=LIBRARY,
        old="small = np.exp(-np.abs(x))\n    return np.where(x >= 0, 1, small) / (1 + small)",
        new="small = np.exp(-np.abs(x))\n    return np.where(x >= 0, 1 / (1 + small), 1 - 1 / (1 + small))",
        caught_by="test_sigmoid_is_exact_far_down_where_it_is_small",
        trap="a small value lost in 1 - 1",
    ),
    Mutant(
        file=LIBRARY,
        old="shifted = np.exp(x - x.max(axis=-1, keepdims=True))",
        new="shifted = np.exp(x)",
        caught_by="test_values_of_a_thousand_are_exact",
        trap="no max shift in the softmax",
    ),
    Mutant(
        file=LIBRARY,
        old="shifted.sum(axis=-1, keepdims=True)",
        new="shifted.sum()",
        caught_by="test_softmax_rows_sum_to_one_and_do_not_see_a_shift",
        trap="one sum for the whole batch",
    ),
    Mutant(
        file=LIBRARY,
        old="return dy * self.y * (1 - self.y)",
        new="return dy * self.y * (1 + self.y)",
        caught_by="test_derivatives_are_largest_at_zero",
        trap="the sign in σ'",
    ),
    Mutant(
        file=LIBRARY,
        old="return dy * (1 - self.y**2)",
        new="return dy * (1 - self.y)",
        caught_by="test_gradients_are_those_of_the_tape",
        trap="tanh' without the square",
    ),
    Mutant(
        file=LIBRARY,
        old="return np.where(self.positive, dy, self.slope * dy)",
        new="return np.where(self.positive, dy, 0)",
        caught_by="test_gradients_are_those_of_the_tape",
        trap="a leak in the values only",
    ),
    Mutant(
        file=LIBRARY,
        old="return self.y * (dy - np.sum(self.y * dy, axis=-1, keepdims=True))",
        new="return self.y * (1 - self.y) * dy",
        caught_by="test_the_softmax_gradient_is_the_jacobian_times_dy",
        trap="only the diagonal of softmax's Jacobian",
    ),
    Mutant(
        file=LIBRARY,
        old="return np.where(x > 0, x, slope * x)",
        new="return np.where(x > 0, x, slope)",
        caught_by="test_values_are_those_of_keras",
        trap="a leak that is a constant",
    ),
]
