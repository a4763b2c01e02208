"""Rules on what is measured beside the loss: rows 7 and 44 of the table of causes."""

import dataclasses
import math
from collections.abc import Sequence

from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.observation import (
    DECIDED,
    EXACT_ACCURACY,
    IN_ORDER,
    OF_THE_BEST,
    SWAPPED,
    UNDECIDED,
    Finding,
    Observation,
)
from keras_course.diagnostics.scores import RIGHT
from keras_course.diagnostics.seen import (
    ACCURACY,
    BINARY,
    CATEGORICAL,
    DIFFERENCES,
    SPARSE,
    classes_seen,
    last_outputs,
    targets_of,
)
from keras_course.diagnostics.statistics import MANY, entropy, form_of, share_interval

import numpy as np


def wrong_metric(seen: Observation) -> list[Finding]:
    """Row 7: accuracy of measurements, or accuracy that cuts logits at one half.

    Of outputs and labels that have changed places, of as many of the best outputs as there are, of measurements, of
    numbers of classes where one-hot labels are expected, of one unit where the largest of several is asked for, of what
    argmax has said already or labels in the place of outputs, and of one-hot labels place by place, it is certain to
    say nothing of the classes; so it is of another output whose loss takes labels of another form, where it ends below
    half of what naming the rarer of two classes gives, while the loss has halved, or where outputs that are no whole
    numbers are compared with targets that are. Of logits a note, since the weights do not depend on it; named when a
    callback stops or saves by it, or when it misses 3 in a hundred of what is right in the last quarter of the looks;
    so where the script cuts them itself. Certain too: MeanIoU of outputs between the numbers of classes, and
    categorical_accuracy of labels with several ones, which Keras takes for their "accuracy" in `fit`; with harm an
    accuracy of each of several sigmoids where one of the classes is true. Must stay silent: accuracy of classes, of
    masks, of whole numbers. Source: taxonomy of faults, Humbatova et al. (2020).
    """
    y, asked = targets_of(seen), [m for m in seen.plan.metrics if m in ACCURACY]
    if seen.losses:  # of several outputs the targets of the first are known, and its metrics by what is logged
        first, logged = next(iter(seen.losses)), {name for row in seen.epochs for name in row}
        asked = [m for m in asked if f"{first}_{m}" in logged]
    if EXACT_ACCURACY in seen.plan.metrics and not seen.losses and (exact := _never_equal(seen)):
        return [exact]
    if decided := [name for name in seen.plan.metrics if name.endswith(DECIDED)]:
        text = f"{decided[0].removesuffix(DECIDED)} takes the largest of several outputs, and is given one number a row"
        repair = "update_state(labels, outputs), in this order and without argmax"
        return [Finding(cause="wrong_metric", confidence=0.7, certain=True, evidence=text, repair=repair)]
    if swapped := [name for name in seen.plan.metrics if name.endswith(SWAPPED)]:
        text = (
            f"{swapped[0].removesuffix(SWAPPED)} is given outputs in the place of labels, and labels in that of outputs"
        )
        repair = "update_state(labels, outputs), in this order"
        return [Finding(cause="wrong_metric", confidence=0.7, certain=True, evidence=text, repair=repair)]
    best = [(name, int(name.rpartition(OF_THE_BEST)[2])) for name in seen.plan.metrics if OF_THE_BEST in name]
    if all_right := [(name, k) for name, k in best if k >= (seen.classes or math.inf)]:
        name, k = all_right[0]
        text = (
            f"{name.partition(OF_THE_BEST)[0]} takes the best {k} of {seen.classes} outputs for right: it is 1 always"
        )
        repair = "an accuracy of the largest output, or a smaller k"
        return [Finding(cause="wrong_metric", confidence=0.7, certain=True, evidence=text, repair=repair)]
    if undecided := [name for name in seen.plan.metrics if name.endswith(UNDECIDED)]:
        text = (
            f"{undecided[0].removesuffix(UNDECIDED)} takes numbers of classes and cuts off what stands behind the point"
        )
        text += ": outputs below 1 are all class 0"
        repair = "BinaryIoU, or outputs > 0.5 or their argmax in the place of the outputs"
        return [Finding(cause="wrong_metric", confidence=0.7, certain=True, evidence=text, repair=repair)]
    if cut := _cut_by_hand(seen):
        return [cut]
    if text := _of_another_output(seen):
        return [Finding(cause="wrong_metric", confidence=0.6, certain=True, evidence=text)]
    if y is None or not asked:
        return []
    text, sure, repair = "", False, ""
    if _measures(seen, y) and len(np.unique(y[:20000])) > MANY:
        sure, text = True, f"{asked[0]} counts exact hits, and the targets are measurements"
    elif seen.classes == 1 and seen.loss.name in (*DIFFERENCES, "poisson") and form_of(y) == "ids" and y.max() > 1:
        sure, text = True, f"{asked[0]} of one output asks whether it is above one half, and targets reach {y.max():g}"
    elif seen.classes == 1 and seen.loss.name in BINARY and asked[0].endswith("categorical_accuracy"):
        sure, text = True, f"{asked[0]} takes the largest of several outputs, and there is one: it always says class 0"
    elif seen.loss.name in SPARSE and "categorical_accuracy" in asked:
        sure, text = True, "categorical_accuracy takes one-hot labels, and these are the numbers of classes"
    elif "binary_accuracy" in asked and (seen.classes or 0) > 2 and _one_of_many(seen, y):
        sure, text = True, f"binary_accuracy counts the {seen.classes} outputs one by one, of which all but one are 0"
    elif one_by_one := _one_of_sigmoids(seen, asked, y):
        return [one_by_one]
    elif largest := _of_several_ones(seen, asked, y):
        sure, text = True, f"{largest} takes the largest output alone, and labels may have several ones"
        repair = "binary_accuracy, which counts each output by itself"
    elif _of_logits(seen) and _of_each(seen, asked):
        text, lost = f"{asked[0]} cuts at 0.5, and the outputs are logits, whose middle is 0", _lost_at_a_half(seen)
        sure, text = lost > 0, f"{text}: {lost:.1%} of what is right does not count" if lost > 0 else text
    elif found := _turned_round(seen):
        sure, text = True, found
    monitored = [name for name in seen.plan.monitored if "acc" in name]
    if not text:
        return []
    sure = sure or bool(monitored)
    text += f"; a callback goes by {monitored[0]}" if monitored else ""
    kind, confidence = ("named", 0.9 if monitored else 0.6) if sure else ("note", 0.9)
    cause = "wrong_metric"
    return [Finding(cause=cause, kind=kind, confidence=confidence, certain=sure, evidence=text, repair=repair)]


