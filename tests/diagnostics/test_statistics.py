import itertools

from keras_course.diagnostics import statistics

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:900], LABELS[:900]


@pytest.mark.parametrize(
    ("y", "form"),
    [
        ([3, 1, 2], "ids"),
        ([3.0, 1.0], "ids"),
        ([[3], [1]], "ids"),
        ([[1, 0, 0], [0, 0, 1]], "one_hot"),
        ([[1, 0, 1], [0, 0, 0]], "multi_hot"),
        ([[0.2, 0.8], [0.5, 0.5]], "shares"),
        ([[4, 2], [0, 9]], "ids"),
        ([0.5, 1.0], "real"),
        ([[0.2, 0.9], [0.5, 0.5]], "real"),
        (["a", "b"], "none"),
        ([], "none"),
    ],
)
def test_forms_of_targets(y, form):
    assert statistics.form_of(np.array(y)) == form


def test_classes_are_ids_of_few_values_or_the_places_of_ones():
    np.testing.assert_array_equal(statistics.classes_of(np.array([[0, 1], [1, 0]])), [1, 0])
    np.testing.assert_array_equal(statistics.classes_of(np.array([[2.0], [5.0]])), [2, 5])
    assert statistics.classes_of(np.arange(100)) is None
    assert statistics.classes_of(np.array([[3, 4], [5, 6]])) is None


def test_the_exact_interval_of_no_hits_is_the_rule_of_three():
    low, high = statistics.share_interval(0, 100)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))  # closed form of Clopper and Pearson


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2], [0, 0, 0, 1], [2, 0, 1, 1, 1, 0]])
def test_the_run_statistic_is_that_of_all_orders(labels):
    equal = [sum(a == b for a, b in itertools.pairwise(order)) for order in itertools.permutations(labels)]
    seen = sum(a == b for a, b in itertools.pairwise(labels))
    assert statistics.run_z(np.array(labels)) == pytest.approx((seen - np.mean(equal)) / np.std(equal))


def test_entropy_is_that_of_scipy_and_of_nothing_0():
    assert statistics.entropy(np.array([3, 0, 5])) == pytest.approx(stats.entropy([3, 5]))
    assert statistics.entropy(np.array([0, 0])) == 0


def test_mixing_of_random_batches_is_1_and_of_pure_ones_0():
    rng = np.random.default_rng(0)
    zs = [statistics.mixing(np.split(rng.permutation(LABELS), 30), LABELS).z for _ in range(20)]
    assert max(np.abs(zs)) < 5
    assert statistics.mixing(np.split(np.sort(LABELS), 90), LABELS).ratio < 0.1
    half = [np.array([0, 1] * 10), np.array([2, 3] * 10)]
    expected = np.log(2) / np.mean([statistics.entropy(rng.multinomial(20, [0.25] * 4)) for _ in range(2000)])
    assert statistics.mixing(half, np.arange(4)).ratio == pytest.approx(expected, rel=0.02)


def test_bins_hold_as_many_each():
    y = np.random.default_rng(0).normal(size=1000) ** 3
    np.testing.assert_allclose(np.bincount(statistics.binned(y)), 100, atol=1)


def test_scales_are_those_of_channels_and_columns():
    images = np.zeros((50, 4, 3, 2))
    images[..., 1] = np.random.default_rng(0).normal(5, 2, (50, 4, 3))
    found = statistics.scales(images)
    np.testing.assert_allclose(found.center, [0, images[..., 1].mean()])
    np.testing.assert_allclose(found.spread, [0, images[..., 1].std()])
    assert statistics.scales(np.eye(5)).sparse
    assert not statistics.scales(images).sparse


def test_neighbours_of_noise_do_not_correlate_and_those_of_a_ramp_do():
    rng = np.random.default_rng(0)
    assert abs(statistics.neighbour_correlation(rng.normal(size=(30, 10, 10, 2)))) < 0.1
    assert statistics.neighbour_correlation(rng.normal(size=(30, 10, 1, 2)) * np.ones((1, 1, 10, 1))) == pytest.approx(
        1
    )


@pytest.mark.parametrize("n", [200, 3000])
def test_what_principal_axes_leave(n):
    """Of columns of spreads 3, 2 and 1 the squares are 9, 4 and 1 of 14."""
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    drawn = np.random.default_rng(1).normal(size=(n, 3))
    rows = np.linalg.qr(drawn - drawn.mean(0))[0] * [3, 2, 1] @ turned[:3] + 7
    within = 1e-9 if n <= 1000 else 0.06  # of which 1000 are looked at
    expected = np.array([14, 5, 1, 0, 0, 0]) / 14
    np.testing.assert_allclose(statistics.left_of_axes(rows), expected, atol=within)
    np.testing.assert_allclose(statistics.left_of_axes(rows[:3])[2:], 0, atol=1e-9)  # three rows have two axes
