import functools

from keras_course.diagnostics.rules import heads, labels, ranges
from tests.diagnostics import typed
from tests.diagnostics.tables import DIGITS, LABELS, PATIENTS, PROGRESS
from tests.diagnostics.typed import BINARY, CROSS, RNG, SQUARED, one, softmax, training

import numpy as np
import pytest

RULES = heads.RULES | ranges.RULES  # what is out of reach has a head that fits
only = functools.partial(typed.only, RULES)
causes = functools.partial(typed.named, RULES)

HOT = np.eye(10, dtype="float32")[LABELS]
PROGRESS = PROGRESS + 0.25  # measurements, which need not be whole


def ones(rows):
    return np.ones((len(rows), 1), "float32")


def shares(rows):
    return softmax(RNG.normal(size=(len(rows), 10)).astype("float32"))


@pytest.mark.parametrize(("head", "certain"), [("sigmoid", True), ("tanh", True), ("relu", None)])
def test_targets_out_of_reach(head, certain):
    seen = training(PATIENTS, PROGRESS, loss=SQUARED, head=head, classes=1, output=ones)
    if certain is None:
        assert causes(seen) == (set(), set())
    else:
        assert only(seen, "output_range_cannot_reach_targets").certain


def test_the_floor_of_targets_out_of_reach_is_that_of_the_best_clipped_prediction():
    y = np.array([-2.0, -1.5, -1.0, 0.0, 0.5, 1.0, 3.0, 2.5] * 40, "float32")
    seen = training(np.zeros((320, 3), "float32"), y, loss=SQUARED, head="sigmoid", classes=1, output=ones, looks=10)
    floor = np.mean([4, 2.25, 1, 0, 0, 0, 4, 2.25])
    assert f"{floor:.3g}" in only(seen, "output_range_cannot_reach_targets").evidence


def test_targets_out_of_reach_are_certain_when_there_are_many():
    y = (PROGRESS - PROGRESS.mean()) / PROGRESS.std()
    seen = training(PATIENTS, y, loss=SQUARED, head="tanh", classes=1, output=ones)
    assert only(seen, "output_range_cannot_reach_targets").certain
    few = np.where(np.arange(len(y)) % 20 == 0, 3 + y / 100, np.clip(y, -1, 1))  # one in twenty
    seen = training(PATIENTS, few, loss=SQUARED, head="tanh", classes=1, output=ones)
    assert not only(seen, "output_range_cannot_reach_targets").certain


def test_counts_out_of_reach_of_a_sigmoid_under_a_poisson_loss():
    counts = RNG.poisson(4, len(PATIENTS)).astype("float32")
    seen = training(PATIENTS, counts, loss="poisson", head="sigmoid", classes=1, output=ones, logits=False)
    assert only(seen, "output_range_cannot_reach_targets").certain
    seen = training(PATIENTS, counts, loss="poisson", head="softplus", classes=1, output=ones, logits=False)
    assert causes(seen) == (set(), set())


def test_targets_on_the_boundary_are_reached():
    seen = training(DIGITS, HOT, loss=SQUARED, head="sigmoid", output=shares)
    assert causes(seen) == (set(), set())


@pytest.mark.parametrize(
    ("times", "head", "end", "loss", "cause"),
    [
        (255, "sigmoid", -900.0, "bce_and_jaccard", "label_encoding"),
        (255, "linear", -900.0, "bce_and_jaccard", "label_encoding"),
        (1, "sigmoid", -900.0, "bce_and_jaccard", ""),
        (-1, "linear", -900.0, "critic", ""),  # a game between ones of two signs
        (255, "sigmoid", 0.5, "bce_and_jaccard", ""),
        (255, "sigmoid", -900.0, BINARY, "label_encoding"),
    ],
)
def test_masks_of_255_in_a_loss_of_the_script(times, head, end, loss, cause):
    masks = (times * (DIGITS[:, 20:21] > 0.3)).astype("float32")
    seen = training(DIGITS, masks, loss=loss, head=head, classes=1, output=one, losses=(-1.0, -9.0, end))
    found = [*ranges.out_of_reach(seen), *labels.label_encoding(seen)]
    assert [(f.cause, f.certain) for f in found] == [(cause, True)] * bool(cause)


@pytest.mark.parametrize(("times", "end", "fires"), [(255, -900.0, True), (1, -900.0, False), (255, 0.5, False)])
def test_pixels_of_255_in_a_loss_of_the_script(times, end, fires):
    pixels = times * DIGITS[:, 20:21]
    seen = training(DIGITS, pixels, loss="own", head="sigmoid", classes=1, output=one, losses=(-1.0, -9.0, end))
    assert [f.certain for f in ranges.out_of_reach(seen)] == [True] * fires
    assert labels.label_encoding(seen) == []


@pytest.mark.parametrize(
    ("head", "loss", "scale", "fires"),
    [
        ("softmax", BINARY, 1, True),
        ("softmax", SQUARED, 1, True),
        ("sigmoid", BINARY, 1, False),
        ("softmax", BINARY, 0, False),  # rows that add up to about 1
        ("softmax", CROSS, 1, False),  # of which Keras makes shares
    ],
)
def test_a_softmax_over_the_pixels_of_a_picture(head, loss, scale, fires):
    pixels = DIGITS if scale else 1.2 * DIGITS / DIGITS.sum(1, keepdims=True)
    seen = training(DIGITS, pixels, loss=loss, head=head, logits=False, classes=64, output=lambda r: softmax(DIGITS[r]))
    found = [f for f in ranges.out_of_reach(seen) if "add up to" in f.evidence]
    assert [f.certain for f in found] == [True] * fires


@pytest.mark.parametrize(
    ("said", "reach", "fires"),
    [
        (lambda z: np.clip(z, -9, 1), 4, True),  # a third of the targets lie above 1, in their units
        (lambda z: np.clip(z, -1, 9), 4, True),
        (lambda z: np.clip(z, -9, 1), 0.2, False),  # all targets are within
        (lambda z: z, 4, False),
        (lambda z: np.clip(z, 0, 9), 4, False),  # what a ReLU leaves is another cause
        (lambda z: np.full_like(z, 1), 4, False),  # a bias, with targets on both sides
        (lambda z: np.full_like(z, -9), 4, True),  # which all of them lie above
    ],
)
def test_an_output_that_is_cut_off_at_a_number_of_its_own(said, reach, fires):
    y = (reach * (PROGRESS - PROGRESS.mean()) / PROGRESS.std()).astype("float32")
    output = lambda rows: said(y[rows] + RNG.normal(size=len(rows)))[:, None].astype("float32")  # noqa: E731
    seen = training(PATIENTS, y, loss=SQUARED, head="", classes=1, output=output)
    found = [f for f in ranges.out_of_reach(seen) if "of the outputs are exactly" in f.evidence]
    assert [f.certain for f in found] == [True] * fires
