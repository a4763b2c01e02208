"""The rule on whether inputs and targets belong together: row 15 of the table of causes."""

import dataclasses

from keras_course.diagnostics.harm import harm_of, made_by_the_program
from keras_course.diagnostics.losses import baseline_of, scale_of
from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.seen import (
    DIFFERENCES,
    badly_mixed,
    came_again,
    classes_seen,
    collapsed,
    different_rows,
    looked_up,
    partly_right,
    quantities,
    rows_of,
    several_inputs,
    takes_turns,
    told_by_a_twin,
)
from keras_course.diagnostics.statistics import classes_of, form_of, scales
from keras_course.diagnostics.telling import one_place_each, pairing, told_at_all

import numpy as np

FEW_CODES = 32  # columns
FEW_THINGS = 8  # columns: a text is longer


def labels_shuffled_apart(seen: Observation) -> list[Finding]:
    """Row 15: inputs and targets do not belong together.

    (a) Predictions of a data set that is shuffled anew with each pass; certain. (b) Inputs that come again with another
    label: at least 30 repeats, and by the exact 95 % bounds more than half, and perhaps 0.8, of the conflicts that
    dealing out the labels would give. (c) Neighbours agree on their target no more than under 500 permutations of it (p
    > 0.01: of pairs shuffled apart one in a hundred is let go) on at least 200 rows, and no linear model does either,
    nor one of classes by five standard errors on up to 2,048 rows, while the loss keeps at least 70 % of its first
    value or the validation loss never gets below 97 % of that of a constant, or real targets that are held out are not
    known at all. (b) and (c) are named when there is harm: memorising is a task too. Surer where the labels come
    sorted: inputs that belong to them would come so too, and be told apart. Texts are judged by their words; what hangs
    on their order is not seen, hence the lower confidence; nor what hangs on more than what lies around it, of labels
    of places, as those of a mask, of which one in each row is looked at. The data set whose legs are shuffled apart is
    `labels_from_another_leg`. Must stay silent: users and things that are looked up by number; codes of a few zeros and
    ones, of which parity may be asked; targets that are sequences of words; inputs that entered alike, which is row 30;
    labels that the last weights tell of rows held out, or a simple model of those of training; labels some of which are
    told by what is held out, which is row 45.
    Source: row 15; 1,024 digits agree .97 (p .004), in 40 shuffles apart .10 (p .012 to 1).
    """
    if reordered := next((feed for feed in seen.asked if feed.reordered and len(feed.x) >= 20), None):
        text = f"predictions are asked for of {reordered.name or 'a data set'}, whose rows come in another order with "
        text += "each pass: no labels that are read from it stand beside them"
        repair = "shuffle the rows of training alone: shuffle=False for what is predicted"
        return [dataclasses.replace(_apart(text, 0.8), certain=True, repair=repair)]
    if _compares(seen) or made_by_the_program(seen):
        return []  # as of pairs inside of a batch, whose targets are their places
    parts = [np.ravel(batch) for batch in seen.stream if np.ndim(batch) == 1 or np.shape(batch)[1:] == (1,)]
    if takes_turns(parts):
        return []  # at the end of adversarial training nothing tells one kind from the other
    again = came_again(seen)
    if collapsed(seen) or partly_right(seen):
        return []
    if (told := told_by_a_twin(seen)) is not None and abs(told.errors) < 2.5:  # fewer than by chance have other names
        return [dataclasses.replace(_apart(told.words, 0.9), certain=True)]
    if again.telling and again.low > 0.5 * again.chance and again.high > 0.8 * again.chance:
        return [_apart(again.words, 0.95 if badly_mixed(seen) else 0.85)]
    if (_falls(seen) and not _learned_by_heart(seen)) or _told_elsewhere(seen):
        return []
    data = rows_of(seen) if seen.train is not None else different_rows(seen)  # which come again with each epoch
    if data is None or data.y is None or len(data.x) < 200 or data.x[0].size > 4096 or data.x.dtype.kind == "O":
        return []
    names = looked_up(seen, data.x)
    if (names and _of_things(seen, data.x)) or data.y.dtype.kind not in "iufb":
        return []
    places = None if several_inputs(seen) else one_place_each(data.x, data.y)
    x, y = places or (quantities(seen, data), _judged_targets(data.y))
    if x.dtype.kind not in "iuf" or not np.isfinite(x).all() or y is None or not np.isfinite(y).all():
        return []
    if np.all(y == y[:1]) or (not names and x[0].size <= FEW_CODES and scales(x).sparse):
        return []
    found = pairing(x, y)
    if found.p <= 0.01 or told_at_all(x, y):
        return []
    text = f"neighbours agree on the target by {found.agreement:.2f}, by chance {found.chance:.2f} (p = {found.p:.2f})"
    if places is not None:
        text = f"of one place in each row, {text}"
    return [_apart(text, 0.95 if badly_mixed(seen) else 0.5 if names or places else 0.6)]


