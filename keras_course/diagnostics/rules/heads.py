"""Rules on how head, loss and labels fit: rows 1 to 4 and 6 of the table of causes.

On TensorFlow every cross-entropy of Keras 3 takes the logits behind the last softmax or sigmoid, whichever of the two
it was, when nothing stands between activation and loss; `experiments["rescued"]` says so. What the pairs then come to,
measured with Keras 3.15.1 on three blobs, six epochs (accuracy of chance: .68 for two classes, .33 for three):

    head              loss                              loss, first -> last     accuracy   verdict
    Dense(1) softmax  binary_crossentropy               0.129 -> 0.012          .32        fatal: 1 is predicted for all
      with a Reshape behind it                          10.84 -> 10.84          .32        fatal
    Dense(1) softmax  mse                               0.68  -> 0.68           .32        fatal
    Dense(1) sigmoid  binary_crossentropy               0.129 -> 0.012          .997       right
    Dense(1) linear   binary_crossentropy               0.44  -> 0.046          .997       no probabilities
    Dense(1) sigmoid  the same, from_logits             0.129 -> 0.012          .997       rescued
      with a Reshape behind it                          0.61  -> 0.57           -          sigmoid twice
    Dense(3) softmax  categorical, from_logits          0.509 -> 0.044          -          rescued
      with a Reshape behind it                          0.81  -> 0.57           .985       softmax twice
    Dense(3) sigmoid  categorical_crossentropy          0.509 -> 0.044          .987       rows not of sum 1
    Dense(3) linear   categorical_crossentropy          2.29  -> 6.9            .18        fatal
    Dense(3) relu     categorical_crossentropy          NaN                     .32        fatal
    Dense(3) linear   sparse_categorical_crossentropy   2.22  -> 0.98           .81        fatal
    Dense(3) relu     sparse_categorical_crossentropy   2.22  -> 0.98           .41        fatal
    Dense(3) softmax  binary_crossentropy               0.359 -> 0.031          .983       right
    Dense(3) softmax  mse                               0.099 -> 0.008          .989       right
"""

import dataclasses
import math
from typing import Any

from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.seen import (
    ACCURACY,
    BINARY,
    CATEGORICAL,
    DIFFERENCES,
    SPARSE,
    classes_seen,
    flat_rows,
    last_outputs,
    losses_of_outputs,
    outputs_of,
    targets_of,
)
from keras_course.diagnostics.statistics import MANY, form_of

import numpy as np

FEW = 16  # predictions from which on a share of them says something
TIED = 0.1  # of the predictions
ROWS = 3  # that must contradict: one can be a rounding error


def softmax_on_single_unit(seen: Observation) -> list[Finding]:
    """Row 1: a softmax over an axis of length 1 is 1 for every input.

    Certain: no data are needed. Outputs that are not all 1 contradict it: that softmax runs over another axis, as in
    attention over time steps. So is a dense layer of one unit with softmax, wherever it stands, or a layer that is a
    softmax over an axis of length 1, or a line of the script that takes the softmax of its single output. Source:
    UMLAUT, NeuraLint; what Keras 3 makes of it is in the table above.
    """
    for layer in seen.layers:
        config, name, text, repair = layer["config"], layer["name"], "", ""
        if layer["class"] == "Dense" and config.get("units") == 1 and config.get("activation") == "softmax":
            text = f"{name} has one unit, and its softmax is 1 for every input"
        elif layer.get("width") == 1 and (
            (layer["class"] == "Softmax" and config.get("axis") == -1)
            or (layer["class"] == "Activation" and config.get("activation") == "softmax")
        ):
            text = f"{name} takes the softmax over an axis of length 1, which is 1 for every input"
            repair = "softmax over the axis that is to add up to 1, as Softmax(axis=1) over the places of a sequence"
        if text:
            cause = "softmax_on_single_unit"
            return [Finding(cause=cause, confidence=1.0, certain=True, evidence=text, layer=name, repair=repair)]
    if seen.ones:
        text = f"line {seen.ones[0]} takes the softmax of a single output, which is 1 whatever was said"
        found = Finding(cause="softmax_on_single_unit", confidence=0.95, certain=True, evidence=text)
        return [dataclasses.replace(found, file=seen.file, line=seen.ones[0])]
    if seen.head != "softmax" or seen.classes != 1:
        return []
    outputs = [output for _, output in outputs_of(seen)]
    if not outputs or any(np.any(np.abs(output - 1) > 1e-6) for output in outputs):
        return []
    return [
        Finding(
            cause="softmax_on_single_unit",
            confidence=1.0,
            certain=True,
            evidence=f"the output is 1 for all {sum(len(o) for o in outputs)} inputs looked at: softmax over one unit",
            layer=seen.units[-1].name if seen.units else "",
            tag="outputs/spread_over_inputs",
        )
    ]


