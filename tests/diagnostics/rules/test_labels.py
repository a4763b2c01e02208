import functools

from keras_course.diagnostics.harm import Harm
from keras_course.diagnostics.observation import LEFT_OVER, Data, Feed, Plan, Variable
from keras_course.diagnostics.rules import data, labels, scale
from keras_course.diagnostics.rules.pairs import labels_shuffled_apart
from tests.diagnostics import typed
from tests.diagnostics.typed import BINARY, CROSS, RNG, SPARSE, SQUARED, one, softmax, training

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

RULES = labels.RULES | data.RULES | scale.RULES
only, causes = functools.partial(typed.only, RULES), functools.partial(typed.named, RULES)
DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = (DIGITS / 16).astype("float32")
IMAGES = DIGITS.reshape(-1, 8, 8, 1)
CELLS, BENIGN = load_breast_cancer(return_X_y=True)


@pytest.mark.parametrize("shift", [1, -1])
def test_class_numbers_that_no_output_has_are_certain(shift):
    found = only(training(DIGITS, LABELS + shift), "label_encoding")
    assert found.certain
    assert "0 to 9" in found.evidence


def test_marks_of_places_without_a_label_are_no_classes():
    y = np.where(RNG.random((400, 6)) < 0.2, -1, RNG.integers(0, 10, (400, 6)))
    seen = training(
        RNG.normal(size=(400, 6, 3)).astype("float32"), y, output=lambda r: RNG.normal(size=(len(r), 6, 10))
    )
    assert causes(seen) == (set(), set())
    assert only(training(DIGITS, np.where(LABELS == 3, -1, LABELS)), "label_encoding").certain


@pytest.mark.parametrize("pair", [(-1, 1), (1, 2), (0, 255)])
def test_two_classes_are_called_0_and_1(pair):
    y = np.array(pair)[BENIGN]
    x = (CELLS - CELLS.mean(0)) / CELLS.std(0)
    assert only(training(x, y, loss=BINARY, classes=1, output=one), "label_encoding").certain
    assert causes(training(x, y, loss="hinge", classes=1, output=one)) == (set(), set())


def test_rows_of_one_hot_labels_without_a_one():
    y = np.eye(10, dtype="float32")[LABELS]
    y[::20] = 0
    seen = training(
        DIGITS, y, loss=CROSS, head="softmax", logits=False, output=lambda r: softmax(RNG.normal(size=(len(r), 10)))
    )
    assert not only(seen, "label_encoding").certain


def test_constant_labels_are_named_where_fit_trains_a_whole_model_on_them():
    y = np.ones(len(DIGITS), "int64")
    seen = training(DIGITS, y, loss=BINARY, classes=1, output=one)
    assert only(seen, "constant_labels").certain
    seen.variables = [Variable(name="normalization/mean", shape=(1, 64), trainable=False)]
    assert only(seen, "constant_labels").certain
    seen.variables = [Variable(name="critic/kernel", shape=(3, 1), trainable=False)]  # a generator in front of it
    assert causes(seen) == (set(), {"constant_labels"})


@pytest.mark.parametrize(("picture", "certain"), [(DIGITS[3], True), (np.zeros(64), False), (DIGITS[3, :4], False)])
def test_one_and_the_same_picture_for_all_inputs_is_certain(picture, certain):
    """Though a network learns it at once; not what is 0, which a loss of inputs alone is given, nor a few numbers."""
    y = np.tile(picture.astype("float32"), (len(DIGITS), 1))
    seen = training(DIGITS, y, loss=SQUARED, classes=len(picture), output=lambda rows: y[rows])
    assert [f.certain for f in labels.constant_labels(seen)] == [certain]


def test_labels_that_do_not_count_are_none():
    """Padded places of sequences, whose weights were turned round."""
    y = np.stack([LABELS, 0 * LABELS], axis=1)
    seen = training(DIGITS, y, output=lambda rows: RNG.normal(size=(len(rows), 2, 10)))
    for weight, fires in ((y == 0, True), (y != 0, False), (np.ones(y.shape), False), (np.zeros(y.shape), True)):
        seen.train.weight = weight.astype("float32")
        assert bool(labels.constant_labels(seen)) is fires
    seen.train.weight = (np.arange(len(y)) < 5).astype("float32")  # of rows
    assert labels.constant_labels(seen) == []
    seen.train.weight = np.eye(len(y), 3)
    assert labels.constant_labels(seen) == []
    seen.train.y, seen.train.weight = LABELS, (LABELS == 4).astype("float32")
    assert "of a weight above 0 that were looked at are [4]" in labels.constant_labels(seen)[0].evidence


