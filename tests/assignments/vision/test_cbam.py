import math
import types

from assignments.vision import cbam
from assignments.vision.cbam import Settings, gates, noise_of
from keras_course import data, layers, models
from keras_course.check import Mutant, points, same
from tests.layers.reference import conv, sigmoid

import numpy as np
import pytest

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(2, 5, 7, 4)) / 2 - [0, 0, 2, 0]).astype("float32")  # the third channel is negative throughout
SQUEEZE = np.array(
    [[0.9, -0.4], [0.5, 0.7], [-0.3, 0.8], [-0.2, 0.8]], "float32"
)  # the mean wakes one unit, the maximum both
EXPAND = np.array([[0.8, -0.5, -0.9, 0.3], [-0.2, 0.6, -0.3, 0.9]], "float32")
KERNEL = (RNG.normal(size=(7, 7, 2, 1)) / 5).astype("float32")


def channel_gate(x, squeeze, expand):
    """M_c = sigmoid(W1 relu(W0 mean) + W1 relu(W0 max)), written out."""
    average, largest = (np.maximum(f(x, axis=(1, 2)) @ squeeze, 0) @ expand for f in (np.mean, np.max))
    return sigmoid(average + largest)[:, None, None, :]


def spatial_gate(x, kernel):
    """M_s = sigmoid(f([mean; max])), written out."""
    return sigmoid(conv(np.stack([x.mean(axis=-1), x.max(axis=-1)], axis=-1), kernel))


def by_channel(x, squeeze, expand):
    """The gate, and what the layer makes of x."""
    from keras_course.layers import ChannelAttention

    import keras

    layer = ChannelAttention(reduction=squeeze.shape[0] // squeeze.shape[1])
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([squeeze, expand])
    return [layer.gate(keras.ops.convert_to_tensor(x)), model(x)]


def by_place(x, kernel):
    """The gate, and what the layer makes of x."""
    from keras_course.layers import SpatialAttention

    import keras

    layer = SpatialAttention(kernel.shape[0])
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([kernel])
    return [layer.gate(keras.ops.convert_to_tensor(x)), model(x)]


def gradients(kind, x, weights, upstream):
    """The gradients of sum(upstream * layer(x)) by x and by each weight."""
    from keras_course import layers

    import tensorflow as tf

    x = tf.constant(x)
    channel = kind == "channel"
    layer = layers.ChannelAttention(reduction=2) if channel else layers.SpatialAttention()
    layer.build(x.shape)
    layer.set_weights(weights)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(upstream * layer(x))
    return tape.gradient(loss, [x, *[w.value for w in layer.weights]], unconnected_gradients="zero")


def branch_with_and_without(x):
    """What a residual block adds to x without CBAM, and with a CBAM whose weights are zero."""
    from keras_course.layers import ResidualBlock

    import numpy as np

    blocks = [ResidualBlock(x.shape[-1], attention=attention) for attention in (None, "cbam")]
    for block in blocks:
        block.build(x.shape)
        for part in ("first", "second"):
            getattr(block, part).set_weights(getattr(blocks[0], part).get_weights())
    blocks[1].gate.set_weights([np.zeros(w.shape) for w in blocks[1].gate.weights])
    return [block(x) - x for block in blocks]


def gates_of_a_network(images):
    """For each weight of the gates of a small residual network its shape and the size of the logits' gradient."""
    from keras_course import models

    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = models.resnet(images.shape[1:], 3, blocks=(1, 1), filters=16, attention="cbam")
    weights = [w for layer in model.layers if hasattr(layer, "gate") for w in layer.gate.weights]
    for w in weights:
        w.assign(np.abs(w))  # every unit of the MLP is awake
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images) * [[1.0, -2.0, 0.5]])
    found = tape.gradient(loss, [w.value for w in weights], unconnected_gradients="zero")
    return [(tuple(w.shape), float(np.abs(gradient).max())) for w, gradient in zip(weights, found, strict=True)]


