import functools

from keras_course.diagnostics.comparisons import shift
from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import Data, Feed, Plan, Unit
from keras_course.diagnostics.rules import splits
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, DIGITS, LABELS, MEASURED
from tests.diagnostics.typed import BINARY, RNG, SQUARED, asked, divided, halves, named, training

import numpy as np
import pytest

only = functools.partial(typed.only, splits.RULES)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_split_is_not_named(seed):
    assert named(splits.RULES, divided(DIGITS, LABELS, *halves(seed=seed))) == (set(), set())
    assert named(splits.RULES, divided(MEASURED, BENIGN, *halves(569, seed))) == (set(), set())


def test_the_last_rows_of_sorted_data_are_other_classes():
    order = np.argsort(LABELS, kind="stable")
    seen = divided(DIGITS, LABELS, order[:1440], order[1440:], plan=Plan(validation_split=0.2))
    found = only(seen, "validation_split_sorted")
    assert found.certain
    assert "takes the last rows" in found.evidence


def test_classes_that_training_alone_lacks_are_missing_and_not_split_by_order():
    train, validation = halves()
    lacks = train[LABELS[train] < 6]
    assert splits.validation_split_sorted(divided(DIGITS, LABELS, lacks, validation)) == []
    few = np.concatenate([lacks[LABELS[lacks] > 0], lacks[LABELS[lacks] == 0][:5]])  # and those left have other shares
    shown = np.concatenate([validation[LABELS[validation] == 0], validation[LABELS[validation] > 5]])
    assert splits.validation_split_sorted(divided(DIGITS, LABELS, few, shown))


def test_training_thinned_by_class_against_a_balanced_validation_set():
    train, validation = halves()
    kept = np.concatenate([train[LABELS[train] == k][: max(6, 120 >> k)] for k in range(10)])
    assert named(splits.RULES, divided(DIGITS, LABELS, kept, validation))[0] == set()


@pytest.mark.parametrize(("split", "fires"), [(0.2, True), (0.0, False)])
def test_sorted_rows_of_which_a_few_lie_elsewhere(split, fires):
    """No class is missing on either side; that validation_split takes the last rows says where it comes from."""
    order = np.argsort(LABELS, kind="stable")
    mixed = np.random.default_rng(1).permutation(len(order))[:300]
    order[np.sort(mixed)] = order[mixed]
    seen = divided(DIGITS, LABELS, order[:1440], order[1440:], plan=Plan(validation_split=split))
    assert [f.certain for f in splits.validation_split_sorted(seen)] == [True] * fires


def test_a_small_validation_set_may_differ():
    order = np.random.default_rng(0).permutation(len(DIGITS))
    assert named(splits.RULES, divided(DIGITS, LABELS, order[:1700], order[1700:1725])) == (set(), set())


@pytest.mark.parametrize("change", [lambda x: 255 * x, lambda x: x / 255, lambda x: (x - 0.3) / 0.06, lambda x: x + 5])
def test_validation_prepared_otherwise(change):
    train, validation = halves()
    seen = divided(DIGITS, LABELS, train, validation)
    seen.validation.x = change(seen.validation.x).astype("float32")
    assert only(seen, "train_val_preprocessing_mismatch").certain


def test_pictures_are_compared_by_channel():
    train, validation = halves()
    seen = divided(np.repeat(DIGITS.reshape(-1, 8, 8, 1), 3, 3), LABELS, train, validation)
    assert named(splits.RULES, seen) == (set(), set())
    seen.validation.x = seen.validation.x * 255
    assert "100%" in only(seen, "train_val_preprocessing_mismatch").evidence


def test_a_series_that_drifts_is_not_prepared_otherwise():
    x = (np.arange(1500) ** 2 / 1e5)[:, None] * np.ones(4) + RNG.normal(size=(1500, 4))
    y = x.mean(1).astype("float32")
    seen = divided(x.astype("float32"), y, np.arange(1000), np.arange(1000, 1500), loss=SQUARED)
    assert named(splits.RULES, seen) == (set(), set())


