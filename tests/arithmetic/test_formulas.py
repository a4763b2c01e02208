from keras_course.arithmetic import formulas
from keras_course.base import InputError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_sizes_are_counts_of_windows_that_fit(size, kernel, stride, dilation):
    span = formulas.effective_kernel(kernel, dilation)
    assert span == len(range(0, dilation * (kernel - 1) + 1))
    starts = [s for s in range(0, size, stride) if s + span <= size]
    if span <= size:
        assert formulas.output_size(size, kernel, stride, dilation) == len(starts)
    assert formulas.output_size(size, kernel, stride, dilation, "same") == len(range(0, size, stride))


def test_a_kernel_that_does_not_fit_is_an_error_and_never_a_size():
    with pytest.raises(InputError, match=r"^effective kernel 33 > 11 on axis height: a smaller kernel"):
        formulas.output_size(11, 5, dilation=8, axis="height")


def test_padding_that_keeps_the_size_has_a_middle():
    assert [formulas.same_padding(3), formulas.same_padding(5, 8), formulas.same_padding(4)] == [1, 16, 1]
    with pytest.raises(InputError, match='`kernel` must be odd where "same" meets a dilation above 1'):
        formulas.same_padding(4, 2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
def test_receptive_fields_are_what_is_reached_step_by_step(layers):
    """Which places of the input the places 0 and 1 of the output reach, found by going back through the layers."""

    def reached(place):
        found = {place}
        for kernel, stride, dilation in reversed(layers):
            found = {p * stride + a * dilation for p in found for a in range(kernel)}
        return found

    field, jump = formulas.receptive_field(layers)
    assert max(reached(0)) - min(reached(0)) + 1 == field
    assert min(reached(1)) - min(reached(0)) == jump
