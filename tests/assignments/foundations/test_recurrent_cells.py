from assignments.foundations.recurrent_cells import cells, gates, parameters, reader, units_of
from keras_course.check import Mutant, points, same

import keras
import numpy as np

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 5, 3)).astype("float32")
H, C = (RNG.normal(size=(2, 4)).astype("float32") for _ in range(2))
THEIRS = {"RNN": keras.layers.SimpleRNNCell, "LSTM": keras.layers.LSTMCell, "GRU": keras.layers.GRUCell}


def weights_of(name):
    """Random weights of the shapes that Keras's cell has, no two blocks alike."""
    cell = THEIRS[name](4)
    cell.build((None, 3))
    rng = np.random.default_rng(1)
    return [rng.normal(size=w.shape).astype("float32") for w in cell.weights]


def one_step(name, weights, x, states):
    """The output and the new states of one step."""
    from keras_course import layers

    cell = getattr(layers, f"{name}Cell")(weights[1].shape[0])
    cell.build((None, x.shape[-1]))
    cell.set_weights(weights)
    output, new = cell.call(x, states)
    return [output, list(new)]


def over_time(name, weights, x, dy):
    """All outputs, and the gradients by the input and the weights, run by `keras.layers.RNN` in a graph."""
    from keras_course import layers

    import keras
    import tensorflow as tf

    layer = keras.layers.RNN(getattr(layers, f"{name}Cell")(weights[1].shape[0]), return_sequences=True)
    layer.build(x.shape)
    layer.set_weights(weights)

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            value = tf.reduce_sum(y * dy)
        return [y, *tape.gradient(value, [x, *layer.trainable_variables])]

    return list(run(tf.constant(x)))


def new_bias(name):
    from keras_course import layers

    cell = getattr(layers, f"{name}Cell")(2)
    cell.build((None, 3))
    return cell.bias.numpy()


def expected_step(name, states):
    cell = THEIRS[name](4)
    cell.build((None, 3))
    cell.set_weights(weights_of(name))
    output, new = cell(X[:, 0], states)
    return [np.asarray(output), [np.asarray(s) for s in (new if isinstance(new, list | tuple) else [new])]]


@points(2)
def test_a_step_of_the_rnn_cell_is_that_of_keras(subject):
    same(subject(one_step, name="RNN", weights=weights_of("RNN"), x=X[:, 0], states=[H]), expected_step("RNN", [H]))


@points(3)
def test_a_step_of_the_lstm_cell_is_that_of_keras(subject):
    """Output, h and c; the gates in the order i, f, c, o."""
    received = subject(one_step, name="LSTM", weights=weights_of("LSTM"), x=X[:, 0], states=[H, C])
    same(received, expected_step("LSTM", [H, C]))


@points(3)
def test_a_step_of_the_gru_cell_is_that_of_keras(subject):
    """The reset gate acts behind the product; both biases count."""
    same(subject(one_step, name="GRU", weights=weights_of("GRU"), x=X[:, 0], states=[H]), expected_step("GRU", [H]))


@points(2)
def test_outputs_and_gradients_over_time_are_those_of_keras(subject):
    import tensorflow as tf

    dy = RNG.normal(size=(2, 5, 4)).astype("float32")
    for name, theirs in THEIRS.items():
        layer = keras.layers.RNN(theirs(4), return_sequences=True)
        layer.build(X.shape)
        layer.set_weights(weights_of(name))
        with tf.GradientTape() as tape:
            x = tf.constant(X)
            tape.watch(x)
            y = layer(x)
            value = tf.reduce_sum(y * dy)
        expected = [g.numpy() for g in (y, *tape.gradient(value, [x, *layer.trainable_variables]))]
        received = subject(over_time, name=name, weights=weights_of(name), x=X, dy=dy)
        same(received, expected, rtol=1e-4, atol=1e-5, what=name)


def test_a_cell_that_forgets_nothing_and_adds_nothing_keeps_its_state(subject):
    """Forget gate wide open, input gate shut: c stays to the last digit, for any x."""
    kernel, recurrent = np.zeros((3, 16), "float32"), np.zeros((4, 16), "float32")
    bias = np.repeat([-100.0, 100, 5, 0], 4).astype("float32")  # i, f, g, o
    output, (_, c) = subject(one_step, name="LSTM", weights=[kernel, recurrent, bias], x=X[:, 0], states=[H, C])
    same(c, C, what="the cell state")
    same(output, np.tanh(C) / 2, what="the output")


