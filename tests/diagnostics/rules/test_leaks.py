from keras_course.diagnostics.observation import Unit
from keras_course.diagnostics.rules import leaks
from tests.diagnostics.typed import SQUARED, divided, halves, named, training

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

RNG = np.random.default_rng(1)
CELLS, BENIGN = load_breast_cancer(return_X_y=True)
CELLS = ((CELLS - CELLS.mean(0)) / CELLS.std(0)).astype("float32")
WORDS = np.random.default_rng(5).integers(1, 40, (400, 12))
WORDS[:, 8:] = 0  # rows that are filled up


def test_a_column_that_tells_the_class_is_a_note_unless_a_gap_lies_between_the_classes():
    x = np.column_stack([CELLS[:, :5], BENIGN + 0.01 * RNG.normal(size=len(BENIGN)), CELLS[:, 5:9]])
    found = leaks.leakage_feature(divided(x, BENIGN, *halves(569)))
    assert [(f.kind, "column 5" in f.evidence) for f in found] == [("named", True)], "with a gap"
    x[:, 5] = BENIGN + 0.15 * RNG.normal(size=len(BENIGN))
    found = leaks.leakage_feature(divided(x, BENIGN, *halves(569)))
    assert [(f.kind, "column 5 alone" in f.evidence) for f in found] == [("note", True)], "it may be known beforehand"
    assert leaks.leakage_feature(divided(CELLS, BENIGN, *halves(569))) == []


@pytest.mark.parametrize(
    ("turned", "others", "columns", "kinds"),
    [
        (0.02, 0.0, 6, ["note"]),  # a toy may be made so
        (0.02, 1.2, 6, ["named"]),
        (0.1, 0.0, 6, []),  # it tells half
        (0.02, 4.0, 6, []),  # others tell it as well
        (0.02, 0.0, 4, []),  # a toy
    ],
)
def test_a_column_that_is_known_when_the_outcome_is(turned, others, columns, kinds):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 1500)
    x = rng.normal(size=(1500, columns))
    x[:, 1] += others * y
    x[:, 3] += 8 * np.where(rng.random(1500) < turned, 1 - y, y)
    found = leaks.leakage_feature(training(x.astype("float32"), y, classes=2))
    assert [f.kind for f in found] == kinds
    assert not kinds or (found[0].certain is (others > 0) and found[0].evidence.startswith("column 3 alone tells"))


@pytest.mark.parametrize(("turned", "fires"), [(0.0, True), (0.03, False)])
def test_one_of_several_labels_is_given_away(turned, fires):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (1500, 3))
    x = rng.normal(size=(1500, 6)) + 0.8 * y[:, [0, 1, 2, 0, 1, 2]]
    x[:, 4] = 6 * np.where(rng.random(1500) < turned, 1 - y[:, 2], y[:, 2]) + rng.normal(size=1500)
    found = leaks.leakage_feature(
        training(x.astype("float32"), y.astype("float32"), loss="binary_crossentropy", classes=3)
    )
    assert [f.evidence.startswith("of label 2, column 4 alone tells") for f in found] == [True] * fires


@pytest.mark.parametrize(("further", "name"), [(False, "column 31"), (True, "column 1 of input 2")])
def test_a_column_of_any_input_may_be_filled_in_later(further, name):
    """A bill that is only sent when the outcome is known."""
    bill = np.where(BENIGN == 1, RNG.uniform(20, 90, len(BENIGN)), 0.0)
    part = np.stack([CELLS[:, 0], bill], axis=1).astype("float32")
    seen = training(CELLS if further else np.concatenate([CELLS, part], axis=1), BENIGN, classes=2)
    seen.train.further = (part, CELLS[:, 3]) if further else ()
    (found,) = leaks.leakage_feature(seen)
    assert found.certain
    assert found.evidence.startswith(f"{name} has one value")
    words = RNG.integers(0, 9, (len(BENIGN), 4))
    words[:, 2] = BENIGN  # of texts no column is looked at
    seen.train.further = (words,)
    assert [f for f in leaks.leakage_feature(seen) if f.certain and "input 2" in f.evidence] == []