def test_masks_of_one_grey_are_constant_labels_of_any_loss():
    for masks, found in ((np.zeros_like(IMAGES), 1), (IMAGES, 0), (np.zeros((len(IMAGES), 1)), 0)):
        seen = training(IMAGES, masks, loss="", head="sigmoid", logits=False, classes=1, output=lambda r: IMAGES[r])
        assert [f.certain for f in labels.constant_labels(seen)] == [False] * found


@pytest.mark.parametrize(("accuracy", "kind"), [(0.0, "named"), (0.06, "note"), (0.8, "note")])
def test_a_class_that_only_validation_can_have(accuracy, kind):
    rows = LABELS != 9
    seen = training(DIGITS[rows], LABELS[rows], epochs=[{"accuracy": 0.98, "val_accuracy": accuracy}])
    (finding,) = labels.missing_class(seen)
    assert (finding.kind, finding.certain) == (kind, kind == "named")


def test_one_class_of_several_in_few_rows_is_certain_whatever_is_frozen():
    frozen = [Variable(name="base/kernel", shape=(1, 64), trainable=False)]
    one_hot = np.eye(5, dtype="float32")[np.full(60, 4)]
    seen = training(DIGITS[:60], one_hot, loss=CROSS, classes=5, variables=frozen)
    assert [f.certain for f in labels.constant_labels(seen)] == [True]


def test_few_constant_labels_are_enough_where_they_are_all_there_are():
    only(training(DIGITS[:30], np.ones(30, "int64"), loss=BINARY, classes=1, output=one), "constant_labels")
    looked_at = training(DIGITS[:30], np.ones(30, "int64"), loss=BINARY, classes=1, output=one, looks=2, stored=False)
    assert labels.constant_labels(looked_at) == []
    assert labels.constant_labels(training(DIGITS[:9], np.ones(9, "int64"), loss=BINARY, classes=1, output=one)) == []


def test_a_class_that_only_validation_has():
    rest = np.flatnonzero(LABELS[:1200] != 7)
    seen = training(DIGITS[rest], LABELS[rest])
    seen.validation = Data(x=DIGITS[1200:], y=LABELS[1200:])
    found = only(seen, "missing_class")
    assert found.certain
    assert "class 7" in found.evidence
    lacks = LABELS[1200:] != 4
    seen.validation = Data(x=DIGITS[1200:][lacks], y=LABELS[1200:][lacks])
    assert not any("of validation" in f.evidence for f in labels.missing_class(seen)), "each lacks one: split by order"
    seen.validation = None
    assert only(seen, "missing_class").certain, "the only one, between others"
    last = np.flatnonzero(LABELS != 9)  # the head may be wider than what there is
    assert causes(training(DIGITS[last], LABELS[last])) == (set(), {"missing_class"})
    for up_to, named in ((8, {"missing_class"}), (5, {"missing_class"}), (4, set())):
        some = np.isin(LABELS, range(up_to))
        assert causes(training(DIGITS[some], LABELS[some])) == (named, {"missing_class"} - named)


def test_each_of_two_parts_lacks_what_the_other_has():
    """Sorted labels, of which the last rows are validation: row 19, and no class of its own is missing."""
    order = np.argsort(LABELS, kind="stable")
    seen = training(DIGITS[order[:1500]], LABELS[order[:1500]])
    seen.validation = Data(x=DIGITS[order[1500:]], y=LABELS[order[1500:]], n=297)
    seen.epochs = [{"accuracy": 0.98, "val_accuracy": 0.01, "loss": 0.1}]
    assert labels.missing_class(seen) == []
    seen.validation.y = np.where(seen.validation.y == LABELS[order[1499]], 0, seen.validation.y)
    seen.train.y = np.where(np.isin(seen.train.y, seen.validation.y), 0, seen.train.y)
    assert labels.missing_class(seen) == [], "though some are in both"


@pytest.mark.parametrize(
    ("rows", "name", "fires"),
    [(900, "x_test", True), (900, "", True), (900, "unknown", False), (150, "x_test", True), (40, "xv", False)],
)
def test_a_class_that_only_what_is_held_out_by_name_has(rows, name, fires):
    """Of fewer than 200 rows of training a class that has a tenth of the others cannot be missing by chance."""
    nine = LABELS[:rows] == 9
    seen = training(DIGITS[:rows][~nine], LABELS[:rows][~nine])
    labels = np.where(np.arange(700) % 4 == 0, 9, LABELS[900:1600])  # a quarter of the rows
    seen.asked = [Feed(x=DIGITS[900:1600], name=name, labels={"y_test": labels})]
    assert ("missing_class" in causes(seen)[0]) == fires
    if fires:
        asked = name or "what is asked about"
        assert f"class 9 has {np.sum(labels == 9)} of 700 rows of {asked}" in only(seen, "missing_class").evidence


