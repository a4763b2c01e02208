import itertools

from keras_course.diagnostics import statistics as s

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

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
    assert s.form_of(np.array(y)) == form


def test_classes_are_ids_of_few_values_or_the_places_of_ones():
    np.testing.assert_array_equal(s.classes_of(np.array([[0, 1], [1, 0]])), [1, 0])
    np.testing.assert_array_equal(s.classes_of(np.array([[2.0], [5.0]])), [2, 5])
    assert s.classes_of(np.arange(100)) is None
    assert s.classes_of(np.array([[3, 4], [5, 6]])) is None


def test_the_exact_interval_of_no_hits_is_the_rule_of_three():
    low, high = s.share_interval(0, 100)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))  # closed form of Clopper and Pearson


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2], [0, 0, 0, 1], [2, 0, 1, 1, 1, 0]])
def test_the_run_statistic_is_that_of_all_orders(labels):
    equal = [sum(a == b for a, b in itertools.pairwise(order)) for order in itertools.permutations(labels)]
    seen = sum(a == b for a, b in itertools.pairwise(labels))
    assert s.run_z(np.array(labels)) == pytest.approx((seen - np.mean(equal)) / np.std(equal))


def test_mixing_of_random_batches_is_1_and_of_pure_ones_0():
    rng = np.random.default_rng(0)
    zs = [s.mixing(np.split(rng.permutation(LABELS), 30), LABELS).z for _ in range(20)]
    assert max(np.abs(zs)) < 5
    assert s.mixing(np.split(np.sort(LABELS), 90), LABELS).ratio < 0.1
    half = [np.array([0, 1] * 10), np.array([2, 3] * 10)]
    expected = np.log(2) / np.mean([s.entropy(rng.multinomial(20, [0.25] * 4)) for _ in range(2000)])
    assert s.mixing(half, np.arange(4)).ratio == pytest.approx(expected, rel=0.02)


def test_bins_hold_as_many_each():
    y = np.random.default_rng(0).normal(size=1000) ** 3
    np.testing.assert_allclose(np.bincount(s.binned(y)), 100, atol=1)


def test_scales_are_those_of_channels_and_columns():
    images = np.zeros((50, 4, 3, 2))
    images[..., 1] = np.random.default_rng(0).normal(5, 2, (50, 4, 3))
    found = s.scales(images)
    np.testing.assert_allclose(found.center, [0, images[..., 1].mean()])
    np.testing.assert_allclose(found.spread, [0, images[..., 1].std()])
    assert s.scales(np.eye(5)).sparse
    assert not s.scales(images).sparse


def test_neighbours_of_noise_do_not_correlate_and_those_of_a_ramp_do():
    rng = np.random.default_rng(0)
    assert abs(s.neighbour_correlation(rng.normal(size=(30, 10, 10, 2)))) < 0.1
    assert s.neighbour_correlation(rng.normal(size=(30, 10, 1, 2)) * np.ones((1, 1, 10, 1))) == pytest.approx(1)


def test_shared_rows_are_counted_and_chance_repeats_expected():
    found = s.shared_rows(DIGITS[:500], np.concatenate([DIGITS[500:], DIGITS[:7]]))
    assert (found.hits, found.n, found.expected) == (7, 407, 0.0)
    coins = np.random.default_rng(0).integers(0, 2, (400, 3))
    found = s.shared_rows(coins[:200], coins[200:])
    assert found.hits == 200
    assert found.expected == 1.0


def test_a_shift_is_that_of_the_features_that_moved():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 5)), rng.normal(size=(400, 5))
    assert s.shift(a, b).share == 0
    b[:, 1] *= 10
    b[:, 3] += 50
    found = s.shift(a, b)
    assert found.share == pytest.approx(2 / 5)
    assert found.p < 1e-6


def test_drift_of_labels_is_their_total_variation():
    a, b = np.repeat([0, 1, 2], [50, 30, 20]), np.repeat([0, 1, 3], [20, 30, 50])
    found = s.label_drift(a, b)
    assert found.distance == pytest.approx(0.5)
    assert (found.only_first, found.only_second) == ((2,), (3,))
    assert found.p == pytest.approx(stats.chi2_contingency([[50, 30, 20, 0], [20, 30, 0, 50]])[1])


