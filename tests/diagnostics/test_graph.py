from keras_course.diagnostics import graph
from keras_course.diagnostics.experiments import replay_of
from tests.diagnostics.trained import X, Y, loop, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers


def traced(function, *inputs):
    return function.get_concrete_function(*inputs).graph


def test_the_class_of_each_value():
    weight = tf.Variable(np.ones((5, 3), "float32"))

    @tf.function
    def step(x):
        literal = tf.identity(tf.constant([2.0, 3.0, 5.0]), name="literal")
        tf.multiply(x, 2.0, name="data")
        tf.multiply(weight, 2.0, name="weights")
        tf.multiply(tf.random.normal((2, 3)), 2.0, name="draws")
        product = tf.matmul(x, weight, name="mixed")
        tf.multiply(tf.random.normal((5, 3)), weight, name="sampled")
        tf.multiply(tf.cast(tf.shape(x), "float32"), 2.0, name="form")
        return product + literal

    found = graph.classes_of(traced(step, tf.constant(X[:2])).get_operations())
    named = {"literal": graph.CONSTANT, "form": graph.CONSTANT, "data": graph.DATA, "weights": graph.WEIGHTS,
             "draws": graph.RANDOM, "mixed": graph.MIXED, "sampled": graph.MIXED}  # fmt: skip
    assert {name: found[f"{name}:0"] for name in named} == named


def test_arrays_in_a_graph_are_data_from_twenty_rows_on():
    @tf.function
    def step():
        return tf.identity(np.ones((19, 2), "float32"), name="few"), tf.identity(
            np.ones((20, 2), "float32"), name="many"
        )

    found = graph.classes_of(traced(step).get_operations(), literal=True)
    assert (found["few:0"], found["many:0"]) == (graph.CONSTANT, graph.DATA)
    assert graph.DATA not in graph.classes_of(traced(step).get_operations()).values()


def test_numbers_of_words_are_data():
    """What a lookup gives is cut off where the steps are run again: nobody can make its table anew."""
    words = np.array(["yes", "no"])[Y % 2]
    lookup = layers.StringLookup(vocabulary=["yes", "no"])
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    weight = tf.Variable(np.ones((3, 3), "float32"), name="weight")

    def loss(a, b):
        return tf.reduce_mean(tf.gather(weight, lookup(b)) * model(a))

    variables = [*(v.value for v in model.trainable_variables), weight]
    (training,) = watched(lambda: loop(loss, variables, steps=3, y=words))
    replay = replay_of(training)
    assert replay is not None
    assert {a.dtype.kind for batch in replay.batches for a in batch} == {"f", "i"}
    replay.close()


def test_what_a_value_is_computed_from():
    @tf.function
    def step(x):
        other = tf.square(x, name="other")
        return tf.exp(tf.negative(x, name="inner"), name="outer") + 0 * other

    operations = traced(step, tf.constant(2.0))
    outer = operations.get_tensor_by_name("outer:0")
    assert [op.name for op in graph.ancestors(outer)] == ["x", "inner", "outer"]


def test_a_captured_value_is_what_stands_outside_of_all_graphs():
    """As of the body of a loop in a function, which captures what the function has captured."""
    weight = tf.Variable(3.0)
    outer = inner = None

    @tf.function
    def step():
        nonlocal outer, inner
        outer = tf.compat.v1.get_default_graph().capture(weight.handle)

        @tf.function
        def body():
            nonlocal inner
            inner = tf.compat.v1.get_default_graph().capture(outer)

        body.get_concrete_function()

    step.get_concrete_function()
    assert inner.graph is not outer.graph
    assert graph.external(inner) is weight.handle


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (lambda x: tf.constant(2.5), 2.5),
        (lambda x: x, None),
        (lambda x: tf.constant([2.5]), None),
        (lambda x: tf.math.log(2.0 * tf.constant(np.pi)) / 2.0, np.log(2 * np.pi) / 2),
        (lambda x: -(tf.sqrt(tf.constant(4.0)) ** 3.0) - tf.constant(1.5), -9.5),
        (lambda x: 2.0 * x, None),
        (lambda x: tf.constant(2.0) * tf.constant([2.5]), None),
    ],
)
def test_numbers_that_stand_in_the_program(value, number):
    found = []
    tf.function(lambda x: found.append(graph.constant(value(x)))).get_concrete_function(tf.constant(1.0))
    assert found == [number if number is None else pytest.approx(number)]


@pytest.mark.parametrize(
    ("made", "head"),
    [
        (lambda z: tf.nn.softmax(z), "softmax"),
        (lambda z: tf.reshape(tf.nn.sigmoid(z), (-1,)), "sigmoid"),
        (lambda z: 10.0 * tf.tanh(z), "tanh"),
        (lambda z: tf.tanh(z) * 10.0, "tanh"),
        (lambda z: z + 1.0, "linear"),
        (lambda z: tf.exp(z), ""),
    ],
)
def test_the_activation_that_made_a_value(made, head):
    found = []
    tf.function(lambda z: found.append(graph.head_of(made(z)))).get_concrete_function(tf.constant([[1.0, 2.0]]))
    assert found == [head]
