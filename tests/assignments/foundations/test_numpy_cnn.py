from assignments.foundations.numpy_cnn import (
    EXERCISE,
    FILTER,
    IMAGE,
    WORKED_OUT,
    Settings,
    example_rows,
    gradient_rows,
    keras_losses,
    network,
    our_losses,
)
from keras_course import data
from keras_course.base import InputError
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 7, 8, 2))
KERNELS = {size: RNG.normal(size=(*size, 2, 5)) for size in ((3, 3), (2, 3), (1, 1), (4, 2))}
BIAS = RNG.normal(size=5)
OPTIONS = [
    {},
    {"strides": 2},
    {"padding": "same"},
    {"padding": "same", "strides": 2},
    {"strides": 3},
    {"dilation": 2},
]
CASES = [(size, options) for size in KERNELS for options in OPTIONS]  # (4, 2), dilated, spans all seven rows
POOLED = np.round(3 * RNG.normal(size=(2, 5, 7, 3)))  # whole numbers, so that many windows have ties


def convolution(x, kernel, bias, options):
    """The layer's output for these weights."""
    from keras_course.scratch import Conv2D

    import numpy as np

    layer = Conv2D(*kernel.shape[2:], kernel.shape[:2], rng=np.random.default_rng(0), **options)
    layer.parameters["kernel"][:] = kernel
    layer.parameters["bias"][:] = bias
    return layer.forward(x)


def convolution_backwards(x, kernel, bias, dy, options):
    """The three gradients of sum(y * dy) for these weights."""
    from keras_course.scratch import Conv2D

    import numpy as np

    layer = Conv2D(*kernel.shape[2:], kernel.shape[:2], rng=np.random.default_rng(0), **options)
    layer.parameters["kernel"][:] = kernel
    layer.parameters["bias"][:] = bias
    layer.forward(x)
    dx = layer.backward(dy)
    return {"x": dx, "kernel": layer.gradients["kernel"], "bias": layer.gradients["bias"]}


def refusal(shape, kernel_size, options):
    """What the layer says of an input of this shape."""
    from keras_course.base import InputError
    from keras_course.scratch import Conv2D

    import numpy as np

    try:
        Conv2D(2, 5, kernel_size, rng=np.random.default_rng(0), **options).forward(np.zeros(shape))
    except InputError as error:
        return str(error)
    return "nothing"


def worked(image, kernel):
    from assignments.foundations.numpy_cnn import worked_example

    return worked_example(image, kernel)


def largest(x, pool_size, strides):
    from keras_course.scratch import MaxPool2D

    return MaxPool2D(pool_size, strides).forward(x)


def largest_backwards(x, dy, pool_size, strides):
    from keras_course.scratch import MaxPool2D

    layer = MaxPool2D(pool_size, strides)
    layer.forward(x)
    return layer.backward(dy)


def descent(start, gradients, learning_rate, momentum):
    """Two parameters after each step; the arrays must be the ones that were handed in."""
    from keras_course.scratch import SGD

    parameters = {name: value.copy() for name, value in start.items()}
    held = dict(parameters)
    rule, path = SGD(learning_rate, momentum), []
    for each in gradients:
        rule.step(parameters, each)
        path.append({name: value.copy() for name, value in held.items()})
    return path


def run_on_false_labels():
    """A run on three easy classes whose labels are wrong by 1 in validation and by 2 in test."""
    from unittest import mock

    from assignments.foundations import numpy_cnn
    from keras_course import data

    import numpy as np

    labels = np.arange(60) % 3
    images = np.random.default_rng(0).uniform(0, 0.1, (60, 8, 8, 1)).astype("float32")
    for image, label in zip(images, labels, strict=True):
        image[2:6, 1 + 2 * label : 3 + 2 * label] = 1
    parts = [data.Split(images, (labels + wrong) % 3) for wrong in (0, 1, 2)]
    splits = data.Splits(*parts, name="false", source="small", classes=("a", "b", "c"), licence="none")
    settings = numpy_cnn.Settings(
        filters=(4,), kernel_size=3, few=12, few_epochs=60, epochs=20, batch_size=10, compared_steps=2
    )
    with mock.patch.object(data, "load", return_value=splits):
        result = numpy_cnn.run(settings, None)
    (rows,) = (table for title, table in result.tables.items() if "all images" in title)
    return {"scores": result.scores, "rows": rows}


