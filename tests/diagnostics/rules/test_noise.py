import functools

from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import LEFT_OVER, Data, Feed
from keras_course.diagnostics.rules import data, labels, noise, scale
from keras_course.diagnostics.rules.pairs import labels_shuffled_apart
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, CELLS, DIGITS, LABELS
from tests.diagnostics.typed import BINARY, RNG, SPARSE, SQUARED, one, training

import numpy as np
import pytest

causes = functools.partial(typed.named, labels.RULES | data.RULES | scale.RULES | noise.RULES)


@pytest.mark.parametrize(("share", "causes"), [(0.1, set()), (0.4, {"label_noise"}), (1.0, {"labels_shuffled_apart"})])
def test_inputs_that_come_again_under_another_class(share, causes):
    """By a share of the labels that are dealt out anew each time; of four in ten two thirds of the conflicts of chance
    are left."""
    seen = training(DIGITS[:200], LABELS[:200], looks=40, stored=False)
    rng = np.random.default_rng(5)
    for probe in seen.probes:
        dealt = rng.random(len(probe.y)) < share
        probe.y = np.where(dealt, rng.integers(0, 10, len(probe.y)), probe.y)
    found = [*noise.label_noise(seen), *labels_shuffled_apart(seen)]
    assert {f.cause for f in found if "came again" in f.evidence} == causes
    assert all("dealt out would give" in f.evidence for f in found if f.cause == "label_noise")
    seen.loss.name = SQUARED
    assert noise.label_noise(seen) == []


def test_labels_that_contradict_their_neighbours_are_a_note():
    y = LABELS.copy()
    wrong = RNG.permutation(len(y))[:180]
    y[wrong] = (y[wrong] + 1 + RNG.integers(0, 9, 180)) % 10
    assert causes(training(DIGITS, y)) == (set(), {"label_noise"})
    assert causes(training(DIGITS, LABELS)) == (set(), set())


@pytest.mark.parametrize(("share", "certain"), [(0.4, True), (0.22, False)])
def test_labels_at_random_are_certain_where_neighbours_are_surest_too(share, certain):
    rng = np.random.default_rng(3)
    y = np.where(rng.random(len(LABELS)) < share, rng.integers(0, 10, len(LABELS)), LABELS)
    (found,) = noise.label_noise(training(DIGITS, y))
    assert (found.kind, found.certain) == (("named", True) if certain else ("note", False))


def test_kinds_that_are_confused_among_themselves_are_a_note():
    """Half of the labels from 4 on are any of these: many contradict, and none where neighbours are surest."""
    rng = np.random.default_rng(3)
    y = np.where((LABELS >= 4) & (rng.random(len(LABELS)) < 0.5), rng.integers(4, 10, len(LABELS)), LABELS)
    (found,) = noise.label_noise(training(DIGITS, y))
    assert (found.kind, found.certain) == ("note", False)
    assert "at least 19.9%" in found.evidence, "more than the 18 % that are enough"


@pytest.mark.parametrize(
    ("loss", "far", "certain"), [(SPARSE, 0, False), (SPARSE, 9, True), ("mean_squared_error", 9, False)]
)
def test_grades_of_which_neighbours_have_the_next_one_are_a_note(loss, far, certain):
    """Marks with an error of one, and with any error."""
    rng = np.random.default_rng(1)
    size = rng.uniform(0, 10, (1000, 1))
    wrong = rng.random(1000) < 0.45
    other = rng.integers(0, 10, 1000) if far else np.clip(size[:, 0].astype(int) + rng.choice([-1, 1], 1000), 0, 9)
    y = np.where(wrong, other, size[:, 0].astype(int))
    (found,) = noise.label_noise(training(np.tile(size, 3), y, loss=loss))
    assert found.certain is certain


def held_out_too(y, other, rare=False, said=one, **experiments):
    """rare: of the other class but a tenth is held out. said: what the network says of the training."""
    order = np.random.default_rng(0).permutation(len(y))
    few, rest = order[:380], order[380:]
    rest = rest[(BENIGN[rest] == 1) | (np.arange(len(rest)) % 10 == 0)] if rare else rest
    seen = training(CELLS[few], y[few], loss=BINARY, head="sigmoid", logits=False, classes=1, output=said)
    seen.validation = Data(x=CELLS[rest], y=other[rest], n=len(rest))
    seen.experiments = experiments
    return noise.label_noise(seen)


def test_labels_held_out_that_a_linear_model_of_the_training_tells_better():
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(BENIGN)) < 0.35, 1 - BENIGN, BENIGN)
    (found,) = held_out_too(noisy, BENIGN)
    assert found.certain
    assert "are told by a linear model of these rows" in found.evidence
    assert held_out_too(noisy, noisy) == [], "both are alike"
    assert held_out_too(BENIGN, BENIGN) == []
    assert held_out_too(np.zeros_like(BENIGN), BENIGN) == [], "of one class there is nothing to be told"
    assert held_out_too(noisy, BENIGN, rare=True) == [], "other shares of classes"


