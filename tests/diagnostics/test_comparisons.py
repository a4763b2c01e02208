from keras_course.diagnostics import comparisons

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:900], LABELS[:900]


def test_shared_rows_are_counted_and_chance_repeats_expected():
    found = comparisons.shared_rows(DIGITS[:500], np.concatenate([DIGITS[500:], DIGITS[:7]]))
    assert (found.hits, found.n, found.expected) == (7, 407, 0.0)
    coins = np.random.default_rng(0).integers(0, 2, (400, 3))
    found = comparisons.shared_rows(coins[:200], coins[200:])
    assert found.hits == 200
    assert found.expected == 1.0


def between(rows, count, rng):
    """SMOTE: rows somewhere on the way from one row to one of its three nearest neighbours."""
    near = NearestNeighbors(n_neighbors=4).fit(rows).kneighbors(rows, return_distance=False)
    start = rng.integers(0, len(rows), count)
    other = near[start, rng.integers(1, 4, count)]
    return rows[start] + rng.uniform(0.1, 0.9, (count, 1)) * (rows[other] - rows[start])


def lying(first, second):
    """How many rows of the second part lie on lines of the first, and how many were looked at."""
    rows, lies = comparisons.on_lines(first, second)
    assert len(set(rows)) == len(rows) == len(lies)
    return int(lies.sum()), len(lies)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("columns", [4, 30, 90])
def test_rows_that_were_made_between_others(columns, precision):
    rng = np.random.default_rng(0)
    first, new = 5 + rng.normal(size=(300, columns)).astype(precision), rng.normal(size=(40, columns))
    made = between(first, 30, rng).astype(precision)
    assert lying(first, np.concatenate([5 + new, made])) == (30, 70)
    rows, lies = comparisons.on_lines(first, np.concatenate([5 + new, made]))
    assert set(rows[lies]) == set(range(40, 70))
    assert lying(first, np.concatenate([first[:9], 5 + new])) == (0, 49), "copies have no line"
    assert lying(np.concatenate([first, made]), made) == (30, 30), "whether or not they were copied"
    other = first * np.linspace(1, 1000, columns).astype(precision)  # whatever the units
    assert lying(other, between(other, 30, rng).astype(precision))[0] >= 25


def test_where_rows_may_lie_on_lines_by_chance_nothing_is_said():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(300, 3))
    for x in (flat, np.c_[flat, flat.sum(1)], np.c_[flat, rng.integers(0, 5, (300, 4))]):
        assert lying(x, between(x, 30, rng)) == (0, 0)
    coarse = rng.integers(0, 5, (300, 9)) / 4
    assert lying(coarse, between(coarse, 30, rng)) == (0, 0)
    for first, second in rng.normal(size=(5, 2, 900, 4)):
        assert lying(first, second) == (0, 200)
    many = rng.normal(size=(300, 5))
    assert lying(many, between(many, 900, rng)) == (200, 200)


def test_a_shift_is_that_of_the_features_that_moved():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 5)), rng.normal(size=(400, 5))
    assert comparisons.shift(a, b).share == 0
    b[:, 1] *= 10
    b[:, 3] += 50
    found = comparisons.shift(a, b)
    assert found.share == pytest.approx(2 / 5)
    assert found.p < 1e-6


def test_drift_of_labels_is_their_total_variation():
    a, b = np.repeat([0, 1, 2], [50, 30, 20]), np.repeat([0, 1, 3], [20, 30, 50])
    found = comparisons.label_drift(a, b)
    assert found.distance == pytest.approx(0.5)
    assert (found.only_first, found.only_second) == ((2,), (3,))
    assert found.p == pytest.approx(stats.chi2_contingency([[50, 30, 20, 0], [20, 30, 0, 50]])[1])


