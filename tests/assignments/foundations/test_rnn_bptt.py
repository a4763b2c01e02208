from assignments.foundations.rnn_bptt import Settings, gradient_norms, remembering
from keras_course import scratch
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import tensorflow as tf

RNG = np.random.default_rng(0)
X, DY = RNG.normal(size=(2, 5, 3)), RNG.normal(size=(2, 5, 4))
WEIGHTS = {
    "kernel": RNG.normal(size=(3, 4)),
    "recurrent_kernel": 0.5 * RNG.normal(size=(4, 4)),
    "bias": RNG.normal(size=4),
}


def through_time(x, dy, weights, linear):
    """States, gradients by the weights, by the input and by the states."""
    from keras_course.scratch import RNN

    import numpy as np

    layer = RNN(x.shape[2], dy.shape[2], rng=np.random.default_rng(0), linear=linear)
    layer.parameters = dict(weights)
    h = layer.forward(x)
    dx = layer.backward(dy)
    return {"h": h, "dx": dx, "states": layer.state_gradients} | layer.gradients


def of_the_tape():
    """The same in Keras, and the gradients by each state from a loop that watches them."""
    layer = keras.layers.SimpleRNN(4, return_sequences=True, dtype="float64")
    layer.build(X.shape)
    layer.set_weights(list(WEIGHTS.values()))
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        h = layer(x)
        value = tf.reduce_sum(h * DY)
        state, states, total = tf.zeros((2, 4), tf.float64), [], 0.0
        for t in range(5):
            state = tf.tanh(x[:, t] @ WEIGHTS["kernel"] + state @ WEIGHTS["recurrent_kernel"] + WEIGHTS["bias"])
            states.append(state)
            total += tf.reduce_sum(state * DY[:, t])
    by_weights = dict(zip(WEIGHTS, tape.gradient(value, layer.trainable_variables), strict=True))
    expected = {"h": h, "dx": tape.gradient(value, x), "states": tf.stack(tape.gradient(total, states), axis=1)}
    return {name: np.asarray(v) for name, v in (expected | by_weights).items()}


@points(2)
def test_the_states_are_those_of_keras(subject):
    same(subject(through_time, x=X, dy=DY, weights=WEIGHTS, linear=False)["h"], of_the_tape()["h"], rtol=1e-9)


@points(4)
def test_the_gradients_by_weights_input_and_states_are_those_of_the_tape(subject):
    received = subject(through_time, x=X, dy=DY, weights=WEIGHTS, linear=False)
    for name, expected in of_the_tape().items():
        same(received[name], expected, rtol=1e-6, atol=1e-9, what=name)


@points(2)
def test_the_gradients_of_the_shared_weights_are_sums_over_the_steps(subject):
    """dL/dx tells δ of each step, where W can be inverted: the weights' gradients are their sums with x, and alone."""
    x, kernel = RNG.normal(size=(2, 5, 4)), np.eye(4) + 0.1 * RNG.normal(size=(4, 4))
    found = subject(through_time, x=x, dy=DY, weights=WEIGHTS | {"kernel": kernel}, linear=False)
    delta = found["dx"] @ np.linalg.inv(kernel).T  # (n, time, units)
    same(found["kernel"], sum(x[:, t].T @ delta[:, t] for t in range(5)), what="by the kernel")
    same(found["bias"], sum(delta[:, t].sum(axis=0) for t in range(5)), what="by the bias")
    same(found["recurrent_kernel"], sum(found["h"][:, t].T @ delta[:, t + 1] for t in range(4)), what="by U")


def test_a_step_does_not_see_what_comes_after_it(subject):
    """The states up to step t are the same whatever x holds later, and dL/dx of later steps is 0 then."""
    later = X.copy()
    later[:, 3:] += 1
    plain, changed = (subject(through_time, x=x, dy=DY, weights=WEIGHTS, linear=False)["h"] for x in (X, later))
    same(plain[:, :3], changed[:, :3], what="states before the change")
    early = DY.copy()
    early[:, 2:] = 0
    found = subject(through_time, x=X, dy=early, weights=WEIGHTS, linear=False)
    same(found["dx"][:, 2:], np.zeros((2, 3, 3)), what="dL/dx behind the last step that counts")


