from assignments.training.data_validation import FAULTS, Settings, plant
from keras_course import data
from keras_course.check import Mutant, points, same

import numpy as np
import pytest

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(6, 2, 3)).astype("float32")


def repeated(first, second):
    from assignments.training.data_validation import repeats

    return repeats(first, second)


def lacked(first, second, chance):
    from assignments.training.data_validation import lacking

    return lacking(first, second, chance=chance)


def moved_by(pairs, factor):
    from assignments.training.data_validation import moved

    return [moved(first, second, factor=factor) for first, second in pairs]


def suspected(x, y, neighbours):
    from assignments.training.data_validation import suspects

    return suspects(x, y, neighbours=neighbours)


def apart(pairs, neighbours):
    from assignments.training.data_validation import told_apart

    return [told_apart(first, second, neighbours=neighbours) for first, second in pairs]


def found(faults):
    from assignments.training.data_validation import Settings, plant, report
    from keras_course import data

    splits, settings = data.load("digits"), Settings(examined=500)
    return [sorted(report(*plant(fault, splits, settings), settings)) for fault in faults]


def test_rows_that_repeat_are_found_wherever_they_stand(subject):
    second = np.stack([ROWS[4], ROWS[0] + 1, ROWS[1], ROWS[4], ROWS[2][::-1]])
    same(np.asarray(subject(repeated, first=ROWS[:5], second=second)).tolist(), [0, 2, 3])
    same(np.asarray(subject(repeated, first=ROWS, second=ROWS[-1:])).tolist(), [0])


def test_a_row_that_differs_in_one_value_is_another(subject):
    near = ROWS.copy()
    near[:, 1, 2] += 1e-3
    same(np.asarray(subject(repeated, first=ROWS, second=near)).tolist(), [])


def test_a_class_is_lacking_where_luck_would_not_leave_it_out(subject):
    first = np.repeat([0, 3, 5, 7], [60, 20, 15, 5])
    second = np.repeat([0, 9], [39, 1])  # (1 - .2)^40 = 1.3e-4, (1 - .15)^40 = 1.5e-3, (1 - .05)^40 = .13
    for chance, expected in ((1e-3, [3]), (1e-2, [3, 5]), (0.2, [3, 5, 7]), (1e-5, [])):
        same(np.asarray(subject(lacked, first=first, second=second, chance=chance)).tolist(), expected)


def test_a_class_that_the_first_has_not_is_not_lacking(subject):
    second = np.repeat([0, 4], [30, 30])
    same(np.asarray(subject(lacked, first=np.zeros(60, int), second=second, chance=0.5)).tolist(), [])


def test_features_have_moved_by_scale_either_way_or_by_place(subject):
    one = RNG.normal(size=(500, 5))
    changes = [one * [1, 1, 1, 1, 5], one / [1, 1, 1, 1, 5], one + 9 * (np.arange(5) % 2), one * 2 + 1, -one]
    same(subject(moved_by, pairs=[(one, other) for other in changes], factor=3), [0.2, 0.2, 0.4, 0.0, 0.0])


def test_distance_is_measured_in_the_spread_of_the_first(subject):
    one, two = np.array([[0.0], [2.0]]), np.array([[5.0], [10.0]])  # spreads 1 and 2.5, means 1 and 7.5
    same(subject(moved_by, pairs=[(one, two), (two, one)], factor=5), [1.0, 0.0])


def test_features_that_say_nothing_do_not_count_and_one_that_begins_to_vary_has_moved(subject):
    one = np.column_stack([np.zeros(50), np.ones(50), RNG.normal(size=50), np.full(50, 7.0)])
    two = np.column_stack([RNG.normal(size=50), np.ones(50), one[:, 2], np.full(50, 8.0)])
    pairs = [(one, one), (one, two), (two, one), (np.ones((4, 2)), np.ones((4, 2)))]
    same(subject(moved_by, pairs=pairs, factor=3), [0.0, 2 / 3, 2 / 3, 0.0])


@points(2)
def test_a_suspect_is_alone_among_neighbours_that_agree(subject):
    x = np.concatenate([np.arange(6.0), 100 + np.arange(6.0)])[:, None]
    y = np.array([1, 1, 4, 1, 1, 1, 2, 2, 2, 2, 2, 2])
    same(np.asarray(subject(suspected, x=x, y=y, neighbours=2)).tolist(), [2])


def test_where_neighbours_differ_nobody_is_suspected(subject):
    x = np.arange(8.0)[:, None]
    same(np.asarray(subject(suspected, x=x, y=np.arange(8), neighbours=2)).tolist(), [])


def test_wrong_labels_are_among_the_suspects(subject):
    splits = data.load("digits")
    x, y = splits.train.x[:500], splits.train.y[:500].copy()
    y[::25] = (y[::25] + 3) % 10
    rows = subject(suspected, x=x, y=y, neighbours=3)
    wrong = np.arange(0, 500, 25)
    assert np.isin(wrong, rows).mean() > 0.6
    assert np.isin(rows, wrong).mean() > 0.6


