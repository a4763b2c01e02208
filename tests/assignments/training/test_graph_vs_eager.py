from typing import NamedTuple

from assignments.training.graph_vs_eager import FACTORS, WAYS, Settings, batches_of, measured, traces
from keras_course.base import InputError
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 2)).astype("float32")  # two batches of three examples
LABELS = np.array([[4, 0, 2], [1, 1, 3]])
KERNEL = RNG.normal(size=(2, 5)).astype("float32")
BIAS = RNG.normal(size=5).astype("float32")
RANGED = RNG.normal(size=(2, 5, 3)).astype("float32")  # the two parts of five batches


class Part(NamedTuple):
    x: np.ndarray
    y: np.ndarray


class Network(NamedTuple):
    weight: np.ndarray

    def get_weights(self):
        return [self.weight]

    def count_params(self):
        return 2


def descend(kernel, bias, x, labels, rate, momentum, graph):
    """The losses and the weights after one step on each batch, of a linear model."""
    from assignments.training.graph_vs_eager import train_step

    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input(kernel.shape[:1]), keras.layers.Dense(kernel.shape[1])])
    model.set_weights([kernel, bias])
    optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    optimizer.build(model.trainable_variables)
    step = tf.function(train_step) if graph else train_step
    losses = [step(model, optimizer, tf.constant(a), tf.constant(b)) for a, b in zip(x, labels, strict=True)]
    return losses, model.get_weights()


def train_frozen_and_normalised(x, labels):
    """The kernel of a frozen layer before and after a step, and the moving mean of a batch normalisation."""
    from assignments.training.graph_vs_eager import train_step

    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    frozen = keras.layers.Dense(2, trainable=False)
    norm = keras.layers.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input(x.shape[1:]), norm, frozen, keras.layers.Dense(5)])
    before = frozen.kernel.numpy()
    train_step(model, keras.optimizers.SGD(0.1), tf.constant(x), tf.constant(labels))
    return before, frozen.kernel.numpy(), norm.moving_mean.numpy()


def run_ranges(a, b, ranges, jit_compile):
    """The losses of each range of steps, and the state they leave; a step makes state · 2 + Σ a·b of the state."""
    from assignments.training.graph_vs_eager import epoch_in_graph

    import tensorflow as tf

    state = tf.Variable(1.0)

    def step(a, b):
        state.assign(state * 2 + tf.reduce_sum(a * b))
        return state + 0.0

    epoch = epoch_in_graph(step, (tf.constant(a), tf.constant(b)), jit_compile=jit_compile)
    return [epoch(start, stop) for start, stop in ranges], state


def count_traces(steps, ranges, jit_compile):
    """How often Python has run the step, after each range."""
    from assignments.training.graph_vs_eager import epoch_in_graph

    import tensorflow as tf

    seen, counts = [], []

    def step(a):
        seen.append(a)
        return tf.reduce_sum(a)

    epoch = epoch_in_graph(step, (tf.ones((steps, 3)),), jit_compile=jit_compile)
    for start, stop in ranges:
        epoch(start, stop)
        counts.append(len(seen))
    return counts


def python_calls(steps):
    """How many Python functions are called by an epoch of so many steps, once it is traced."""
    import sys

    from assignments.training.graph_vs_eager import epoch_in_graph

    import tensorflow as tf

    epoch, calls = epoch_in_graph(tf.reduce_sum, (tf.ones((steps, 3)),)), []
    epoch(0, steps)
    sys.setprofile(lambda frame, event, argument: calls.append(event))
    try:
        epoch(0, steps)
    finally:
        sys.setprofile(None)
    return len(calls)


def runs_python_inside(jit_compile):
    """Whether an epoch runs whose step calls back to Python, which XLA cannot compile."""
    from assignments.training.graph_vs_eager import epoch_in_graph

    import numpy as np
    import tensorflow as tf

    def step(a):
        return tf.ensure_shape(tf.numpy_function(lambda a: np.float32(a.sum()), [a], tf.float32), ())

    epoch = epoch_in_graph(step, (tf.ones((2, 3)),), jit_compile=jit_compile)
    try:
        epoch(0, 2)
    except tf.errors.OpError:
        return False
    return True


