import functools

from keras_course.diagnostics.observation import Data, Feed
from keras_course.diagnostics.rules import copies
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, DIGITS, LABELS, MEASURED
from tests.diagnostics.typed import RNG, asked, divided, halves, named, training

import numpy as np
import pytest

only = functools.partial(typed.only, copies.RULES)

TRAIN, _ = halves()


def test_rows_of_both_splits():
    train, validation = halves()
    seen = divided(DIGITS, LABELS, train, np.concatenate([validation, train[:30]]))
    assert "30 of 629" in only(seen, "leakage_duplicates").evidence
    seen = divided(DIGITS, LABELS, train, np.concatenate([validation, train[:4]]))
    assert named(copies.RULES, seen) == (set(), set())


def test_validation_that_is_the_training_data_is_a_note():
    rows = np.arange(600)
    seen = divided(DIGITS, LABELS, rows, rows)
    assert named(copies.RULES, seen) == (set(), {"leakage_duplicates"})


def test_discrete_rows_repeat_by_chance():
    x = RNG.integers(0, 3, (1500, 4)).astype("float32")
    y = (x.sum(1) > 4).astype("int64")
    assert named(copies.RULES, divided(x, y, np.arange(1000), np.arange(1000, 1500)))[0] == set()


def test_rows_copied_before_the_split():
    order = RNG.permutation(np.r_[np.arange(569), np.arange(569)])
    seen = divided(MEASURED, BENIGN, order[:700], order[700:])
    assert only(seen, "leakage_duplicates").certain
    seen.train.x, seen.validation.x = seen.train.x[..., None], seen.validation.x[..., None]
    assert only(seen, "leakage_duplicates").certain, "sequences of 30 numbers of their own"
    seen.train.x, seen.validation.x = (np.round(4 * part) for part in (seen.train.x, seen.validation.x))
    assert copies.leakage_duplicates(seen) == [], "of few levels, as pictures have them"
    for step in (1, 3):  # windows of a series that repeats
        level = np.tile(RNG.normal(size=569 * step), 2)
        windows = np.lib.stride_tricks.sliding_window_view(level, 20)[::step, :, None]
        assert copies.leakage_duplicates(divided(windows, np.arange(len(windows)), order[:700], order[700:1100])) == []
    few = RNG.integers(0, 9, (569, 8)).astype(
        "float32"
    )  # of which one pair in 200 parts of this size is equal by chance
    assert only(divided(few, BENIGN, order[:700], order[700:]), "leakage_duplicates").certain
    two = np.repeat([np.zeros(30), np.ones(30)], [300, 269], axis=0)  # there is nothing else that could be asked
    assert copies.leakage_duplicates(divided(two, BENIGN, order[:700], order[700:])) == []
    coarse = np.round(MEASURED[:, :2])  # which are equal by chance
    assert copies.leakage_duplicates(divided(coarse, BENIGN, order[:700], order[700:])) == []


def test_a_row_of_several_inputs_is_copied_when_all_of_it_is():
    train, validation = np.tile(np.arange(250), 2), np.arange(250)
    seen = divided(DIGITS[:569], BENIGN, train, validation)
    seen.train.further, seen.validation.further = (RNG.normal(size=(500, 3)),), (RNG.normal(size=(250, 3)),)
    assert copies.leakage_duplicates(seen) == [], "the same pictures beside other tables"
    seen.validation.further = (seen.train.further[0][:250],)
    assert only(seen, "leakage_duplicates").certain