LOGITS = "logits_to_probability_loss"


def _linear(layer: dict[str, Any]) -> bool:
    return layer["config"].get("activation") in (None, "linear")


def logits_to_probability_loss(seen: Observation) -> list[Finding]:
    """Row 2: a cross-entropy that expects probabilities is given other numbers.

    Threshold: in each step looked at, at least 3 predictions below 0 or, for classes, rows whose sum is off 1 by more
    than .05; of several outputs, a dense layer without an activation under such a loss. A softmax or sigmoid in front,
    or logits that Keras found behind one, end it. It is certain, no probabilities look like that, though with one unit
    Keras clips and the network often learns all the same. Must stay silent: hinge and squared errors, any head whose
    rows add up to 1, divided by their sum or by softmax. A ReLU in front says 0 or a number without an upper end: where
    all its predictions are 0, the logarithm is cut off and nothing is learned any more. Source: the table above.
    """
    loss = seen.loss
    for layer in seen.layers:
        of = layer["name"]
        name = "" if of in seen.logits else seen.losses.get(of, "")
        if layer["class"] == "Dense" and _linear(layer) and name in CATEGORICAL + BINARY:
            text, cause = f"{name} of {of} expects probabilities, and its layer has no activation", LOGITS
            return [Finding(cause=cause, confidence=0.95, certain=True, evidence=text, layer=of, step=0)]
    if loss.name not in CATEGORICAL + BINARY or loss.from_logits is not False or rescued(seen):
        return []
    if seen.head in ("softmax", "sigmoid") or not (looks := outputs_of(seen)):
        return []
    if seen.head == "relu" and all(np.all(output == 0) for _, output in looks):
        return [
            Finding(
                cause=LOGITS,
                confidence=0.95,
                certain=True,
                evidence=f"{loss.name} expects probabilities, and the ReLU at the output, which has no upper end, says "
                f"0 for all {sum(len(output) for _, output in looks)} inputs looked at",
                layer=seen.units[-1].name if seen.units else "",
                step=looks[0][0],
                tag="outputs/max",
            )
        ]
    off, example = [], 0.0
    for _, output in looks:
        rows = flat_rows(output)
        wrong = (rows < -1e-6).any(1) | (rows > 1 + 1e-6).any(1)
        if loss.name in CATEGORICAL and rows.shape[1] > 1:
            wrong |= np.abs(rows.sum(1) - 1) > 0.05
        off.append(int(wrong.sum()))
        example = float(rows[wrong].min()) if wrong.any() else example
    if min(off[:3]) < ROWS:
        return []
    return [
        Finding(
            cause=LOGITS,
            confidence=0.95,
            certain=True,
            evidence=f"{loss.name} expects probabilities, and {off[0]} of the predictions of step {looks[0][0]} are "
            f"none (such as {example:.3g}; {ROWS} are enough)",
            layer=seen.units[-1].name if seen.units else "",
            step=looks[0][0],
            tag="outputs/row_sum",
        )
    ]