def all_ways(x, labels):
    """label -> the losses of two epochs and the weights after them, from the same start."""
    import functools

    from assignments.training.graph_vs_eager import WAYS, train_step, ways
    from keras_course import models

    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    start, found = models.mlp(x.shape[2:], 5, hidden=(4, 3)).get_weights(), {}
    for way in WAYS:
        model, optimizer = models.mlp(x.shape[2:], 5, hidden=(4, 3)), keras.optimizers.SGD(0.1)
        model.set_weights(start)
        optimizer.build(model.trainable_variables)
        epoch = ways(functools.partial(train_step, model, optimizer), (tf.constant(x), tf.constant(labels)))[way]
        found[way] = [np.concatenate([epoch(), epoch()]), model.get_weights()]
    return found


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def descend_by_hand(kernel, bias, x, labels, rate, momentum):
    losses, weights, moved = [], [kernel.astype("float64"), bias.astype("float64")], [0.0, 0.0]
    for batch, label in zip(x.astype("float64"), labels, strict=True):
        p = softmax(batch @ weights[0] + weights[1])  # (n, classes)
        losses.append(-np.log(p[range(len(label)), label]).mean())
        error = (p - np.eye(len(bias))[label]) / len(label)  # dL/dlogits
        moved = [momentum * m - rate * g for m, g in zip(moved, (batch.T @ error, error.sum(0)), strict=True)]
        weights = [w + m for w, m in zip(weights, moved, strict=True)]
    return np.float32(losses), [w.astype("float32") for w in weights]


def losses_by_hand(a, b, ranges):
    """What `run_ranges` should return: float32 losses of each range, and the last state."""
    state, found = 1.0, []
    for start, stop in ranges:
        losses = []
        for i in range(start, stop):
            state = state * 2 + float((a[i] * b[i]).sum())
            losses.append(state)
        found.append(np.array(losses, "float32"))
    return found, np.float32(state)


@points(2)
def test_a_step_goes_down_the_gradient_of_the_mean_cross_entropy(subject):
    """Two steps of gradient descent give the losses and the weights that the formulas give."""
    inputs = {"kernel": KERNEL, "bias": BIAS, "x": X, "labels": LABELS, "rate": 0.5, "momentum": 0.0}
    losses, weights = subject(descend, graph=False, **inputs)
    expected, expected_weights = descend_by_hand(**inputs)
    same(losses, list(expected), what="losses")
    same(weights, expected_weights, what="weights")


def test_the_optimizer_given_makes_the_step(subject):
    """With momentum the second step remembers the first."""
    inputs = {"kernel": KERNEL, "bias": BIAS, "x": X, "labels": LABELS, "rate": 0.2, "momentum": 0.9}
    same(subject(descend, graph=False, **inputs)[1], descend_by_hand(**inputs)[1], what="weights")


def test_a_step_is_the_same_in_a_graph(subject):
    inputs = {"kernel": KERNEL, "bias": BIAS, "x": X, "labels": LABELS, "rate": 0.5, "momentum": 0.9}
    same(subject(descend, graph=True, **inputs), subject(descend, graph=False, **inputs), rtol=1e-6)


def test_a_step_trains_what_is_trainable_and_in_training_mode(subject):
    """A frozen layer keeps its kernel; a batch normalisation sees that this is training."""
    before, after, moving_mean = subject(train_frozen_and_normalised, x=X[0], labels=LABELS[0])
    same(after, before, what="kernel of the frozen layer")
    same(moving_mean, X[0].mean(axis=0) / 2, what="moving mean")  # from 0 with momentum 0.5


@points(2)
def test_a_range_of_steps_gives_the_losses_of_these_steps_in_order(subject):
    """Each range runs its steps once, in order, and returns their losses, shape (stop - start,)."""
    check_ranges(subject, None)