@pytest.mark.parametrize(
    ("made", "of", "classes", "said"),
    [
        (0, 190, 2, ""),
        (4, 90, 2, ""),
        (5, 90, 2, "5 of 90"),
        (9, 190, 2, "9 of 190"),
        (9, 30, 2, ""),  # too few of the other class to know
        (9, 190, 1, ""),  # rows of the one class lie there, and those of the other: nobody made them
        (9, 190, 0, ""),  # measurements
    ],
)
def test_rows_that_were_made_between_those_of_training(made, of, classes, said):
    """A third of the way to the nearest other one, before the split."""
    train, validation = halves(569)
    validation = validation[:of]
    x, y = MEASURED.copy(), BENIGN.copy()
    apart = np.linalg.norm(x[train[:9], None] - x[train], axis=-1)
    near = x[train[np.argsort(apart, axis=1)[:, 1]]]
    x[validation[:made]] = (2 * x[train[:9]] + near)[:made] / 3
    y[validation[:made]] = 1 if classes == 2 else np.arange(made) % 2
    y = y if classes else y + RNG.random(len(y))
    found = copies.leakage_duplicates(divided(x, y, train, validation))
    assert len(found) == bool(said)
    assert not found or found[0].evidence.startswith(f"{said} rows of validation lie on straight lines")
    x[train[0], 5] = np.nan
    assert copies.leakage_duplicates(divided(x, y, train, validation)) == []


def test_texts_copied_before_the_split():
    texts = RNG.integers(1, 900, (569, 12))
    twice = RNG.permutation(np.r_[np.arange(569), np.arange(569)])
    assert only(divided(texts, BENIGN, twice[:800], twice[800:], kind="embedding"), "leakage_duplicates").certain
    few = texts[np.arange(569) % 40]  # what forty people say again and again
    said = texts[RNG.integers(0, 900, 569) % 569]  # and what many say, some of them twice
    once = np.arange(569)
    for x, order in ((texts[:, :5], twice), (few, once), (said, once), (texts, once)):
        seen = divided(x, BENIGN, order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :], kind="embedding")
        assert copies.leakage_duplicates(seen) == []


def test_a_test_set_that_is_the_training():
    seen = asked(DIGITS, LABELS, TRAIN, (DIGITS[TRAIN], "x_test", LABELS[TRAIN]))
    (found,) = copies.leakage_duplicates(seen)
    assert found.certain
    assert found.evidence.startswith(f"all {len(TRAIN)} rows of x_test stand")
    every = np.array(np.meshgrid(*[[0, 1]] * 6)).reshape(6, -1).T  # of which there are no others
    assert copies.leakage_duplicates(asked(every, every[:, 0], np.arange(64), (every, "x_test", every[:, 0]))) == []


@pytest.mark.parametrize(("name", "fires"), [("x_test", True), ("x", False)])
def test_copied_rows_in_what_is_held_out_by_name(name, fires):
    """What is called `x` may be all of the data."""
    copied = asked(MEASURED, BENIGN, np.arange(400), (MEASURED[330:], name, BENIGN[330:]), classes=2)
    assert named(copies.RULES, copied)[0] == ({"leakage_duplicates"} if fires else set())
    if fires:
        assert "70 of 239 rows of x_test" in only(copied, "leakage_duplicates").evidence


@pytest.mark.parametrize(("x", "fires"), [(MEASURED, True), (np.round(np.clip(MEASURED[:, :5], -1, 1)), False)])
def test_copied_rows_in_what_a_loop_evaluates_on(x, fires):
    """Few values repeat by chance, and how often cannot be seen of rows that come again with each epoch."""
    seen = asked(x, BENIGN, np.arange(400), (x[330:], "x_test", BENIGN[330:]), classes=2, interface="loop")
    seen.fed = [Feed(x=np.tile(x[:400], (3, 1)))]
    assert ("leakage_duplicates" in named(copies.RULES, seen)[0]) == fires


def test_copied_rows_of_names_and_numbers():
    """Names of things repeat, and measurements beside them do not."""
    names, numbers = RNG.integers(0, 9, 400), RNG.normal(size=(400, 3))
    rows = np.concatenate([np.arange(300), np.arange(250, 400)])
    seen = training(names[:300], np.arange(300) % 2, classes=2, kind="embedding", entering=numbers)
    seen.train.further = (numbers[:300],)
    seen.validation = Data(x=names[rows[300:]], y=np.arange(150) % 2, n=150, further=(numbers[rows[300:]],))
    assert [f.cause for f in copies.leakage_duplicates(seen)] == ["leakage_duplicates"]
    seen.train.further, seen.validation.further = (), ()
    assert copies.leakage_duplicates(seen) == []