def _of_logits(seen: Observation) -> bool:
    """Whether each output is a logit of yes against no."""
    return seen.loss.name in BINARY and bool(seen.loss.from_logits) and seen.head == "linear"


def _cut_by_hand(seen: Observation) -> Finding | None:
    """Logits that the script itself cuts at one half."""
    line = next((line for level, line in seen.cuts if level == 0.5), None)
    if line is None or not _of_logits(seen):
        return None
    lost = _lost_at_a_half(seen)
    text = "the outputs are logits, whose middle is 0, and are cut at 0.5"
    text += f": {lost:.1%} of what is right does not count" if lost else ""
    return Finding(
        cause="wrong_metric",
        kind="named" if lost else "note",
        confidence=0.6 if lost else 0.9,
        certain=lost > 0,
        evidence=text,
        file=seen.file if line else "",
        line=line,
    )


def _of_each(seen: Observation, asked: Sequence[str]) -> bool:
    """Whether an accuracy cuts each output by itself."""
    return seen.classes == 1 or "binary_accuracy" in asked


def _lost_at_a_half(seen: Observation) -> float:
    """By how much of all outputs of the last looks fewer are right when logits are cut at 0.5 than at 0; 0 where that
    is less than 3 in a hundred, or than four standard errors of the outputs between the two."""
    looks = [(p.output, p.y) for p in seen.probes[-max(len(seen.probes) // 4, 1) :]]
    pairs = [(o, y) for o, y in looks if o is not None and y is not None and np.size(o) == np.size(y)]
    said, true = (np.concatenate([np.ravel(pair[i]) for pair in pairs] or [np.zeros(0)]) for i in (0, 1))
    between = (said > 0) & (said <= 0.5)
    lost = int(np.sum(true[between] > 0.5)) - int(np.sum(true[between] <= 0.5))
    share = lost / max(len(said), 1)
    return share if share > 0.03 and lost > 4 * np.sqrt(between.sum()) else 0.0


def _of_another_output(seen: Observation) -> str:
    """In words, that one of several outputs is measured by what takes labels of another form; "" without."""
    logged = {name for row in seen.epochs for name in row}
    for output, loss in seen.losses.items():
        for metric in ("sparse_categorical_accuracy", "categorical_accuracy"):
            unfit = loss in (BINARY if metric.startswith("sparse") else SPARSE)
            if unfit and f"{output}_{metric}" in logged:
                return f"{metric} of the output {output} does not take the labels of its {loss}"
    return ""


def _one_of_many(seen: Observation, y: np.ndarray) -> bool:
    """Whether each label is one of several classes, by a loss over classes, or by a softmax over one-hot labels."""
    crossed = seen.loss.name in BINARY and seen.head == "softmax" and form_of(y) == "one_hot"
    return crossed or (seen.loss.name == "categorical_crossentropy" and form_of(y) != "multi_hot")


def _of_several_ones(seen: Observation, asked: Sequence[str], y: np.ndarray) -> str:
    """A metric of several sigmoids that looks at the largest alone, as Keras 3 takes the word "accuracy" too."""
    if seen.loss.name not in BINARY or form_of(y) != "multi_hot" or y.ndim != 2 or (seen.classes or 1) < 2:
        return ""
    words = ("categorical_accuracy", "accuracy", "acc") if seen.interface != "loop" else ("categorical_accuracy",)
    return next((name for name in asked if name in words), "")


def _one_of_sigmoids(seen: Observation, asked: Sequence[str], y: np.ndarray) -> Finding | None:
    """An accuracy of each of several sigmoids by itself, of which one is to be found: without harm it is meant so.

    What Keras 3 is asked for as "accuracy" takes the largest there, as it should."""
    if (
        "binary_accuracy" not in asked
        or seen.loss.name not in BINARY
        or seen.head != "sigmoid"
        or form_of(y) != "one_hot"
    ):
        return None
    if (seen.classes or 0) <= 2:
        return None
    none = 1 - 1 / (seen.classes or 1)
    text = f"binary_accuracy counts the {seen.classes} outputs one by one: naming no class is right in {none:.0%}"
    repair = "softmax with a categorical cross-entropy, or categorical_accuracy"
    return Finding(cause="wrong_metric", confidence=0.6, evidence=text, repair=repair)


def _never_equal(seen: Observation) -> Finding | None:
    """Outputs that are no whole numbers, compared with targets."""
    outputs, y = [p.output for p in seen.probes if p.output is not None], targets_of(seen)
    if not outputs or y is None or np.all(outputs[-1] == np.round(outputs[-1])):
        return None
    text = "keras.metrics.Accuracy counts outputs that equal the target, and the outputs are no whole numbers"
    repair = "metrics=['accuracy'], which takes the largest output, or cuts at one half"
    repair = CAUSES["wrong_metric"].repair if _measures(seen, y) else repair
    return Finding(cause="wrong_metric", confidence=0.7, certain=True, evidence=text, repair=repair)


def _measures(seen: Observation, y: np.ndarray) -> bool:
    """Whether targets are measurements: by the loss, or where it is not one of classes by numbers outside of [0, 1]; of
    one output shares, unless validation has classes, which are then mixed in training alone."""
    of_classes = seen.loss.name in CATEGORICAL + BINARY
    outside = not of_classes and bool(y.min() < 0 or y.max() > 1)
    held = seen.validation.y if seen.validation is not None else None
    mixed = held is not None and bool(np.all(held == np.round(held)))
    shares = seen.loss.name in BINARY and seen.classes == 1 and not mixed and np.mean((y > 0) & (y < 1)) > 0.5
    return form_of(y) == "real" and (seen.loss.name in DIFFERENCES or outside or bool(shares))


def _turned_round(seen: Observation) -> str:
    """In words, an accuracy of two classes that is worse than naming either, of a network that learns; "" without."""
    labels, rows = classes_seen(seen), [row for row in seen.epochs if "loss" in row]
    if labels is None or len(labels) < 100 or len(rows) < 2 or not 0 < rows[-1]["loss"] < 0.5 * rows[0]["loss"]:
        return ""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    for name in ACCURACY if len(shares) == 2 else ():
        if (value := rows[-1].get(name, 1.0)) < 0.5 * shares.min():
            return (
                f"{name} ends at {value:.2f} while the loss falls, and naming the rarer class gives {shares.min():.2f}"
            )
    return ""


SAME_SHAPE = "give both the same shape: predictions[:, 0], or labels[:, None]"
CUT = "predictions > 0.5 for a sigmoid, or > 0 for logits"


def _misread(seen: Observation) -> Finding | None:
    """A line of the script that mistakes the form of the predictions, or names them by another order."""
    if seen.compared:
        line, rows = seen.compared[0]
        text = f"line {line} takes predictions and labels of the forms ({rows}, 1) and ({rows},) together to {rows} × "
        text, repair = f"{text}{rows} numbers, of which a mean says nothing", SAME_SHAPE
    elif seen.single:
        line, repair = seen.single[0], CUT
        text = f"line {line} takes the place of the largest of a single output, which is 0 whatever was said"
    elif seen.misnamed:
        (line, name), repair = seen.misnamed[0], IN_ORDER
        text = f"line {line} names classes by the sorted {name}, and their numbers are places in {name} as it is"
    else:
        return None
    found = Finding(cause="loss_metric_inconsistent", confidence=0.6, certain=True, evidence=text, repair=repair)
    return dataclasses.replace(found, file=seen.file, line=line)


def loss_metric_inconsistent(seen: Observation) -> list[Finding]:
    """Row 44: the loss says that the classes are told apart, and the accuracy that they are not.

    Threshold: the last loss below half of the entropy of the labels, while the exact 95 % interval of the accuracy of
    that epoch holds the share of a single class. It is the sign that Keras 3 gives of a softmax over one unit. Must
    stay silent: labels of which more than 80 % are of one class, where both can be true. Certain too: a line of the
    script takes n predictions (n, 1) and n labels (n,) together to n × n numbers, or the place of the largest of a
    single output, or names classes by a sorted list whose own order numbers them; or all that the script measures
    itself is that of naming one class, while the last weights find three quarters of what is held out. Source: row 44
    of the taxonomy.
    """
    if found := _misread(seen) or _contradicted(seen):
        return [found]
    labels = classes_seen(seen)
    if labels is None or not seen.epochs or seen.loss.name not in CATEGORICAL + BINARY:
        return []
    last = seen.epochs[-1]
    accuracy = next((last[name] for name in ACCURACY if name in last), None)
    counts = np.unique(labels, return_counts=True)[1]
    shares, n = counts / counts.sum(), (seen.train.n if seen.train and seen.train.n else len(labels))
    loss = last.get("loss", math.inf)
    if accuracy is None or shares.max() > 0.8 or len(shares) < 2 or not loss < 0.5 * entropy(counts):
        return []
    low, high = share_interval(round(accuracy * n), n)
    room = 2 * math.sqrt(0.25 / len(labels))  # the shares are themselves estimates
    if not any(low - room <= share <= high + room for share in shares) or accuracy > 0.9:
        return []
    return [
        Finding(
            cause="loss_metric_inconsistent",
            confidence=0.7,
            certain=True,
            evidence=f"the loss is {loss:.3g} against {entropy(counts):.3g} for guessing, and the accuracy "
            f"{accuracy:.3g} is that of naming one class",
            tag="epoch/accuracy",
        )
    ]


KNOWN, APART = 0.75, 0.35  # of held-out rows, that the weights are right on; and the script's own number below that


def _contradicted(seen: Observation) -> Finding | None:
    """Scores of the script's own, none of which is better than naming one class, of weights that are right on most of
    what is held out. Of one label for each row: a sequence may be right in nine of ten places and hardly ever whole."""
    said = {name: value for name, value in seen.scores.items() if RIGHT.search(name)}
    labels, output, e = classes_seen(seen), last_outputs(seen), seen.experiments
    own = min(e.get("right_held", 0.0), e.get("sure_recall", 0.0))
    if not said or labels is None or output is None or output.ndim != 2 or own < KNOWN:
        return None
    counts = np.unique(labels, return_counts=True)[1]
    one, best = counts.max() / counts.sum(), max(seen.scores.values())
    if e["sure_classes"] < len(counts) or best > min(one + 0.05, own - APART):
        return None
    name, value = max(said.items(), key=lambda item: item[1])
    text = f"the script's own {name} is {value:.2f}, as of naming one class, and the last weights are right on "
    text += f"{e['right_held']:.0%} of what is held out (of each class on {e['sure_recall']:.0%})"
    return Finding(cause="loss_metric_inconsistent", confidence=0.6, certain=True, evidence=text, repair=SAME_ROWS)


SAME_ROWS = "compare predictions with labels of the same rows, in one order, of one form and numbered alike"


RULES = {"wrong_metric": wrong_metric, "loss_metric_inconsistent": loss_metric_inconsistent}