def test_columns_that_mean_something_else_in_validation():
    train, validation = halves(900)
    x = RNG.normal(size=(900, 6)).astype("float32")
    y = np.where(x[:, 0] + x[:, 1] > 0, 1, 0)
    seen = divided(x, y, train, validation, loss=BINARY, epochs=[{"loss": 0.1, "val_loss": 4.0}])
    assert splits.train_val_preprocessing_mismatch(seen) == [], "what was learned holds there"
    seen.validation.x = seen.validation.x[:, ::-1]
    assert "of validation" in only(seen, "train_val_preprocessing_mismatch").evidence
    seen.epochs = [{"loss": 0.1, "val_loss": 0.4}]
    assert splits.train_val_preprocessing_mismatch(seen) == [], "whatever a line does, the network knows it"
    seen = divided(x, RNG.permutation(y), train, validation, loss=BINARY, epochs=[{"loss": 0.1, "val_loss": 4.0}])
    assert splits.train_val_preprocessing_mismatch(seen) == [], "there is nothing to be carried over"
    seen.train.y = np.zeros_like(seen.train.y)
    assert splits.train_val_preprocessing_mismatch(seen) == [], "of a single class no line can be learned"


def test_further_inputs_are_prepared_alike_or_not():
    train, validation = halves(569)
    seen = divided(DIGITS[:569], BENIGN, train, validation)
    for factor, found in ((1.0, 0), (50.0, 1)):
        seen.train.further, seen.validation.further = (MEASURED[train],), (factor * MEASURED[validation],)
        assert ["of input 2" in f.evidence for f in splits.train_val_preprocessing_mismatch(seen)] == [True] * found

    seen.validation.further = ()
    seen.train.further = (MEASURED[train],)
    seen.asked = [Feed(x=DIGITS[:569][validation], further=(50 * MEASURED[validation],), name="x_test")]
    (finding,) = splits.train_val_preprocessing_mismatch(seen)
    assert "of input 2 differ between training and x_test" in finding.evidence


@pytest.mark.parametrize(
    ("elsewhere", "degree", "further", "moved", "fires"),
    [(0.7, 0.0, False, 3, True), (0.7, 0.0, True, 3, True), (0.4, 0.0, False, 3, False), (0.7, 0.5, False, 3, False),
     (0.7, 0.0, False, None, False), (0.7, 0.0, True, None, False)],
)  # fmt: skip
def test_a_single_column_that_costs_validation_half(elsewhere, degree, further, moved, fires, monkeypatch):
    harm = Harm(degree=degree, elsewhere=elsewhere, sentence="", baseline=1.0)
    monkeypatch.setattr(splits, "harm_of", lambda seen: harm)
    train, validation = halves(569)
    seen = divided(MEASURED, BENIGN, train, validation)
    other = seen.validation.x.copy()
    if moved is not None:
        other[:, moved] = 1.8 * other[:, moved] + 12
    seen.validation.x = other
    if further:
        shops = RNG.integers(0, 9, len(MEASURED))
        seen.train.further, seen.validation.further = (seen.train.x,), (other,)
        seen.train.x, seen.validation.x = shops[train], shops[validation]
    found = splits.train_val_preprocessing_mismatch(seen)
    assert [(f.certain, f.confidence) for f in found] == [(False, 0.95 if elsewhere > 3 else 0.7)] * fires
    assert not fires or found[0].evidence.startswith("3% of the features" + " of input 2" * further)


TRAIN, TEST = halves()


@pytest.mark.parametrize(
    ("feeds", "fires"),
    [
        ([(DIGITS[TEST], "x_test", LABELS[TEST])], False),
        ([(255 * DIGITS[TEST], "x_test")], True),
        ([(255 * DIGITS[TEST], "")], True),
        ([(255 * DIGITS[TEST], "x_test"), (DIGITS[TEST], "clean")], False),  # a question about what is strange
        ([(RNG.uniform(0, 255, (400, 64)), "noise")], False),  # of another kind
        ([(1 - DIGITS[TEST], "x_test", LABELS[TEST])], True),  # a linear model is right on .95 and on .0
        ([(1 - DIGITS[TEST], "x_test")], False),
        ([(1 - DIGITS[TEST], "inverted", LABELS[TEST])], False),
        ([(1 - DIGITS[TEST[:40]], "x_test", LABELS[TEST[:40]])], False),  # too few to say
    ],
)
def test_what_a_script_asks_about_is_prepared_as_its_training_was(feeds, fires):
    seen = asked(DIGITS, LABELS, TRAIN, *feeds)
    assert named(splits.RULES, seen)[0] == ({"train_val_preprocessing_mismatch"} if fires else set())
    if fires:
        found = only(seen, "train_val_preprocessing_mismatch")
        assert found.certain
        assert f"{feeds[0][1] or 'what is predicted'}" in found.evidence


