from keras_course import scratch
from keras_course.base import InputError
from keras_course.scratch.gradcheck import central_difference

import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(4, 5))


class Square(scratch.Layer):
    """y = w x², whose gradients are `factor` times what they should be."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor, self.calls = factor, 0
        self.parameters["w"] = np.array([1.5, -2.0, 0.3, 1.0, 0.7])

    def forward(self, x, training=False):
        self.x, self.calls = x, self.calls + 1
        return self.parameters["w"] * x**2

    def backward(self, dy):
        self.gradients["w"] = self.factor * np.sum(dy * self.x**2, axis=0)
        return 2 * self.parameters["w"] * self.x * dy


def errors(rows):
    return {row["name"]: row["error"] for row in rows}


def test_a_right_gradient_passes_and_a_wrong_one_shows_by_how_much():
    assert max(errors(scratch.gradcheck(Square(), X)).values()) < 1e-8
    wrong = errors(scratch.gradcheck(Square(factor=0.9), X))
    assert wrong["x"] < 1e-8
    assert wrong["w"] == pytest.approx(0.1, rel=1e-6)


def test_a_gradient_of_zeros_or_nan_does_not_pass():
    assert errors(scratch.gradcheck(Square(factor=0.0), X))["w"] == pytest.approx(1.0)
    assert not errors(scratch.gradcheck(Square(factor=np.nan), X))["w"] < 1


def test_layer_and_input_are_left_as_they_were():
    layer, x = Square(), X.copy()
    scratch.gradcheck(layer, x)
    assert layer.calls == 0
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(layer.parameters["w"], Square().parameters["w"])


@pytest.mark.parametrize("offset", [0.0, 2e-6, 1e-5 / 3, -5e-6, 9e-6, -9.9e-6])
def test_a_kink_within_the_step_is_seen_wherever_it_is(offset):
    at = np.array([offset, 1.0])
    assert central_difference(lambda: float(3 * np.abs(at[0]) + at[1] ** 3), at, (0,)) is None
    assert central_difference(lambda: float(3 * np.abs(at[0]) + at[1] ** 3), at, (1,)) == pytest.approx(3, rel=1e-9)


@pytest.mark.parametrize("function", [np.exp, np.sin, np.tanh, lambda x: x**5, lambda x: 0 * x, lambda x: 1e6 * x**2])
def test_smooth_functions_have_no_kinks(function):
    for x in np.linspace(-3, 3, 41):
        at = np.array([x])
        assert central_difference(lambda at=at: float(function(at[0])), at, (0,)) is not None


def test_kinks_are_counted_and_other_places_are_sampled():
    x = np.random.default_rng(1).normal(size=(3, 20))
    x[:, ::2] = 0
    (row,) = scratch.gradcheck(scratch.ReLU(), x, samples=20)
    assert row["checked"] == 20
    assert 5 < row["skipped"] <= 30
    assert row["error"] < 1e-8


def test_nothing_but_kinks_is_said_and_does_not_pass():
    (row,) = scratch.gradcheck(scratch.ReLU(), np.zeros((2, 3)))
    assert (row["checked"], row["skipped"]) == (0, 6)
    assert not row["error"] < 1
    assert "only kinks" in scratch.gradient_table([row])


def test_a_kink_excuses_no_wrong_gradient_elsewhere():
    class Wrong(scratch.ReLU):
        def backward(self, dy):
            return dy

    x = np.array([[0.0, 0.0, -1.0, 2.0]])
    (row,) = scratch.gradcheck(Wrong(), x)
    assert row["error"] > 0.1


def test_the_table_has_a_line_for_each_parameter():
    lines = scratch.gradient_table(scratch.gradcheck(Square(), X)).splitlines()
    assert [line.split()[0] for line in lines] == ["parameter", "x", "w"]


def test_what_cannot_be_compared_is_refused():
    a = np.ones(3)
    for arrays, gradients, sentence in (
        ({"a": a}, {"b": a}, r"`gradients` must be of \['a'\]\. Received: \['b'\]\."),
        (
            {"a": a.astype("float32")},
            {"a": a},
            r"`a` must be float64, or rounding hides the gradient\. Received: 'float32'",
        ),
        ({"a": a}, {"a": np.ones(2)}, r"`gradient of a` must be of shape \(3,\)\. Received: \(2,\)\."),
    ):
        with pytest.raises(InputError, match=sentence):
            scratch.compare_gradients(lambda: 0.0, arrays, gradients)
