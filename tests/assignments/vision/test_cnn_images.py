import math

from keras_course.check import Mutant, points, same

import numpy as np

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 2, 3, 4)).astype("float32")
CASES = [  # input shape, classes, filters, kernel
    [[28, 28, 1], 10, [32, 64], 3],
    [[9, 13, 3], 5, [4], 3],
    [[11, 8, 2], 3, [2, 5, 7], 3],
    [[8, 12, 3], 4, [2, 3], 5],
]


def row(depth, parameters, accuracy, activation="relu", batch=64):
    return {
        "depth": depth,
        "parameters": parameters,
        "accuracy": accuracy,
        "activation": activation,
        "batch": batch,
    }


def counts(cases):
    from assignments.vision.cnn_images import parameters

    return [parameters(tuple(shape), classes, tuple(filters), kernel) for shape, classes, filters, kernel in cases]


def of_models(cases):
    """By formula and by Keras."""
    from assignments.vision.cnn_images import parameters
    from keras_course import models

    found = []
    for shape, classes, filters, kernel in cases:
        if kernel == 3:
            model = models.cnn(tuple(shape), classes, filters=tuple(filters))
            found.append([parameters(tuple(shape), classes, tuple(filters)), model.count_params()])
    return found


def widths(cases):
    from assignments.vision.cnn_images import equal_width

    return [equal_width(tuple(shape), classes, depth, wanted) for shape, classes, depth, wanted in cases]


def effect(rows, tolerance):
    from assignments.vision.cnn_images import depth_effect

    return depth_effect(rows, tolerance)


def pictures(kernel):
    from assignments.vision.cnn_images import filter_images

    return filter_images(kernel)


def table_of_models(width):
    """Depth, filters, parameters and input of the eight models of the table."""
    from assignments.vision.cnn_images import Settings, eight, parameters

    shape = (28, 28, 1)
    choices = eight(Settings(width=width), shape, 10)
    return {label: [len(f), f[0], parameters(shape, 10, f), a, batch] for label, (f, a, batch) in choices.items()}