@pytest.mark.parametrize(("ahead", "fires"), [(7, True), (8, False), (0, False)])
@pytest.mark.parametrize("stored", [True, False])
def test_a_window_that_ends_with_what_is_asked_for(ahead, fires, stored):
    """Of 8 days, asked for one day too early; a first place that is to be kept in mind is none."""
    series = RNG.normal(size=600).cumsum().astype("float32")
    x = np.stack([series[day : day + 8, None] for day in range(500)])
    seen = training(x, 2 * series[ahead : ahead + 500], loss=SQUARED, classes=1, stored=stored)
    assert bool(leaks.leakage_feature(seen)) is fires
    bits = RNG.integers(0, 2, (500, 8, 1))
    seen = training(bits.astype("float32"), bits[:, -1, 0], classes=2, stored=stored)
    assert leaks.leakage_feature(seen) == [], "a class to be kept in mind"
    few = training(x[:90], series[7:97], loss=SQUARED, classes=1, stored=True)
    assert leaks.leakage_feature(few) == []


def test_a_column_that_is_the_target_is_certain():
    def told(column, y=BENIGN, **more):
        found = leaks.leakage_feature(divided(np.column_stack([CELLS[:, :3], column]), y, *halves(569), **more))
        return [f.certain for f in found]

    assert told(5 - 2 * BENIGN) == [True]
    assert told(np.eye(2)[BENIGN]) == [True], "an indicator of each class"
    toy = divided(np.column_stack([CELLS[:, 0], 5 - 2 * BENIGN]), BENIGN, *halves(569))
    assert named(leaks.RULES, toy) == (set(), {"leakage_feature"}), "of two columns one is to be found"
    assert told(BENIGN + np.where(np.arange(569) == 0, 1, 0) * (1 - 2 * BENIGN))[:1] != [True], "wrong in one row"
    size = CELLS[:, 7] * 30 + 4
    assert told(0.1 * size, size.astype("float32"), loss=SQUARED) == [True]
    assert told(np.stack([size, 2 * size], axis=1), size.astype("float32"), loss=SQUARED) == [], "as in a ramp"
    assert told(size + RNG.normal(size=569), size.astype("float32"), loss=SQUARED) == [True], "but for a thousandth"
    several = np.stack([RNG.normal(size=569), size], axis=1)
    assert told(size + RNG.normal(size=569), several, loss=SQUARED) == [True], "of one of several targets"
    assert told(size + 2 * RNG.normal(size=569), size.astype("float32"), loss=SQUARED) == []
    order = np.argsort(size)
    near = np.column_stack([CELLS[:, :3], size + RNG.normal(size=569)])[order]
    series = divided(near, size[order].astype("float32"), np.arange(400), np.arange(400, 569), loss=SQUARED)
    assert leaks.leakage_feature(series) == [], "the last value of a series"
    toy = divided(near[:, 2:], size[order].astype("float32"), *halves(569), loss=SQUARED)
    assert leaks.leakage_feature(toy) == [], "of two columns"
    words = np.column_stack([np.round(9 * np.abs(CELLS[:, :3])), BENIGN])
    assert leaks.leakage_feature(divided(words, BENIGN, *halves(569), kind="embedding")) == []
    invoice = np.where(BENIGN == 1, RNG.uniform(20, 90, 569), 0.0)  # only written when the outcome is known
    assert told(invoice) == [True]
    assert told((invoice - invoice.mean()) / invoice.std()) == [True]
    refund = np.where(BENIGN == 1, 0.0, RNG.uniform(20, 90, 569))
    assert told(np.stack([invoice, refund], axis=1)) == [True], "each class has one"
    assert told(np.stack([invoice, 2 * invoice], axis=1)) != [True], "as columns that one measurement gives do"
    kinds = np.where(BENIGN == 1, 1 + np.arange(569) % 3, 0)
    assert told(kinds) == [True], "few kinds, of which none is of both classes"
    written = np.where((BENIGN == 0) & (np.arange(569) % 50 == 0), 30.0, invoice)
    assert told(written) != [True], "where some have it without the outcome it is no rule"
    assert told(np.where(BENIGN == 1, RNG.uniform(20, 90, 569), RNG.uniform(-9, 19, 569))) == [False], "a threshold"
    ramp = np.arange(300.0)[:, None] + np.arange(4)
    assert leaks.leakage_feature(divided(ramp[:, :3], ramp[:, 3], np.arange(200), np.arange(200, 300))) == []


