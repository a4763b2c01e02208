import functools

from keras_course.diagnostics.observation import Feed, Unit
from keras_course.diagnostics.rules import pairs
from keras_course.diagnostics.rules.noise import label_noise
from keras_course.diagnostics.telling import Pairing
from tests.diagnostics import typed
from tests.diagnostics.tables import DIGITS, LABELS, PATIENTS, PROGRESS
from tests.diagnostics.typed import BINARY, RNG, SQUARED, one, training

import numpy as np
import pytest

only = functools.partial(typed.only, pairs.RULES)
causes = functools.partial(typed.named, pairs.RULES)

STUCK = (2.3, 2.31, 2.3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stored", [True, False])
def test_pairs_shuffled_apart(seed, stored):
    y = np.random.default_rng(seed).permutation(LABELS)
    found = only(training(DIGITS, y, losses=STUCK, stored=stored), "labels_shuffled_apart")
    assert not found.certain
    assert causes(training(DIGITS, LABELS, losses=STUCK, stored=stored))[0] == set()


@pytest.mark.parametrize(("p", "fires"), [(0.03, True), (0.012, True), (0.008, False), (0.004, False)])
def test_one_shuffle_in_a_hundred_is_let_go(monkeypatch, p, fires):
    monkeypatch.setattr(pairs, "pairing", lambda x, y: Pairing(0.12, 0.1, p))
    seen = training(DIGITS, RNG.permutation(LABELS), losses=STUCK)
    assert bool(pairs.labels_shuffled_apart(seen)) is fires


def test_targets_of_a_regression_shuffled_apart():
    y = ((PROGRESS - 152) / 77).astype("float32")
    x = (PATIENTS / PATIENTS.std(0)).astype("float32")
    for seed in range(3):
        mixed = np.random.default_rng(seed).permutation(y)
        seen = training(x, mixed, loss=SQUARED, classes=1, output=one, losses=STUCK)
        assert only(seen, "labels_shuffled_apart").confidence < 0.8
    assert causes(training(x, y, loss=SQUARED, classes=1, output=one, losses=STUCK)) == (set(), set())


def test_labels_of_texts_shuffled_apart():
    rng, y = np.random.default_rng(3), np.arange(400) % 2
    words = rng.integers(10, 60, (400, 12))
    words[np.arange(400), rng.integers(0, 12, 400)] = 2 + y  # one word says it
    mixed = rng.permutation(y)
    for labels, expected in ((y, []), (mixed, ["labels_shuffled_apart"])):
        seen = training(words, labels, loss=BINARY, classes=1, output=one, losses=STUCK, kind="embedding")
        assert [f.cause for f in pairs.labels_shuffled_apart(seen)] == expected
    numbers = training(words[:, :1], mixed, loss=BINARY, classes=1, output=one, losses=STUCK, kind="embedding")
    assert pairs.labels_shuffled_apart(numbers) == [], "users that are looked up"


@pytest.mark.parametrize("places", [(9,), (6, 5)])
def test_labels_of_places_shuffled_apart(places):
    """As of the phases of a run, or of a mask: what a place holds says what it is."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, (300, *places))
    x = (y[..., None] + rng.normal(0, 0.8, (300, *places, 2))).astype("float32")
    for labels, expected in ((y, []), (rng.permutation(y), ["labels_shuffled_apart"])):
        seen = training(x, labels, losses=STUCK, classes=3)
        assert [f.cause for f in pairs.labels_shuffled_apart(seen)] == expected


@pytest.mark.parametrize(("columns", "tables", "fires"), [(3, 2, False), (3, 1, True), (12, 2, True)])
def test_numbers_of_things_in_several_tables_are_no_words(columns, tables, fires):
    """As of a person and of two dishes: how near two numbers are says nothing."""
    rng, y = np.random.default_rng(3), np.arange(400) % 2
    numbers = rng.integers(0, 60, (400, columns))
    seen = training(numbers, rng.permutation(y), loss=BINARY, classes=1, output=one, losses=STUCK, kind="embedding")
    seen.units = [*seen.units, *[Unit(name="places", kind="embedding")] * (tables - 1)]
    assert [f.cause for f in pairs.labels_shuffled_apart(seen)] == ["labels_shuffled_apart"] * fires


def test_several_labels_each_shuffled_apart():
    tags = (DIGITS[:, 20:24] > DIGITS[:, 20:24].mean(0)).astype("float32")
    for y, expected in ((tags, []), (np.random.default_rng(2).permutation(tags), ["labels_shuffled_apart"])):
        seen = training(DIGITS, y, loss=BINARY, classes=4, losses=STUCK)
        assert [f.cause for f in pairs.labels_shuffled_apart(seen)] == expected


def test_labels_learned_by_heart_are_told_by_validation():
    y = np.random.default_rng(0).permutation(LABELS)
    seen = training(DIGITS, y, losses=(2.3, 1.0, 0.1))
    assert pairs.labels_shuffled_apart(seen) == []
    seen.epochs = [{"loss": 1.0, "val_loss": 2.31}, {"loss": 0.1, "val_loss": 5.0}]
    assert len(pairs.labels_shuffled_apart(seen)) == 1
    seen.epochs[0]["val_loss"] = 1.5
    assert pairs.labels_shuffled_apart(seen) == []


@pytest.mark.parametrize(("right", "recall", "silent"), [(0.6, 0.5, True), (0.6, 0.1, False), (0.15, 0.5, False)])
def test_labels_that_the_last_weights_tell_elsewhere_are_not_shuffled(right, recall, silent):
    seen = training(DIGITS, np.random.default_rng(0).permutation(LABELS), losses=STUCK)
    seen.experiments |= {"right_held": right, "sure_recall": recall}
    assert (pairs.labels_shuffled_apart(seen) == []) == silent


@pytest.mark.parametrize(("reference", "silent"), [(1.7, True), (2.2, False)])
def test_labels_that_a_simple_model_tells_are_not_shuffled(monkeypatch, reference, silent):
    monkeypatch.setattr("keras_course.diagnostics.harm.reference_of", lambda seen: reference)
    seen = training(DIGITS, np.random.default_rng(0).permutation(LABELS), losses=STUCK)
    assert (pairs.labels_shuffled_apart(seen) == []) == silent


@pytest.mark.parametrize(("told", "silent"), [(True, True), (False, False)])
def test_labels_of_which_few_are_told_are_not_shuffled(monkeypatch, told, silent):
    monkeypatch.setattr(pairs, "told_at_all", lambda x, y: told)
    seen = training(DIGITS, np.random.default_rng(0).permutation(LABELS), losses=STUCK)
    assert (pairs.labels_shuffled_apart(seen) == []) == silent


def test_inputs_that_are_nearly_all_alike_are_not_called_shuffled():
    flat = np.zeros_like(DIGITS)
    flat[::2, 0] = 1e-3  # of 1,797 inputs two are different
    seen = training(flat, LABELS, losses=STUCK, stored=False, looks=40)
    assert "came again" not in " ".join(f.evidence for f in pairs.labels_shuffled_apart(seen))


def test_inputs_that_come_again_with_another_label():
    seen = training(DIGITS[:200], LABELS[:200], looks=40, stored=False)
    assert causes(seen)[0] == set()
    for probe in seen.probes:
        probe.y = RNG.permutation(probe.y)
    found = pairs.labels_shuffled_apart(seen)[0]
    assert "came again" in found.evidence


def test_pairs_of_inputs_are_not_judged_by_the_first_of_them():
    y = RNG.integers(0, 2, len(DIGITS))  # whatever the first input says
    seen = training(DIGITS, y, classes=2, losses=(0.7, 0.7, 0.7))
    assert pairs.labels_shuffled_apart(seen)
    seen.layers = [{"class": "InputLayer", "name": name, "config": {}} for name in "ab"]
    assert pairs.labels_shuffled_apart(seen) == []
    assert label_noise(seen) == []
    seen.train.further = (RNG.permutation(DIGITS),)
    assert pairs.labels_shuffled_apart(seen) == [], "whether two are alike, no simple model says"


def test_inputs_of_different_form_are_judged_together():
    """A picture and a table, of which the table says it."""
    table = RNG.normal(size=(len(DIGITS), 3))
    y = (table[:, 0] > 0).astype(int)
    for labels, fires in ((y, False), (RNG.permutation(y), True)):
        seen = training(DIGITS, labels, classes=2, losses=(0.7, 0.7, 0.7))
        seen.layers = [{"class": "InputLayer", "name": name, "config": {}} for name in "ab"]
        seen.train.further = (table,)
        assert bool(pairs.labels_shuffled_apart(seen)) == fires
    seen.probes = seen.probes[:4]
    for probe in seen.probes:
        probe.x, probe.y = DIGITS[:64], RNG.integers(0, 2, 64)
    assert "came again" not in pairs.labels_shuffled_apart(seen)[0].evidence, "the other input may be another"


def test_predictions_in_another_order_than_any_labels():
    seen = training(DIGITS, LABELS, losses=(2.3, 0.1, 0.1))
    for rows, reordered, fires in ((30, True, True), (30, False, False), (19, True, False)):
        seen.asked = [Feed(x=DIGITS[:rows], labels={"y": LABELS[:rows]}, name="test_ds", reordered=reordered)]
        assert [("test_ds" in f.evidence, f.certain) for f in pairs.labels_shuffled_apart(seen)] == [
            (True, True)
        ] * fires


def test_bags_of_words_shuffled_apart():
    rng, y = np.random.default_rng(4), np.arange(500) % 4
    topics = rng.dirichlet(np.full(200, 0.05), size=4)
    counts = np.stack([rng.multinomial(30, 0.5 * topics[k] + 0.5 / 200) for k in y]).astype("float32")
    for labels, expected in ((y, []), (rng.permutation(y), ["labels_shuffled_apart"])):
        seen = training(counts, labels, classes=4, losses=STUCK)
        assert [f.cause for f in pairs.labels_shuffled_apart(seen)] == expected
    codes = rng.integers(0, 2, (500, 8)).astype("float32")
    parity = codes.sum(1).astype("int64") % 2  # neither neighbours nor a line see it
    assert pairs.labels_shuffled_apart(training(codes, parity, classes=2, losses=STUCK)) == []


def test_what_falls_from_above_the_constant_alone_is_not_learned():
    mixed = np.random.default_rng(2).permutation(LABELS)
    assert pairs.labels_shuffled_apart(training(DIGITS, mixed, losses=(4.0, 2.4, 2.1))), "ln 10 is 2.30"
    assert pairs.labels_shuffled_apart(training(DIGITS, mixed, losses=(4.0, 2.4, 1.5))) == []


def test_inputs_in_another_order_than_labels_that_come_sorted():
    """A permutation of the inputs that the labels were not given."""
    order, mixed = np.argsort(LABELS), RNG.permutation(1797)
    seen = training(DIGITS[mixed], LABELS[order], losses=STUCK, shuffle=False, looks=56)
    assert pairs.labels_shuffled_apart(seen)[0].confidence > 0.94  # above that of labels that are sorted
    again = training(DIGITS[mixed][:300], LABELS[order][:300], losses=STUCK, shuffle=False, stored=False, looks=40)
    for probe in again.probes:
        probe.x = DIGITS[RNG.permutation(300)[: len(probe.x)]]
    assert "came again" in pairs.labels_shuffled_apart(again)[0].evidence
    assert pairs.labels_shuffled_apart(again)[0].confidence > 0.94
    together = training(DIGITS[order], LABELS[order], losses=STUCK, shuffle=False, looks=56)
    assert pairs.labels_shuffled_apart(together) == []


@pytest.mark.parametrize(("held", "fires"), [(-0.05, True), (0.1, False)])
def test_real_targets_of_which_nothing_is_known_elsewhere(held, fires):
    """The loss of training falls, since so few rows are learned by heart."""
    x = RNG.normal(size=(400, 6))
    y = RNG.permutation(x[:, :3])
    seen = training(x, y, loss=SQUARED, classes=3, losses=[1.0] * 30 + [0.2] * 30)
    assert pairs.labels_shuffled_apart(seen) == [], "nobody knows"
    seen.experiments = {"right_train": 0.8, "right_held": held}
    assert bool(pairs.labels_shuffled_apart(seen)) == fires


def test_rows_of_looks_that_come_again_do_not_agree_with_themselves():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 6))
    seen = training(x, rng.permutation(x[:, 0]), loss=SQUARED, classes=1, stored=False, looks=40, losses=[1.0] * 9)
    assert pairs.labels_shuffled_apart(seen)


def test_places_in_a_batch_are_no_labels():
    """As of pairs that are compared inside of it: the same numbers each time, and other rows."""
    order = RNG.permutation(len(DIGITS))
    seen = training(DIGITS[order], LABELS, losses=STUCK, stored=False, batch=32)
    for look in seen.probes:
        look.y = np.arange(len(look.x))
    assert pairs.labels_shuffled_apart(seen) == []
