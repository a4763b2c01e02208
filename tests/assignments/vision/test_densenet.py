from assignments.vision.densenet import (
    Settings,
    batches_of,
    dense,
    older_share,
    optimizer,
    plain,
    reuse_of,
    with_keras_fit,
)
from keras_course import data, training
from keras_course.check import Mutant, points, same
from tests.layers.reference import conv, norm

import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")  # (batch, height, width, k0)
GROWTH = 2


def convolution(rng, inputs, outputs, size):
    """Weights of one BN-ReLU-Conv, in the order of Keras: gamma, beta, moving mean, moving variance, kernel."""
    gamma, variance = rng.uniform(0.5, 1.5, (2, inputs))
    beta, mean = rng.normal(size=(2, inputs))
    kernel = rng.normal(size=(size, size, inputs, outputs)) / size / inputs**0.5
    return [weight.astype("float32") for weight in (gamma, beta, mean, variance, kernel)]


def units(count, *, growth=GROWTH, bottleneck=False, inputs=3):
    """Weights of `count` units, each a list of its BN-ReLU-Convs."""
    rng, seen = np.random.default_rng(1), [inputs + i * growth for i in range(count)]
    if bottleneck:
        return [[convolution(rng, n, 4 * growth, 1), convolution(rng, 4 * growth, growth, 3)] for n in seen]
    return [[convolution(rng, n, growth, 3)] for n in seen]


def dense_block(x, units, *, training=False):
    """The definition written out, in float64."""
    maps = x.astype("float64")
    for unit in units:
        new = maps
        for gamma, beta, mean, variance, kernel in unit:
            if training:
                mean, variance = new.mean(axis=(0, 1, 2)), new.var(axis=(0, 1, 2))
            new = conv(np.maximum(norm(new, gamma, beta, mean, variance), 0), kernel)
        maps = np.append(maps, new, axis=-1)
    return maps


def agree(received, expected, what=""):
    same(received, expected.astype("float32"), rtol=1e-4, atol=1e-5, what=what)


def block_output(x, units, growth_rate, training=False):
    from keras_course.layers import DenseBlock

    import keras

    inputs = keras.Input(x.shape[1:])
    block = DenseBlock(len(units), growth_rate, bottleneck=len(units[0]) == 2)
    model = keras.Model(inputs, block(inputs))
    for unit, weights in zip(block.units, units, strict=True):
        unit.set_weights(sum(weights, []))
    return model(x, training=training)


def moving_means(x, units, growth_rate):
    """The moving averages of each unit's first norm behind one step of training."""
    from keras_course.layers import DenseBlock

    block = DenseBlock(len(units), growth_rate)
    block.build(x.shape)
    for unit, weights in zip(block.units, units, strict=True):
        unit.set_weights(sum(weights, []))
    block(x, training=True)
    return [unit.layers[0].norm.moving_mean for unit in block.units]


def block_gradients(x, units, growth_rate, upstream):
    """The gradients of sum(upstream * block(x)) by x and by the kernel of each unit."""
    from keras_course.layers import DenseBlock

    import tensorflow as tf

    x, block = tf.constant(x), DenseBlock(len(units), growth_rate)
    block.build(x.shape)
    for unit, weights in zip(block.units, units, strict=True):
        unit.set_weights(sum(weights, []))
    kernels = [unit.layers[0].conv.kernel.value for unit in block.units]
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(upstream * block(x))
    return tape.gradient(loss, [x, *kernels], unconnected_gradients="zero")


def parameters_that_matter(names):
    """How many trainable parameters the logits of each network depend on."""
    from keras_course.models import MODELS

    import numpy as np
    import tensorflow as tf

    counts = []
    for name in names:
        model = MODELS[name]((4, 4, 3), 10)
        with tf.GradientTape() as tape:
            logits = model(np.ones((1, 4, 4, 3), "float32"))
        weights = [weight.value for weight in model.trainable_weights]
        gradients = tape.gradient(logits, weights)
        counts.append(sum(int(tf.size(w)) for w, g in zip(weights, gradients, strict=True) if g is not None))
    return counts


def test_channels_after_a_block_are_k0_plus_layers_times_growth(subject):
    """A block of L units on k0 maps has k0 + L·k maps."""
    for layers, growth in ((1, 5), (2, 3), (5, 2)):
        received = subject(block_output, x=X, units=units(layers, growth=growth), growth_rate=growth)
        same(received.shape, (2, 5, 6, 3 + layers * growth), what=f"{layers} units of {growth} maps")


@points(2)
def test_the_maps_are_those_of_the_definition(subject):
    """x_l = H_l([x_0, x_1, ..., x_(l-1)]): the input comes first, then the maps of each unit in order."""
    for bottleneck in (False, True):
        weights = units(4, bottleneck=bottleneck)
        agree(subject(block_output, x=X, units=weights, growth_rate=GROWTH), dense_block(X, weights))