@pytest.mark.parametrize(
    ("name", "others", "fires"),
    [("val", 5 * MEASURED, True), ("x_test", 5 * MEASURED, True), ("test_brighter", 5 * MEASURED, False),
     ("val", MEASURED * 1.02, False), ("val", MEASURED * np.where(np.arange(30) < 10, 5, 1), False)],
)  # fmt: skip
def test_one_part_under_a_plain_name_is_prepared_otherwise(name, others, fires):
    """Beside another one that is prepared as the training was."""
    rest, labels = slice(400, None), BENIGN[400:]
    seen = asked(MEASURED, BENIGN, np.arange(400), (others[rest], name, labels), (MEASURED[rest], "unseen", labels))
    assert named(splits.RULES, seen)[0] == ({"train_val_preprocessing_mismatch"} if fires else set())


PIXELS = np.round(255 * DIGITS)


@pytest.mark.parametrize(
    ("train", "asked_about", "fires"),
    [
        (DIGITS, PIXELS, True),
        (DIGITS, PIXELS.astype("uint8"), True),
        (2 * DIGITS - 1, 255 - PIXELS, True),
        (PIXELS, DIGITS, True),
        (DIGITS, 255 * DIGITS + 0.3, False),  # no whole numbers
        (DIGITS, 255 - 2 * PIXELS, False),  # below 0
        (4 * DIGITS, PIXELS, False),  # a scale of its own
        ((DIGITS > 0.5).astype("float32"), PIXELS, False),  # zeros and ones may be anything
        (DIGITS[:, :32], PIXELS[:, :32], False),  # a table
    ],
)
def test_pixels_beside_numbers_up_to_one_are_never_meant(train, asked_about, fires):
    """Though the test set beside them was divided as the training was."""
    labels = LABELS[TEST]
    seen = asked(train, LABELS, TRAIN, (asked_about[TEST], "own", labels), (train[TEST], "x_test", labels))
    assert named(splits.RULES, seen)[0] == ({"train_val_preprocessing_mismatch"} if fires else set())
    if fires:
        assert "pixels" in only(seen, "train_val_preprocessing_mismatch").evidence


def test_a_range_beyond_that_of_the_only_input_is_no_other_preparation():
    x = RNG.uniform(0, 1, (300, 1)).astype("float32")
    beyond = asked(x, x[:, 0], np.arange(300), (x + 3, "x_test"), classes=1, loss=SQUARED)
    assert named(splits.RULES, beyond) == (set(), set())
    scaled = asked(x, x[:, 0], np.arange(300), (100 * x, "x_test"), classes=1, loss=SQUARED)
    assert named(splits.RULES, scaled)[0] == {"train_val_preprocessing_mismatch"}


@pytest.mark.parametrize("drifts", [True, False])
def test_a_series_that_drifts_on_is_no_other_preparation(drifts):
    time = np.linspace(0, 1, 400) if drifts else RNG.uniform(0, 1, 400)
    x = (time[:, None] * [10, 20] + RNG.normal(size=(400, 2))).astype("float32")
    seen = asked(x, time, np.arange(400), (x + np.float32([40, 80]), "x_test"), classes=1, loss=SQUARED)
    assert bool(named(splits.RULES, seen)[0]) != drifts


WORDS = np.random.default_rng(5).integers(1, 40, (400, 12))
WORDS[:, 8:] = 0  # rows that are filled up
TAGS = np.where(WORDS > 0, 1 + WORDS % 3, 0)
TOPIC = (np.sum(WORDS % 3 == 1, 1) > 2).astype("int64")
OTHER = np.concatenate([[0], 1 + np.random.default_rng(6).permutation(39)])  # numbers of a vocabulary of its own


@pytest.mark.parametrize("labels", [TAGS, TOPIC])
@pytest.mark.parametrize("vocabulary", ["same", "other"])
def test_words_have_the_same_numbers_in_what_a_script_asks_about(labels, vocabulary):
    rows = WORDS[300:] if vocabulary == "same" else OTHER[WORDS[300:]]
    seen = asked(WORDS, labels, np.arange(300), (rows, "x_test", labels[300:]))
    seen.units = [Unit(name="words", kind="embedding")]
    assert bool(named(splits.RULES, seen)[0]) == (vocabulary == "other")
    seen.asked[0].name = "unknown"
    assert named(splits.RULES, seen)[0] == set()


@pytest.mark.parametrize("vocabulary", ["same", "other"])
def test_words_have_the_same_numbers_in_validation(vocabulary):
    seen = divided(WORDS, TOPIC, np.arange(300), np.arange(300, 400), epochs=[{"loss": 0.1, "val_loss": 0.9}])
    seen.units = [Unit(name="words", kind="embedding")]
    seen.validation.x = seen.validation.x if vocabulary == "same" else OTHER[seen.validation.x]
    found = splits.train_val_preprocessing_mismatch(seen)
    assert ["of validation" in f.evidence for f in found] == [True] * (vocabulary == "other")
    seen.epochs[-1]["val_loss"] = 0.3
    assert splits.train_val_preprocessing_mismatch(seen) == [], "what was learned holds"
    seen.validation.x = 5 * seen.validation.x
    assert splits.train_val_preprocessing_mismatch(seen) == [], "numbers of words have no spread"


