from keras_course.check import same

import numpy as np
import pytest

X = np.arange(6, dtype="float32").reshape(2, 3)


@pytest.mark.parametrize(
    "value",
    [
        X,
        np.float32(0.5),
        3,
        2.5,
        True,
        "text",
        None,
        [1, 2.5],
        (1, "a"),
        {"a": X, 2: [None]},
        np.array([np.nan, np.inf]),
    ],
)
def test_a_value_is_the_same_as_itself(value):
    same(value, value)


@pytest.mark.parametrize(
    ("received", "expected", "message"),
    [
        ([1.0, 2.0], X, "a list of 2, expected an array of shape (2, 3)"),
        (None, 2.0, "None, expected a number: None for 2.0"),
        (3.0, 3, "a number, expected a whole number: 3.0 for 3"),
        (1, True, "a whole number, expected true or false: 1 for True"),
        ([1, 2], (1, 2), "a list of 2, expected a tuple of 2"),
        ((1, 2, 3), (1, 2), "a tuple of 3, expected a tuple of 2"),
        ("relu", "tanh", "'relu', expected 'tanh'"),
        (0.5, "tanh", "a number, expected text"),
        (X.astype("int64"), X, "dtype int64, expected float32: did you forget a cast?"),
        (X[:, :, None], X, "shape (2, 3, 1), expected (2, 3): did you forget a squeeze?"),
        (X[:, 0], X[:, :1], "shape (2,), expected (2, 1): did you lose an axis of size 1?"),
        (X.T, X, "shape (3, 2), expected (2, 3): are two axes exchanged?"),
        (X, X[0], "shape (2, 3), expected (3,): is a sum or a mean over axis 0 missing?"),
        (X, X[:, 0], "shape (2, 3), expected (2,): is a sum or a mean over axis 1 missing?"),
        (np.ones(5), np.ones(3), "shape (5,), expected (3,)"),
        (np.array([0.5]), 0.5, "shape (1,), expected a single number: did you forget a squeeze?"),
        (np.array(0.25), 0.5, "0.25, expected 0.5"),
        (np.array(0.25), np.float64(0.5), "0.25, expected 0.5"),
        (np.array([1.0, np.nan, np.nan]), np.ones(3), "2 of 3 values are NaN, the first at [1]"),
        (X + np.array([0, 0, 2]), X, "2 of 6 values differ, the most by 2 at [0, 2]; received 4, 7, expected 2, 5"),
        (np.array([np.inf, 1]), np.array([np.inf, 3]),
         "1 of 2 values differ, the most by 2 at [1]; received 1, expected 3"),
        (X > 1, X > 2, "1 of 6 values differ, the most by 1 at [0, 2]; received 1, expected 0"),
        ({"a": 1}, {"b": 1}, "keys ['a'], expected ['b']"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "at key 'a': item 1: 2, expected 3"),
    ],
)  # fmt: skip
def test_a_difference_is_said_in_words(received, expected, message):
    if isinstance(received, np.ndarray) and isinstance(expected, np.ndarray) and "dtype" not in message:
        received = received.astype(expected.dtype)
    with pytest.raises(AssertionError) as error:
        same(received, expected)
    assert str(error.value) == message


def test_floats_may_differ_by_the_tolerance_and_no_more():
    same(1.0 + 5e-6, 1.0)
    same(np.array([100.0 + 9e-4]), np.array([100.0]))
    same(0.25, 0.5, rtol=0.5)
    for received in (1.0 + 2e-5, np.array(1.0 - 2e-5)):
        with pytest.raises(AssertionError):
            same(received, 1.0)


def test_whole_numbers_have_no_tolerance():
    with pytest.raises(AssertionError, match="1 of 1 values differ, the most by 1"):
        same(np.array([10**9 + 1]), np.array([10**9]))


def test_the_message_names_the_value_and_shows_three_at_most():
    with pytest.raises(AssertionError, match=r"^gate: 5 of 5 .* received 1, 1, 1, \.\.\., expected 0, 0, 0, \.\.\.$"):
        same(np.ones(5), np.zeros(5), what="gate")