def probabilities_to_logits_loss(seen: Observation) -> list[Finding]:
    """Row 3: a softmax or sigmoid in the network, and another one in the loss.

    Threshold: all predictions in [0, 1] and, for classes, rows that add up to 1 within 1e-4, on at least 16 rows. The
    loss then cannot fall below ln(1 + (K - 1) / e) for K classes, 1.461 for 10, and ln(1 + 1 / e) = 0.313 for one unit.
    Where Keras takes the logits behind the activation nothing is lost in the steps: a note, unless the script reads the
    outputs in a loop of its own, or an accuracy calls every row 1. Source: the table above.
    """
    behind = [seen.head, *(unit.activation for unit in seen.units[-1:])]  # what is resized is no activation any more
    head = next((name for name in behind if name in ("softmax", "sigmoid")), "")
    if not seen.loss.from_logits or not head:
        return []
    if seen.loss.name not in CATEGORICAL + BINARY or not (looks := outputs_of(seen)):
        return []
    rows = np.concatenate([flat_rows(output) for _, output in looks[:4]])
    if len(rows) < 16 or rows.min() < 0 or rows.max() > 1:
        return []
    categorical = seen.loss.name in CATEGORICAL
    if categorical and (rows.shape[1] < 2 or np.any(np.abs(rows.sum(1) - 1) > 1e-4)) and head == "softmax":
        return []
    floor = math.log(1 + (rows.shape[1] - 1) / math.e) if categorical else math.log(1 + 1 / math.e)
    text, lost = f"{head} stands before a loss that applies it again", True
    if rescued(seen):
        text, lost = f"{text}; Keras takes the logits behind it for the steps", _taken_for_logits(seen)
        text += ", and whatever else takes the outputs for logits is wrong" if lost else ""
    else:
        text += f": the loss cannot fall below {floor:.3f}"
    return [
        Finding(
            cause="probabilities_to_logits_loss",
            kind="named" if lost else "note",
            confidence=(0.8 if rescued(seen) else 0.97) if lost else 0.5,
            certain=lost,
            evidence=text,
            layer=seen.units[-1].name if seen.units else "",
            tag="outputs/row_sum",
        )
    ]


def _taken_for_logits(seen: Observation) -> bool:
    """Whether a script reads the outputs by itself, in a loop of its own, or an accuracy calls each row 1, since every
    probability is above 0."""
    if seen.interface == "loop":
        return True
    labels = classes_seen(seen)
    said = [value for row in seen.epochs for name, value in row.items() if "acc" in name and "val_" not in name]
    if labels is None or len(said) < 2 or seen.loss.name not in BINARY:
        return False
    return bool(np.all(np.abs(np.array(said) - np.mean(labels == 1)) < 0.005))


def wrong_head_for_labels(seen: Observation) -> list[Finding]:
    """Row 4: form of the labels, width of the output and loss contradict each other.

    Certain: labels that a loss did not take, so that the script has failed; a cross-entropy over classes on one unit
    (its loss is 0), unless that is a sigmoid and the labels are two classes, where the loss is the odd one (row 6);
    class numbers that are compared with each of several outputs as if they were the target of all; three to 20
    different whole numbers with a binary cross-entropy on one unit; a softmax with a binary cross-entropy or a squared
    error and several ones in more than a twentieth of the rows: of the first Keras takes the loss of the logits, which
    may be small, and the predictions cannot be right. Named when there is harm: a ReLU before logits, of which one
    output is 0 on all rows of the last look; several ones in more than a twentieth of the rows of labels with a loss
    over classes, unless behind sigmoids. A note: sigmoids with a loss over classes. Must stay silent: softmax with
    binary cross-entropy or squared error on one-hot labels, which train well; masks of pixels; rows of advantages, as
    policy gradients have them. Source: the table above; UMLAUT.
    """
    if refused := seen.refused.get("shape"):
        return [dataclasses.replace(_head(seen, refused), tag="")]  # nothing was measured
    y, name, width = targets_of(seen), seen.loss.name, seen.classes
    squared = name in DIFFERENCES and seen.head == "softmax"
    output = last_outputs(seen)
    rank = 2 if output is None else output.ndim
    if width == 1 and name in CATEGORICAL and rank > 1 and not _of_yes_and_no(seen):
        return [_head(seen, f"{name} over a single output is 0 whatever the label")]
    if y is None or width is None or not (squared or name in CATEGORICAL + BINARY):
        return []
    form, last = form_of(y), y.shape[-1] if y.ndim > 1 else 1
    kinds = len(np.unique(y)) if form == "ids" else 0  # more than a few are counts
    several = float(np.mean(y.sum(-1) > 1)) if form == "multi_hot" else 0.0
    text, found = f"{several:.0%} of the labels hold several ones, and softmax shares 1 among all outputs", []
    if width > 1 and name not in SPARSE and form == "ids" and last == 1 and y.max(initial=0) > 1:
        found.append(_head(seen, f"class numbers up to {y.max():g} are compared with each of {width} outputs"))
    elif width == 1 and name in BINARY and form == "ids" and y.ndim <= 2 and last == 1 and 2 < kinds <= MANY:
        found.append(_head(seen, f"labels of {kinds} classes, {y.min():g} to {y.max():g}, for one output"))
    elif several > 0.05 and name in CATEGORICAL and name not in SPARSE and not _of_yes_and_no(seen):
        found.append(_head(seen, text, certain=False, confidence=0.9))
    elif several > 0.05 and (squared or (name in BINARY and seen.head == "softmax")):
        found.append(_head(seen, text))
    elif name in CATEGORICAL and seen.head == "sigmoid" and width > 1 and not _of_yes_and_no(seen):
        tied = _tied(output)
        text = "the outputs of sigmoids do not add up to 1 over the classes"
        text += f", and {tied:.0%} of the predictions have several largest ones" if tied > TIED else ""
        found.append(_head(seen, text, kind="named" if tied > TIED else "note"))
    return found + _dead_logit(seen)


