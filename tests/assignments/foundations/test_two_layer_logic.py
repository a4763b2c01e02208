import itertools

from assignments.foundations.two_layer_logic import EXERCISE, ROWS, Settings, most_right, single_unit, truth_table
from keras_course import scratch
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 3)), np.array([1.0, 0, 1, 1, 0])
PARAMETERS = {"w1": RNG.normal(size=(3, 2)), "b1": RNG.normal(size=2), "w2": RNG.normal(size=2), "b2": np.array(0.7)}


def values(parameters, x):
    from assignments.foundations.two_layer_logic import forward

    hidden, p = forward(parameters, x)
    return [hidden, p]


def derivatives(parameters, x, y):
    from assignments.foundations.two_layer_logic import gradients

    return gradients(parameters, x, y)


def parted(x, y):
    from assignments.foundations.two_layer_logic import separable

    return bool(separable(x, y))


def of_the_tape():
    variables = {name: tf.Variable(w) for name, w in PARAMETERS.items()}
    with tf.GradientTape() as tape:
        hidden = tf.sigmoid(X @ variables["w1"] + variables["b1"])
        p = tf.sigmoid(tf.linalg.matvec(hidden, variables["w2"]) + variables["b2"])
        loss = tf.reduce_mean(0.5 * (p - Y) ** 2)
    return hidden, p, {name: g.numpy() for name, g in tape.gradient(loss, variables).items()}


def test_hidden_values_and_answers_are_those_of_two_dense_layers(subject):
    hidden, p, _ = of_the_tape()
    same(subject(values, parameters=PARAMETERS, x=X), [hidden.numpy(), p.numpy()], rtol=1e-9)


@points(3)
def test_the_gradients_are_those_of_the_tape(subject):
    received = subject(derivatives, parameters=PARAMETERS, x=X, y=Y)
    for name, expected in of_the_tape()[2].items():
        same(np.asarray(received[name]), np.asarray(expected), rtol=1e-9, what=name)


@points(2)
def test_the_gradients_pass_the_check_by_differences(subject):
    parameters = {name: w.copy() for name, w in PARAMETERS.items()}
    claimed = {name: np.asarray(g) for name, g in subject(derivatives, parameters=parameters, x=X, y=Y).items()}

    def loss():
        return float(np.mean(0.5 * (subject(values, parameters=parameters, x=X)[1] - Y) ** 2))

    for row in scratch.compare_gradients(loss, parameters, claimed, samples=3):
        assert row["error"] < 1e-6, f"{row['name']}: relative error {row['error']:.1e}"


@points(2)
def test_the_gradients_are_averaged_over_the_rows(subject):
    """The same rows twice have the same gradients."""
    once = subject(derivatives, parameters=PARAMETERS, x=X, y=Y)
    twice = subject(derivatives, parameters=PARAMETERS, x=np.tile(X, (2, 1)), y=np.tile(Y, 2))
    for name in PARAMETERS:
        same(np.asarray(twice[name]), np.asarray(once[name]), what=name)


@points(2)
def test_the_linear_program_knows_what_a_unit_can_learn(subject):
    """AND and OR can be parted by a line, XOR and the function of this assignment cannot."""
    x = np.array(list(itertools.product((0.0, 1), repeat=2)))
    for name, y, expected in (("AND", [0, 0, 0, 1], True), ("OR", [0, 1, 1, 1], True), ("XOR", [0, 1, 1, 0], False)):
        same(subject(parted, x=x, y=np.array(y)), expected, what=name)
    same(subject(parted, x=x, y=np.zeros(4)), True, what="false everywhere")
    rows, truth = truth_table()
    same(subject(parted, x=rows, y=truth), False, what="NOT((x0 XOR x1) AND x2)")
    same(subject(parted, x=rows + 5, y=(rows[:, 0] > 0).astype(float)), True, what="x0, far from the origin")


def test_the_truth_table_is_the_function():
    x, y = truth_table()
    np.testing.assert_array_equal(x, ROWS)
    np.testing.assert_array_equal(y, [not ((a ^ b) and c) for a, b, c in ROWS])


def test_of_all_labelings_of_three_bits_104_can_be_learned_by_a_unit_and_this_is_not_one():
    """104 is the known number of threshold functions of three variables."""
    result = EXERCISE.run(EXERCISE.quick, None)
    assert result.scores["labelings_a_unit_can_learn"] == 104
    x, y = truth_table()
    assert most_right(x, y) == 7
    assert most_right(x, x[:, 0]) == 8


@pytest.mark.parametrize("seed", [0, 1])
def test_the_figure_of_the_source_is_a_distance(seed):
    answers = single_unit(Settings(seed=seed))
    assert np.linalg.norm(answers - truth_table()[1]) == pytest.approx(1.119, abs=0.001)


FILE = "assignments/foundations/two_layer_logic.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="delta2 = (p - y) * p * (1 - p) / len(x)",
        new="delta2 = (p - y) * p * (1 - p)",
        caught_by="test_the_gradients_are_averaged_over_the_rows",
        trap="gradients not averaged over the batch",
    ),
    Mutant(
        file=FILE,
        old='"b1": delta1.sum(axis=0)',
        new='"b1": delta1.mean(axis=0)',
        caught_by="test_the_gradients_are_those_of_the_tape",
        trap="averaged twice",
    ),
    Mutant(
        file=FILE,
        old='np.outer(delta2, parameters["w2"]) * hidden * (1 - hidden)',
        new='np.outer(delta2, parameters["w2"])',
        caught_by="test_the_gradients_pass_the_check_by_differences",
        trap="the hidden sigmoid's derivative forgotten",
    ),
    Mutant(
        file=FILE,
        old='x @ parameters["w1"] + parameters["b1"]',
        new='x @ parameters["w1"]',
        caught_by="test_hidden_values_and_answers_are_those_of_two_dense_layers",
        trap="no bias in the hidden layer",
    ),
    Mutant(
        file=FILE,
        old="np.hstack([x, np.ones((len(x), 1))])",
        new="np.hstack([x, np.zeros((len(x), 1))])",
        caught_by="test_the_linear_program_knows_what_a_unit_can_learn",
        trap="a unit without a bias",
    ),
    Mutant(
        file=FILE,
        old="bounds=(None, None)",
        new="bounds=(0, None)",
        caught_by="test_the_linear_program_knows_what_a_unit_can_learn",
        trap="the default bounds of linprog, which allow no negative weight",
    ),
]