@pytest.mark.parametrize("load", [load_digits, load_wine, load_breast_cancer, load_diabetes])
def test_true_pairs_agree_and_mixed_ones_do_not(load):
    x, y = load(return_X_y=True)
    x, y = x[-600:], y[-600:]
    assert s.pairing(x, y).p < 0.02
    ps = [s.pairing(x, np.random.default_rng(seed).permutation(y)).p for seed in range(5)]
    assert np.median(ps) > 0.2


def test_columns_of_targets_agree_with_their_inputs_or_not():
    x = np.random.default_rng(0).normal(size=(400, 6))
    y = (x @ np.random.default_rng(1).normal(size=(6, 5)) > 0.5).astype("float64")
    assert s.pairing(x, y).p < 0.02
    assert s.pairing(x, np.random.default_rng(2).permutation(y)).p > 0.05


def test_one_direction_among_many_is_found():
    x = np.random.default_rng(0).normal(size=(500, 300))
    assert s.pairing(x, (x[:, 7] > 0).astype(int)).p < 0.05


def test_suspects_are_mostly_those_that_were_changed():
    rng = np.random.default_rng(1)
    changed = rng.permutation(len(LABELS))[:90]
    y = LABELS.copy()
    y[changed] = (y[changed] + rng.integers(1, 10, 90)) % 10
    found = s.mislabelled(DIGITS, y)
    assert np.isin(found, changed).mean() > 0.8
    assert np.isin(changed, found).mean() > 0.5
    assert len(s.mislabelled(DIGITS, LABELS)) < 0.02 * len(LABELS)


def test_classes_that_overlap_have_no_suspects():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    assert len(s.mislabelled(rng.normal(size=(600, 5)) + 0.5 * y[:, None], y)) == 0


def test_the_feature_that_tells_the_class_is_found():
    y = LABELS
    x = np.column_stack([DIGITS, y + 0.1 * np.random.default_rng(0).normal(size=len(y))])
    assert s.telling_feature(x, y)[0] == 64
    assert s.telling_feature(x, y)[1] > 0.98
    assert s.telling_feature(DIGITS, y)[1] < 0.5


def test_what_one_part_teaches_holds_on_the_other_or_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    y = (x[:, 0] > 0).astype(int)
    same, other = s.transfer(x[:400], y[:400], x[400:], y[400:]), s.transfer(x[:400], y[:400], x[400:, ::-1], y[400:])
    assert min(same.inside, same.across, other.inside) > 0.9
    assert other.across < 0.6
    assert 0.5 <= same.chance < 0.6


def test_how_often_rows_are_equal_by_chance():
    coins = np.random.default_rng(0).integers(0, 2, (4000, 3))
    assert s._equal_by_chance(coins) == pytest.approx(1 / 8, rel=0.01)
    assert s._equal_by_chance(np.arange(50.0)[:, None]) == pytest.approx(1 / 50)
    assert s._equal_by_chance(np.array(["a", "b"])) == 1


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
    assert s.scaled_otherwise(a, other(b)) == share


def test_values_that_many_examples_share_may_stand_a_little_apart():
    """Half of a picture is black: its mean and spread, and so the place of black, differ a little by chance."""
    ink = np.random.default_rng(2).uniform(0, 1, (2, 400, 3)) * (np.random.default_rng(3).random((2, 400, 3)) > 0.5)
    assert s.scaled_otherwise(ink[0], 255 * ink[1]) == 1.0
    assert s.scaled_otherwise(ink[0], np.random.default_rng(4).uniform(0, 255, (400, 3))) == 0.0