def _tied(output: np.ndarray | None) -> float:
    """The share of predictions whose largest output is that of several classes."""
    rows = np.zeros((0, 1)) if output is None else flat_rows(output)
    return float(np.mean(np.sum(rows == rows.max(1, keepdims=True), axis=1) > 1)) if len(rows) >= FEW else 0.0


def _head(
    seen: Observation, evidence: str, kind: str = "named", certain: bool = True, confidence: float = 0.5
) -> Finding:
    sure = kind == "named" and certain
    return Finding(
        cause="wrong_head_for_labels",
        kind=kind,
        confidence=0.95 if sure else confidence,
        certain=sure,
        evidence=evidence,
        layer=seen.units[-1].name if seen.units else "",
        tag="outputs/spread_over_inputs",
    )


def _dead_logit(seen: Observation) -> list[Finding]:
    """A ReLU on logits: a class whose logit is 0 for every input cannot be learned any more."""
    output = last_outputs(seen)
    if seen.head not in ("relu", "relu6") or not seen.loss.from_logits or output is None or output.ndim != 2:
        return []
    dead = int(np.sum((output <= 0).all(0))) if len(output) >= 32 else 0
    if not dead:
        return []
    return [_head(seen, f"ReLU keeps the logits of {dead} of {output.shape[1]} outputs at 0", certain=False)]


HINGES = ("hinge", "squared_hinge")
COUNTING = ("poisson", "mean_squared_logarithmic_error")


def wrong_loss_for_task(seen: Observation) -> list[Finding]:
    """Row 6: measurements with a cross-entropy, or class numbers with a squared error.

    Certain: more than 20 different targets that are no whole numbers with a loss over class numbers; more than 5 % of
    such targets outside [0, 1] with a binary cross-entropy, which then has no minimum, or that many whole numbers with
    it on one output, which are counts; one output of several whose cross-entropy falls below 0, which shows the same;
    more than 5 % zeros under an error in per cent, or targets on both sides of 0; targets below 0 under a loss of
    counts; a hinge of targets of which a twentieth are other numbers than -1, 0 and 1. Named when there is harm: 3 to
    20 whole numbers 0 to K - 1 with a squared or absolute error on one linear output, the surer when accuracy is asked
    for: counts and grades are regressions of the same form. Certain too: a loss over classes, which is 0, on one
    sigmoid and labels of two classes; with harm: sigmoids under it and labels of which a twentieth hold none or several
    ones. Must stay silent: intensities in [0, 1] with a binary cross-entropy (autoencoders), one action weighted by its
    advantage in each row (policy gradients), soft labels. Source: taxonomy of faults, Humbatova et al. (2020).
    """
    for output, (name, losses) in losses_of_outputs(seen).items():
        if name in CATEGORICAL + BINARY and losses.min() < -1e-3:
            text = f"the loss of {output} falls to {losses.min():.3g}, and {name} of targets in [0, 1] is never below 0"
            return [_loss(text)]
    y, name = targets_of(seen), seen.loss.name
    if y is None or not name:
        return []
    if name in CATEGORICAL and _of_yes_and_no(seen):
        if seen.classes == 1:
            return [_loss(f"{name} over a single output is 0 whatever the label, and its sigmoid says yes or no")]
        other = float(np.mean(y.sum(-1) != 1))
        return [_loss(f"{other:.0%} of the labels hold none or several ones, and {name} takes one class", 0.95, False)]
    form, values = form_of(y), y[np.isfinite(y)]
    distinct = len(np.unique(values[:20000]))
    outside = float(np.mean((values < -1e-6) | (values > 1 + 1e-6))) if len(values) else 0.0
    none, below = (float(np.mean(part)) if len(values) else 0.0 for part in (values == 0, values < 0))
    if name == "mean_absolute_percentage_error" and none > 0.05:
        return [_loss(f"{none:.0%} of the targets are 0, by which {name} divides: all else is drowned by them")]
    if name == "mean_absolute_percentage_error" and 0.1 < below < 0.9:
        text = f"{below:.0%} of the targets are below 0 and the others are not: {name} divides by them"
        return [_loss(f"{text}, and those next to 0 drown all others")]
    if name in COUNTING and below > 0.05:
        return [_loss(f"{name} is of what is counted, and {below:.0%} of the targets are below 0")]
    other = float(np.mean(~np.isin(values, (-1, 0, 1)))) if len(values) else 0.0
    if name in HINGES and other > 0.05:
        return [_loss(f"{name} is of the two classes -1 and 1, and {other:.0%} of the targets are other numbers")]
    if name in SPARSE and form == "real" and distinct > MANY:
        return [_loss(f"{name} takes class numbers, and the targets are {distinct} different numbers, none whole")]
    if name in BINARY and form == "ids" and seen.classes == 1 and distinct > MANY:
        return [_loss(f"{name} knows two classes, and the targets are {distinct} whole numbers up to {values.max():g}")]
    if name in BINARY and form == "real" and distinct > MANY and outside > 0.05:
        return [_loss(f"{outside:.0%} of the targets lie outside [0, 1], where binary cross-entropy has no minimum")]
    if name in CATEGORICAL and name not in SPARSE and form == "real" and y.ndim > 1 and y.shape[-1] > 1:
        several = float(np.mean(np.sum(y != 0, axis=-1) > 1))
        if several > 0.5 and outside > 0.05:
            return [_loss(f"{outside:.0%} of the targets lie outside [0, 1], and {name} takes shares", 0.8, False)]
    if _numbers_of_outputs(seen, y):
        text = f"{name} holds each of {seen.classes} outputs against the number of a class, {values.max():g} at most"
        return [_loss(f"{text}, and {_asked_accuracy(seen)} asks which of them is the largest")]
    if name in DIFFERENCES and form == "ids" and seen.classes == 1 and seen.head in ("linear", ""):
        ids = np.unique(values)
        if 3 <= len(ids) <= MANY and np.array_equal(ids, np.arange(len(ids))):
            asked = any(metric in ACCURACY for metric in seen.plan.metrics)
            return [_loss(f"{name} on the {len(ids)} whole numbers 0 to {len(ids) - 1}", 0.8 if asked else 0.4, False)]
    return []