def test_copied_sequences_in_what_a_loop_evaluates_on():
    x = np.random.default_rng(7).normal(size=(569, 12, 2)).astype("float32")
    for rows, fires in ((x, True), (np.round(np.clip(x, -1, 1)), False)):
        seen = asked(rows, BENIGN, np.arange(400), (rows[330:], "x_test", BENIGN[330:]), classes=2, interface="loop")
        seen.fed = [Feed(x=np.tile(rows[:400], (3, 1, 1)))]
        assert ("leakage_duplicates" in named(copies.RULES, seen)[0]) == fires


@pytest.mark.parametrize(("shared", "fires"), [(0, False), (40, True)])
def test_rows_that_a_pipeline_draws_anew_are_told_by_what_its_source_holds(shared, fires):
    train, validation = halves(569)
    seen = divided(MEASURED, BENIGN, train, np.concatenate([validation, train[:shared]]))
    seen.train.stored = seen.train.x
    assert bool(copies.leakage_duplicates(seen)) == fires, "the same without noise"
    seen.train.x = seen.train.x + RNG.normal(size=seen.train.x.shape).astype("float32")
    assert bool(copies.leakage_duplicates(seen)) == fires
    if fires:
        assert f"{shared} of {len(validation) + shared} rows" in copies.leakage_duplicates(seen)[0].evidence
        seen.validation.stored, seen.validation.x = seen.validation.x, seen.validation.x * 2
        assert copies.leakage_duplicates(seen), "both by their sources"
        seen.validation.stored = None
        assert copies.leakage_duplicates(seen) == [], "rows that maps have changed alike"
    words = RNG.integers(0, 9, (400, 8))[(400 * RNG.random(1200) ** 3).astype(int)]  # sentences, some of them frequent
    seen.train.y = seen.validation.y = None
    seen.train.x, seen.train.stored, seen.validation.x = RNG.normal(size=(900, 8)), words[:900], words[900:]
    assert copies.leakage_duplicates(seen) == []


def test_pictures_that_noisy_ones_are_made_of_are_in_both_parts():
    train, validation = halves(569)
    both = np.concatenate([validation, train[:60]])
    seen = divided(MEASURED + RNG.normal(size=MEASURED.shape), MEASURED, train, both)
    seen.validation.x = seen.validation.x + 1
    assert "targets of 60 of" in only(seen, "leakage_duplicates").evidence
    seen.validation.y = MEASURED[validation]
    assert copies.leakage_duplicates(seen) == []
    prototypes = RNG.normal(size=(40, 30))[np.arange(569) % 40]  # of classes, each of which comes again
    seen.train.y, seen.validation.y = prototypes[train], prototypes[both]
    assert copies.leakage_duplicates(seen) == []
    empty = np.where(np.arange(569)[:, None] % 50 > 0, MEASURED, 0.0)  # masks of nothing, of which validation has more
    seen.train.y, seen.validation.y = empty[train], np.concatenate([np.zeros((60, 30)), MEASURED[validation]])
    assert copies.leakage_duplicates(seen) == []
    rounded = np.round(MEASURED)  # pictures of few levels, of which a loop is known once each
    for interface, pictures, fires in (("loop", rounded, False), ("loop", MEASURED, True), ("fit", rounded, True)):
        seen.interface, seen.train.y, seen.validation.y = interface, pictures[train], pictures[both]
        assert bool(copies.leakage_duplicates(seen)) == fires
    few = MEASURED[:, :3]  # numbers that somebody measured
    seen.train.y, seen.validation.y = few[train], few[both]
    assert copies.leakage_duplicates(seen) == []