def test_a_table_of_words_tells_labels_where_the_words_are_the_same():
    rng = np.random.default_rng(0)
    x = rng.integers(1, 30, (200, 9))
    x[:, 8:] = 0  # filled up
    y = np.where(x > 0, 1 + x % 3, 0)
    found = s.told_by_words(x[:150], y[:150], x[150:], y[150:])
    real = y[150:][x[150:] > 0], y[:150][x[:150] > 0]
    most = max(np.bincount(labels).max() / len(labels) for labels in real)
    assert (found.inside, found.across, found.chance) == (1.0, 1.0, most)
    other = np.where(x > 0, 1 + x % 29, 0)  # each word has the number of the next
    shifted = s.told_by_words(x[:150], y[:150], other[150:], y[150:])
    assert shifted.across < 0.1
    unknown = s.told_by_words(x[:150], y[:150], x[150:] + 100 * (x[150:] > 0), y[150:])
    common = np.bincount(y[:150].ravel()).argmax()
    assert unknown.across == np.mean(real[0] == common)  # whoever knows no word says what is said most often
    empty = s.told_by_words(x[:150], y[:150], 0 * x[150:], y[150:])
    assert empty.across == 0.0


def test_noise_takes_correlations_away_and_another_scale_does_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1)) + 0.5 * rng.normal(size=(2000, 5))
    for times in (2.0, 4.0):
        noisy = x[:1000] + times * np.std(x) * rng.normal(size=(1000, 5))
        assert s.kept_correlation(noisy, x[1000:]) == pytest.approx(1 / (1 + times**2), abs=0.05)
        assert s.drowned(noisy, x[1000:]) == pytest.approx(times, rel=0.1)
    many = rng.normal(size=(20000, 1)) + 0.5 * rng.normal(size=(20000, 5))
    less = many[:10000] + 1.7 * np.std(many) * rng.normal(size=(10000, 5))
    assert s.kept_correlation(less, many[10000:]) < 0.3
    assert s.drowned(less, many[10000:]) == 0, "below 1.8"
    assert s.kept_correlation(9 * x[:1000], x[1000:]) == pytest.approx(1, abs=0.05)
    assert s.drowned(9 * x[:1000], x[1000:]) == 0
    assert np.isnan(s.kept_correlation(x[:1000], rng.normal(size=(1000, 5)))), "nothing to keep"
    assert s.drowned(9 * rng.normal(size=(1000, 5)), rng.normal(size=(1000, 5))) == 0, "nobody knows"


def test_what_a_linear_model_tells_of_another_part():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    assert s.linear(x[:300], (x[:300, 0] > 0).astype(int), x[300:], (x[300:, 0] > 0).astype(int)) > 0.9
    y = x @ [1.0, 2, 3] + 0.5 * rng.normal(size=400)  # .25 of a variance of 14.25 is noise
    assert s.linear(x[:300], y[:300, None], x[300:], y[300:]) == pytest.approx(1 - 0.25 / 14.25, abs=0.01)
    assert np.isnan(s.linear(x[:300], np.arange(300) == 7, x[300:], np.arange(100) == 7)), "one example of a class"


@pytest.mark.parametrize("copies", [1, 10])
def test_many_columns_are_seen_in_their_principal_axes(copies):
    """Of 640 columns that are 64 ten times over, those axes hold everything."""
    wide, other = np.tile(3 * DIGITS[:600] + 7, copies), np.tile(3 * DIGITS[600:] + 7, copies)
    train, held_out = s.on_one_scale(wide, other)
    assert train.shape[1] == held_out.shape[1] == (64 if copies == 1 else 100)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-9)
    varies = np.sum(DIGITS[:600].std(0) > 0)
    np.testing.assert_allclose(np.sum(train.var(0)), copies * varies, rtol=1e-6)
    apart = [np.linalg.norm(rows[0] - rows[1]) for rows in (train, s.on_one_scale(DIGITS[:600])[0])]
    assert apart[0] == pytest.approx(np.sqrt(copies) * apart[1], rel=1e-6)
    inside, across, _ = s.transfer(wide, LABELS[:600], other, LABELS[600:])
    assert min(inside, across) > 0.85
    y = DIGITS[:, 20] + 0.1 * DIGITS[:, 30]
    assert s.linear(wide, y[:600], other, y[600:]) > 0.9
    assert s.on_one_scale(wide[:30])[0].shape == (30, 64 if copies == 1 else 30)