@points(2)
def test_the_channel_gate_is_the_definition_written_out(subject):
    """The channel gate is sigmoid(MLP(mean) + MLP(max)), mean and maximum over space."""
    expected = channel_gate(X, SQUEEZE, EXPAND).astype("float32")
    gate, output = subject(by_channel, x=X, squeeze=SQUEEZE, expand=EXPAND)
    same(gate, expected, what="the gate")
    same(output, X * expected, what="the gated maps")


@points(2)
def test_the_spatial_gate_is_the_definition_written_out(subject):
    """The spatial gate is the sigmoid of a convolution of the mean and the maximum over channels."""
    for kernel in (KERNEL, KERNEL[2:5, 2:5]):
        expected = spatial_gate(X, kernel).astype("float32")
        gate, output = subject(by_place, x=X, kernel=kernel)
        same(gate, expected, what=f"the gate of a kernel {len(kernel)} wide")
        same(output, X * expected, what="the gated maps")


def test_permuted_channels_permute_the_channel_gate(subject):
    order = [2, 0, 3, 1]
    gate, _ = subject(by_channel, x=X, squeeze=SQUEEZE, expand=EXPAND)
    permuted, _ = subject(by_channel, x=X[..., order], squeeze=SQUEEZE[order], expand=EXPAND[:, order])
    same(permuted, gate[..., order])


def test_the_channel_gate_is_one_number_for_all_places(subject):
    """The channel gate has size 1 in height and width, and moved pixels do not change it."""
    gate, _ = subject(by_channel, x=X, squeeze=SQUEEZE, expand=EXPAND)
    same(gate.shape, (2, 1, 1, 4))
    moved, _ = subject(by_channel, x=X[:, ::-1, [3, 6, 0, 5, 1, 4, 2]], squeeze=SQUEEZE, expand=EXPAND)
    same(moved, gate)


def test_the_spatial_gate_is_one_number_for_all_channels(subject):
    """The spatial gate has one channel, and the order of the channels does not change it."""
    gate, _ = subject(by_place, x=X, kernel=KERNEL)
    same(gate.shape, (2, 5, 7, 1))
    permuted, _ = subject(by_place, x=X[..., [2, 0, 3, 1]], kernel=KERNEL)
    same(permuted, gate)


def test_gates_lie_between_0_and_1(subject):
    """Every gate lies between 0 and 1, and no two images have the same."""
    for gate, _ in (
        subject(by_channel, x=X, squeeze=SQUEEZE, expand=EXPAND),
        subject(by_place, x=X, kernel=KERNEL),
    ):
        assert gate.min() > 0, f"a gate of {gate.min():.3g}"
        assert gate.max() < 1, f"a gate of {gate.max():.3g}"
        assert np.abs(gate[0] - gate[1]).max() > 0.01, "the gate does not depend on the image"


@points(2)
def test_a_pixel_opens_and_shuts_the_7_by_7_around_it(subject):
    """The gate of a pixel sees the 7 × 7 pixels around it and no others."""
    x = RNG.normal(size=(1, 9, 11, 2)).astype("float32")
    changed, expected = x.copy(), np.zeros((9, 11), bool)
    changed[0, 4, 6] += 1
    expected[1:8, 3:10] = True
    before, after = (subject(by_place, x=each, kernel=np.abs(KERNEL) + 0.1)[0][0, :, :, 0] for each in (x, changed))
    same(np.abs(before - after) > 1e-6, expected, what="where the gate moved")


@points(2)
def test_the_gradient_passes_the_gates_as_well_as_the_maps(subject):
    """The gradients by the maps and by the weights are those of x · gate(x)."""
    upstream = RNG.normal(size=X.shape).astype("float32")
    cases = {"channel": (channel_gate, [SQUEEZE, EXPAND]), "spatial": (spatial_gate, [KERNEL])}
    for kind, (gate, weights) in cases.items():
        at = [value.astype("float64") for value in (X, *weights)]
        received = subject(gradients, kind=kind, x=X, weights=weights, upstream=upstream)
        for i, gradient in enumerate(received):
            way, ends = RNG.normal(size=gradient.shape), []
            for step in (1e-6, -1e-6):
                x, *moved = [value + step * way if j == i else value for j, value in enumerate(at)]
                ends.append(np.sum(upstream * x * gate(x, *moved)))
            what = f"{kind} attention, the gradient by {f'weight {i}' if i else 'the maps'}"
            same(float(np.sum(gradient * way)), float(ends[0] - ends[1]) / 2e-6, rtol=1e-3, atol=1e-3, what=what)