def test_an_epoch_compiles_with_xla(subject):
    """With jit_compile=True the losses are the same."""
    check_ranges(subject, True)


def check_ranges(subject, jit_compile):
    a, b = RANGED
    ranges = [(0, 2), (2, 5), (1, 4), (4, 5), (0, 5)]
    losses, state = subject(run_ranges, a=a, b=b, ranges=ranges, jit_compile=jit_compile)
    expected, last = losses_by_hand(a, b, ranges)
    for which, received, due in zip(ranges, losses, expected, strict=True):
        same(received, due, what=f"losses of {which}")
    same(state, last, what="state after all ranges")


@points(2)
def test_new_numbers_cost_no_new_trace(subject):
    """Whatever the range and the number of steps, the step is traced exactly once."""
    ranges = [(0, 2), (0, 1), (1, 2), (0, 2)]
    same(subject(count_traces, steps=2, ranges=ranges, jit_compile=None), [1, 1, 1, 1], what="traces so far")
    same(subject(count_traces, steps=5, ranges=[(0, 5), (3, 5)], jit_compile=True), [1, 1], what="traces so far")


@points(2)
def test_python_has_no_more_to_do_for_more_steps(subject):
    """Fifty steps are one call of one graph, as two steps are."""
    few, many = subject(python_calls, steps=2), subject(python_calls, steps=50)
    assert many < 2 * few, f"{few} Python functions are called for 2 steps and {many} for 50"


def test_jit_compile_reaches_the_graph(subject):
    """XLA compiles if it is asked to, and only then."""
    same([subject(runs_python_inside, jit_compile=choice) for choice in (None, True)], [True, False])


@points(2)
def test_four_ways_give_the_same_losses_and_weights(subject):
    """Eager, a step a graph, an epoch a graph and XLA agree up to 1e-6."""
    found = subject(all_ways, x=X, labels=LABELS)
    for way, values in found.items():
        same(values, found["eager"], rtol=1e-6, what=way)


def test_every_python_number_is_a_trace_and_tensors_share_one():
    assert traces(FACTORS, float) == len(FACTORS)
    assert traces((2.0, 3.0, 2.0), float) == 2
    assert traces(FACTORS, tf.constant) == 1


def test_batches_are_whole_and_in_the_order_of_the_split():
    split = Part(np.arange(22.0).reshape(11, 2), np.arange(11))
    images, labels = batches_of(split, Settings(examples=100, batch_size=3))
    assert labels.numpy().tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert (images.numpy() == split.x[:9].reshape(3, 3, 2)).all()
    assert batches_of(split, Settings(examples=5, batch_size=2))[0].shape == (2, 2, 2)


def test_fewer_examples_than_a_batch_are_refused():
    with pytest.raises(InputError, match=r"`examples` must be enough for a batch of 32\. Received: 5\."):
        batches_of(Part(np.zeros((50, 2)), np.zeros(50)), Settings(examples=5))


def test_speed_is_that_of_later_epochs_and_differences_are_from_eager():
    networks = {way: Network(np.float32([i, 0])) for i, way in enumerate(WAYS)}
    seconds = {way: [100.0, 6 / 2**i, 10 / 2**i] for i, way in enumerate(WAYS)}
    losses = {way: [np.float32([1, 2]), np.float32([3, 4 - i / 8])] for i, way in enumerate(WAYS)}
    result = measured(Settings(), None, losses, seconds, networks)
    assert [result.scores[name] for name in ("speed_step", "speed_epoch", "speed_xla")] == [2, 4, 8]
    assert result.scores["largest_loss_gap"] == 3 / 8
    ((_, rows),) = result.tables.items()
    assert [row["first epoch, in later epochs"] for row in rows] == [12.5, 25, 50, 100]
    assert [row["largest difference of a weight"] for row in rows] == ["0.0e+00", "1.0e+00", "2.0e+00", "3.0e+00"]


