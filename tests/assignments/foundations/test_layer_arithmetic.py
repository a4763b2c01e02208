import itertools

from assignments.foundations.layer_arithmetic import INFEASIBLE, STACKS, refused
from keras_course import arithmetic
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest


def formula(name, arguments):
    """What a formula says, or the sentence with which it refuses."""
    from keras_course.arithmetic import formulas
    from keras_course.base import InputError

    try:
        return getattr(formulas, name)(*arguments)
    except InputError as error:
        return str(error)


@points(2)
def test_a_dilated_filter_spans_its_entries_and_the_gaps_between(subject):
    """d (f - 1) + 1: a 5 of dilation 8 spans 33 places."""
    for kernel, dilation in itertools.product((1, 2, 3, 5), (1, 2, 8)):
        span = max(range(0, dilation * kernel, dilation)) + 1
        same(
            subject(formula, name="effective_kernel", arguments=[kernel, dilation]),
            span,
            what=f"{kernel}, dilation {dilation}",
        )
    same(subject(formula, name="effective_kernel", arguments=[5, 8]), 33)


@points(3)
def test_sizes_are_counts_of_the_windows_that_fit(subject):
    """Counted one by one, for every size up to 12."""
    for size, kernel, stride, dilation in itertools.product(range(1, 13), (1, 2, 3), (1, 2, 3), (1, 2)):
        span = dilation * kernel - dilation + 1
        if span <= size:
            expected = sum(1 for start in range(size) if start % stride == 0 and start + span <= size)
            received = subject(formula, name="output_size", arguments=[size, kernel, stride, dilation])
            same(received, expected, what=f"size {size}, kernel {kernel}, stride {stride}, dilation {dilation}")
        padded = subject(formula, name="output_size", arguments=[size, kernel, stride, dilation, "same"])
        same(padded, sum(1 for start in range(size) if start % stride == 0), what=f"same, size {size}, stride {stride}")


@points(2)
def test_a_filter_that_does_not_fit_is_refused_with_the_reason(subject):
    """5 × 5 with dilation 8 on 11 × 11: effective kernel 33 > 11, and never a size below zero."""
    answer = subject(formula, name="output_size", arguments=[11, 5, 1, 8, "valid", "height"])
    assert isinstance(answer, str), f"{answer}, expected an error"
    assert answer.startswith("effective kernel 33 > 11 on axis height"), answer


@points(2)
def test_parameters_of_convolutions_are_those_of_keras(subject):
    for channels, filters, kernel, groups, bias in (
        (3, 32, (3, 3), 1, True),
        (6, 4, (2, 5), 2, False),
        (4, 8, (3,), 4, True),
    ):
        kind = keras.layers.Conv2D if len(kernel) == 2 else keras.layers.Conv1D
        layer = kind(filters, kernel, groups=groups, use_bias=bias)
        layer.build((None, *[9] * len(kernel), channels))
        received = subject(
            formula, name="convolution_parameters", arguments=[channels, filters, list(kernel), groups, bias]
        )
        same(received, layer.count_params(), what=f"{filters} filters {kernel} of {channels} channels, {groups} groups")
    same(subject(formula, name="convolution_parameters", arguments=[3, 32, [3, 3]]), 896)


@points(2)
def test_parameters_of_recurrent_layers_are_those_of_keras_and_of_two_biases(subject):
    """10 → 32: Keras 1,376 / 4,224 / 5,504, with two bias vectors 1,408 / 4,224 / 5,632."""
    kinds = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
    for kind, layer in kinds.items():
        for inputs, units in ((10, 32), (3, 5)):
            built = layer(units)
            built.build((None, 4, inputs))
            received = subject(formula, name="recurrent_parameters", arguments=[kind, inputs, units])
            same(received, built.count_params(), what=f"{kind}, {inputs} to {units}")
    two = [subject(formula, name="recurrent_parameters", arguments=[kind, 10, 32, 2]) for kind in kinds]
    same(two, [1_408, 4_224, 5_632], what="two biases")