@pytest.mark.parametrize(
    ("labels", "layer", "kind", "fires"),
    [
        (WORDS, "GRU", "embedding", True),
        (np.roll(WORDS, -1, axis=1), "GRU", "embedding", False),  # the next word
        (WORDS, "RepeatVector", "embedding", False),  # through one vector
        (WORDS, "Dense", "dense", False),  # numbers that are reconstructed
    ],
)
def test_words_that_are_their_own_labels(labels, layer, kind, fires):
    seen = training(WORDS, labels, classes=40)
    seen.units, seen.layers = [Unit(name="words", kind=kind)], [{"class": layer, "name": "a", "config": {}}]
    found = leaks.leakage_feature(seen)
    assert [f.certain for f in found if "their own labels" in f.evidence] == ([True] if fires else [])


@pytest.mark.parametrize(("words", "ahead", "fires"), [(40, 3, True), (40, 4, False), (40, 0, False), (9, 3, False)])
def test_a_context_that_ends_with_the_word_that_is_asked_for(words, ahead, fires):
    said = np.random.default_rng(2).integers(0, words, 604)
    contexts = np.stack([said[place : place + 4] for place in range(600)])
    found = leaks.leakage_feature(training(contexts, said[ahead : ahead + 600], classes=words, kind="embedding"))
    assert [f.certain for f in found] == [True] * fires


@pytest.mark.parametrize("form", ["words", "objects", "numbers", "column"])
def test_one_of_several_inputs_is_the_label(form):
    names = {
        "words": np.array(["no", "yes"]),
        "objects": np.array(["no", "yes"], object),
        "numbers": np.array([7.0, 3.0]),
    }
    column = names.get(form, np.array([7.0, 3.0]))[BENIGN]
    column = column[:, None] if form == "column" else column
    seen = training(CELLS[:, 0], BENIGN, classes=2)
    seen.train.further = (CELLS[:, 1], column)
    (found,) = leaks.leakage_feature(seen)
    assert found.certain
    assert "input 3" in found.evidence
    seen.train.further = (CELLS[:, 1], np.roll(column, 1, axis=0))
    assert leaks.leakage_feature(seen) == []


def test_three_classes_apart_in_one_column():
    kinds = np.digitize(CELLS[:, 1], [-0.6, 0.4])
    others = RNG.normal(size=(569, 4))

    def certain(*columns):
        found = leaks.leakage_feature(divided(np.column_stack([others, *columns]), kinds, *halves(569)))
        return [f.certain for f in found if "with a gap between them" in f.evidence]

    wide, narrow = (np.array([7.0, 5.0, 6.0])[kinds] + spread * RNG.uniform(0, 1, 569) for spread in (0.9, 0.6))
    assert certain(narrow) == [True]
    assert certain(wide) == [], "a gap that chance may leave in so few rows"
    assert certain(narrow, 2 * narrow) == [], "two say it, as what is measured twice"
    assert certain(narrow, np.eye(3)[kinds] + 0.3 * RNG.normal(size=(569, 3))) != [], "which tell less"
    assert certain(narrow, np.eye(3)[kinds] + 0.1 * others[:, :3]) == [], "the others say it too, as of flowers"