@pytest.mark.parametrize(("rows", "fires"), [(40, True), (12, False)])
def test_classes_that_few_rows_lack_together(rows, fires):
    """Of two that have a half together, forty rows have none by a chance below 1e-6; of each alone they might."""
    few, half = np.flatnonzero(LABELS[:900] < 2)[:rows], LABELS[900:] < 4
    seen = training(DIGITS[few], LABELS[few], classes=4)
    seen.asked = [Feed(x=DIGITS[900:][half], name="x_test", labels={"y_test": LABELS[900:][half]})]
    assert bool(labels.missing_class(seen)) is fires


def test_a_tag_that_only_the_places_of_the_test_have():
    words = RNG.integers(1, 30, (300, 6))
    tags = words % 4
    rows = ~np.any(tags == 3, axis=1)
    seen = training(words[rows], tags[rows], classes=4)
    seen.train.x, seen.train.y = np.tile(seen.train.x, (5, 1)) + 0, np.tile(seen.train.y, (5, 1))
    seen.asked = [Feed(x=words + 1, name="x_test", labels={"y_test": tags})]
    assert "class 3" in only(seen, "missing_class").evidence
    seen.asked[0].labels = {"y_test": np.minimum(tags, 2)}
    assert "missing_class" not in causes(seen)[0]


@pytest.mark.parametrize("kinds", [2, 3])
def test_a_class_that_only_the_masks_of_the_test_have(kinds):
    """Of two kinds the mask is whole numbers and a table of zeros and ones alike."""
    pictures = RNG.normal(size=(300, 4, 6, 2)).astype("float32")
    masks = RNG.integers(0, kinds + 1, (300, 4, 6))
    seen = training(pictures[:250], np.minimum(masks[:250], kinds - 1), classes=kinds + 1)
    seen.asked = [Feed(x=pictures[250:], name="test_tiles", labels={"test_masks": masks[250:]})]
    assert f"class {kinds} has 50 of 50 rows of test_tiles" in only(seen, "missing_class").evidence
    seen.asked[0].labels = {"test_masks": np.minimum(masks[250:], kinds - 1)}
    assert "missing_class" not in causes(seen)[0]


def test_a_rare_class_that_is_never_named():
    rare = np.flatnonzero((LABELS != 3) | (np.arange(len(LABELS)) % 8 == 0))
    x, y = DIGITS[rare], (LABELS[rare] == 3).astype("int64")
    blind = lambda rows: np.full((len(rows), 1), 0.05, "float32")  # noqa: E731 - one expression
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=blind, looks=60)
    assert "class 1" in only(seen, "class_imbalance").evidence
    sees = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - one expression
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=sees, looks=60)
    assert causes(seen) == (set(), set())


def test_a_rare_class_is_judged_by_the_second_half_of_the_steps():
    rare = np.flatnonzero((LABELS != 3) | (np.arange(len(LABELS)) % 8 == 0))
    x, y = DIGITS[rare], (LABELS[rare] == 3).astype("int64")
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, looks=120, losses=np.ones(120))
    for probe in seen.probes:  # at first every second row is said to be of it, then none
        early = (np.arange(len(probe.y)) % 2)[:, None] * 1.0
        probe.output = early if probe.step < 60 else np.full((len(probe.y), 1), 0.05)
    only(seen, "class_imbalance")


@pytest.mark.parametrize(("found", "fires"), [(0.0, True), (1.0, False)])
def test_a_class_too_rare_for_the_second_half_is_judged_by_the_last_of_it(found, fires):
    rows = np.flatnonzero((LABELS != 3) | (np.arange(len(LABELS)) % 8 == 0))
    x, y = DIGITS[rows], (LABELS[rows] == 3).astype("int64")
    seen = training(x, y, loss=BINARY, head="sigmoid", logits=False, classes=1, looks=120, losses=np.ones(120))
    for probe in seen.probes:
        probe.output = np.where(probe.y[:, None] == 1, 0.9 * found * (probe.step >= 45), 0.1)
        if probe.step >= 60:
            probe.y, probe.output = np.zeros_like(probe.y), np.full_like(probe.output, 0.1)
    assert bool(labels.class_imbalance(seen)) == fires