@points(2)
def test_in_a_linear_network_a_step_back_is_a_product_with_u_transposed(subject):
    """dL/dh_t = dL/dh_T (Uᵀ)^(T - t), so an orthogonal U keeps its length and 1.5 of it makes it 1.5 times as long."""
    q = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    last = np.zeros_like(DY)
    last[:, -1] = DY[:, -1]
    states = subject(through_time, x=X, dy=last, weights=WEIGHTS, linear=True)["states"]
    powers = [np.linalg.matrix_power(WEIGHTS["recurrent_kernel"].T, 4 - t) for t in range(5)]
    same(states, np.stack([DY[:, -1] @ power for power in powers], axis=1), what="dL/dh of each step")
    for radius in (0.5, 1.0, 1.5):
        weights = WEIGHTS | {"recurrent_kernel": radius * q}
        states = subject(through_time, x=X, dy=last, weights=weights, linear=True)["states"]
        lengths = np.linalg.norm(states, axis=-1)
        same(lengths / lengths[:, -1:], np.tile(radius ** np.arange(4.0, -1, -1), (2, 1)), what=f"radius {radius}")


def test_the_tanh_only_shortens_a_gradient(subject):
    """Its slope is below 1 where the state is not 0: a rotation keeps the length, and what is left shrinks."""
    q = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
    last = np.zeros_like(DY)
    last[:, -1] = DY[:, -1]
    states = subject(through_time, x=X, dy=last, weights=WEIGHTS | {"recurrent_kernel": q}, linear=False)["states"]
    lengths = np.linalg.norm(states, axis=-1)
    assert (lengths[:, :-1] < (1 - 1e-6) * lengths[:, 1:]).all(), lengths


def test_the_layer_passes_the_gradient_check():
    layer = scratch.RNN(3, 4, rng=np.random.default_rng(1))
    assert max(row["error"] for row in scratch.gradcheck(layer, X)) < 1e-7


def test_the_norms_of_the_run_are_the_power_law():
    for radius in (0.5, 1.5):
        norms = gradient_norms(Settings(steps=20, units=5), radius, 0, linear=True)
        np.testing.assert_allclose(norms, radius ** np.arange(20), rtol=1e-9)


def test_the_symbol_stands_at_the_first_step_and_nowhere_else():
    x, labels = remembering(200, 6, 3, np.random.default_rng(0))
    assert x.shape == (200, 7, 3)
    np.testing.assert_array_equal(x[:, 0].argmax(axis=1), labels)
    assert np.abs(x[:, 1:]).max() < 0.6


FILE = "keras_course/scratch/recurrent.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old='"kernel": np.tensordot(self.x, delta, axes=((0, 1), (0, 1))),',
        new='"kernel": self.x[:, -1].T @ delta[:, -1],',
        caught_by="test_the_gradients_of_the_shared_weights_are_sums_over_the_steps",
        trap="the shared weight's gradient of the last step only",
    ),
    Mutant(
        file=FILE,
        old='"recurrent_kernel": np.tensordot(before, delta, axes=((0, 1), (0, 1))),',
        new='"recurrent_kernel": np.tensordot(before, delta, axes=((0, 1), (0, 1))) / dy.shape[1],',
        caught_by="test_the_gradients_by_weights_input_and_states_are_those_of_the_tape",
        trap="averaged over the steps",
    ),
    Mutant(
        file=FILE,
        old="np.tensordot(before, delta, axes=((0, 1), (0, 1)))",
        new="np.tensordot(self.h, delta, axes=((0, 1), (0, 1)))",
        caught_by="test_the_gradients_by_weights_input_and_states_are_those_of_the_tape",
        trap="h_t where h_{t-1} belongs",
    ),
    Mutant(
        file=FILE,
        old="later = delta[:, t] @ recurrent.T",
        new="later = delta[:, t] @ recurrent",
        caught_by="test_in_a_linear_network_a_step_back_is_a_product_with_u_transposed",
        trap="U where Uᵀ belongs",
    ),
    Mutant(
        file=FILE,
        old="self.state_gradients[:, t] = dy[:, t] + later",
        new="self.state_gradients[:, t] = dy[:, t]",
        caught_by="test_the_gradients_by_weights_input_and_states_are_those_of_the_tape",
        trap="nothing passed back through time",
    ),
    Mutant(
        file=FILE,
        old="slope = 1.0 if self.linear else 1 - self.h[:, t] ** 2",
        new="slope = 1.0",
        caught_by="test_the_tanh_only_shortens_a_gradient",
        trap="the slope of the tanh forgotten",
    ),
    Mutant(
        file=FILE,
        old="state = projected[:, t] + state @ recurrent",
        new="state = projected[:, t] + (self.h[:, t - 1] if t else projected[:, -1]) @ recurrent",
        caught_by="test_a_step_does_not_see_what_comes_after_it",
        trap="the first step takes the end of the sequence for its past",
    ),
]