def test_how_often_rows_are_equal_by_chance():
    coins = np.random.default_rng(0).integers(0, 2, (4000, 3))
    assert comparisons._equal_by_chance(coins) == pytest.approx(1 / 8, rel=0.01)
    assert comparisons._equal_by_chance(np.arange(50.0)[:, None]) == pytest.approx(1 / 50)
    assert comparisons._equal_by_chance(np.array(["a", "b"])) == 1


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (lambda x: 255 * x + 3, 1.0),
        (lambda x: x, 1.0),
        (lambda x: np.stack([x[:, 0] / 9, np.exp(2 * x[:, 1])], 1), 0.5),
        (lambda x: x**4, 0.0),
        (lambda x: 0 * x, 0.0),  # what does not vary is like nothing
    ],
)
def test_features_of_another_scale_are_alike_but_for_it(other, share):
    a, b = np.random.default_rng(1).normal(size=(2, 500, 2))
    assert comparisons.scaled_otherwise(a, other(b)) == share


def test_values_that_many_examples_share_may_stand_a_little_apart():
    """Half of a picture is black: its mean and spread, and so the place of black, differ a little by chance."""
    ink = np.random.default_rng(2).uniform(0, 1, (2, 400, 3)) * (np.random.default_rng(3).random((2, 400, 3)) > 0.5)
    assert comparisons.scaled_otherwise(ink[0], 255 * ink[1]) == 1.0
    assert comparisons.scaled_otherwise(ink[0], np.random.default_rng(4).uniform(0, 255, (400, 3))) == 0.0


def test_noise_takes_correlations_away_and_another_scale_does_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1)) + 0.5 * rng.normal(size=(2000, 5))
    for times in (2.0, 4.0):
        noisy = x[:1000] + times * np.std(x) * rng.normal(size=(1000, 5))
        assert comparisons.kept_correlation(noisy, x[1000:]) == pytest.approx(1 / (1 + times**2), abs=0.05)
        assert comparisons.drowned(noisy, x[1000:]) == pytest.approx(times, rel=0.1)
    many = rng.normal(size=(20000, 1)) + 0.5 * rng.normal(size=(20000, 5))
    less = many[:10000] + 1.7 * np.std(many) * rng.normal(size=(10000, 5))
    assert comparisons.kept_correlation(less, many[10000:]) < 0.3
    assert comparisons.drowned(less, many[10000:]) == 0, "below 1.8"
    assert comparisons.kept_correlation(9 * x[:1000], x[1000:]) == pytest.approx(1, abs=0.05)
    assert comparisons.drowned(9 * x[:1000], x[1000:]) == 0
    assert np.isnan(comparisons.kept_correlation(x[:1000], rng.normal(size=(1000, 5)))), "nothing to keep"
    assert comparisons.drowned(9 * rng.normal(size=(1000, 5)), rng.normal(size=(1000, 5))) == 0, "nobody knows"


def test_noise_takes_the_correlations_of_neighbours_in_waves_of_any_phase():
    rng = np.random.default_rng(3)
    phase, pace = rng.uniform(0, 6.28, (400, 1)), rng.uniform(0.1, 0.9, (400, 1))
    waves = np.sin(phase + pace * np.arange(200))[..., None]
    noisy = waves[:200] + 3 * rng.normal(size=(200, 200, 1))
    assert comparisons.drowned(noisy, waves[200:]) == pytest.approx(3 / np.std(waves), rel=0.1)
    assert comparisons.kept_correlation(9 * waves[:200], waves[200:]) == pytest.approx(1, abs=0.05)
    assert comparisons.drowned(9 * waves[:200], waves[200:]) == 0
    assert comparisons.drowned(noisy[..., 0], waves[200:, :, 0]) == 0, "columns of a table have no neighbours"
    assert comparisons.drowned(9 * rng.normal(size=(200, 200, 1)), rng.normal(size=(200, 200, 1))) == 0, "nobody knows"


def test_noise_adds_the_same_variance_to_all_features_and_a_scale_multiplies():
    """Features that go their own ways and are of unlike spreads: there are no correlations to be taken away."""
    rng = np.random.default_rng(0)
    spreads = np.geomspace(0.1, 2, 30)
    x = spreads * np.sqrt(8) * (rng.random((2000, 30)) < 0.15)
    noisy = x[:1000] + 4 * rng.normal(size=(1000, 30))
    assert comparisons.drowned(noisy, x[1000:]) == pytest.approx(4 / np.sqrt(np.mean(spreads**2)), rel=0.1)
    assert comparisons.drowned(4 * x[:1000], x[1000:]) == 0
    assert comparisons.drowned(x[:1000] / spreads * 4, x[1000:]) == 0, "each on one scale"
    by_spread = x[:1000] + 4 * spreads * rng.normal(size=(1000, 30))
    assert comparisons.drowned(by_spread, x[1000:]) == 0, "each by its own spread, as another sensor"
    one = x / spreads
    assert comparisons.drowned(one[:1000] + 4 * rng.normal(size=(1000, 30)), one[1000:]) == 0, "of one spread"
    alike = rng.normal(size=(2000, 30))
    assert comparisons.drowned(alike[:1000] + 4 * rng.normal(size=(1000, 30)), alike[1000:]) == 0, "nobody knows"