@pytest.mark.parametrize(("found", "fires"), [(0.0, True), (0.2, False)])
def test_one_in_ten_is_rare_where_hardly_one_is_found(found, fires):
    y = (LABELS == 3).astype("int64")
    seen_as = np.where((y == 1) & (RNG.random(len(y)) < found), 0.9, 0.1)[:, None]
    seen = training(
        DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=1, looks=60, output=lambda r: seen_as[r]
    )
    assert bool(labels.class_imbalance(seen)) == fires


@pytest.mark.parametrize(
    ("evened", "error", "asked", "kind"),
    [
        (0.09, 0.029, "mean_recall", "named"),
        (0.09, 0.029, "", "note"),  # a script that does not measure it need not find it
        (0.13, 0.029, "", "named"),  # unless it is this much
        (0.09, 0.031, "mean_recall", None),
        (0.07, 0.001, "mean_recall", None),
        (-0.2, 0.001, "mean_recall", None),
    ],
)
@pytest.mark.parametrize("held", [1.0, 0.0])
def test_a_rare_class_that_is_named_as_seldom_as_it_occurs(evened, error, asked, kind, held):
    y = (LABELS == 3).astype("int64")
    sees = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - one expression
    seen = training(DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=sees, by_class=asked)
    seen.experiments = {"recall": 0.7, "evened": evened, "evened_error": error, "shares_held": held}
    found = labels.class_imbalance(seen)
    assert [f.kind for f in found] == [kind] * (kind is not None)
    if kind:
        where = "what is held out" if held else "rows of the training"
        assert f"on {where} the mean recall of the classes is 0.70, and {0.7 + evened:.2f}" in found[0].evidence
        assert found[0].evidence.startswith("class 1 has 10.2%")
        assert found[0].certain == (kind == "named")
        assert ("mean_recall" in found[0].evidence) == (kind == "named" and bool(asked))


@pytest.mark.parametrize(("share", "causes"), [(0.1, set()), (0.4, {"label_noise"}), (1.0, {"labels_shuffled_apart"})])
def test_inputs_that_come_again_under_another_class(share, causes):
    """By a share of the labels that are dealt out anew each time; of four in ten two thirds of the conflicts of chance
    are left."""
    seen = training(DIGITS[:200], LABELS[:200], looks=40, stored=False)
    rng = np.random.default_rng(5)
    for probe in seen.probes:
        dealt = rng.random(len(probe.y)) < share
        probe.y = np.where(dealt, rng.integers(0, 10, len(probe.y)), probe.y)
    found = [*labels.label_noise(seen), *labels_shuffled_apart(seen)]
    assert {f.cause for f in found if "came again" in f.evidence} == causes
    assert all("dealt out would give" in f.evidence for f in found if f.cause == "label_noise")
    seen.loss.name = SQUARED
    assert labels.label_noise(seen) == []


@pytest.mark.parametrize(
    ("weights", "fires"), [({0: 16.0, 1: 0.5}, True), ({0: 0.5, 1: 16.0}, False), ({0: 2.0}, False), (None, False)]
)
def test_weights_of_classes_that_make_the_rare_one_rarer(weights, fires):
    y = (LABELS == 3).astype("int64")
    sees = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - one expression
    seen = training(DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=sees)
    seen.plan = Plan(class_weight=weights)
    assert [f.certain for f in labels.class_imbalance(seen)] == [True] * fires


@pytest.mark.parametrize(("rare", "fires"), [(0.1, True), (10.0, False)])
def test_weights_by_hand_that_make_the_rare_class_rarer(rare, fires):
    y = (LABELS == 3).astype("int64")
    seen = training(
        DIGITS, y, loss=BINARY, head="sigmoid", logits=False, classes=1, looks=60, losses=np.ones(60),
        output=lambda rows: (0.6 * y[rows] + 0.2 + 0.1 * RNG.random(len(rows)))[:, None],
    )  # fmt: skip
    for probe in seen.probes:
        p = probe.output[:, 0].astype("float64")
        cost = -(rare * probe.y * np.log(p) + (1 - probe.y) * np.log(1 - p))
        seen.steps.all_losses[probe.step] = cost.mean()
    assert ["counts 0.1" in f.evidence for f in labels.class_imbalance(seen)] == [True] * fires