FILE = "assignments/training/graph_vs_eager.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="input_signature=[tf.TensorSpec((), tf.int32)] * 2, jit_compile",
        new="jit_compile",
        caught_by="test_new_numbers_cost_no_new_trace",
        trap="Python number arguments retrace each step",
    ),
    Mutant(
        file=FILE,
        old="for i in tf.range(start, stop):",
        new="for i in range(total):",
        caught_by="test_new_numbers_cost_no_new_trace",
        trap="a Python loop is unrolled",
    ),
    Mutant(
        file=FILE,
        old="return lambda start, stop: traced(start, stop)[start:stop]",
        new="step = tf.function(step, jit_compile=jit_compile)\n"
        "    return lambda start, stop: tf.stack([step(*(part[i] for part in batches)) for i in range(start, stop)])",
        caught_by="test_python_has_no_more_to_do_for_more_steps",
        trap="a graph for each step and the loop in Python",
    ),
    Mutant(
        file=FILE,
        old="traced(start, stop)[start:stop]",
        new="traced(start, stop)",
        caught_by="test_a_range_of_steps_gives_the_losses_of_these_steps_in_order",
        trap="room for all losses is returned",
    ),
    Mutant(
        file=FILE,
        old="step(*(part[i] for part in batches))",
        new="step(*(part[start] for part in batches))",
        caught_by="test_four_ways_give_the_same_losses_and_weights",
        trap="the same batch in each step",
    ),
    Mutant(
        file=FILE,
        old="jit_compile=jit_compile)\n    return",
        new=")\n    return",
        caught_by="test_jit_compile_reaches_the_graph",
        trap="XLA is asked for and not used",
    ),
    Mutant(
        file=FILE,
        old="""losses = tf.zeros(total)
        for i in tf.range(start, stop):
            losses = tf.tensor_scatter_nd_update(losses, [[i]], [step(*(part[i] for part in batches))])
        return losses
""",
        new="""losses = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        for i in tf.range(start, stop):
            losses = losses.write(i, step(*(part[i] for part in batches)))
        return losses.stack()
""",
        caught_by="test_an_epoch_compiles_with_xla",
        trap="an array that grows, which XLA refuses",
    ),
    Mutant(
        file=FILE,
        old=", from_logits=True",
        new="",
        caught_by="test_a_step_goes_down_the_gradient_of_the_mean_cross_entropy",
        trap="logits are taken for probabilities",
    ),
    Mutant(
        file=FILE,
        old="tf.reduce_mean(losses)",
        new="tf.reduce_sum(losses)",
        caught_by="test_a_step_goes_down_the_gradient_of_the_mean_cross_entropy",
        trap="the sum instead of the mean",
    ),
    Mutant(
        file=FILE,
        old="    return loss\n",
        new="    return tf.reduce_mean(\n"
        "        keras.losses.sparse_categorical_crossentropy(labels, model(x, training=True), from_logits=True)\n"
        "    )\n",
        caught_by="test_a_step_goes_down_the_gradient_of_the_mean_cross_entropy",
        trap="the loss after the step",
    ),
    Mutant(
        file=FILE,
        old="    return loss\n",
        new="    return loss.numpy()\n",
        caught_by="test_a_step_is_the_same_in_a_graph",
        trap="a number is asked for that the graph does not have yet",
    ),
    Mutant(
        file=FILE,
        old="optimizer.apply(tape.gradient(loss, variables), variables)",
        new="[v.assign_sub(optimizer.learning_rate * g) for v, g in zip(variables, tape.gradient(loss, variables))]",
        caught_by="test_the_optimizer_given_makes_the_step",
        trap="plain descent whatever the optimizer",
    ),
    Mutant(
        file=FILE,
        old="model(x, training=True)",
        new="model(x)",
        caught_by="test_a_step_trains_what_is_trainable_and_in_training_mode",
        trap="the model is not told that it trains",
    ),
    Mutant(
        file=FILE,
        old="variables = model.trainable_variables",
        new="variables = [w for layer in model.layers for w in getattr(layer, '_trainable_variables')]",
        caught_by="test_a_step_trains_what_is_trainable_and_in_training_mode",
        trap="frozen weights are trained too",
    ),
]
