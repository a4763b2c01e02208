import itertools

from assignments.foundations.knn import EXERCISE, bias_and_variance, boundaries, nearest, regression
from keras_course.base import InputError
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

RNG = np.random.default_rng(0)
POINTS, QUERIES = RNG.normal(size=(31, 3)) * [1, 5, 0.2], RNG.normal(size=(7, 3)) * [1, 5, 0.2]
LABELS = RNG.integers(4, size=31)


def distances(queries, points):
    from assignments.foundations.knn import squared_distances

    return squared_distances(queries, points)


def answers(labels, classes):
    from assignments.foundations.knn import votes

    return votes(labels, classes)


def estimates(predictions, truth):
    from assignments.foundations.knn import bias_and_variance

    return list(bias_and_variance(predictions, truth))


def end_to_end(points, labels, queries, k, classes):
    """The answers for 1 to k neighbours."""
    from assignments.foundations.knn import nearest, votes

    return votes(labels[nearest(queries, points, k)], classes)


def run_on(train, validation, test):
    """A run on given images and labels; each part is (x, y)."""
    from unittest import mock

    from assignments.foundations import knn
    from keras_course import data

    import numpy as np

    parts = [data.Split(np.array(x, "float32")[:, None, None, None], np.array(y)) for x, y in (train, validation, test)]
    splits = data.Splits(*parts, name="made", source="small", classes=("a", "b"), licence="none")
    settings = knn.Settings(most=5, wrong_labels=0.0, places=5, draws=3, designs=1)
    with mock.patch.object(data, "load", return_value=splits):
        result = knn.run(settings, None)
    return {"scores": result.scores, "errors": result.arrays["errors"]["labels as they are"]}


@points(2)
def test_distances_are_those_of_scipy(subject):
    same(subject(distances, queries=QUERIES, points=POINTS), cdist(QUERIES, POINTS, "sqeuclidean"))


@points(1)
def test_moving_everything_far_away_changes_no_distance(subject):
    """In float32, a thousand units from the origin; the squares alone would be of the order of a million."""
    far = np.float32(1000)
    queries, points_ = (np.round(a, 2).astype("float32") for a in (QUERIES, POINTS))
    received = subject(distances, queries=queries + far, points=points_ + far)
    expected = cdist((queries + far).astype(float), (points_ + far).astype(float), "sqeuclidean")
    same(np.asarray(received, float), expected, rtol=1e-3, atol=1e-3)


def test_no_distance_is_below_0(subject):
    x = np.random.default_rng(1).normal(size=(50, 7))
    assert np.min(subject(distances, queries=x, points=x)) >= 0


@points(2)
def test_the_answers_are_those_of_scikit_learn(subject):
    received = subject(end_to_end, points=POINTS, labels=LABELS, queries=QUERIES, k=31, classes=4)
    for k in (1, 2, 3, 5, 8, 31):
        same(received[:, k - 1], KNeighborsClassifier(k).fit(POINTS, LABELS).predict(QUERIES), what=f"k = {k}")


@points(2)
def test_votes_are_counted_one_by_one_and_ties_go_to_the_smallest_class(subject):
    """Every way in which three neighbours of three classes can vote."""
    labels = np.array(list(itertools.product(range(3), repeat=3)))
    expected = [
        [max(range(3), key=lambda c, k=k, row=row: (list(row[:k]).count(c), -c)) for k in (1, 2, 3)] for row in labels
    ]
    same(subject(answers, labels=labels, classes=3), np.array(expected))


@points(2)
def test_the_estimates_are_unbiased_over_all_draws(subject):
    """A coin of 0 and 3 at each of two places, all four pairs of throws: means 1.5, variance 9/4, whatever the rest."""
    truth = np.array([1.0, -2.0])
    found = []
    for first, second in itertools.product(itertools.product((0.0, 3.0), repeat=2), repeat=2):
        found.append(subject(estimates, predictions=np.array([first, second]), truth=truth))
    same(np.mean(found, axis=0), np.array([((1.5 - 1) ** 2 + (1.5 + 2) ** 2) / 2, 9 / 4]))


def test_all_neighbours_together_answer_the_majority(subject):
    """k as large as the training set is no longer a function of the query."""
    received = subject(end_to_end, points=POINTS, labels=LABELS, queries=QUERIES, k=31, classes=4)
    same(received[:, -1], np.full(7, np.bincount(LABELS).argmax()))


@points(2)
def test_a_stored_example_is_its_own_neighbour_and_left_out_it_is_not(subject):
    """Labels in turns along a line: 0 of the stored ones wrong, and all of them when left out."""
    x, y = [0.0, 1.0, 2.1, 3.3, 4.6, 6.0, 7.5], [0, 1, 0, 1, 0, 1, 0]
    found = subject(run_on, train=(x, y), validation=(x, y), test=(x, y))["errors"]
    same(float(found["training"][0]), 0.0, what="on what was stored")
    same(float(found["training, each left out"][0]), 1.0, what="each left out")