def test_constant_labels_of_a_loop_are_certain_where_it_trains_all_there_is():
    seen = training(DIGITS, np.ones(len(DIGITS)), loss=BINARY, classes=1, output=one, stored=False, interface="loop")
    assert only(seen, "constant_labels").certain
    seen.alone = False
    assert causes(seen)[0] == set()


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
    (found,) = labels.label_noise(training(DIGITS, y))
    assert (found.kind, found.certain) == (("named", True) if certain else ("note", False))


def test_kinds_that_are_confused_among_themselves_are_a_note():
    """Half of the labels from 4 on are any of these: many contradict, and none where neighbours are surest."""
    rng = np.random.default_rng(3)
    y = np.where((LABELS >= 4) & (rng.random(len(LABELS)) < 0.5), rng.integers(4, 10, len(LABELS)), LABELS)
    (found,) = labels.label_noise(training(DIGITS, y))
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
    (found,) = labels.label_noise(training(np.tile(size, 3), y, loss=loss))
    assert found.certain is certain


def held_out_too(y, other, rare=False, said=one, **experiments):
    """rare: of the other class but a tenth is held out. said: what the network says of the training."""
    order = np.random.default_rng(0).permutation(len(y))
    few, rest = order[:380], order[380:]
    rest = rest[(BENIGN[rest] == 1) | (np.arange(len(rest)) % 10 == 0)] if rare else rest
    seen = training(CELLS[few], y[few], loss=BINARY, head="sigmoid", logits=False, classes=1, output=said)
    seen.validation = Data(x=CELLS[rest], y=other[rest], n=len(rest))
    seen.experiments = experiments
    return labels.label_noise(seen)


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
    found = labels.label_noise(seen)
    assert [(f.confidence, f.certain) for f in found] == [(LEFT_OVER, False)] * fires


@pytest.mark.parametrize(
    ("hits", "rows", "share", "fires"),
    [(2, 20, 0.02, True), (9, 20, 0.02, False), (0, 7, 0.02, False), (2, 20, 0.4, False)],
)
def test_a_rare_class_that_is_not_found_among_the_rows_held_out(hits, rows, share, fires):
    y = (np.arange(500) < 500 * share).astype("int64")
    right = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - learned by heart
    seen = training(RNG.normal(size=(500, 3)), y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=right)
    seen.experiments = {"rare_class": 1.0, "rare_found": hits, "rare_rows": rows, "others_found": 0.9}
    found = labels.class_imbalance(seen)
    assert [f.certain for f in found] == ([True] if fires else [])
    if fires:
        assert "2 of 20 rows of it that are held out" in found[0].evidence


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
    assert [f for f in labels.label_noise(seen) if f.certain] == []
    seen.validation = None
    assert "x_test 90%" in labels.label_noise(seen)[0].evidence


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
    found = labels.label_noise(seen)
    assert [f.certain for f in found if "surest" in f.evidence and "wrong at random" in f.evidence] == [True] * fires_


@pytest.mark.parametrize(("reference", "fires"), [(0.4, False), (0.6, True), (None, True)])
def test_labels_that_a_simple_model_tells_are_not_wrong_at_random(monkeypatch, reference, fires):
    """Of four classes 15 % of wrong labels leave .587 of a cross-entropy, -.15 log(.15 / 3) - .85 log .85."""
    assert labels._loss_of_noise(4) == pytest.approx(0.5875, abs=1e-3)
    harm = Harm(degree=0.8, sentence="", baseline=np.log(4), reference=reference)
    monkeypatch.setattr(labels, "harm_of", lambda seen: harm)
    seen = training(RNG.normal(size=(420, 3)), np.arange(420) % 4, classes=4, losses=[0.9] * 50)
    seen.experiments = WRONG
    found = [f for f in labels.label_noise(seen) if "wrong at random" in f.evidence]
    assert [f.certain for f in found] == [True] * fires


@pytest.mark.parametrize(("largest", "fires"), [(0.7, False), (0.95, True)])
def test_shares_of_several_classes_have_no_rare_class(largest, fires):
    """As votes for parties have them; labels that were smoothed still do."""
    kinds = np.where(np.arange(600) % 50 == 0, 2, np.arange(600) % 2)
    y = np.where(np.eye(3)[kinds] == 1, largest, (1 - largest) / 2).astype("float32")
    blind = lambda rows: np.tile([0.4, 0.5, 0.1], (len(rows), 1)).astype("float32")  # noqa: E731 - one expression
    seen = training(DIGITS[:600], y, loss=CROSS, head="softmax", logits=False, classes=3, output=blind, looks=60)
    assert bool(labels.class_imbalance(seen)) == fires