def written_out(shape, classes, filters, kernel):
    """The count of each layer, one by one."""
    channels = [shape[2], *filters]
    convolutions = sum(kernel**2 * a * b + b for a, b in zip(channels, filters, strict=False))
    side = [n // 2 ** len(filters) for n in shape[:2]]
    return convolutions + math.prod(side) * filters[-1] * classes + classes


@points(2)
def test_parameters_are_those_of_every_layer_added(subject):
    """32 and 64 filters on 28 × 28 images and 10 classes are 50,186; other sizes by the sum over the layers."""
    received = subject(counts, cases=CASES)
    same(received[0], 320 + 18_496 + 31_370)
    same(received, [written_out(*case) for case in CASES])


@points(2)
def test_the_formula_counts_what_keras_counts(subject):
    for by_formula, by_keras in subject(of_models, cases=CASES):
        same(by_formula, by_keras)


@points(2)
def test_no_other_width_comes_nearer_to_the_size_that_is_wanted(subject):
    cases = [[[28, 28, 1], 10, 3, 10_330], [[9, 13, 3], 5, 2, 700], [[16, 16, 2], 3, 4, 5000], [[8, 8, 1], 2, 1, 1]]
    received = subject(widths, cases=cases)
    for (shape, classes, depth, wanted), width in zip(cases, received, strict=True):
        nearest = min(range(1, 200), key=lambda w: abs(written_out(shape, classes, [w] * depth, 3) - wanted))
        same(width, nearest, what=f"{depth} convolutions on {shape} with {wanted} weights")


@points(2)
def test_a_smaller_net_is_no_evidence_against_depth(subject):
    """Only models of equal size tell what depth is worth: the small deep model and the large one are left out."""
    rows = [row(2, 1000, 0.90), row(3, 500, 0.85), row(3, 1050, 0.93), row(4, 950, 0.96), row(3, 3000, 0.99)]
    # 1000 with 1050 and with 950 are fair, 1050 with 950 is not: 1050 / 950 > 1.1
    same(subject(effect, rows=rows, tolerance=0.1), (0.03 + 0.06) / 2)
    same(subject(effect, rows=rows, tolerance=0.02), None)
    same(subject(effect, rows=rows[:2], tolerance=0.1), None)


@points(2)
def test_pairs_that_differ_in_more_than_depth_do_not_count(subject):
    """A pair with another activation or batch size, or of one depth, is no evidence on depth."""
    rows = [row(2, 100, 0.9), row(3, 101, 0.95), row(3, 100, 0.1, activation="tanh"), row(3, 99, 0.2, batch=16)]
    rows += [row(2, 102, 0.91, batch=32)]
    same(subject(effect, rows=rows, tolerance=0.1), 0.05)


def test_the_order_of_the_rows_does_not_matter(subject):
    rows = [row(3, 101, 0.95), row(1, 100, 0.9), row(2, 100, 0.97)]
    expected = (0.05 + 0.07 - 0.02) / 3
    for order in (rows, rows[::-1]):
        same(subject(effect, rows=order, tolerance=0.1), expected)


@points(2)
def test_filters_come_first_and_reach_from_0_to_1(subject):
    """(height, width, channels, filters) becomes (filters, height, width, channels), each filter from 0 to 1."""
    received = subject(pictures, kernel=KERNEL)
    expected = []
    for i in range(4):
        one = KERNEL[..., i]
        expected.append((one - one.min()) / (one.max() - one.min()))
    same(received, np.array(expected, received.dtype), atol=1e-6)


def test_brightness_and_contrast_of_the_weights_do_not_show(subject):
    plain, moved = (subject(pictures, kernel=kernel) for kernel in (KERNEL, 3 * KERNEL - 5))
    same(moved, plain, atol=1e-5)


def test_a_constant_filter_is_grey(subject):
    kernel = KERNEL.copy()
    kernel[..., 1] = -2.0
    received = subject(pictures, kernel=kernel)
    assert np.isfinite(received).all(), "a filter whose values are all equal gave NaN"
    same(float(received[1].min()), 0.5)
    same(float(received[1].max()), 0.5)


def test_the_table_changes_one_choice_a_row_and_has_a_deeper_model_of_equal_size(subject):
    table = subject(table_of_models, width=16)
    base = table["as it is"]
    same(base, [2, 16, 10_330, "relu", 64])
    same(len(table), 8)
    assert table["deeper"][2] < base[2], "each layer halves the map: with as many filters the deeper model is smaller"
    assert abs(table["deeper, equal size"][2] / base[2] - 1) < 0.1
    for label, changed in {"tanh": [3], "batch / 4": [4], "batch × 4": [4], "width × 2": [1, 2]}.items():
        same([i for i in range(5) if table[label][i] != base[i]], changed, what=label)


FILE = "assignments/vision/cnn_images.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old=" and alike and large <= (1 + tolerance) * small",
        new=" and alike",
        caught_by="test_a_smaller_net_is_no_evidence_against_depth",
        trap='calling a smaller net "deeper, so worse"',
    ),
    Mutant(
        file=FILE,
        old=" and alike and large",
        new=" and large",
        caught_by="test_pairs_that_differ_in_more_than_depth_do_not_count",
        trap="a gain of the batch size taken for one of depth",
    ),
    Mutant(
        file=FILE,
        old='gains.append(deep["accuracy"] - shallow["accuracy"])',
        new='gains.append(rows[-1]["accuracy"] - rows[0]["accuracy"])',
        caught_by="test_the_order_of_the_rows_does_not_matter",
        trap="the last row taken for the deeper one",
    ),
    Mutant(
        file=FILE,
        old="(kernel * kernel * channels + 1) * count",
        new="kernel * kernel * channels * count",
        caught_by="test_the_formula_counts_what_keras_counts",
        trap="biases not counted",
    ),
    Mutant(
        file=FILE,
        old="height, width, channels = height // 2, width // 2, count",
        new="channels = count",
        caught_by="test_parameters_are_those_of_every_layer_added",
        trap="pooling forgotten: the last matrix is counted far too large",
    ),
    Mutant(
        file=FILE,
        old="(kernel * kernel * channels + 1)",
        new="(9 * channels + 1)",
        caught_by="test_parameters_are_those_of_every_layer_added",
        trap="every kernel taken to be 3 × 3",
    ),
    Mutant(
        file=FILE,
        old="return min((max(1, width - 1), width), key=lambda each: abs(at(each) - wanted))",
        new="return width",
        caught_by="test_no_other_width_comes_nearer_to_the_size_that_is_wanted",
        trap="always the wider of the two neighbours",
    ),
    Mutant(
        file=FILE,
        old="pictures = np.moveaxis(np.asarray(kernel), -1, 0)",
        new="pictures = np.reshape(kernel, (np.shape(kernel)[-1], *np.shape(kernel)[:-1]))",
        caught_by="test_filters_come_first_and_reach_from_0_to_1",
        trap="axes moved by reshape, which mixes the filters",
    ),
    Mutant(
        file=FILE,
        old="axis=(1, 2, 3)",
        new="axis=(1, 2)",
        caught_by="test_filters_come_first_and_reach_from_0_to_1",
        trap="each channel on a scale of its own: false colours",
    ),
    Mutant(
        file=FILE,
        old="np.where(flat, 0.5, (pictures - low) / np.where(flat, 1, high - low))",
        new="(pictures - low) / (high - low)",
        caught_by="test_a_constant_filter_is_grey",
        trap="a constant filter divided by 0",
    ),
]