@points(2)
def test_two_half_open_gates_leave_a_quarter_of_the_branch(subject):
    """With all weights of the CBAM zero, both gates are ½, and a residual block adds a quarter of what it would."""
    without, gated = subject(branch_with_and_without, x=X)
    same(gated, without / 4, atol=1e-5)


def test_every_weight_of_the_gates_moves_the_logits(subject):
    """In the residual network the gradient of the logits reaches each MLP and each 7 × 7 kernel."""
    found = subject(gates_of_a_network, images=RNG.uniform(size=(5, 9, 8, 1)).astype("float32"))
    same([shape for shape, _ in found], [(16, 2), (2, 16), (7, 7, 2, 1), (32, 4), (4, 32), (7, 7, 2, 1)])
    for shape, size in found:
        assert size > 1e-6, f"the gradient by a weight of shape {shape} is {size:.3g}"


def test_the_gates_that_are_drawn_are_those_that_the_network_uses(monkeypatch):
    model = models.resnet((9, 8, 1), 3, blocks=(1, 2), filters=8, attention="cbam")
    images = RNG.uniform(size=(2, 9, 8, 1)).astype("float32")
    used = []
    for kind in (layers.ChannelAttention, layers.SpatialAttention):
        own = kind.gate
        monkeypatch.setattr(kind, "gate", lambda self, x, own=own: used.append(own(self, x)) or used[-1])
    model(images)
    expected = np.concatenate([np.ravel(gate) for gate in used])
    assert expected.shape == (2 * (8 + 9 * 8 + 2 * (16 + 5 * 4)),)
    np.testing.assert_allclose(gates(model, images), expected, rtol=1e-5)


def test_noise_is_the_standard_error_of_the_mean():
    assert noise_of([1.0, 2.0, 6.0]) == pytest.approx(math.sqrt(7 / 3))  # variance 7 of three numbers


def test_both_networks_train_on_the_same_batches_several_times_and_are_tested_on_others(monkeypatch):
    parts = [
        data.Split(np.full((n, 8, 8, 1), mark, "float32"), np.arange(n) % 2)
        for mark, n in ((0.25, 8), (0.5, 5), (0.75, 9))
    ]
    splits = data.Splits(*parts, name="marked", source="small", classes=("a", "b"), licence="none")
    trained, tested = [], []

    def marks(batches):
        return {float(pixel) for images, _ in batches.dataset() for pixel in np.ravel(images)}

    def fit(model, objective, batches, *, validation, stage, **options):
        trained.append((stage, batches.seed, marks(batches), marks(validation)))
        return {"val_accuracy": [0.5]}

    def evaluate(model, objective, batches):
        tested.append(marks(batches))
        return {"accuracy": [0.5, 0.5, 0.5, 0.75, 0.5, 1.0][len(tested) - 1]}

    recorder = types.SimpleNamespace(fit=fit, evaluate=evaluate, classification=None)
    monkeypatch.setattr(cbam, "training", recorder)
    monkeypatch.setattr(cbam.data, "load", lambda *_, **__: splits, raising=False)
    scores = cbam.run(Settings(blocks=(1,), filters=2, seed=2), None).scores
    assert trained == [(f"{arm}_{i}", 2000 + i, {0.25}, {0.5}) for i in range(3) for arm in ("plain", "cbam")]
    assert tested == [{0.75}] * 6
    assert (scores["plain"], scores["cbam"], scores["gain"]) == (0.5, 0.75, 0.25)
    assert scores["gain_standard_error"] == pytest.approx(0.25 / math.sqrt(3))


@pytest.mark.parametrize("preset", [cbam.EXERCISE.small, cbam.EXERCISE.full])
def test_what_is_reported_comes_from_three_seeds_or_more(preset):
    assert preset.repeats >= 3


