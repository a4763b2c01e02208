"""Series beside each other, and thinned."""

import itertools

from keras_course.diagnostics.plugin import series

import pytest


@pytest.mark.parametrize(
    ("count", "kept"), [(0, 0), (1, 1), (100, 100), (101, 101), (300, 300), (301, 300), (9000, 300)]
)
def test_thinning_keeps_the_start_and_the_end(count, kept):
    steps = [3 * i for i in range(count)]
    found = series.thinned(steps)
    assert len(found) == kept
    assert found == sorted(set(found))
    assert found[:100] == steps[:100]
    assert found[-1:] == steps[-1:]


def test_thinning_is_even():
    rest = series.thinned(list(range(5100)))[100:]
    gaps = {b - a for a, b in itertools.pairwise(rest)}
    assert gaps <= {25, 26}


def test_a_table_has_a_row_for_each_unit_in_the_order_of_the_model():
    scalars = {
        "dead_share/b": [(0, 0.5), (2, 0.75)],
        "dead_share/a": [(2, 1.0)],
        "dead_share/other": [(1, 1.0)],
        "gradient_norm/a": [(0, 3.0)],
    }
    assert series.table(scalars, "dead_share", ["a", "head", "b"]) == {
        "units": ["a", "b"],
        "steps": [0, 2],
        "values": [[None, 1.0], [0.5, 0.75]],
    }


def test_what_was_not_measured_is_an_empty_table():
    assert series.table({}, "dead_share", ["a"]) == {"units": [], "steps": [], "values": []}
    assert series.curve([]) == {"steps": [], "values": []}


def test_a_curve_keeps_its_pairs():
    found = series.curve([(i, i / 4) for i in range(1000)])
    assert len(found["steps"]) == 300
    assert found["values"] == [step / 4 for step in found["steps"]]
