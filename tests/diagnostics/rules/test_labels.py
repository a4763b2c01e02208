import functools

from keras_course.diagnostics.observation import Data, Feed, Plan, Variable
from keras_course.diagnostics.rules import data, labels, scale
from tests.diagnostics import typed
from tests.diagnostics.tables import BENIGN, CELLS, DIGITS, IMAGES, LABELS
from tests.diagnostics.typed import BINARY, CROSS, RNG, SQUARED, one, softmax, training

import numpy as np
import pytest

RULES = labels.RULES | data.RULES | scale.RULES
only, causes = functools.partial(typed.only, RULES), functools.partial(typed.named, RULES)


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


@pytest.mark.parametrize(
    ("share", "by_class", "hits", "fires"),
    [(0.2, "balanced_accuracy", 10, True), (0.2, "", 10, False), (0.4, "balanced_accuracy", 10, False),
     (0.2, "balanced_accuracy", 40, False)],
)  # fmt: skip
def test_a_class_of_a_fifth_counts_where_each_class_is_measured(share, by_class, hits, fires):
    y = (np.arange(500) < 500 * share).astype("int64")
    right = lambda rows: (0.9 * y[rows] + 0.05)[:, None]  # noqa: E731 - learned by heart
    seen = training(RNG.normal(size=(500, 3)), y, loss=BINARY, head="sigmoid", logits=False, classes=1, output=right)
    seen.by_class = by_class
    seen.experiments = {"rare_class": 1.0, "rare_found": hits, "rare_rows": 50, "others_found": 0.9}
    assert [f.certain for f in labels.class_imbalance(seen)] == [True] * fires


def test_outputs_in_the_place_of_labels():
    seen = training(DIGITS, LABELS)
    seen.experiments["swapped"] = 1.0
    (finding,) = labels.label_encoding(seen)
    assert finding.certain
    assert "outputs in the place of labels" in finding.evidence


@pytest.mark.parametrize(("largest", "fires"), [(0.7, False), (0.95, True)])
def test_shares_of_several_classes_have_no_rare_class(largest, fires):
    """As votes for parties have them; labels that were smoothed still do."""
    kinds = np.where(np.arange(600) % 50 == 0, 2, np.arange(600) % 2)
    y = np.where(np.eye(3)[kinds] == 1, largest, (1 - largest) / 2).astype("float32")
    blind = lambda rows: np.tile([0.4, 0.5, 0.1], (len(rows), 1)).astype("float32")  # noqa: E731 - one expression
    seen = training(DIGITS[:600], y, loss=CROSS, head="softmax", logits=False, classes=3, output=blind, looks=60)
    assert bool(labels.class_imbalance(seen)) == fires


@pytest.mark.parametrize(
    ("counts", "loss", "fires"),
    [
        ([0.6, 0.2, 0.15, 0.05], BINARY, True),
        ([0.6, 0.4, 0.0, 0.0], BINARY, False),
        ([0.1, 0.4, 0.3, 0.2], BINARY, False),  # counts of what is always there
        ([0.6, 0.2, 0.15, 0.05], SQUARED, False),
    ],
)
def test_several_labels_that_say_how_often(counts, loss, fires):
    y = np.random.default_rng(0).choice(4, size=(len(DIGITS), 5), p=counts).astype("float32")
    seen = training(DIGITS, y, loss=loss, head="sigmoid", logits=False, classes=5)
    found = [f for f in labels.label_encoding(seen) if "says yes or no" in f.evidence]
    assert [f.certain for f in found] == [True] * fires