def test_noise_is_told_by_the_spectrum_where_neighbours_have_little_in_common():
    rng = np.random.default_rng(0)
    pace = rng.uniform(1.4, 1.7, (600, 1))
    waves = (np.sin(pace * np.arange(96) + rng.uniform(0, 6, (600, 1))) + rng.normal(size=(600, 96)))[..., None]
    noisy = waves[:300] + 6 * rng.normal(size=(300, 96, 1))
    assert comparisons.drowned(noisy, waves[300:]) == pytest.approx(6 / np.std(waves), rel=0.1)
    assert comparisons.drowned(6 * waves[:300], waves[300:]) == 0
    even = rng.normal(size=(600, 96, 1))
    assert comparisons.drowned(even[:300] + 6 * rng.normal(size=(300, 96, 1)), even[300:]) == 0, "nobody knows"
    many = 5 * rng.normal(size=(9000, 96, 1))
    assert comparisons.drowned(many, even[:60]) == 0, "of which few rows have an uneven spectrum by chance"


@pytest.mark.parametrize(("times", "scale", "expected"), [(3.0, 1.0, 3.0), (0.5, 1.0, 0.0), (0.0, 3.2, 0.0)])
def test_noise_on_one_channel_of_sequences(times, scale, expected):
    """Another scale multiplies what neighbouring places have in common."""
    rng = np.random.default_rng(0)
    waves = np.sin(rng.uniform(0, 6, (600, 1)) + np.linspace(0, 9, 40))[..., None] * [1.0, 2.0, 0.5]
    train = waves[:400] * [scale, 1.0, 1.0]
    train[..., 0] += times * np.std(waves[..., 0]) * rng.normal(size=train.shape[:2])
    assert comparisons.drowned(train, waves[400:]) == pytest.approx(expected, rel=0.1)


def table(rows, seed):
    """Columns of five forms: a normal one, a uniform one, yes and no, counts, and one with a long tail."""
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=rows), rng.uniform(-2, 2, rows), rng.random(rows) < 0.3, rng.poisson(3, rows) - 3.0,
            rng.exponential(2, rows)]  # fmt: skip
    return np.stack(made, axis=1)


@pytest.mark.parametrize(
    ("order", "rows", "moved"),
    [
        ([0, 1, 2, 3, 4], 400, []),
        ([0, 1, 3, 2, 4], 400, [(2, 3), (3, 2)]),
        ([4, 1, 2, 0, 3], 400, [(0, 4), (3, 0), (4, 3)]),
        ([4, 1, 2, 0, 3], 190, []),
    ],
)
@pytest.mark.parametrize("places", [1, 7])
def test_columns_that_have_changed_places(order, rows, moved, places):
    x, other = table(500 * places, 0).reshape(500, places, 5), table(rows * places, 1).reshape(rows, places, 5)
    if places == 1:
        x, other = x[:, 0], other[:, 0]
    assert comparisons.exchanged(x, other[..., order]) == moved


def test_columns_that_drift_have_not_changed_places():
    x, other = table(500, 0), table(500, 1)
    assert comparisons.exchanged(x, other + np.array([1, 0, 0, 2, 0])) == []
    assert comparisons.exchanged(x, other + np.arange(5)) == []
    assert comparisons.exchanged(x[:, :1], other[:, :1]) == []
    assert comparisons.exchanged(x, other[:, :4]) == []
    other[3, 2] = np.nan
    assert comparisons.exchanged(x, other[:, [4, 1, 2, 0, 3]]) == []