def test_a_new_lstm_remembers(subject):
    """The bias of the forget gate starts at 1, all others at 0."""
    same(subject(new_bias, name="LSTM"), np.array([0, 0, 1, 1, 0, 0, 0, 0], "float32"))
    same(subject(new_bias, name="GRU"), np.zeros((2, 6), "float32"))


def test_the_cells_are_compared_at_equal_parameters():
    for name, (_, blocks, biases) in cells().items():
        model = reader(name, (5, 3), 2, 4, 0)
        assert model.layers[1].count_params() == parameters(3, 4, blocks, biases)
        units = units_of(name, 3, 500)
        assert abs(parameters(3, units, blocks, biases) - 500) < 80


def test_the_gates_that_are_drawn_are_those_of_the_network():
    model = reader("LSTM", (None, 3), 2, 4, 0)
    _, states = gates(model, X[0])
    kept = keras.layers.LSTM(4, return_state=True)
    kept.build(X.shape)
    kept.set_weights(model.layers[1].get_weights())
    np.testing.assert_allclose(states[-1], kept(X[:1])[2][0], rtol=1e-5, atol=1e-6)


FILE = "keras_course/layers/recurrent.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="i, f, g, o = ops.split(z, 4, axis=-1)",
        new="i, f, o, g = ops.split(z, 4, axis=-1)",
        caught_by="test_a_step_of_the_lstm_cell_is_that_of_keras",
        trap="gate order: the output gate before the candidate, as others have it",
    ),
    Mutant(
        file=FILE,
        old="i, f, g, o = ops.split(z, 4, axis=-1)",
        new="f, i, g, o = ops.split(z, 4, axis=-1)",
        caught_by="test_a_cell_that_forgets_nothing_and_adds_nothing_keeps_its_state",
        trap="input and forget gate exchanged",
    ),
    Mutant(
        file=FILE,
        old="ops.sigmoid(i) * ops.tanh(g)",
        new="ops.sigmoid(i) * ops.sigmoid(g)",
        caught_by="test_a_step_of_the_lstm_cell_is_that_of_keras",
        trap="a candidate that can only add",
    ),
    Mutant(
        file=FILE,
        old="h = ops.sigmoid(o) * ops.tanh(c)",
        new="h = ops.sigmoid(o) * c",
        caught_by="test_a_cell_that_forgets_nothing_and_adds_nothing_keeps_its_state",
        trap="the tanh of the output forgotten",
    ),
    Mutant(
        file=FILE,
        old="return h, [h, c]",
        new="return h, [c, h]",
        caught_by="test_outputs_and_gradients_over_time_are_those_of_keras",
        trap="the two states exchanged",
    ),
    Mutant(
        file=FILE,
        old="ops.concatenate([0 * one, one, 0 * one, 0 * one])",
        new="ops.concatenate([one, 0 * one, 0 * one, 0 * one])",
        caught_by="test_a_new_lstm_remembers",
        trap="the wrong gate's bias at 1",
    ),
    Mutant(
        file=FILE,
        old="h = update * h + (1 - update) * candidate",
        new="h = (1 - update) * h + update * candidate",
        caught_by="test_a_step_of_the_gru_cell_is_that_of_keras",
        trap="the update gate turned around, as some papers have it",
    ),
    Mutant(
        file=FILE,
        old="candidate = ops.tanh(from_x[2] + reset * from_h[2])",
        new="candidate = ops.tanh(from_x[2] + from_h[2])",
        caught_by="test_a_step_of_the_gru_cell_is_that_of_keras",
        trap="no reset",
    ),
    Mutant(
        file=FILE,
        old="h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel) + self.bias)",
        new="h = ops.tanh(ops.matmul(inputs, self.kernel)) + ops.matmul(h, self.recurrent_kernel) + self.bias",
        caught_by="test_a_step_of_the_rnn_cell_is_that_of_keras",
        trap="a state that grows outside of the tanh",
    ),
]