def by_keras(kernel, options):
    """The output of keras.ops.conv, the weights dy of its sum, and the tape's gradients of that sum; all float64."""
    arguments = {
        "strides": options.get("strides", 1),
        "padding": options.get("padding", "valid"),
        "dilation_rate": options.get("dilation", 1),
    }
    x, w, b = (tf.constant(value) for value in (X, kernel, BIAS))
    with tf.GradientTape() as tape:
        tape.watch([x, w, b])
        y = keras.ops.conv(x, w, data_format="channels_last", **arguments) + b
        dy = np.random.default_rng(1).normal(size=y.shape)
        value = tf.reduce_sum(y * dy)
    return y.numpy(), dy, dict(zip(("x", "kernel", "bias"), tape.gradient(value, [x, w, b]), strict=True))


def pooled_by_hand(x, dy, pool, strides):
    """Output and gradient of max-pooling, window by window: the definition."""
    rows, columns = (1 + (size - pool) // strides for size in x.shape[1:3])
    y, dx = np.zeros((len(x), rows, columns, x.shape[-1])), np.zeros_like(x)
    for n, i, j, c in np.ndindex(*y.shape):
        window = x[n, i * strides : i * strides + pool, j * strides : j * strides + pool, c]
        a, b = np.argwhere(window == window.max())[0]  # row by row
        y[n, i, j, c] = window[a, b]
        dx[n, i * strides + a, j * strides + b, c] += dy[n, i, j, c]
    return y, dx


@points(2)
def test_the_worked_example_comes_out_number_by_number(subject):
    """The image of the example gives 1 2; -10 8, the mean .25, and the four gradients worked out on paper."""
    due = {name: np.array(value, float) for name, value in WORKED_OUT.items()}
    found = subject(worked, image=IMAGE, kernel=FILTER)
    for name, value in due.items():
        same(found[name], value, what=name, rtol=1e-12, atol=1e-12)


@points(3)
def test_the_convolution_is_that_of_keras(subject):
    """Outputs equal those of `keras.ops.conv` for odd, even and oblong kernels, strides, dilation and padding."""
    for size, options in CASES:
        expected, _, _ = by_keras(KERNELS[size], options)
        received = subject(convolution, x=X, kernel=KERNELS[size], bias=BIAS, options=options)
        same(received, expected, rtol=1e-9, atol=1e-12, what=f"kernel {size}, {options}")


@points(4)
def test_the_gradients_of_the_convolution_are_those_of_the_tape(subject):
    """By the image, the kernel and the bias, for every kernel, stride, dilation and padding, to 1e-9."""
    for size, options in CASES:
        _, dy, gradients = by_keras(KERNELS[size], options)
        found = subject(convolution_backwards, x=X, kernel=KERNELS[size], bias=BIAS, dy=dy, options=options)
        for name, expected in gradients.items():
            what = f"the gradient by the {name}, kernel {size}, {options}"
            same(found[name], expected.numpy(), rtol=1e-9, atol=1e-11, what=what)


@points(2)
def test_the_gradient_by_the_image_leaves_the_padding_off(subject):
    """With padding "same" dL/dx has the place of x: what goes to the zeros around it is cut off on both sides."""
    dy = np.zeros((3, 7, 8, 5))
    dy[1, 2, 3, 4] = 1.0  # one output, whose window is rows 1 to 3 and columns 2 to 4
    found = subject(convolution_backwards, x=X, kernel=KERNELS[3, 3], bias=BIAS, dy=dy, options={"padding": "same"})
    expected = np.zeros_like(X)
    for a, b in np.ndindex(3, 3):
        expected[1, 1 + a, 2 + b] = KERNELS[3, 3][a, b, :, 4]
    same(found["x"], expected)


def test_the_bias_gets_the_sum_over_all_images_and_places(subject):
    dy = np.ones((3, 5, 6, 5)) * [1.0, 2.0, 0.0, -1.0, 0.5]
    found = subject(convolution_backwards, x=X, kernel=KERNELS[3, 3], bias=BIAS, dy=dy, options={})
    same(found["bias"], 3 * 5 * 6 * np.array([1.0, 2.0, 0.0, -1.0, 0.5]))


def test_backwards_is_the_adjoint_of_forwards(subject):
    """For a convolution without bias, <conv(x), dy> equals <x, dL/dx>."""
    for options in OPTIONS:
        inputs = {"x": X, "kernel": KERNELS[2, 3], "bias": np.zeros(5), "options": options}
        y = subject(convolution, **inputs)
        dy = np.random.default_rng(2).normal(size=y.shape)
        back = subject(convolution_backwards, dy=dy, **inputs)
        same(float(np.sum(X * back["x"])), float(np.sum(y * dy)), rtol=1e-9, what=f"{options}")


def test_what_does_not_fit_is_refused(subject):
    """Another number of channels, and a kernel larger than the image, are errors that say so."""
    for shape, size, options, reason in (
        ((1, 7, 7, 3), 3, {}, "must have size 2 on axis 3"),
        ((1, 7, 7), 3, {}, "must have 4 axes"),
        ((1, 11, 11, 2), 5, {"dilation": 8}, "effective kernel 33 > 11"),
    ):
        said = subject(refusal, shape=shape, kernel_size=size, options=options)
        assert reason in said, f"a kernel of {size} on an image of shape {shape} is refused with: {said}"


@points(2)
def test_pooling_keeps_the_largest_of_each_window(subject):
    """Windows side by side, overlapping or apart; rows and columns that fill no window are left out."""
    for pool, strides in ((2, 2), (3, 2), (2, 1), (2, 3), (5, 5)):
        rows, columns = (1 + (size - pool) // strides for size in POOLED.shape[1:3])
        expected, _ = pooled_by_hand(POOLED, np.zeros((2, rows, columns, 3)), pool, strides)
        same(subject(largest, x=POOLED, pool_size=pool, strides=strides), expected, what=f"{pool} by {strides}")


@points(2)
def test_one_of_equal_values_gets_the_gradient(subject):
    """Of equal largest values the first of the window, row by row, gets all of dL/dy, as in TensorFlow."""
    x = np.array([[1.0, 1, 0, 2, 7], [1, 1, 2, 2, 7]]).reshape(1, 2, 5, 1)
    dy = np.array([[3.0, 5.0]]).reshape(1, 1, 2, 1)
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = tf.reduce_sum(dy * tf.nn.max_pool2d(variable, 2, 2, "VALID"))
    expected = tape.gradient(value, variable).numpy()
    same(expected[0, :, :, 0], np.array([[3.0, 0, 0, 5, 0], [0, 0, 0, 0, 0]]))
    same(subject(largest_backwards, x=x, dy=dy, pool_size=2, strides=2), expected)


@points(2)
def test_windows_that_overlap_add_their_gradients(subject):
    """A value that is the largest of several windows gets the sum of what they send back."""
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1] = 1.0  # in all four windows
    dy = np.array([[1.0, 2], [4, 8]]).reshape(1, 2, 2, 1)
    expected = np.zeros_like(x)
    expected[0, 1, 1] = 15.0
    same(subject(largest_backwards, x=x, dy=dy, pool_size=2, strides=1), expected)


def test_the_gradient_of_pooling_is_the_definition_window_by_window(subject):
    for pool, strides in ((2, 2), (3, 2), (2, 3)):
        rows, columns = (1 + (size - pool) // strides for size in POOLED.shape[1:3])
        dy = np.random.default_rng(3).normal(size=(2, rows, columns, 3))
        _, expected = pooled_by_hand(POOLED, dy, pool, strides)
        found = subject(largest_backwards, x=POOLED, dy=dy, pool_size=pool, strides=strides)
        same(found, expected, what=f"{pool} by {strides}")


@points(2)
def test_steps_with_momentum_are_those_of_keras(subject):
    """Six steps on a kernel and a bias, with and without momentum."""
    rng = np.random.default_rng(4)
    start = {"kernel": rng.normal(size=(2, 3)), "bias": rng.normal(size=5)}
    gradients = [{name: rng.normal(size=w.shape) for name, w in start.items()} for _ in range(6)]
    for momentum in (0.0, 0.5, 0.875):  # exact in binary: Keras rounds them to float32
        path = subject(descent, start=start, gradients=gradients, learning_rate=0.125, momentum=momentum)
        variables = [keras.Variable(w, dtype="float64") for w in start.values()]
        rule = keras.optimizers.SGD(0.125, momentum=momentum)
        for step, (found, each) in enumerate(zip(path, gradients, strict=True), 1):
            rule.apply([keras.ops.convert_to_tensor(g) for g in each.values()], variables)
            expected = {name: v.numpy() for name, v in zip(start, variables, strict=True)}
            same(found, expected, rtol=1e-12, what=f"momentum {momentum}, step {step}")


def test_a_constant_gradient_reaches_the_speed_of_long_steps(subject):
    """Under one gradient for ever the step grows to η / (1 - m) times it."""
    path = subject(descent, start={"w": np.zeros(2)}, gradients=[{"w": np.array([1.0, -2])}] * 200,
                   learning_rate=0.1, momentum=0.9)  # fmt: skip
    same(path[0]["w"], np.array([-0.1, 0.2]), what="the first step")
    same(path[-1]["w"] - path[-2]["w"], np.array([-1.0, 2.0]), what="the last step")


@points(2)
def test_by_heart_is_scored_apart_from_what_was_held_out(subject):
    """With false labels outside the training split the few are learned, and all that is held out scores nothing."""
    found = subject(run_on_false_labels)
    for name, due in {"few_training": 1.0, "few_held_out": 0.0, "test_accuracy": 0.0}.items():
        same(found["scores"][name], due, what=name)
    whole = found["rows"][0]
    same([whole["training accuracy"], whole["validation accuracy"]], [1.0, 0.0], what="the table's first row")


def test_a_turned_filter_is_another_convolution_and_the_table_shows_both():
    rows = {row["what"]: row for row in example_rows()}
    assert all(row["worked out"] == row["measured"] for row in rows.values())
    # SciPy turns the filter, as the mathematical convolution does
    from scipy.signal import convolve2d

    turned = convolve2d(np.array(IMAGE), np.array(FILTER), mode="valid")
    assert rows["convolution"]["with a turned filter"] == "; ".join(" ".join(map(str, row)) for row in turned)
    assert rows["its mean"]["with a turned filter"] == f"{turned.mean():g}"
    x, w = tf.constant(np.array(IMAGE, float)), tf.constant(np.array(FILTER, float))
    with tf.GradientTape() as tape:
        tape.watch([x, w])
        y = tf.nn.conv2d(x[None, :, :, None], tf.reverse(w, [0, 1])[:, :, None, None], 1, "VALID")
        value = tf.reduce_mean(y)
    for what, gradient in zip(("image", "filter"), tape.gradient(value, [x, w]), strict=True):
        text = "; ".join(" ".join(f"{v:g}" for v in row) for row in gradient.numpy() + 0.0)
        assert rows[f"gradient by the {what}"]["with a turned filter"] == text


DIGITS = Settings(
    dataset="digits", filters=(8, 16), kernel_size=2, compared_steps=60, learning_rate=0.05, batch_size=16
)


def test_the_gradients_of_the_network_pass_the_check_and_kinks_are_skipped():
    splits = data.load("digits")
    rows = gradient_rows(network(splits, DIGITS), splits, DIGITS)
    assert max(row["error"] for row in rows if row["checked"]) < 1e-6
    assert sum(row["checked"] for row in rows) >= 40
    assert sum(row["skipped"] for row in rows) > 0  # black corners: biases of 0 leave a ReLU on its kink


def test_sixty_steps_are_those_of_the_same_network_in_keras():
    splits = data.load("digits")
    ours, theirs = our_losses(splits, DIGITS), keras_losses(splits, DIGITS)
    assert len(ours) == 60
    assert min(ours) < ours[0] - 0.3, "nothing was learned that could differ"
    np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_settings_without_a_network_are_refused():
    splits = data.load("digits")
    with pytest.raises(InputError, match=r"effective kernel 5 > 2 on axis height"):
        network(splits, Settings(dataset="digits"))
    with pytest.raises(InputError, match="`momentum` must be from 0 to below 1"):
        our_losses(splits, Settings(dataset="digits", filters=(2,), momentum=1.0))


def test_full_is_the_published_set():
    assert EXERCISE.full.source == "full"
    assert EXERCISE.small.few == EXERCISE.full.few == 50  # what the floor is asked for


CONVOLUTION = "keras_course/scratch/convolution.py"
POOLING = "keras_course/scratch/pooling.py"
RULES = "keras_course/scratch/optimizers.py"
MUTANTS = [
    Mutant(
        file=CONVOLUTION,
        old="matrix = kernel.transpose(2, 0, 1, 3)",
        new="matrix = kernel[::-1, ::-1].transpose(2, 0, 1, 3)",
        caught_by="test_the_worked_example_comes_out_number_by_number",
        trap="the kernel flipped",
    ),
    Mutant(
        file=CONVOLUTION,
        old="kernel.transpose(2, 0, 1, 3).reshape(-1",
        new="kernel.reshape(-1",
        caught_by="test_the_convolution_is_that_of_keras",
        trap="the axes of the kernel in another order than those of the windows",
    ),
    Mutant(
        file=CONVOLUTION,
        old="return total // 2, total - total // 2",
        new="return total - total // 2, total // 2",
        caught_by="test_the_convolution_is_that_of_keras",
        trap="the odd zero of the padding in front",
    ),
    Mutant(
        file=CONVOLUTION,
        old='require_shape("x", x, (None, None, None, kernel.shape[2]))',
        new="pass",
        caught_by="test_what_does_not_fit_is_refused",
        trap="another number of channels not refused",
    ),
    Mutant(
        file=CONVOLUTION,
        old="return dx[:, top:bottom, left:right]",
        new="return dx[:, : bottom - top, : right - left]",
        caught_by="test_the_gradient_by_the_image_leaves_the_padding_off",
        trap="padding of the backward pass: cut off behind only",
    ),
    Mutant(
        file=CONVOLUTION,
        old="return dx[:, top:bottom, left:right]",
        new="return dx",
        caught_by="test_the_gradients_of_the_convolution_are_those_of_the_tape",
        trap="padding of the backward pass: left on",
    ),
    Mutant(
        file=CONVOLUTION,
        old="a * d : a * d + rows * s : s, b * d : b * d + columns * s : s",
        new="a * d : a * d + rows, b * d : b * d + columns",
        caught_by="test_the_gradients_of_the_convolution_are_those_of_the_tape",
        trap="strides ignored on the way back",
    ),
    Mutant(
        file=CONVOLUTION,
        old="(flat @ kernel[a, b].T)",
        new="(flat @ kernel[height - 1 - a, width - 1 - b].T)",
        caught_by="test_the_worked_example_comes_out_number_by_number",
        trap="the kernel flipped once too often on the way back",
    ),
    Mutant(
        file=CONVOLUTION,
        old="met += (flat",
        new="met[:] = (flat",
        caught_by="test_backwards_is_the_adjoint_of_forwards",
        trap="overlapping windows overwritten instead of added",
    ),
    Mutant(
        file=CONVOLUTION,
        old="flat.sum(axis=0)",
        new="flat.mean(axis=0)",
        caught_by="test_the_bias_gets_the_sum_over_all_images_and_places",
        trap="the bias gradient averaged",
    ),
    Mutant(
        file=POOLING,
        old="self.winner = entries.argmax(axis=-1)[..., None]",
        new="self.winner = (entries.shape[-1] - 1 - entries[..., ::-1].argmax(axis=-1))[..., None]",
        caught_by="test_one_of_equal_values_gets_the_gradient",
        trap="ties in max-pool: the last of equals",
    ),
    Mutant(
        file=POOLING,
        old="        return np.take_along_axis(entries, self.winner, axis=-1)[..., 0]",
        new=(
            "        y, p = entries.max(axis=-1), self.pool_size\n"
            "        grown = lambda z: np.pad(z.repeat(p, 1).repeat(p, 2), [(0, a - b * p) if a != b else (0, 0)"
            " for a, b in zip(x.shape, y.shape)])\n"
            "        self.backward = lambda dy: (x == grown(y)) * grown(dy)\n"
            "        return y"
        ),
        caught_by="test_one_of_equal_values_gets_the_gradient",
        trap="ties in max-pool: every one of equals gets the gradient",
    ),
    Mutant(
        file=POOLING,
        old="columns * s : s] += won",
        new="columns * s : s] = won",
        caught_by="test_windows_that_overlap_add_their_gradients",
        trap="overlapping windows of a pool overwritten instead of added",
    ),
    Mutant(
        file=POOLING,
        old="won = dy * (self.winner[..., 0] == entry)",
        new="won = dy / self.pool_size**2",
        caught_by="test_the_gradient_of_pooling_is_the_definition_window_by_window",
        trap="the gradient of an average",
    ),
    Mutant(
        file=POOLING,
        old="return every[:, :: self.strides, :: self.strides]",
        new="return every[:, :: self.pool_size, :: self.pool_size]",
        caught_by="test_pooling_keeps_the_largest_of_each_window",
        trap="strides taken for the pool size",
    ),
    Mutant(
        file=RULES,
        old="v -= self.learning_rate * gradients[name]",
        new="v += self.learning_rate * gradients[name]",
        caught_by="test_a_constant_gradient_reaches_the_speed_of_long_steps",
        trap="momentum sign: uphill",
    ),
    Mutant(
        file=RULES,
        old="v *= self.momentum",
        new="v *= -self.momentum",
        caught_by="test_steps_with_momentum_are_those_of_keras",
        trap="momentum sign: the velocity turned round at every step",
    ),
    Mutant(
        file=RULES,
        old="v *= self.momentum",
        new="v = v * self.momentum",
        caught_by="test_steps_with_momentum_are_those_of_keras",
        trap="a velocity that is not kept",
    ),
    Mutant(
        file=RULES,
        old="v -= self.learning_rate * gradients[name]",
        new="v -= (1 - self.momentum) * self.learning_rate * gradients[name]",
        caught_by="test_a_constant_gradient_reaches_the_speed_of_long_steps",
        trap="an average of gradients instead of their sum",
    ),
    Mutant(
        file="assignments/foundations/numpy_cnn.py",
        old="for part, n in ((splits.train, settings.few), (splits.validation, WATCHED))",
        new="for part, n in ((splits.train, settings.few), (splits.train, WATCHED))",
        caught_by="test_by_heart_is_scored_apart_from_what_was_held_out",
        trap="what was learned by heart taken for skill",
    ),
    Mutant(
        file="assignments/foundations/numpy_cnn.py",
        old="scratch.accuracy(whole.predict(splits.test.x), splits.test.y)",
        new="scratch.accuracy(whole.predict(splits.train.x), splits.train.y)",
        caught_by="test_by_heart_is_scored_apart_from_what_was_held_out",
        trap="scoring on the training set",
    ),
]