@pytest.mark.parametrize(("inside", "held", "fires"), [(0.6, 0.9, True), (0.8, 0.89, False), (0.9, 0.6, False)])
def test_labels_held_out_that_the_last_weights_tell_better(inside, held, fires):
    found = [f for f in held_out_too(BENIGN, BENIGN, right_train=inside, right_held=held) if f.certain]
    assert len(found) == fires
    if fires:
        assert "of training 60% are told by the last weights, and of those of validation 90%" in found[0].evidence
    constant = held_out_too(BENIGN, BENIGN, said=lambda rows: np.ones((len(rows), 1)), right_train=0.6, right_held=0.9)
    assert not any(f.certain for f in constant), "what says one class tells how frequent that is"


@pytest.mark.parametrize(
    ("change", "fires"),
    [({}, True), ({"few_end": 1.5}, False), ({"few_end": 1.5, "right_train": 0.9, "right_held": 0.4}, True),
     ({"end": 1.5}, False), ({"weights": True}, False), ({"alone": False}, False), ({"told": 0.6}, False),
     ({"told": 0.2}, True), ({"end_same": 2.0, "end_ten": 1.8}, False), ({"end_same": 2.0, "end_ten": 1.99}, True),
     ({"steps": 30}, False)],
)  # fmt: skip
def test_labels_that_inputs_hardly_say_are_what_is_left(change, fires):
    y = RNG.integers(0, 10, 600)
    said = np.where(RNG.random(600) < change.get("told", 0.0), y, RNG.integers(0, 10, 600))
    losses = [2.3, *[change.get("end", 2.1)] * change.get("steps", 60)]
    seen = training(
        RNG.normal(size=(600, 4)).astype("float32"), y, losses=losses, output=lambda rows: np.eye(10)[said[rows]]
    )
    for step, probe in enumerate(seen.probes):
        probe.step = 37 + step  # of the second half
    seen.experiments = {"few": 8.0, "few_start": 2.3, "few_end": 0.1}
    seen.experiments |= {
        name: value for name, value in change.items() if name[:3] in ("few", "rig", "end") and name != "end"
    }
    seen.alone = change.get("alone", True)
    seen.plan.class_weight = {0: 2.0} if change.get("weights") else None
    found = noise.label_noise(seen)
    assert [(f.confidence, f.certain) for f in found] == [(LEFT_OVER, False)] * fires


def test_the_last_weights_speak_of_the_part_that_they_were_asked_about():
    """Validation is of other shares of classes; of the test set nobody asked them."""
    order = np.random.default_rng(0).permutation(len(BENIGN))
    few, rest, others = order[:300], order[300:430], order[430:]
    seen = training(CELLS[few], BENIGN[few], loss=BINARY, head="sigmoid", logits=False, classes=1, output=one)
    rest = rest[(BENIGN[rest] == 1) | (np.arange(len(rest)) % 10 == 0)]
    rest = np.concatenate([rest, rest])
    seen.validation = Data(x=CELLS[rest], y=BENIGN[rest], n=len(rest))
    seen.asked = [Feed(x=CELLS[others], name="x_test", labels={"y_test": BENIGN[others]})]
    seen.experiments = {"right_train": 0.65, "right_held": 0.9}
    assert [f for f in noise.label_noise(seen) if f.certain] == []
    seen.validation = None
    assert "x_test 90%" in noise.label_noise(seen)[0].evidence


WRONG = {"sure_rows": 200.0, "sure_wrong": 0.42, "sure_all": 0.44, "sure_recall": 0.56}


@pytest.mark.parametrize(
    ("change", "fires_"),
    [
        ({}, True),
        ({"sure_wrong": 0.25}, False),  # it is unsure of what it is wrong about
        ({"sure_wrong": 0.2, "sure_all": 0.22, "sure_recall": 0.75}, False),  # above .15 by chance
        ({"sure_recall": 0.38}, False),  # the classes are hardly told
        ({"sure_rows": 50.0}, False),
        ({"classes": 21}, False),  # as of words, of which several may come next
        ({"steps": 49.0}, False),  # it has not yet learned what to be sure of
    ],
)
def test_a_network_that_is_wrong_where_it_is_surest(change, fires_):
    classes, losses = int(change.get("classes", 4)), [0.9] * int(change.get("steps", 50))
    seen = training(RNG.normal(size=(420, 3)), np.arange(420) % classes, classes=classes, losses=losses)
    seen.experiments = WRONG | change
    found = noise.label_noise(seen)
    assert [f.certain for f in found if "surest" in f.evidence and "wrong at random" in f.evidence] == [True] * fires_


@pytest.mark.parametrize(("reference", "fires"), [(0.4, False), (0.6, True), (None, True)])
def test_labels_that_a_simple_model_tells_are_not_wrong_at_random(monkeypatch, reference, fires):
    """Of four classes 15 % of wrong labels leave .587 of a cross-entropy, -.15 log(.15 / 3) - .85 log .85."""
    assert noise._loss_of_noise(4) == pytest.approx(0.5875, abs=1e-3)
    harm = Harm(degree=0.8, sentence="", baseline=np.log(4), reference=reference)
    monkeypatch.setattr(noise, "harm_of", lambda seen: harm)
    seen = training(RNG.normal(size=(420, 3)), np.arange(420) % 4, classes=4, losses=[0.9] * 50)
    seen.experiments = WRONG
    found = [f for f in noise.label_noise(seen) if "wrong at random" in f.evidence]
    assert [f.certain for f in found] == [True] * fires