def _asked_accuracy(seen: Observation) -> str:
    """A metric of the training by which one of several outputs is the answer; "" without one."""
    return next((metric for metric in seen.plan.metrics if metric in ACCURACY), "")


def _numbers_of_outputs(seen: Observation, y: np.ndarray) -> bool:
    """Whether a difference is taken of as many outputs as there are classes and the one number of each row's class, of
    which an accuracy is asked."""
    one = y[:1].size == 1 and form_of(y) in ("ids", "one_hot", "multi_hot")
    several = seen.loss.name in DIFFERENCES and (seen.classes or 0) > 2 and bool(_asked_accuracy(seen))
    return one and several and float(y.min()) >= 0 and float(y.max()) == (seen.classes or 0) - 1


def _of_yes_and_no(seen: Observation) -> bool:
    """Whether head and labels say yes or no, each output for itself: one sigmoid and two classes, or several sigmoids
    and labels of which more than a twentieth hold no 1 or several, and some do several."""
    y = targets_of(seen)
    if y is None or seen.head != "sigmoid":
        return False
    if seen.classes == 1:
        return len(np.unique(y[:20000])) == 2 and y.size == len(y)
    ones = y.sum(-1) if form_of(y) == "multi_hot" and seen.loss.name not in SPARSE else np.ones(1)
    return bool(np.mean(ones != 1) > 0.05 and np.any(ones > 1))


def _loss(evidence: str, confidence: float = 0.97, certain: bool = True) -> Finding:
    return Finding(
        cause="wrong_loss_for_task", confidence=confidence, certain=certain, evidence=evidence, tag="labels/entropy"
    )


def rescued(seen: Observation) -> bool:
    """Whether Keras computed the loss from the logits behind the activation of the output."""
    return bool(seen.experiments.get("rescued"))


RULES = {
    "softmax_on_single_unit": softmax_on_single_unit,
    "logits_to_probability_loss": logits_to_probability_loss,
    "probabilities_to_logits_loss": probabilities_to_logits_loss,
    "wrong_head_for_labels": wrong_head_for_labels,
    "wrong_loss_for_task": wrong_loss_for_task,
}