def test_k_is_chosen_on_the_validation_split_and_scored_on_the_test_split(subject):
    """The validation split wants k = 3, the test split has no use for it."""
    x, y = [0.5, 0.8, 1.0, 1.1, 10.0, 10.1, 10.2], [1, 1, 0, 1, 0, 0, 0]
    found = subject(run_on, train=(x, y), validation=([1.01, 10.0], [1, 0]), test=([1.01, 0.99, 10.0], [0, 0, 0]))
    same(found["scores"]["chosen_k"], 3, what="k")
    same(found["scores"]["test_accuracy"], 1 / 3, what="test accuracy")


@pytest.mark.parametrize("k", [1, 3, 31])
def test_the_mean_of_the_nearest_is_that_of_scikit_learn(k):
    y = RNG.normal(size=31)
    expected = KNeighborsRegressor(k).fit(POINTS, y).predict(QUERIES)
    np.testing.assert_allclose(y[nearest(QUERIES, POINTS, k)].mean(axis=1), expected)


def test_blocks_change_nothing():
    np.testing.assert_array_equal(nearest(QUERIES, POINTS, 5, block=2), nearest(QUERIES, POINTS, 5))


@pytest.mark.parametrize("k", [0, 32])
def test_k_beyond_the_training_set_is_refused(k):
    with pytest.raises(
        InputError, match="`k` must be at least 1 and at most the size of the training set, 31"
    ) as error:
        nearest(QUERIES, POINTS, k)
    assert str(k) in str(error.value)


def test_the_variance_of_k_answers_is_the_noise_by_k_and_the_bias_rises():
    settings = EXERCISE.small.__class__(places=30, draws=4000, noise=0.7)
    squared_bias, variance, exact = regression(settings, np.random.default_rng(3))
    ks = np.arange(1, 31)
    np.testing.assert_allclose(variance * ks, 0.49, rtol=0.08)
    np.testing.assert_allclose(squared_bias, exact, atol=0.004)
    assert exact[0] == 0
    assert exact[0] < exact[4] < exact[9] < exact[19] < exact[29]
    assert np.all(np.diff(variance) < 0)


def test_estimates_of_the_same_answers_have_no_variance():
    assert bias_and_variance(np.full((3, 2), 5.0), np.array([4.0, 7.0])) == (2.5, 0.0)


def test_a_boundary_of_one_neighbour_goes_round_every_point():
    found = boundaries((1, 15), np.random.default_rng(0))
    column = np.abs(found["across"][:, None] - found["x"][:, 0]).argmin(axis=0)
    row = np.abs(found["up"][:, None] - found["x"][:, 1]).argmin(axis=0)
    right = {k: np.mean(answers[row, column] == found["y"]) for k, answers in found["answers"].items()}
    assert right[1] > 0.93 > right[15] > 0.8


FILE = "assignments/foundations/knn.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="others = stored[~own].reshape(scored, most)",
        new="others = stored[:, :most]",
        caught_by="test_a_stored_example_is_its_own_neighbour_and_left_out_it_is_not",
        trap="k = 1 training error taken for skill",
    ),
    Mutant(
        file=FILE,
        old="- 2 * product + np.sum",
        new="- product + np.sum",
        caught_by="test_distances_are_those_of_scipy",
        trap="the factor of the middle term forgotten",
    ),
    Mutant(
        file=FILE,
        old="queries, points = queries - centre, points - centre",
        new="",
        caught_by="test_moving_everything_far_away_changes_no_distance",
        trap="a small difference of large squares",
    ),
    Mutant(
        file=FILE,
        old="return np.maximum(squares, 0)",
        new="return squares",
        caught_by="test_no_distance_is_below_0",
        trap="a squared distance below 0",
    ),
    Mutant(
        file=FILE,
        old="ballots.cumsum(axis=1).argmax(axis=2)",
        new="(classes - 1 - ballots.cumsum(axis=1)[..., ::-1].argmax(axis=2))",
        caught_by="test_votes_are_counted_one_by_one_and_ties_go_to_the_smallest_class",
        trap="ties to the largest class",
    ),
    Mutant(
        file=FILE,
        old="predictions.var(axis=0, ddof=1)",
        new="predictions.var(axis=0)",
        caught_by="test_the_estimates_are_unbiased_over_all_draws",
        trap="a variance that divides by the number of draws",
    ),
    Mutant(
        file=FILE,
        old=" - variance / len(predictions)",
        new="",
        caught_by="test_the_estimates_are_unbiased_over_all_draws",
        trap="the wobble of the mean counted as bias",
    ),
    Mutant(
        file=FILE,
        old='int(np.argmin(curves["validation"])) + 1',
        new='int(np.argmin(curves["test"])) + 1',
        caught_by="test_k_is_chosen_on_the_validation_split_and_scored_on_the_test_split",
        trap="k chosen on the test split",
    ),
]
