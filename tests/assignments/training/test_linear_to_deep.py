import itertools
import math

from keras_course.check import Mutant, points, same

import numpy as np

RNG = np.random.default_rng(0)
LABELS = np.array([2, 0, 4])
LOGITS = RNG.normal(size=(3, 5)).astype("float32")


def cross_entropy(labels, logits):
    from assignments.training.linear_to_deep import softmax_cross_entropy

    return softmax_cross_entropy(labels, logits)


def scales(pairs):
    from assignments.training.linear_to_deep import initial_scale

    return [float(initial_scale(fan_in, activation)) for fan_in, activation in pairs]


def widths(cases):
    from assignments.training.linear_to_deep import equal_width

    return [equal_width(inputs, classes, tuple(hidden)) for inputs, classes, hidden in cases]


def starting_deviations(hidden, activation, scale):
    import types

    from assignments.training.linear_to_deep import Settings, network

    part = types.SimpleNamespace(x=types.SimpleNamespace(shape=(1, 300, 2)))
    splits = types.SimpleNamespace(train=part, classes=list(range(5)))
    model = network(splits, Settings(), hidden=tuple(hidden), activation=activation, scale=scale)
    return [float(layer.kernel.numpy().std()) for layer in model.layers if hasattr(layer, "kernel")]


def scaled_range():
    from keras_course import data

    import numpy as np

    splits = data.load("mnist")
    return [float(f(part.x)) for part in (splits.train, splits.validation, splits.test) for f in (np.min, np.max)]


@points(2)
def test_equals_the_definition_written_out(subject):
    """The loss of each example is -log softmax(logits)[label]."""
    wide = LOGITS.astype("float64")
    expected = -np.log(np.exp(wide) / np.exp(wide).sum(-1, keepdims=True))[range(3), LABELS]
    same(subject(cross_entropy, labels=LABELS, logits=LOGITS), expected.astype("float32"))


@points(2)
def test_logits_of_a_thousand_give_no_nan(subject):
    """Logits of ±1000 give exact losses, no NaN and no infinity."""
    logits = np.array([[1000.0, 0.0, -1000.0], [-1000.0, 1000.0, 1000.0]], "float32")
    expected = np.array([2000.0, math.log(2)], "float32")
    same(subject(cross_entropy, labels=np.array([2, 1]), logits=logits), expected)


def test_a_constant_added_to_all_logits_changes_nothing(subject):
    moved = LOGITS + np.array([[3.0], [-5.0], [0.5]], "float32")
    received = subject(cross_entropy, labels=LABELS, logits=moved)
    same(received, subject(cross_entropy, labels=LABELS, logits=LOGITS), atol=1e-5)


def test_initial_scale_is_that_of_he_for_relu_and_of_lecun_else(subject):
    """The scale is √(2/n) for ReLU and √(1/n) for tanh, sigmoid and a linear layer."""
    pairs = [[50, "relu"], [8, "relu"], [50, "tanh"], [9, "sigmoid"], [3, "linear"]]
    same(subject(scales, pairs=pairs), [0.2, 0.5, math.sqrt(0.02), 1 / 3, math.sqrt(1 / 3)])


@points(2)
def test_a_signal_keeps_its_size_through_thirty_relu_layers(subject):
    (deviation,) = subject(scales, pairs=[[400, "relu"]])
    rng, x = np.random.default_rng(1), np.random.default_rng(2).normal(size=(64, 400))
    for _ in range(30):
        x = np.maximum(x @ rng.normal(0, deviation, (400, 400)), 0)
    size = float(np.mean(x**2))
    assert 0.2 < size < 5, f"after 30 layers of 400 the mean square is {size:.3g}; it began at 1"


@points(2)
def test_the_wide_network_has_the_parameters_of_the_deep_one(subject):
    """No other width comes nearer to the number of parameters of the deep network."""
    cases = [[784, 10, [256, 128, 64]], [5, 3, [2]], [7, 2, [3, 5]], [2, 3, []]]
    received = subject(widths, cases=cases)
    for (inputs, classes, hidden), width in zip(cases, received, strict=True):
        sizes = [inputs, *hidden, classes]
        deep = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
        nearest = min(range(1, 2000), key=lambda w: abs((inputs + 1) * w + (w + 1) * classes - deep))
        same(width, nearest, what=f"{inputs} inputs, {classes} classes, hidden {hidden}")


def test_weights_start_at_the_scale_of_their_own_layer(subject):
    found = subject(starting_deviations, hidden=[200, 50], activation="relu", scale=3.0)
    same(found, [3 * math.sqrt(2 / n) for n in (600, 200, 50)], rtol=0.15)


def test_inputs_are_scaled_to_the_range_0_to_1(subject):
    """Pixels reach the network between 0 and 1 in every split."""
    same(subject(scaled_range), [0.0, 1.0] * 3)


MUTANTS = [
    Mutant(
        file="assignments/training/linear_to_deep.py",
        old="shifted = logits - keras.ops.max(logits, axis=-1, keepdims=True)",
        new="shifted = logits",
        caught_by="test_logits_of_a_thousand_give_no_nan",
        trap="no max shift",
    ),
    Mutant(
        file="assignments/training/linear_to_deep.py",
        old='gain = 2.0 if activation == "relu" else 1.0',
        new="gain = 1.0",
        caught_by="test_a_signal_keeps_its_size_through_thirty_relu_layers",
        trap="the halving by ReLU forgotten",
    ),
    Mutant(
        file="assignments/training/linear_to_deep.py",
        old="sum((a + 1) * b",
        new="sum(a * b",
        caught_by="test_the_wide_network_has_the_parameters_of_the_deep_one",
        trap="biases not counted",
    ),
    Mutant(
        file="keras_course/data/loading.py",
        old="np.float32(1 / dataset.white)",
        new="np.float32(1)",
        caught_by="test_inputs_are_scaled_to_the_range_0_to_1",
        trap="inputs not scaled",
    ),
]
