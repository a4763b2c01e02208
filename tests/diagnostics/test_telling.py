from keras_course.diagnostics import telling

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.linear_model import LogisticRegression

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:900], LABELS[:900]


@pytest.mark.parametrize("load", [load_digits, load_wine, load_breast_cancer, load_diabetes])
def test_true_pairs_agree_and_mixed_ones_do_not(load):
    x, y = load(return_X_y=True)
    x, y = x[-600:], y[-600:]
    assert telling.pairing(x, y).p < 0.02
    ps = [telling.pairing(x, np.random.default_rng(seed).permutation(y)).p for seed in range(5)]
    assert np.median(ps) > 0.2


def test_columns_of_targets_agree_with_their_inputs_or_not():
    x = np.random.default_rng(0).normal(size=(400, 6))
    y = (x @ np.random.default_rng(1).normal(size=(6, 5)) > 0.5).astype("float64")
    assert telling.pairing(x, y).p < 0.02
    assert telling.pairing(x, np.random.default_rng(2).permutation(y)).p > 0.05


def test_one_direction_among_many_is_found():
    x = np.random.default_rng(0).normal(size=(500, 300))
    assert telling.pairing(x, (x[:, 7] > 0).astype(int)).p < 0.05


def test_of_labels_that_are_mostly_noise_some_are_told():
    """Of classes of which a fourth is right, where neighbours see nothing; not of labels that are dealt out."""
    rng = np.random.default_rng(0)
    y, dealt = rng.integers(0, 5, (2, 2000))
    x = rng.normal(size=(2000, 30)) + 2 * np.eye(5, 30)[y]
    few = np.where(rng.random(2000) < 0.25, y, dealt)
    assert telling.told_at_all(x, y)
    assert telling.told_at_all(x, few)
    assert not any(telling.told_at_all(x, np.random.default_rng(seed).permutation(y)) for seed in range(8))
    assert not telling.told_at_all(x[:200], few[:200]), "of two hundred nobody knows"
    assert not telling.told_at_all(x, few + 0.5), "of real targets nothing is told"
    assert not telling.told_at_all(x, np.where(np.arange(2000) < 3, 9, y)), "of three rows there are no five folds"


def test_counts_of_many_words_tell_some_labels_where_a_line_does_not():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 1000)
    words = np.where(rng.random((1000, 12)) < 0.35, 60 * y[:, None] + rng.integers(0, 60, (1000, 12)),
                     rng.integers(0, 300, (1000, 12)))  # fmt: skip
    counts = np.zeros((1000, 300), int)
    np.add.at(counts, (np.arange(1000)[:, None], words), 1)
    few = np.where(rng.random(1000) < 0.3, y, rng.integers(0, 5, 1000))
    assert telling.told_at_all(counts, few)
    assert not telling.told_at_all(counts.astype("float64"), few), "of measurements a line is fitted alone"
    assert not telling.told_at_all(counts, rng.permutation(few))


def test_of_each_row_one_place_is_taken_with_what_lies_around_it():
    x = np.zeros((3, 7, 2), "float32")
    x[0, :4] = np.arange(1, 9).reshape(4, 2)
    x[1], x[2, 2] = 1, 5
    y = np.where(np.arange(7) < 2, 3, 0) * np.ones((3, 1), int)
    y[2] = 4 * (np.arange(7) == 2)
    around, labels = telling.one_place_each(x, y)
    assert around.shape == (3, 10)
    middle = around[0].reshape(5, 2)[2]
    assert middle[0] in (1, 3, 5, 7), "no padding"
    assert labels[0] == (3 if middle[0] < 4 else 0)
    np.testing.assert_array_equal(around[1], np.ones(10))
    np.testing.assert_array_equal(around[2].reshape(5, 2), [[0, 0], [0, 0], [5, 5], [0, 0], [0, 0]])
    assert labels[2] == 4, "the only place that is not padding"


def test_a_rare_class_of_places_is_drawn_as_often_as_the_others():
    masks = np.zeros((400, 5, 6, 1), "float32")
    masks[:, 2, 3] = 1
    patches, labels = telling.one_place_each(np.repeat(masks, 3, axis=-1), masks)
    assert patches.shape == (400, 27)
    assert 0.4 < labels.mean() < 0.6
    np.testing.assert_array_equal(patches[:, 12], labels)


