from keras_course.diagnostics import forward
from tests.diagnostics.trained import X, Y, crossentropy, forward_of, loop, watched

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

BOTH = pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
IMAGES = np.random.default_rng(1).normal(size=(20, 6, 5, 1)).astype("float32")
IDS = np.random.default_rng(2).integers(0, 9, (20, 4)).astype("int32")


def read(found):
    return [(f.unit.name, f.unit.kind, f.unit.activation, f.unit.normalised) for f in found.found]


@BOTH
def test_units_are_linear_operations_with_what_follows(graph):
    found = forward_of(
        [layers.Dense(7, "relu", name="a"), layers.BatchNormalization(), layers.Dense(4, "tanh", name="b"),
         layers.Dense(3, name="c")],
        graph=graph,
    )  # fmt: skip
    assert read(found) == [("a", "dense", "relu", True), ("b", "dense", "tanh", False), ("c", "dense", "linear", False)]
    assert [set(f.unit.variables) for f in found.found] == [{f"{n}/kernel", f"{n}/bias"} for n in "abc"]
    assert (found.name, found.from_logits, found.head) == ("sparse_categorical_crossentropy", True, "linear")


@pytest.mark.parametrize(
    ("activation", "read_as"),
    [
        ("relu", "relu"),
        ("sigmoid", "sigmoid"),
        ("elu", "elu"),
        ("gelu", "gelu"),
        ("silu", "swish"),
        ("softplus", "softplus"),
    ],
)
def test_activations(activation, read_as):
    assert read(forward_of([layers.Dense(7, activation, name="a"), layers.Dense(3, name="b")]))[0][2] == read_as


@BOTH
def test_a_relu_with_a_threshold(graph):
    given = layers.ReLU(threshold=0.5), layers.Lambda(lambda h: h * tf.cast(h > 0.5, h.dtype))
    for lets_through in given:
        parts = [layers.Dense(7, name="a"), lets_through, layers.Dense(3, name="b")]
        assert read(forward_of(parts, graph=graph))[0][2] == "relu"
    other = layers.Lambda(lambda h: h * tf.cast(tf.cumsum(h, 1) > 0.5, h.dtype))  # by what others are
    assert (
        read(forward_of([layers.Dense(7, name="a"), other, layers.Dense(3, name="b")], graph=graph))[0][2] == "linear"
    )


def test_the_last_unit_has_the_softmax_behind_whose_back_keras_takes_the_logits():
    loss = keras.losses.SparseCategoricalCrossentropy()
    found = forward_of([layers.Dense(3, "softmax", name="a")], loss=lambda m, x, y: tf.reduce_mean(loss(y, m(x))))
    assert read(found) == [("a", "dense", "softmax", False)]


@BOTH
def test_convolution_embedding_recurrence_and_attention(graph):
    conv = forward_of([layers.Conv2D(3, 2, activation="relu", name="c"), layers.Flatten(), layers.Dense(3, name="d")],
                      x=IMAGES, y=Y[:20], graph=graph)  # fmt: skip
    assert read(conv) == [("c", "conv", "relu", False), ("d", "dense", "linear", False)]
    text = forward_of([layers.Embedding(9, 4, name="e"), layers.LSTM(5, name="l"), layers.Dense(3, name="d")],
                      x=IDS, y=Y[:20])  # fmt: skip
    assert [row[:2] for row in read(text)][:2] == [("e", "embedding"), ("l/lstm_cell", "recurrent")]

    inputs = keras.Input((4,), dtype="int32")
    x = layers.Embedding(9, 4, name="e")(inputs)
    x = layers.MultiHeadAttention(2, 3, name="m")(x, x)
    model = keras.Model(inputs, layers.Dense(3, name="d")(layers.Flatten()(x)))
    (training,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), [v.value for v in model.trainable_variables],
                     steps=1, x=IDS, y=Y[:20], graph=graph)
    )  # fmt: skip
    names = [row[0] for row in read(training.forward)]
    assert names[0] == "e"
    assert {"m/query", "m/key", "m/value", "m/attention_output"} <= set(names)
    assert all(row[2] == "linear" for row in read(training.forward) if row[0] != "d"), "the softmax is of no unit"


@BOTH
def test_noise_draws_and_moving_averages(graph):
    def noisy(model, x, y):
        return crossentropy(model, x + tf.random.normal(tf.shape(x), stddev=2.0), y)

    def evaluating(model, x, y):
        logits = model(x, training=False)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))

    plain = [layers.Dense(4, name="a"), layers.Dense(3, name="b")]
    found = forward_of(plain, loss=noisy, graph=graph)
    assert found.noise is not None
    assert found.draws
    assert not forward_of([layers.Dense(3)], graph=graph).draws
    assert forward_of([layers.Dropout(0.5), layers.Dense(3)], graph=graph).draws
    norm = [layers.Dense(4), layers.BatchNormalization(), layers.Dense(3)]
    assert forward_of(norm, loss=evaluating, graph=graph).moving
    assert not forward_of([layers.Dense(4), layers.BatchNormalization(), layers.Dense(3)], graph=graph).moving


@BOTH
def test_a_deviation_of_draws_is_known_from_dropout_and_noise(graph):
    def drawn(model, x, y):
        z = model(x, training=True)
        return tf.reduce_mean(tf.square(z[:, :1] + tf.exp(z[:, 1:2]) * tf.random.normal(tf.shape(z[:, :1]))))

    def uniform(model, x, y):
        return tf.reduce_mean(model(x, training=True)[:, 0] * tf.random.uniform((10,)))

    assert forward_of([layers.Dense(3)], loss=drawn, graph=graph).sampled
    assert not forward_of([layers.Dense(3)], loss=uniform, graph=graph).sampled
    assert not forward_of([layers.GaussianNoise(1.0), layers.Dropout(0.5), layers.Dense(3)], graph=graph).sampled


def test_arrays_of_the_script_are_data_where_a_step_is_fed_nothing():
    """A step on all rows at once, which stand in its graph."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(7, "relu", name="a"), layers.Dense(3, name="b")])

    @tf.function
    def step():
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=Y, logits=model(X)))

    graph = step.get_concrete_function().graph
    names = {id(v.value.handle): v.path for v in model.variables}
    found = forward.read(graph.get_operation_by_name(graph.outputs[0].op.inputs[0].op.name).outputs[0], names)
    assert [(f.unit.name[-1], f.unit.activation) for f in found.found] == [("a", "relu"), ("b", "linear")]
    assert [tuple(t.shape) for t in found.boundary if t.dtype == tf.float32] == [X.shape]


def test_sines_are_activations():
    found = forward_of([layers.Dense(7, lambda z: tf.sin(3 * z), name="a"), layers.Dense(3, name="b")])
    assert read(found)[0][2] == "sine"