@points(2)
def test_every_unit_reads_the_maps_of_all_earlier_ones(subject):
    """With a kernel that is zero but for the maps of one earlier unit, a unit still hears that one."""
    edges = [0, 3, 5, 7, 9]  # of the input, then of the maps of each unit
    for listener, source in ((a, b) for a in range(4) for b in range(a + 1)):
        weights, heard = units(4), slice(*edges[source : source + 2])
        kernel = weights[listener][0][-1]
        weights[listener][0][-1] = np.zeros_like(kernel)
        weights[listener][0][-1][:, :, heard] = kernel[:, :, heard]
        own = slice(3 + GROWTH * listener, 3 + GROWTH * (listener + 1))
        received = subject(block_output, x=X, units=weights, growth_rate=GROWTH)[..., own]
        what = f"unit {listener + 1} listening to {f'unit {source} alone' if source else 'the input alone'}"
        agree(received, dense_block(X, weights)[..., own], what)


@points(2)
def test_the_gradient_reaches_every_unit_by_every_path(subject):
    """The gradients by the input and by each unit's kernel are those of the definition."""
    weights, rng = units(4), np.random.default_rng(2)
    upstream = rng.normal(size=(2, 5, 6, 11)).astype("float32")
    received = subject(block_gradients, x=X, units=weights, growth_rate=GROWTH, upstream=upstream)

    def loss(number, change):
        at = [X, *(unit[0][4] for unit in weights)]
        x, *kernels = [value + change if i == number else value for i, value in enumerate(at)]
        moved = [[[*unit[0][:4], kernel]] for unit, kernel in zip(weights, kernels, strict=True)]
        return np.sum(upstream * dense_block(x, moved))

    for number, gradient in enumerate(received):
        way = rng.normal(size=gradient.shape)
        slope = (loss(number, 1e-6 * way) - loss(number, -1e-6 * way)) / 2e-6
        what = f"the gradient by {f'the kernel of unit {number}' if number else 'the input'}"
        same(float(np.sum(gradient * way)), float(slope), rtol=1e-3, atol=1e-3, what=what)


def test_every_unit_knows_whether_it_trains(subject):
    """In training the norms use the statistics of the batch, in inference the moving averages."""
    weights = units(3)
    received = subject(block_output, x=X, units=weights, growth_rate=GROWTH, training=True)
    agree(received, dense_block(X, weights, training=True))


def test_every_unit_runs_once(subject):
    """One step of training moves each moving average once."""
    weights = units(3)
    maps = dense_block(X, weights, training=True)
    for i, received in enumerate(subject(moving_means, x=X, units=weights, growth_rate=GROWTH)):
        seen = maps[..., : 3 + GROWTH * i].mean(axis=(0, 1, 2))
        agree(received, 0.99 * weights[i][0][2] + 0.01 * seen, what=f"the moving mean of unit {i + 1}")


def test_trainable_parameters_are_those_of_the_paper(subject):
    """The logits depend on 1,019,722 parameters in DenseNet-40-12 and on 769,162 in DenseNet-BC-100-12."""
    same(subject(parameters_that_matter, names=["densenet_40_12", "densenet_bc_100_12"]), [1_019_722, 769_162])


def splits_of():
    """Images whose pixels tell their split: 0.25, 0.5 and 0.75 plus a little noise."""
    rng = np.random.default_rng(1)
    parts = [
        data.Split((mark + rng.uniform(0, 0.1, (n, 8, 6, 1))).astype("float32"), np.arange(n) % 3)
        for mark, n in ((0.25, 8), (0.5, 5), (0.75, 3))
    ]
    return data.Splits(*parts, name="marked", source="small", classes=("a", "b", "c"), licence="none")


SMALL = Settings(layers=(3, 2), growth_rate=2, epochs=2, batch_size=4)


def test_reuse_is_read_where_it_was_written():
    model = dense(splits_of(), SMALL)
    for block in range(2):
        for i, unit in enumerate(model.get_layer(f"block_{block}").units):
            kernel = np.zeros(unit.layers[0].conv.kernel.shape)
            first = kernel.shape[2] - 2 * i
            kernel[:, :, :first] = 10 * block + i + 0.5
            for source in range(i):
                maps = kernel[:, :, first + 2 * source : first + 2 * source + 2]
                maps[..., 0], maps[..., 1] = source + 1, -source - 3  # mean |weight| is source + 2
            unit.layers[0].conv.kernel.assign(kernel)
    first, second = reuse_of(model, SMALL)
    np.testing.assert_allclose(first, [[0.5, 0, 0], [1.5, 2, 0], [2.5, 2, 3]])
    np.testing.assert_allclose(second, [[10.5, 0], [11.5, 2]])


def test_older_share_counts_all_but_the_unit_just_before():
    reading = [np.array([[9.0, 0, 0], [1, 2, 0], [3, 4, 5]]), np.array([[9.0, 0], [1, 4]])]
    assert older_share(reading) == pytest.approx((1 + 3 + 4 + 1) / (1 + 2 + 3 + 4 + 5 + 1 + 4))
    assert older_share([np.array([[9.0, 0, 0], [0, 2, 0], [0, 0, 5]])]) == 0  # a chain