FILE = "keras_course/layers/cbam.py"

MUTANTS = [
    Mutant(
        file=FILE,
        old="self.conv(ops.concatenate([average, largest], axis=-1))",
        new="ops.matmul(ops.concatenate([average, largest], axis=-1), self.conv.kernel[3, 3])",
        caught_by="test_a_pixel_opens_and_shuts_the_7_by_7_around_it",
        trap="1×1 for the 7×7",
    ),
    Mutant(
        file=FILE,
        old="reduction: int = 8, kernel_size: int = 7",
        new="reduction: int = 8, kernel_size: int = 1",
        caught_by="test_every_weight_of_the_gates_moves_the_logits",
        trap="1×1 for the 7×7 in the network",
    ),
    Mutant(
        file=FILE,
        old="return self.spatial(self.channel(x))",
        new="return x",
        caught_by="test_every_weight_of_the_gates_moves_the_logits",
        trap="module built but unused",
    ),
    Mutant(
        file="keras_course/layers/residual.py",
        old="branch = self.gate(self.second(self.first(x)))",
        new="branch = self.second(self.first(x))",
        caught_by="test_two_half_open_gates_leave_a_quarter_of_the_branch",
        trap="module built but unused in the block",
    ),
    Mutant(
        file=FILE,
        old="self.mlp(average) + self.mlp(largest)",
        new="self.mlp(average + largest)",
        caught_by="test_the_channel_gate_is_the_definition_written_out",
        trap="descriptors added before the MLP",
    ),
    Mutant(
        file=FILE,
        old="ops.sigmoid(self.mlp(average) + self.mlp(largest))",
        new="ops.sigmoid(self.mlp(average)) + ops.sigmoid(self.mlp(largest))",
        caught_by="test_gates_lie_between_0_and_1",
        trap="two sigmoids added",
    ),
    Mutant(
        file=FILE,
        old="average = ops.mean(x, axis=(1, 2), keepdims=True)",
        new="average = ops.mean(x, axis=1, keepdims=True)",
        caught_by="test_the_channel_gate_is_one_number_for_all_places",
        trap="a channel gate for each column",
    ),
    Mutant(
        file=FILE,
        old="ops.sigmoid(self.mlp(average) + self.mlp(largest))",
        new="ops.softmax(self.mlp(average) + self.mlp(largest))",
        caught_by="test_the_channel_gate_is_the_definition_written_out",
        trap="channels that compete by softmax",
    ),
    Mutant(
        file=FILE,
        old="average = ops.mean(x, axis=(1, 2), keepdims=True)",
        new="average = ops.mean(x, axis=(0, 1, 2), keepdims=True)",
        caught_by="test_the_channel_gate_is_the_definition_written_out",
        trap="a mean over the batch",
    ),
    Mutant(
        file=FILE,
        old="ops.concatenate([average, largest], axis=-1)",
        new="ops.concatenate([largest, average], axis=-1)",
        caught_by="test_the_spatial_gate_is_the_definition_written_out",
        trap="maximum before mean",
    ),
    Mutant(
        file=FILE,
        old="largest = ops.max(x, axis=-1, keepdims=True)",
        new="largest = x[..., :1]",
        caught_by="test_the_spatial_gate_is_one_number_for_all_channels",
        trap="the first channel for the largest",
    ),
    Mutant(
        file=FILE,
        old="average = ops.mean(x, axis=-1, keepdims=True)",
        new="x = ops.stop_gradient(x)\n        average = ops.mean(x, axis=-1, keepdims=True)",
        caught_by="test_the_gradient_passes_the_gates_as_well_as_the_maps",
        trap="a gate that its maps cannot learn from",
    ),
    Mutant(
        file=FILE,
        old="self.mlp(average) + self.mlp(largest)",
        new="ops.arange(4.0) + 0 * self.mlp(average)",
        caught_by="test_permuted_channels_permute_the_channel_gate",
        trap="a gate by the number of the channel",
    ),
]