@points(3)
def test_receptive_fields_are_the_places_that_are_reached(subject):
    """Going back from an output through every layer, place by place."""
    for layers in (
        [(3, 1, 1)],
        [(3, 1, 1), (3, 2, 1), (2, 1, 3)],
        [(2, 2, 1), (3, 1, 2), (3, 3, 1)],
        [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
    ):
        reached = []
        for place in (0, 1):
            found = {place}
            for kernel, stride, dilation in reversed(layers):
                found = {p * stride + a * dilation for p in found for a in range(kernel)}
            reached.append(found)
        expected = (max(reached[0]) - min(reached[0]) + 1, min(reached[1]) - min(reached[0]))
        received = subject(formula, name="receptive_field", arguments=[layers])
        same(tuple(received), expected, what=str(layers))


@pytest.mark.parametrize(("text", "shape", "claimed"), STACKS)
def test_the_stacks_of_the_source_have_the_parameters_that_were_worked_out(text, shape, claimed):
    assert sum(row.parameters for row in arithmetic.read_stack(text, shape)) == claimed


def test_the_layer_that_does_not_exist_is_shown_both_ways():
    (row,) = refused()
    assert row["without a check"] == -21
    assert "effective kernel 33 > 11" in row["what is so"]
    assert INFEASIBLE[1][:2] == (11, 11)


def test_padding_on_each_side_is_d_times_f_minus_1_by_2():
    for kernel, dilation in ((3, 1), (3, 2), (5, 8)):
        side = arithmetic.same_padding(kernel, dilation)
        layer = keras.layers.Conv1D(1, kernel, dilation_rate=dilation)
        assert layer(np.zeros((1, 40 + 2 * side, 1), "float32")).shape[1] == 40


FILE = "keras_course/arithmetic/formulas.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="    refuse_kernel(span, size, axis)\n    return (size",
        new="    return (size",
        caught_by="test_a_filter_that_does_not_fit_is_refused_with_the_reason",
        trap="a negative size printed as if it were a size",
    ),
    Mutant(
        file=FILE,
        old="return dilation * (kernel - 1) + 1",
        new="return dilation * kernel",
        caught_by="test_a_dilated_filter_spans_its_entries_and_the_gaps_between",
        trap="as many gaps as entries",
    ),
    Mutant(
        file=FILE,
        old="return (size - span) // stride + 1",
        new="return -(-(size - span) // stride) + 1",
        caught_by="test_sizes_are_counts_of_the_windows_that_fit",
        trap="a last window that hangs over the edge",
    ),
    Mutant(
        file=FILE,
        old="return -(-size // stride)  # ⌈size / stride⌉",
        new="return size // stride",
        caught_by="test_sizes_are_counts_of_the_windows_that_fit",
        trap="same padding rounded down",
    ),
    Mutant(
        file=FILE,
        old="math.prod(kernel) * (channels // groups) * filters + (filters if bias else 0)",
        new="math.prod(kernel) * channels * filters + (filters if bias else 0)",
        caught_by="test_parameters_of_convolutions_are_those_of_keras",
        trap="groups forgotten",
    ),
    Mutant(
        file=FILE,
        old='biases = 2 if kind == "gru" else 1',
        new="biases = 1",
        caught_by="test_parameters_of_recurrent_layers_are_those_of_keras_and_of_two_biases",
        trap="the second bias of Keras's GRU forgotten",
    ),
    Mutant(
        file=FILE,
        old="field += (effective_kernel(kernel, dilation) - 1) * jump",
        new="field += effective_kernel(kernel, dilation) - 1",
        caught_by="test_receptive_fields_are_the_places_that_are_reached",
        trap="strides that do not stretch what comes after",
    ),
    Mutant(
        file=FILE,
        old="        jump *= stride",
        new="        jump += stride - 1",
        caught_by="test_receptive_fields_are_the_places_that_are_reached",
        trap="strides added up",
    ),
]
