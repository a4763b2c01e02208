"""The rule on labels that contradict what like inputs say: row 45 of the table of causes."""

from keras_course.diagnostics.comparisons import label_drift
from keras_course.diagnostics.harm import blind_at_the_end, harm_of
from keras_course.diagnostics.held_out import classed
from keras_course.diagnostics.losses import class_weights, weighed_down
from keras_course.diagnostics.observation import LEFT_OVER, Finding, Observation
from keras_course.diagnostics.references import COLUMNS
from keras_course.diagnostics.rules.labels import decisions
from keras_course.diagnostics.seen import (
    BINARY,
    CATEGORICAL,
    SHORT,
    came_again,
    classes_seen,
    partly_right,
    quantities,
    several_inputs,
)
from keras_course.diagnostics.statistics import MANY, classes_of, share_interval
from keras_course.diagnostics.telling import error_of_difference, mislabelled, transfer

import numpy as np

WRONG = 0.15  # of the labels of which somebody is surest, above which they are noise
AGAIN = 0.4  # of the conflicts of labels that are dealt out
TOLD = 0.4  # of the way from chance to finding each class, by the mean of their recalls


def label_noise(seen: Observation) -> list[Finding]:
    """Row 45: labels that contradict what like inputs say.

    A note: more than 3 % of the rows, by the lower exact 95 % bound, are suspects of confident learning, while
    neighbours do agree on the class as a whole. Certain where that bound is above 18 %, and above 15 % of those rows
    too of which neighbours are surest: there classes that overlap do not; or where the last weights, or a linear model
    on rows that it was not fitted to, are right on what is held out more often than on the rows of the training, by
    more than a tenth, four standard errors and what the shares of the classes differ by; or where the last weights tell
    the classes, and are wrong about more than 15 % of that third of the rows of which they are surest, by the lower
    exact 99 % bound, and three quarters as often as of all: where classes overlap, or steps were too few, a network is
    unsure of what it is wrong about; of at most 20 classes; or where a twin of the network that has learned from what
    is held out tells some of the labels of training, and far fewer than there: see `partly_right`. With harm where
    inputs that come again have another class by the exact 95 % bounds .4 to .8 times as often as if it were dealt out;
    more is row 15. Last, where nothing else is named and half of what there is to learn is missing: a network that
    learns eight examples by heart, or that has learned the training rows better than those held out. Must stay silent:
    pairs shuffled apart; one label in ten that is wrong; grades, of which like inputs have neighbouring ones; classes
    that overlap, up to 15 % of the rows, in two-class data; examples that do not all count alike, rewards of 0 and 1
    among them; labels that a simple model tells. Source: Northcutt, Jiang, Chuang (2021).
    """
    if found := _clean_elsewhere(seen) or _wrong_where_sure(seen) or _most_are_wrong(seen):
        return [found]
    found = _contradicted(seen)
    return [found] if found else _of_another_class(seen) or _left_over(seen)


def _clean_elsewhere(seen: Observation) -> Finding | None:
    """Labels of what is held out that are told better than those of the training, by what was learned from these."""
    e = seen.experiments
    if min(e.get("right_train", 0.0), e.get("right_held", 0.0)) > 0.9:
        return None  # there is no room for a difference
    asked = "right_held" in e and not blind_at_the_end(seen)  # what says one class tells how frequent that is
    weights = [("the last weights", e["right_train"], e["right_held"])] if asked else []
    for train, other, name, a, b in classed(seen) if seen.loss.name in CATEGORICAL + BINARY else ():
        told, weights = weights, []  # these were asked about the first part alone
        rows, drift = quantities(seen, train, other), label_drift(a, b).distance
        if rows[0].size <= COLUMNS:
            found = transfer(rows[: len(a)], a, rows[len(a) :], b)
            told = [*told, ("a linear model of these rows", found.inside, found.across)]
        for who, inside, held in told:
            if held - inside > max(0.1, 4 * error_of_difference(inside, len(a), held, len(b)), drift):
                text = f"of the labels of training {inside:.0%} are told by {who}, and of those of {name} {held:.0%}"
                return Finding(cause="label_noise", confidence=0.75, certain=True, evidence=text, tag="labels/entropy")
    return None


def _wrong_where_sure(seen: Observation) -> Finding | None:
    """Labels by which the network is as often wrong where it is surest as elsewhere, though it tells the classes."""
    e, names, harm = seen.experiments, classes_seen(seen), harm_of(seen)
    if "sure_wrong" not in e or names is None or e["sure_rows"] < 60 or harm.baseline is None:
        return None  # what a policy has done is no label
    if harm.reference is not None and harm.reference < 0.8 * _loss_of_noise(len(np.unique(names))):
        return None  # a simple model tells them
    if len(np.unique(names)) > MANY:
        return None  # as of words, of which several may come next
    if weighed_down(seen):
        return None  # nor is what was rewarded with nothing
    if seen.steps is not None and seen.steps.count < SHORT:
        return None  # it has not yet learned what to be sure of
    chance = 1 / max(len(np.unique(names)), 2)
    hits = round(e["sure_wrong"] * e["sure_rows"])
    low = share_interval(hits, int(e["sure_rows"]), 0.99)[0]
    if low <= WRONG or e["sure_wrong"] < 0.75 * e["sure_all"] or e["sure_recall"] < chance + 0.2 * (1 - chance):
        return None
    text = f"of the {e['sure_rows']:.0f} rows of which the last weights are surest {e['sure_wrong']:.0%} have another "
    text += f"label, of all {e['sure_all']:.0%}: they are wrong at random"
    return Finding(cause="label_noise", confidence=0.65, certain=True, evidence=text, tag="labels/entropy")