@pytest.mark.parametrize(("name", "said"), [("x_test", "x_test"), ("x", "what is asked about"), ("grid", "")])
def test_other_classes_in_what_is_held_out_by_name(name, said):
    low, high = np.flatnonzero(LABELS < 5), np.flatnonzero(LABELS > 4)
    apart = asked(DIGITS, LABELS, low, (DIGITS[high], name, LABELS[high]), plan=Plan(validation_split=0.1))
    assert ("validation_split_sorted" in named(splits.RULES, apart)[0]) == bool(said)
    if said:
        assert (
            f"between training and {said} (0.3 is much), and no class is in both"
            in only(apart, "validation_split_sorted").evidence
        )


@pytest.mark.parametrize("where", ["asked", "validation"])
def test_noise_on_the_rows_of_training_is_no_other_scale(where):
    noisy = MEASURED[:400] + 5 * RNG.normal(size=(400, 30)).astype("float32")
    scaled = 5 * MEASURED[:400]
    for x, cause in ((noisy, set()), (scaled, {"train_val_preprocessing_mismatch"})):
        seen = asked(x, BENIGN[:400], np.arange(400), classes=2)
        if where == "asked":
            seen.asked = [Feed(x=MEASURED[400:], name="x_test")]
        else:
            seen.validation = Data(x=MEASURED[400:], y=BENIGN[400:])
        assert named(splits.RULES, seen)[0] == cause


@pytest.mark.parametrize(
    ("loss", "val_loss", "layer", "fires"),
    [
        (0.1, [4e3, 3e3], "Dense", True),
        (0.1, [4e3, 0.5], "Dense", False),  # once it held
        (0.1, [40.0, 30.0], "Dense", False),  # as of what is learned by heart
        (0.1, [4e3, 3e3], "BatchNormalization", False),  # whose averages may do that
        (9.0, [4e3, 3e3], "Dense", False),  # nor is anything learned
    ],
)
def test_a_validation_loss_that_no_learning_by_heart_gives(loss, val_loss, layer, fires):
    y = MEASURED[:, 0] / MEASURED[:, 0].std()  # of which the best constant costs 1
    seen = training(MEASURED[:, 1:, None], y, loss=SQUARED, classes=1)
    seen.epochs = [{"loss": loss, "val_loss": value} for value in val_loss]
    seen.layers = [{"class": layer, "name": "a", "config": {}}]
    found = splits.train_val_preprocessing_mismatch(seen)
    assert [f.certain for f in found] == [True] * fires
    classes = training(MEASURED[:, 1:, None], BENIGN, loss=BINARY, classes=1, epochs=seen.epochs, layers=seen.layers)
    assert bool(splits.train_val_preprocessing_mismatch(classes)) is (fires or min(val_loss) == 30), "of classes"
    classes.plan = Plan(class_weight={0: 30.0, 1: 30.0})  # which count in training alone
    assert bool(splits.train_val_preprocessing_mismatch(classes)) is (fires or loss == 9.0 or min(val_loss) == 30)
    shuffled, classes.stream = classes.stream, np.array_split(np.sort(BENIGN), 18)
    assert splits.train_val_preprocessing_mismatch(classes) == [], "of batches of one class"
    classes.stream, classes.epochs = shuffled, classes.epochs[:1]
    assert splits.train_val_preprocessing_mismatch(classes) == [], "of one epoch"


@pytest.mark.parametrize(
    ("change", "fires"),
    [
        ({}, True),
        ({"y": RNG.permutation(BENIGN)}, False),  # which learning by heart gives too
        ({"loss": 0.6}, False),
        ({"val": [0.7, 0.6, 0.9]}, False),  # once it held
    ],
)
def test_validation_that_is_never_better_than_a_constant_where_rows_tell_each_other(change, fires):
    """As of folders whose classes are numbered in another order; constant: 0.66."""
    change = {"y": BENIGN, "loss": 0.1, "val": [0.7, 1.0, 1.4]} | change
    seen = training((MEASURED - MEASURED.mean(0)) / MEASURED.std(0), change["y"], loss=BINARY, classes=1)
    seen.epochs = [{"loss": change["loss"], "val_loss": value} for value in change["val"]]
    assert bool(splits.train_val_preprocessing_mismatch(seen)) == fires