@points(2)
def test_splits_drawn_alike_are_not_told_apart_and_others_are(subject):
    one, two = RNG.normal(size=(2, 300, 4))
    alike, other, uneven = subject(apart, pairs=[(one, two), (one, two + 50), (one, two[:40])], neighbours=5)
    assert abs(alike - 0.5) < 0.06
    same(other, 1.0)
    assert abs(uneven - 0.5) < 0.12


def test_a_row_is_no_neighbour_of_itself(subject):
    x = np.arange(4.0)[:, None]
    same(subject(apart, pairs=[(x, x + 0.1)], neighbours=1), [0.0])  # each row's nearest is its twin


@points(2)
def test_every_planted_fault_is_found_and_none_in_clean_splits(subject):
    same(subject(found, faults=("none", *FAULTS)), [[], *([fault] for fault in FAULTS)])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_keeps_the_shapes_of_rows_and_leaves_the_splits_as_they_were(fault):
    splits = data.load("digits")
    before = [array.copy() for part in (splits.train, splits.validation, splits.test) for array in part]
    parts = plant(fault, splits, Settings())
    assert {part.x.shape[1:] for part in parts} == {(8, 8, 1)}
    assert all(len(part.x) == len(part.y) for part in parts)
    after = [array for part in (splits.train, splits.validation, splits.test) for array in part]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert any(
        not np.array_equal(a, b) for a, b in zip(before, [array for part in parts for array in part], strict=True)
    )


FILE = "assignments/training/data_validation.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="known = {row.tobytes() for row in np.ascontiguousarray(first)}",
        new="known = {row.tobytes() for row in np.ascontiguousarray(first[: len(second)])}",
        caught_by="test_rows_that_repeat_are_found_wherever_they_stand",
        trap="only as many rows are searched as are asked about",
    ),
    Mutant(
        file=FILE,
        old="return np.flatnonzero([row.tobytes() in known for row in np.ascontiguousarray(second)])",
        new="return np.flatnonzero([(first.shape[1:] == row.shape) for row in second])",
        caught_by="test_rows_that_repeat_are_found_wherever_they_stand",
        trap="looking only at shapes",
    ),
    Mutant(
        file=FILE,
        old="(luck < chance)",
        new="(luck <= 1)",
        caught_by="test_a_class_is_lacking_where_luck_would_not_leave_it_out",
        trap="a class that luck left out counts as lacking",
    ),
    Mutant(
        file=FILE,
        old="(1 - counts / len(first)) ** len(second)",
        new="(1 - counts / len(first)) ** len(first)",
        caught_by="test_a_class_is_lacking_where_luck_would_not_leave_it_out",
        trap="the wrong split's size",
    ),
    Mutant(
        file=FILE,
        old="(sd_b > factor * sd_a) | (sd_a > factor * sd_b)",
        new="(sd_b > factor * sd_a)",
        caught_by="test_features_have_moved_by_scale_either_way_or_by_place",
        trap="a smaller scale is not seen",
    ),
    Mutant(
        file=FILE,
        old="(gap > factor * sd_a)",
        new="(gap > factor * sd_b)",
        caught_by="test_distance_is_measured_in_the_spread_of_the_first",
        trap="measured in the other split's spread",
    ),
    Mutant(
        file=FILE,
        old="np.mean(differs[counted])",
        new="np.mean(differs)",
        caught_by="test_features_that_say_nothing_do_not_count_and_one_that_begins_to_vary_has_moved",
        trap="constant features dilute the share",
    ),
    Mutant(
        file=FILE,
        old="near = NearestNeighbors(n_neighbors=neighbours).fit(flat).kneighbors(return_distance=False)",
        new="near = NearestNeighbors(n_neighbors=neighbours).fit(flat).kneighbors(flat, return_distance=False)",
        caught_by="test_a_suspect_is_alone_among_neighbours_that_agree",
        trap="a row vouches for itself",
    ),
    Mutant(
        file=FILE,
        old="np.all(labels == labels[:, :1], axis=1) & ",
        new="",
        caught_by="test_where_neighbours_differ_nobody_is_suspected",
        trap="one neighbour is enough",
    ),
    Mutant(
        file=FILE,
        old="fit(pool).kneighbors(return_distance=False)",
        new="fit(pool).kneighbors(pool, return_distance=False)",
        caught_by="test_a_row_is_no_neighbour_of_itself",
        trap="a row is its own neighbour",
    ),
    Mutant(
        file=FILE,
        old="pool = np.concatenate([first[:n], second[:n]]).reshape(2 * n, -1)\n    origin = np.repeat([0, 1], n)",
        new="pool = np.concatenate([first, second]).reshape(len(first) + len(second), -1)\n"
        "    origin = np.repeat([0, 1], [len(first), len(second)])",
        caught_by="test_splits_drawn_alike_are_not_told_apart_and_others_are",
        trap="the larger split has more neighbours by its size",
    ),
]
