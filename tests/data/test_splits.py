from keras_course.base import InputError
from keras_course.data.splits import Split, Splits, split

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

Y = np.repeat([0, 1, 2], [20, 30, 50])
X = np.arange(100.0)[:, None] * [1, 2]  # (100, 2): the first column is the row


def rows(part):
    return part.x[:, 0].astype(int)


@given(
    counts=st.lists(st.integers(9, 40), min_size=2, max_size=5),
    cuts=st.tuples(st.floats(0.2, 0.4), st.floats(0.2, 0.4)),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_example_is_in_exactly_one_part_and_keeps_its_label(counts, cuts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    parts = split(np.arange(len(y))[:, None], y, sizes=(1 - sum(cuts), *cuts), seed=seed)
    assert sorted(np.concatenate([rows(part) for part in parts])) == list(range(len(y)))
    assert all((part.y == y[rows(part)]).all() for part in parts)


@given(counts=st.lists(st.integers(9, 40), min_size=2, max_size=5), seed=st.integers(0, 2**31 - 1))
def test_a_class_has_its_share_of_each_part_up_to_rounding(counts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    sizes = (0.5, 0.3, 0.2)
    for part, share in zip(split(y, y, sizes=sizes, seed=seed), sizes, strict=True):
        assert (abs(np.bincount(part.y, minlength=len(counts)) - share * np.array(counts)) < 2).all()


def test_shares_that_whole_numbers_allow_are_exact():
    parts = split(X, Y, sizes=(50, 30, 20))
    assert [np.bincount(part.y).tolist() for part in parts] == [[10, 15, 25], [6, 9, 15], [4, 6, 10]]


def test_the_seed_fixes_the_parts():
    first, again, other = (split(X, Y, sizes=(0.7, 0.3), seed=seed) for seed in (5, 5, 6))
    assert all((a.x == b.x).all() and (a.y == b.y).all() for a, b in zip(first, again, strict=True))
    assert set(rows(first[1])) != set(rows(other[1]))


def test_shares_are_rounded_without_losing_an_example():
    y = np.arange(47) % 2
    assert [len(part.y) for part in split(y, y, sizes=(11 / 12, 1 / 12))] == [43, 4]
    assert [len(part.y) for part in split(y, y, sizes=(0.5, 0.25, 0.25))] == [24, 11, 12]


def test_a_single_size_keeps_all_in_order():
    (part,) = split(X, Y[::-1], sizes=(1.0,))
    assert (rows(part) == np.arange(100)).all()
    assert (part.y == Y[::-1]).all()


def test_parts_are_float32_and_int64():
    part, _ = split(X.astype("uint8"), Y.astype("uint8"), sizes=(0.5, 0.5))
    assert (part.x.dtype, part.y.dtype) == ("float32", "int64")


BAD = X.copy()
BAD[3, 1], BAD[5, 0] = np.nan, np.inf


@pytest.mark.parametrize(
    ("x", "y", "sizes", "sentence"),
    [
        (X[:0], Y[:0], (1.0,), "`x` must be at least one example. Received: 'shape (0, 2)'."),
        (X[:7], Y, (1.0,), "`y` must be as long as `x`, 7. Received: 100."),
        (X, Y[:, None], (1.0,), "`y` must be of one axis, a class for each example. Received: 'shape (100, 1)'."),
        (BAD, Y, (1.0,), "`x` must be finite. Received: '2 values that are not'."),
        (X, Y / 2, (1.0,), "`y` must be of whole numbers. Received: 'float64'."),
        (X, Y + 1, (1.0,), "`y` must be a class from 0 to 2. Received: [3]."),
        (X, Y - 1, (1.0,), "`y` must be a class from 0 to 2. Received: [-1]."),
        (X, Y, (50, 40), "`sizes` must be numbers above 0 that add up to 100. Received: (50, 40)."),
        (X, Y, (0.5, 0.4), "`sizes` must be numbers above 0 that add up to 1. Received: (0.5, 0.4)."),
        (X, Y, (1.5, -0.5), "`sizes` must be numbers above 0 that add up to 1. Received: (1.5, -0.5)."),
        (X, Y, (), "`sizes` must be numbers above 0 that add up to 100. Received: ()."),
        (
            X,
            Y * (np.arange(100) == 99),
            (0.5, 0.5),
            "`y` must have enough examples of each class to take 50 of 100 out. Received: 1 of the smallest class.",
        ),
    ],
)
def test_what_cannot_be_split_is_refused_in_one_sentence(x, y, sizes, sentence):
    with pytest.raises(InputError) as error:
        split(x, y, sizes=sizes, classes=3)
    assert str(error.value) == sentence


def test_counts_are_those_of_the_examples():
    parts = [Split(X[:n], Y[:n]) for n in (5, 3, 2)]
    splits = Splits(*parts, name="numbers", source="small", classes=("a", "b", "c"), licence="none")
    assert splits.counts == {"train": 5, "validation": 3, "test": 2}