@pytest.mark.parametrize(
    ("factor", "away", "held", "fires"),
    [
        (1.0, 2.0, 0.3, True),
        (2.5, 0.0, 0.3, True),
        (1.0, 2.0, 0.8, False),  # what was learned holds
        (1.0, 0.8, 0.3, False),
    ],
)
@pytest.mark.parametrize("where", ["validation", "x_test"])
def test_inputs_that_are_moved_by_a_spread_where_what_was_learned_is_lost(factor, away, held, fires, where):
    x = RNG.normal(size=(600, 7)).astype("float32")
    y = (np.abs(x[:, 0]) > 0.7).astype("int64")  # which no linear model tells
    later = (factor * x[400:] + away).astype("float32")
    seen = asked(x, y, np.arange(400), *([(later, "x_test", y[400:])] if where == "x_test" else []), classes=2)
    if where == "validation":
        seen.validation = Data(x=later, y=y[400:], n=200)
    seen.experiments = {"right_train": 0.95, "right_held": held}
    found = splits.train_val_preprocessing_mismatch(seen)
    assert [where in f.evidence for f in found] == [True] * fires


@pytest.mark.parametrize(
    ("first", "later", "split", "fires"),
    [
        (np.zeros(300, int), np.repeat([0, 1], [70, 30]), 0.25, True),  # by day, and the one class comes last
        (np.zeros(300, int), np.repeat([0, 1], [97, 3]), 0.25, False),
        (np.arange(300) % 2, np.repeat([0, 1], [70, 30]), 0.25, False),
        (np.zeros(300, int), np.repeat([0, 1], [70, 30]), 0.0, False),  # nobody split
    ],
)
def test_one_class_is_left_to_the_training(first, later, split, fires):
    seen = training(RNG.normal(size=(300, 3)), first, classes=1, loss=BINARY, plan=Plan(validation_split=split))
    seen.validation = Data(x=RNG.normal(size=(100, 3)), y=later, n=100)
    found = splits.validation_split_sorted(seen)
    assert [f.certain for f in found] == [True] * fires


def test_places_of_labels_that_have_other_classes():
    """As of numbered pictures, whose first figure says where in the folder they stand."""
    figures = np.stack([np.arange(600) // 60, np.arange(600) // 6 % 10, RNG.integers(0, 10, 600)], axis=1)
    seen = training(RNG.normal(size=(480, 5)), figures[:480], classes=10)
    seen.validation = Data(x=RNG.normal(size=(120, 5)), y=figures[480:], n=120)
    assert [f.certain for f in splits.validation_split_sorted(seen)] == [True]
    mixed = RNG.permutation(figures)
    seen.train.y, seen.validation.y = mixed[:480], mixed[480:]
    assert splits.validation_split_sorted(seen) == []


@pytest.mark.parametrize("why", ["another form", "a drift"])
def test_inputs_that_are_moved_by_a_spread_for_another_reason(why):
    """Rows of which only some are moved far, or a series that has moved as far inside of the training."""
    x = RNG.normal(size=(600, 7)).astype("float32")
    y = (np.abs(x[:, 0]) > 0.7).astype("int64")
    if why == "a drift":
        x += np.linspace(0, 6, 600, dtype="float32")[:, None]
    later = x[400:].copy()
    if why == "another form":
        later[::4] += 8
    seen = asked(x, y, np.arange(400), classes=2)
    seen.validation = Data(x=later, y=y[400:], n=200)
    seen.experiments = {"right_train": 0.95, "right_held": 0.3}
    assert shift(seen.train.x, later, ratio=2.0, distance=1.0).share > 0.8
    assert splits._moved_and_lost(seen, seen.train, seen.validation, "validation") == []


@pytest.mark.parametrize("asked_about", [True, False])
def test_columns_in_another_order(asked_about):
    x = np.stack([RNG.normal(size=600), RNG.random(600) < 0.2, RNG.exponential(3, 600)], axis=1).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    for order, fires in (([0, 2, 1], True), ([0, 1, 2], False)):
        seen = divided(x, y, *halves(600))
        seen.validation.x = seen.validation.x[:, order]
        if asked_about:
            seen.asked, seen.validation = [Feed(x=seen.validation.x, name="x_test")], None
        found = splits.train_val_preprocessing_mismatch(seen)
        assert [f.certain for f in found] == [True] * fires
        assert not fires or "1 as 2, 2 as 1" in found[0].evidence