def _loss_of_noise(classes: int) -> float:
    """The least cross-entropy of labels of which the share `WRONG` are others at random."""
    return float(-WRONG * np.log(WRONG / max(classes - 1, 1)) - (1 - WRONG) * np.log(1 - WRONG))


def _most_are_wrong(seen: Observation) -> Finding | None:
    """Labels that a twin of the network, which has learned from what is held out, tells better than by chance, and far
    worse than there."""
    if (told := partly_right(seen)) is None:
        return None
    return Finding(cause="label_noise", confidence=0.7, certain=True, evidence=told.words, tag="labels/entropy")


def _contradicted(seen: Observation) -> Finding | None:
    """Labels of the training that neighbours contradict."""
    data = seen.train
    if (
        data is None
        or data.y is None
        or len(data.x) < 200
        or data.x.dtype.kind not in "iuf"
        or data.x[0].size > COLUMNS
    ):
        return None
    y = classes_of(data.y)
    if y is None or len(np.unique(y)) < 2 or (seen.units and seen.units[0].kind == "embedding") or several_inputs(seen):
        return None
    rows = np.linspace(0, len(y) - 1, min(len(y), 1000)).astype(int)
    suspects = mislabelled(data.x[rows], y[rows])
    low = share_interval(len(suspects.rows), len(rows))[0]
    if low <= 0.03:
        return None
    text = f"{len(suspects.rows)} of {len(rows)} labels contradict those of their neighbours (at least {low:.1%})"
    certain = low > 0.18 and share_interval(suspects.wrong, suspects.surest)[0] > WRONG
    ordered = len(np.unique(y)) > 3 and suspects.beside > 0.7  # of three classes most are beside each other anyway
    certain = certain and seen.loss.name in CATEGORICAL + BINARY and not ordered
    if certain:
        text += f", {suspects.wrong} of the {suspects.surest} among them of which these are surest"
    return Finding(
        cause="label_noise",
        kind="named" if certain else "note",
        confidence=0.7 if certain else 0.5,
        certain=certain,
        evidence=text,
        tag="labels/entropy",
    )


def _of_another_class(seen: Observation) -> list[Finding]:
    """Inputs that come again under another class, less often than if the labels were dealt out."""
    again = came_again(seen)
    if seen.loss.name not in CATEGORICAL + BINARY or not again.telling or again.high > 0.8 * again.chance:
        return []
    if again.low < AGAIN * again.chance:
        return []
    text = f"{again.words}, where labels that are dealt out would give {again.chance:.0%}"
    return [Finding(cause="label_noise", confidence=0.6, evidence=text, tag="labels/entropy")]


def _left_over(seen: Observation) -> list[Finding]:
    """What is left to say of a network that can learn, and whose labels are hardly told by its inputs."""
    e, text = seen.experiments, ""
    if seen.loss.name not in CATEGORICAL + BINARY or class_weights(seen) or not seen.alone:
        return []
    if seen.steps is None or seen.steps.count < SHORT:
        return []
    if e.get("few_end", np.inf) < 0.3 * e.get("few_start", 0.0):
        text = f"it learns {e['few']:.0f} examples by heart, from {e['few_start']:.3g} to {e['few_end']:.3g}"
    elif e.get("right_train", 0.0) > e.get("right_held", 1.0) + 0.1:
        text = f"it is right in {e['right_train']:.0%} of the rows of training and {e['right_held']:.0%} of others"
    if not text or (harm := harm_of(seen)).degree < 0.5:
        return []
    if harm.end is None or harm.baseline is None or harm.end < 0.72 * harm.baseline:
        return []  # what is learned by heart as a whole is overfitting
    true, said = decisions([p for p in seen.probes if p.step >= seen.steps.count / 2], seen)
    names = np.unique(true)
    recall = float(np.mean([np.mean(said[true == name] == name) for name in names])) if len(names) > 1 else 0.0
    if recall * len(names) > 1 + TOLD * (len(names) - 1) or e.get("end_ten", 1.0) < 0.97 * e.get("end_same", 0.0):
        return []  # classes are told apart, whatever the loss is compared with; or a higher rate would get further
    text += f", and of all {harm.end:.3g} is left of {harm.baseline:.3g}: inputs hardly say what their labels are"
    return [Finding(cause="label_noise", confidence=LEFT_OVER, evidence=text, tag="labels/entropy")]


RULES = {"label_noise": label_noise}