def _of_things(seen: Observation, x: np.ndarray) -> bool:
    """Whether the numbers that are looked up are no words: one or two of them, or a few of several tables."""
    tables = sum(unit.kind == "embedding" for unit in seen.units)
    return x.dtype.kind in "iuf" and (x[0].size < 3 or (x[0].size <= FEW_THINGS and tables > 1))


def _compares(seen: Observation) -> bool:
    """Whether several inputs may be asked how they compare, which no simple model of them says: those of one form, or
    that were not all seen."""
    forms = [x.shape[1:] for x in (seen.train.x, *seen.train.further)] if seen.train is not None else []
    return several_inputs(seen) and (len(forms) < 2 or len(set(forms)) < len(forms))


def _judged_targets(y: np.ndarray) -> np.ndarray | None:
    """Classes (n,), or numbers (n, k) of which some columns are enough; None for rows of word numbers."""
    classes = classes_of(y)
    if classes is not None:
        return classes
    rows = y.reshape(len(y), -1).astype("float64")
    if form_of(y) == "ids" and rows.shape[1] > 1 and rows.max() > 1:
        return None
    rows = rows[:, :: max(rows.shape[1] // 32, 1)]
    return rows[:, 0] if rows.shape[1] == 1 else rows


def _learned_by_heart(seen: Observation) -> bool:
    """Whether the validation loss, where there is one, never comes below 97 % of the loss of a constant; or real
    targets of the training are known, and of those held out nothing."""
    if seen.experiments.get("right_train", 0.0) > 0.1 and seen.loss.name in DIFFERENCES:
        return seen.experiments["right_held"] < 0.03
    values, best = [row["val_loss"] for row in seen.epochs if "val_loss" in row], baseline_of(seen)
    return bool(values) and best is not None and min(values) > 0.97 * best


def _told_elsewhere(seen: Observation) -> bool:
    """Whether the last weights, or a simple model of the rows, tell labels of rows that they have not learned from."""
    e, harm = seen.experiments, harm_of(seen)
    labels = classes_seen(seen)
    if labels is not None and "right_held" in e:
        common = np.unique(labels, return_counts=True)[1].max() / len(labels)
        if e["right_held"] > common + 0.15 and e.get("sure_recall", 0.0) > 1 / len(np.unique(labels)) + 0.15:
            return True
    return harm.baseline is not None and harm.reference is not None and harm.reference < 0.8 * harm.baseline


def _falls(seen: Observation) -> bool:
    """Whether the loss has lost 30 % of its first value, or of that of a constant: something is learned."""
    losses = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    few, best = max(len(losses) // 20, 1), baseline_of(seen)
    if not len(losses):
        return False
    first = min(float(np.mean(losses[:few])), best * scale_of(seen) if best is not None else np.inf)
    return bool(np.mean(losses[-few:]) < 0.7 * first)


def _apart(text: str, confidence: float) -> Finding:
    return Finding(cause="labels_shuffled_apart", confidence=confidence, evidence=text, tag="inputs/images")


RULES = {"labels_shuffled_apart": labels_shuffled_apart}