def test_words_at_their_places_are_told_apart():
    words = np.random.default_rng(0).integers(1, 6, (300, 8))
    words[:, 5:] = 0
    x, labels = telling.one_place_each(words, words % 3)
    assert x.shape == (300, 5)
    assert np.all(x.sum(1) == 1), "one of the words, and no padding"
    assert len(np.unique(np.column_stack([x, labels]), axis=0)) == 5
    assert telling.pairing(x, labels).p < 0.01


@pytest.mark.parametrize("shape", [(20,), (20, 1), (20, 7, 2), (20, 4)])
def test_labels_without_places_are_none(shape):
    x, y = np.ones((20, 7, 2)), np.arange(np.prod(shape)).reshape(shape) % 3
    assert telling.one_place_each(x, y) is None
    assert telling.one_place_each(x, np.arange(140).reshape(20, 7)) is None, "of so many kinds they are words"
    assert telling.one_place_each(x, np.linspace(0, 1, 140).reshape(20, 7)) is None


def test_suspects_are_mostly_those_that_were_changed():
    rng = np.random.default_rng(1)
    changed = rng.permutation(len(LABELS))[:90]
    y = LABELS.copy()
    y[changed] = (y[changed] + rng.integers(1, 10, 90)) % 10
    found = telling.mislabelled(DIGITS, y).rows
    assert np.isin(found, changed).mean() > 0.8
    assert np.isin(changed, found).mean() > 0.5
    assert len(telling.mislabelled(DIGITS, LABELS).rows) < 0.02 * len(LABELS)


def test_with_labels_at_random_the_surest_rows_are_wrong_too():
    rng = np.random.default_rng(1)
    for share in (0.0, 0.4):
        y = np.where(rng.random(len(LABELS)) < share, rng.integers(0, 10, len(LABELS)), LABELS)
        found = telling.mislabelled(DIGITS, y)
        assert found.surest == len(LABELS) // 3
        assert found.wrong / found.surest == pytest.approx(0.9 * share, abs=0.06)


def test_classes_that_overlap_have_no_suspects():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    assert len(telling.mislabelled(rng.normal(size=(600, 5)) + 0.5 * y[:, None], y).rows) == 0


def test_the_feature_that_tells_the_class_is_found():
    y = LABELS
    x = np.column_stack([DIGITS, y + 0.1 * np.random.default_rng(0).normal(size=len(y))])
    assert telling.telling_feature(x, y)[0] == 64
    assert telling.telling_feature(x, y)[1] > 0.98
    assert telling.telling_feature(DIGITS, y)[1] < 0.5


def test_what_one_part_teaches_holds_on_the_other_or_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    y = (x[:, 0] > 0).astype(int)
    same, other = (
        telling.transfer(x[:400], y[:400], x[400:], y[400:]),
        telling.transfer(x[:400], y[:400], x[400:, ::-1], y[400:]),
    )
    assert min(same.inside, same.across, other.inside) > 0.9
    assert other.across < 0.6
    assert 0.5 <= same.chance < 0.6


def test_a_table_of_words_tells_labels_where_the_words_are_the_same():
    rng = np.random.default_rng(0)
    x = rng.integers(1, 30, (200, 9))
    x[:, 8:] = 0  # filled up
    y = np.where(x > 0, 1 + x % 3, 0)
    found = telling.told_by_words(x[:150], y[:150], x[150:], y[150:])
    real = y[150:][x[150:] > 0], y[:150][x[:150] > 0]
    most = max(np.bincount(labels).max() / len(labels) for labels in real)
    assert (found.inside, found.across, found.chance) == (1.0, 1.0, most)
    other = np.where(x > 0, 1 + x % 29, 0)  # each word has the number of the next
    shifted = telling.told_by_words(x[:150], y[:150], other[150:], y[150:])
    assert shifted.across < 0.1
    unknown = telling.told_by_words(x[:150], y[:150], x[150:] + 100 * (x[150:] > 0), y[150:])
    common = np.bincount(y[:150].ravel()).argmax()
    assert unknown.across == np.mean(real[0] == common)  # whoever knows no word says what is said most often
    empty = telling.told_by_words(x[:150], y[:150], 0 * x[150:], y[150:])
    assert empty.across == 0.0


def test_what_a_linear_model_tells_of_another_part():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    assert telling.linear(x[:300], (x[:300, 0] > 0).astype(int), x[300:], (x[300:, 0] > 0).astype(int)) > 0.9
    y = x @ [1.0, 2, 3] + 0.5 * rng.normal(size=400)  # .25 of a variance of 14.25 is noise
    assert telling.linear(x[:300], y[:300, None], x[300:], y[300:]) == pytest.approx(1 - 0.25 / 14.25, abs=0.01)
    assert np.isnan(telling.linear(x[:300], np.arange(300) == 7, x[300:], np.arange(100) == 7)), (
        "one example of a class"
    )