@pytest.mark.parametrize(("ahead", "fires"), [(0, False), (2, True)])
def test_windows_that_reach_into_the_days_that_are_asked_for(ahead, fires):
    series = RNG.normal(size=600).cumsum().astype("float32")
    x = np.stack([series[day + ahead : day + ahead + 8, None] for day in range(500)])
    y = np.stack([series[day + 8 : day + 10] for day in range(500)])
    assert bool(leaks.leakage_feature(training(x, y, loss=SQUARED, classes=2))) is fires
    whole = training(x, x[..., 0], loss=SQUARED, classes=8)
    assert leaks.leakage_feature(whole) == [], "what is to be reconstructed"


@pytest.mark.parametrize(("rows", "fires"), [(900, True), (450, False)])
def test_a_gap_of_a_tenth_counts_in_many_rows(rows, fires):
    kinds = np.arange(rows) % 2
    beside = RNG.normal(size=(rows, 4))
    column = kinds * 0.6 + RNG.uniform(0, 0.55, rows)
    found = leaks.leakage_feature(training(np.column_stack([beside, column]), kinds, classes=2))
    assert bool(found and found[0].certain) is fires


def test_times_are_judged_by_their_logarithms():
    """Minutes of standstill: hardly any without an alarm, a long tail with one."""
    kinds = np.arange(900) % 2
    minutes = np.where(kinds, RNG.uniform(5, 10, 900) * RNG.uniform(1, 20, 900), RNG.uniform(0, 3, 900))
    beside = RNG.normal(size=(900, 4))
    (found,) = leaks.leakage_feature(training(np.column_stack([beside, minutes]), kinds, classes=2))
    assert found.certain
    threshold = leaks.leakage_feature(training(beside, (beside[:, 0] > 0.3).astype(int), classes=2))
    assert [f.kind for f in threshold] == ["note"], "a threshold on a measurement leaves no gap"


def test_a_table_behind_a_generator_is_known_by_what_enters():
    kinds = np.arange(900) % 2
    x = np.column_stack([RNG.normal(size=(900, 4)), 3.0 * kinds])
    seen = training(x, kinds, classes=2, stored=False)
    seen.layers = [{"class": "Dense", "name": "dense", "config": {}}]
    assert [f.certain for f in leaks.leakage_feature(seen)] == [True]


def test_a_measurement_that_other_columns_tell_too_or_that_a_series_gives_is_no_leak():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(600, 4))
    total, walk = parts.sum(1), rng.normal(size=600).cumsum()

    def found(y, *columns):
        seen = training(np.column_stack(columns), y.astype("float32"), loss=SQUARED, classes=1)
        return [f.certain for f in leaks.leakage_feature(seen)]

    near = total + 0.05 * rng.normal(size=600)
    assert found(total, rng.normal(size=(600, 4)), near) == [True]
    assert found(total, parts, near) == [], "a sum of the others"
    bent = np.maximum(np.exp(total) - 0.5, -0.4)  # the order is the same, but where it is cut off
    assert found(total, rng.normal(size=(600, 4)), np.exp(total)) == [True]
    assert found(total, rng.normal(size=(600, 4)), -np.exp(total)) == [True], "turned round"
    assert found(bent, rng.normal(size=(600, 4)), total) == [True]
    assert found(bent, parts, total) == [True], "the others tell no bend"
    assert found(total, rng.normal(size=(600, 4)), np.round(total)) == [], "of a grade there is more to say"
    assert found(np.round(3 * total), rng.normal(size=(600, 4)), total) == [], "a grade that is given by points"
    assert found(total, rng.normal(size=(600, 4)), np.exp(total) + 0.2 * rng.normal(size=600)) == []
    assert found(walk, rng.normal(size=(600, 4)), walk + 0.02 * np.std(walk) * rng.normal(size=600)) == []