@pytest.mark.parametrize("settings", [Settings(), SMALL])
def test_the_plain_network_has_nearly_the_parameters_of_the_dense_one_and_no_more(settings):
    ratio = plain(splits_of(), settings).count_params() / dense(splits_of(), settings).count_params()
    assert 0.75 < ratio <= 1


def test_each_part_of_the_splits_goes_where_its_name_says():
    batches = batches_of(splits_of(), SMALL)
    marks = [{float(np.floor(4 * x) / 4) for batch in b.dataset() for x in np.ravel(batch[0])} for b in batches]
    assert marks == [{0.25}, {0.5}, {0.75}]
    assert [b.shuffle for b in batches] == [True, False, False]


def test_keras_fit_and_the_loop_of_the_course_end_at_the_same_weights():
    splits, settings = splits_of(), Settings(layers=(2,), growth_rate=2, epochs=2, batch_size=4)
    train, *_ = batches_of(splits, settings)
    model, twin = dense(splits, settings), dense(splits, settings)
    twin.set_weights(model.get_weights())
    history = training.fit(
        model,
        training.classification,
        train,
        epochs=settings.epochs,
        optimizer=optimizer(settings, settings.epochs * len(train)),
        progress=False,
    )
    losses, seconds = with_keras_fit(twin, train, settings, epochs=settings.epochs)
    np.testing.assert_allclose(losses, history["loss"], rtol=1e-3)
    assert len(seconds) == settings.epochs
    assert min(seconds) > 0
    for a, b in zip(model.weights, twin.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-3, atol=1e-4, err_msg=a.path)


LOOP = """for unit in self.units:
            # x_l = H_l([x_0, x_1, ..., x_(l-1)])
            x = keras.ops.concatenate([x, unit(x)], axis=-1)  # (batch, height, width, k0 + l * k)
        return x"""
FILE = "keras_course/layers/densenet.py"

MUTANTS = [
    Mutant(
        file=FILE,
        old=LOOP,
        new="""first = x
        for unit in self.units:
            x = keras.ops.concatenate([first, unit(x)], axis=-1)
        return x""",
        caught_by="test_channels_after_a_block_are_k0_plus_layers_times_growth",
        trap="concatenating only the first layer",
    ),
    Mutant(
        file=FILE,
        old=LOOP,
        new="""maps = [x]
        for unit in self.units:
            maps.append(unit(keras.ops.concatenate([x] + maps[-1:] * (len(maps) - 1), axis=-1)))
        return keras.ops.concatenate(maps, axis=-1)""",
        caught_by="test_every_unit_reads_the_maps_of_all_earlier_ones",
        trap="a unit sees the first layer and its predecessor, repeated until the shape fits",
    ),
    Mutant(
        file=FILE,
        old=LOOP,
        new="""maps = [x]
        for unit in self.units:
            maps.append(unit(keras.ops.concatenate([x] + [0 * m for m in maps[1:]], axis=-1)))
        return keras.ops.concatenate(maps, axis=-1)""",
        caught_by="test_every_unit_reads_the_maps_of_all_earlier_ones",
        trap="units side by side: each sees the input alone",
    ),
    Mutant(
        file=FILE,
        old="([x, unit(x)], axis=-1)",
        new="([unit(x), x], axis=-1)",
        caught_by="test_the_maps_are_those_of_the_definition",
        trap="new maps before the old",
    ),
    Mutant(
        file=FILE,
        old=LOOP,
        new="""maps = [x]
        for unit in self.units:
            maps.append(unit(keras.ops.concatenate(maps, axis=-1)))
        return keras.ops.concatenate(maps[1:], axis=-1)""",
        caught_by="test_channels_after_a_block_are_k0_plus_layers_times_growth",
        trap="the block's input left out of its output",
    ),
    Mutant(
        file=FILE,
        old="([x, unit(x)], axis=-1)",
        new="([x, unit(keras.ops.stop_gradient(x))], axis=-1)",
        caught_by="test_the_gradient_reaches_every_unit_by_every_path",
        trap="the gradient stops between the units",
    ),
    Mutant(
        file=FILE,
        old="([x, unit(x)], axis=-1)",
        new="([x, unit(x, training=False)], axis=-1)",
        caught_by="test_every_unit_knows_whether_it_trains",
        trap="norms that never train",
    ),
    Mutant(
        file=FILE,
        old="([x, unit(x)], axis=-1)",
        new="([x, unit(x)[..., : unit(x).shape[-1]]], axis=-1)",
        caught_by="test_every_unit_runs_once",
        trap="each unit run twice",
    ),
    Mutant(
        file=FILE,
        old="PreActivationConv(4 * self.growth_rate, 1",
        new="PreActivationConv(2 * self.growth_rate, 1",
        caught_by="test_trainable_parameters_are_those_of_the_paper",
        trap="bottleneck too narrow",
    ),
]