@pytest.mark.parametrize("copies", [1, 10])
def test_many_columns_are_seen_in_their_principal_axes(copies):
    """Of 640 columns that are 64 ten times over, those axes hold everything."""
    wide, other = np.tile(3 * DIGITS[:600] + 7, copies), np.tile(3 * DIGITS[600:] + 7, copies)
    train, held_out = telling.on_one_scale(wide, other)
    assert train.shape[1] == held_out.shape[1] == (64 if copies == 1 else 100)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-9)
    varies = np.sum(DIGITS[:600].std(0) > 0)
    np.testing.assert_allclose(np.sum(train.var(0)), copies * varies, rtol=1e-6)
    apart = [np.linalg.norm(rows[0] - rows[1]) for rows in (train, telling.on_one_scale(DIGITS[:600])[0])]
    assert apart[0] == pytest.approx(np.sqrt(copies) * apart[1], rel=1e-6)
    inside, across, _ = telling.transfer(wide, LABELS[:600], other, LABELS[600:])
    assert min(inside, across) > 0.85
    y = DIGITS[:, 20] + 0.1 * DIGITS[:, 30]
    assert telling.linear(wide, y[:600], other, y[600:]) > 0.9
    assert telling.on_one_scale(wide[:30])[0].shape == (30, 64 if copies == 1 else 30)


def test_pixels_keep_their_scale_and_columns_do_not():
    pictures = DIGITS.reshape(-1, 8, 8, 1)
    np.testing.assert_array_equal(telling.embedded(pictures), DIGITS)
    spread = telling.embedded(DIGITS).std(0)
    np.testing.assert_allclose(spread[spread > 0], 1)
    large = np.repeat(np.repeat(pictures, 3, 1), 3, 2)  # of 576 pixels 32 axes keep most of how far apart two are
    few = telling.embedded(large)
    assert few.shape == (900, 32)
    apart = [np.linalg.norm(rows[:300] - rows[300:600], axis=1) for rows in (few, large.reshape(900, -1))]
    assert np.corrcoef(apart)[0, 1] > 0.95


def test_the_error_of_a_difference_is_that_of_many_draws():
    rng = np.random.default_rng(0)
    drawn = rng.binomial(300, 0.7, 20000) / 300 - rng.binomial(80, 0.2, 20000) / 80
    assert telling.error_of_difference(0.7, 300, 0.2, 80) == pytest.approx(drawn.std(), rel=0.03)
    assert telling.error_of_difference(0.7, 5000, 0.2, 1000) == telling.error_of_difference(0.7, 1000, 0.2, 1000)


@pytest.mark.parametrize(("flips", "alone"), [(0.0, 1.0), (0.02, 1 - 0.098 / 0.693), (0.2, 1 - 0.5004 / 0.693)])
def test_a_column_that_tells_most_of_the_classes(flips, alone):
    """Of a class that is turned round in a share p of the rows the entropy of p is left."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4000)
    x = rng.normal(size=(4000, 5))
    x[:, 2] += 0.5 * y
    x[:, 3] = np.where(rng.random(4000) < flips, 1 - y, y) + rng.uniform(0, 0.5, 4000)
    found = telling.dominating(x, 7 + y, rows=4000)
    assert found.column == 3
    assert found.alone == pytest.approx(alone, abs=0.05)
    weak = LogisticRegression().fit(x[:2000, [2]], y[:2000]).predict_proba(x[2000:, [2]])
    own = 1 + np.mean(np.log(weak[np.arange(2000), y[2000:]])) / np.log(2)
    assert found.without == pytest.approx(own if alone > 0.5 else 0.0, abs=0.1)


def test_tables_of_which_no_column_can_dominate():
    assert telling.dominating(np.zeros((300, 1)), np.arange(300) % 2) == (-1, 0.0, 0.0)
    assert telling.dominating(np.zeros((300, 3)), np.arange(300)) == (-1, 0.0, 0.0)
    assert telling.dominating(np.zeros((300, 3)), np.zeros(300)) == (-1, 0.0, 0.0)
    assert telling.dominating(np.zeros((300, 300)), np.arange(300) % 2) == (-1, 0.0, 0.0)
    assert telling.dominating(np.zeros((300, 3)), np.arange(300) % 2).alone == pytest.approx(0, abs=0.05)
