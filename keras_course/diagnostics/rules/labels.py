"""Rules on the targets as classes: rows 8 to 10 of the table of causes."""

import dataclasses
from collections.abc import Iterator

from keras_course.diagnostics.held_out import beside
from keras_course.diagnostics.losses import class_weights
from keras_course.diagnostics.observation import IN_ORDER, Finding, Observation, Probe
from keras_course.diagnostics.seen import (
    BINARY,
    CATEGORICAL,
    DIFFERENCES,
    SPARSE,
    TARGETS,
    classes_seen,
    flat_rows,
    sinks_below_zero,
    targets_of,
)
from keras_course.diagnostics.statistics import MANY, classes_of, form_of, share_interval

import numpy as np

STATISTICS = ("mean", "variance", "count", "moving_mean", "moving_variance")  # of normalisation: nobody trains them
EVENED = 0.08  # of mean recall, that the shares of the classes cost; of 22 healthy programs none loses more than .042
RARE = 0.6  # of 1 / K, the share below which a class is rare where the script measures each by itself
SURELY_EVENED = 0.12  # whatever the script measures
IGNORED = (-1, -100, 255)  # class numbers that by custom mark places without a label


def label_encoding(seen: Observation) -> list[Finding]:
    """Row 8: labels are not what the loss takes for labels.

    Certain: labels and outputs that have changed places in a cross-entropy; class numbers outside 0 to K - 1 for K
    outputs, or broken ones, with a sparse loss, or one that it did not take, so that the script has failed; two classes
    that are not called 0 and 1 with a binary cross-entropy; a line of the script that compares classes of which more
    than four fifths agree when their names stand in another order, and two fifths fewer as they are: what is predicted
    is named by another list than labels were numbered by. Named when there is harm: more than 1 % of the rows of
    one-hot labels without a 1. Must stay silent: hinge losses, whose labels are -1 and 1; -1, -100 or 255 on places of
    a sequence or an image, which mark what has no label. Source: row 8 of the taxonomy.
    """
    if refused := seen.refused.get("value"):
        return [Finding(cause="label_encoding", confidence=0.97, certain=True, evidence=refused)]
    if seen.experiments.get("swapped"):
        name = seen.loss.name or "the cross-entropy"
        text = f"{name} is given outputs in the place of labels, and labels in that of outputs"
        cause, repair = "label_encoding", "loss(labels, outputs), or both by their names: labels=..., logits=..."
        return [Finding(cause=cause, confidence=0.99, certain=True, evidence=text, repair=repair)]
    if seen.decoded:
        return [_named_otherwise(seen)]
    y, width, name = targets_of(seen), seen.classes, seen.loss.name
    if y is None or not np.isfinite(y).all():
        return []
    values = np.unique(y[:20000])
    evidence, certain = "", True
    if name in SPARSE and form_of(y) == "real" and len(values) <= MANY:
        evidence = f"class numbers must be whole, and there are {len(values)} others, such as {values[0]:g}"
    elif name in SPARSE and width and width > 1 and form_of(y) in ("ids", "one_hot", "multi_hot"):
        marks = IGNORED if y.ndim > 2 or (y.ndim == 2 and y.shape[1] > 1) else ()
        outside = [v for v in values if not 0 <= v < width and v not in marks]
        evidence = f"labels reach from {values[0]:g} to {values[-1]:g}, and {width} outputs take 0 to {width - 1}"
        evidence = evidence if outside else ""
    elif name in BINARY and len(values) == 2 and (values[0] < 0 or values[1] > 1):
        evidence = f"the labels are {values[0]:g} and {values[1]:g}, and binary cross-entropy takes 0 and 1"
    elif name in BINARY and (width or 0) > 1 and y.ndim > 1 and _how_often(values, y):
        evidence = f"labels reach up to {values[-1]:g}, and each of {width} outputs says yes or no: 1 or 0"
    elif len(values) == 2 and values[1] > 1 and sinks_below_zero(seen):
        evidence = f"the labels are {values[0]:g} and {values[1]:g}, and the loss falls below 0: it takes 0 and 1"
    elif (
        name in CATEGORICAL
        and form_of(y) == "multi_hot"
        and y.ndim == 2
        and np.mean(y.sum(1) == 0) > 0.01
        and np.mean(y.sum(1) > 1) < 0.05  # else they are meant to hold several
    ):
        evidence, certain = f"{np.mean(y.sum(1) == 0):.0%} of the one-hot labels have no 1", False
    if not evidence:
        return []
    return [Finding(cause="label_encoding", confidence=0.97, certain=certain, evidence=evidence, tag="labels/entropy")]


def _how_often(values: np.ndarray, y: np.ndarray) -> bool:
    """Whether several labels of yes and no say how often instead: small whole numbers, of which many are 0."""
    whole = bool(np.array_equal(values, np.round(values)))
    return whole and values[0] == 0 and 1 < values[-1] <= 10 and float(np.mean(y == 0)) > 0.3


def _named_otherwise(seen: Observation) -> Finding:
    line, agree, permuted = seen.decoded[0]
    text = f"of the classes that line {line} compares {agree:.0%} agree, and {permuted:.0%} when their names stand in "
    return Finding(
        cause="label_encoding",
        confidence=0.7,
        certain=True,
        evidence=f"{text}another order",
        repair=IN_ORDER,
        file=seen.file,
        line=line,
    )


def constant_labels(seen: Observation) -> list[Finding]:
    """Row 9: all labels are the same.

    Threshold: one value in at least 200 targets of a known loss, or in all of the data of a `fit`, at least 20; of any
    loss, where the targets are pictures of one grey. Certain where all weights of the script are trained on it, by
    `fit` for several epochs, and it is a class, or one and the same picture. A note otherwise: discriminators and
    generators are trained on ones and zeros in turn, and losses that look at inputs alone take any label. Labels whose
    weight is 0 are none; where all are, certain too. Source: row 9 of the taxonomy, rule of three.
    """
    y = seen.train.y if seen.train is not None and seen.train.y is not None else targets_of(seen)
    y, looked = (y, "labels") if (counted := _counted(seen)) is None else (counted, "labels of a weight above 0")
    if counted is not None and not len(counted):
        text = "no label counts: the weights of all examples are 0"
        return [Finding(cause="constant_labels", confidence=0.95, certain=True, evidence=text, tag="labels/entropy")]
    several = seen.interface == "loop" or (seen.plan.epochs or 1) > 1
    free = all(v.trainable for v in seen.variables if v.name.rpartition("/")[2] not in STATISTICS)
    alone = (seen.alone or seen.interface != "loop") and several and free
    alone = alone or (seen.loss.name in CATEGORICAL and (seen.classes or 1) > 2)  # no game has three outcomes
    if y is None or y.dtype.kind not in "iufb" or len(y) < (20 if alone and seen.train is not None else 200):
        return []
    known, blank = seen.loss.name in CATEGORICAL + BINARY + DIFFERENCES, y.ndim > 2 and np.ptp(y) == 0
    if not (known or blank) or np.any(y != y[:1]):
        return []
    return [
        Finding(
            cause="constant_labels",
            kind="named" if alone else "note",
            confidence=0.95 if alone else 0.4,
            certain=alone and (seen.loss.name in CATEGORICAL + BINARY or (y[0].size > TARGETS and np.ptp(y) > 0)),
            evidence=f"all {len(y)} {looked} that were looked at are {np.ravel(y[0])[:4].tolist()}",
            tag="labels/entropy",
        )
    ]


def _counted(seen: Observation) -> np.ndarray | None:
    """The labels whose weight is above 0, where each has a weight of its own."""
    data = seen.train
    if data is None or data.y is None or data.weight is None:
        return None
    return data.y[data.weight > 0] if data.weight.shape == data.y.shape[: data.weight.ndim] else None


def missing_class(seen: Observation) -> list[Finding]:
    """Row 9: a class never occurs in training.

    A note for an output that no label asks for, when at least 50 labels for each output were looked at (a class as
    frequent as 3 in n is seen with 95 %) and there are at most 100 outputs. Certain when validation has the class: at
    least 5 rows of it and 2 % of its rows, by the lower exact bound, in none of at least 200 of training (or of so
    many that one of those that are missing would be there, but for a chance of 1e-6); or when the accuracy in
    validation is below half of chance where nine tenths are right in training: what is right there is not what was
    learned; or, of at most 20 classes, when the only one that is missing stands between others, or several are, at most
    half. Must stay silent: a number that is left free in front or at the end; vocabularies; validation by other classes
    altogether, or one that lacks classes too, which is row 19.
    """
    labels, width = classes_seen(seen), seen.classes
    if seen.loss.name not in CATEGORICAL + BINARY:
        return []
    for name, train, other in _labels_beside(seen):
        gone = [int(c) for c in np.setdiff1d(other, train)]
        if any(np.any(train == c, axis=1).mean() * len(other) > 10 for c in np.setdiff1d(train, other)):
            if gone and name == "validation":
                return []  # each of the two lacks what the other has: row 19
            continue
        for one in gone if len(gone) < len(np.unique(other)) else ():
            hits = int(np.sum(np.any(other == one, axis=1)))
            low = share_interval(hits, len(other))[0]
            any_low = share_interval(int(np.isin(other, gone).any(axis=1).sum()), len(other))[0]
            if hits >= 5 and (low > 0.02 if len(train) >= 200 else len(train) * np.log1p(-any_low) < np.log(1e-6)):
                text = f"class {one} has {hits} of {len(other)} rows of {name} and none of {len(train)} of training"
                return [Finding(cause="missing_class", confidence=0.9, certain=True, evidence=text)]
    if labels is None or len(labels) < 200:
        return []
    if width is None or not 2 <= width <= 100 or len(labels) < 50 * width or len(np.unique(labels)) < 2:
        return []
    absent = sorted(set(range(width)) - set(np.unique(labels).tolist()))
    if not absent:
        return []
    text = f"class {absent[0]} of {width} occurs in none of {len(labels)} labels"
    inside = labels.min() >= 0 and labels.max() < width
    between, several = 0 < absent[0] < width - 1, 1 < len(absent) <= width // 2
    if width <= 20 and inside and ((len(absent) == 1 and between) or several):
        text += f", nor do {len(absent) - 1} others" if several else ", and those before and behind it do"
        return [Finding(cause="missing_class", confidence=0.7, certain=True, evidence=text)]
    last = {name.removesuffix("uracy"): value for name, value in (seen.epochs[-1] if seen.epochs else {}).items()}
    if last.get("val_acc", 1.0) < 0.5 / width and last.get("acc", 0.0) > 0.9:
        text += f", and validation is right in {last['val_acc']:.1%}, training in {last['acc']:.0%}"
        return [Finding(cause="missing_class", confidence=0.9, certain=True, evidence=text, tag="epoch/val_accuracy")]
    return [Finding(cause="missing_class", kind="note", confidence=0.5, evidence=text)]


def _labels_beside(seen: Observation) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What is held out, by name, and the classes of training and of it: (rows, places), one place without sequences."""
    pairs: list[tuple[str, np.ndarray | None, np.ndarray | None]] = []
    if seen.validation is not None:
        pairs.append(("validation", classes_seen(seen), seen.validation.y))
    pairs += [(held.name, held.train.y, held.asked.y) for held in beside(seen)]
    for name, *labels in pairs:
        train, other = (None if y is None else _by_place(y) for y in labels)
        if train is not None and other is not None:
            yield name, train, other


def _by_place(y: np.ndarray) -> np.ndarray | None:
    """The class of each example, or of each place of a sequence or a picture; None where there is none."""
    if (found := classes_of(y)) is not None:
        return found[:, None]
    numbers = ("ids",) if y.ndim == 2 else ("ids", "multi_hot") if y.ndim > 2 else ()  # a mask of two classes is both
    return y.reshape(len(y), -1) if form_of(y) in numbers and len(np.unique(y)) <= 100 else None


def class_imbalance(seen: Observation) -> list[Finding]:
    """Row 10: a rare class, and a network that does not name it.

    Threshold: a share below 0.1 / K; of the looks at the second half of the steps, or where these have less than 5 rows
    of it of the last that have 8, an upper exact 95 % bound of its recall below half of the mean recall of the others,
    while the most frequent class is named more often than it occurs. A share below 0.3 / K counts where that bound is
    below a tenth. Certain where that bound of the recall of at least 8 rows held out is below half of that of the other
    classes, also of a share below 0.6 / K where the script measures each class by itself. Or weights of classes by
    which the rarest one, below a fifth of the rows, counts less than a third of the most frequent one. Certain too: of
    a class below 0.6 / K, the mean recall of the classes gains .12 where their shares are taken out of the outputs, or
    .08 where the script measures each class by itself, and three standard errors; a note otherwise. Must stay silent:
    shares of several classes in each row; imbalanced data whose rare class
    is found. Source: cleanlab's 0.1 / K for the share; logit adjustment of Menon et al. (2021), section 4.
    """
    labels = classes_seen(seen)
    looks = [p for p in seen.probes if p.y is not None and p.output is not None]
    if labels is None or seen.loss.name not in CATEGORICAL + BINARY or not looks or _mixed(seen):
        return []
    names, counts = np.unique(labels, return_counts=True)
    if len(names) >= 2 and (found := _weights_reversed(seen, names, counts)):
        return found
    share = counts.min() / counts.sum()
    if found := _at_its_share(seen, int(names[counts.argmin()]), share):
        return found
    if len(names) < 2 or share >= (RARE if seen.by_class else 0.3) / len(names):
        return []
    if found := _missed(seen, share):
        return found
    if share >= 0.3 / len(names):
        return []
    rare, common = names[counts.argmin()], names[counts.argmax()]
    true, said = _last_decisions(looks, seen, rare)
    n = int(np.sum(true == rare))
    if n < 5:
        return []
    others = [float(np.mean(said[true == name] == name)) for name in names if np.any(true == name) and name != rare]
    if not others:
        return []
    high = share_interval(int(np.sum(said[true == rare] == rare)), n)[1]
    bound = 0.5 * np.mean(others) if share < 0.1 / len(names) else 0.1
    if high >= bound or np.mean(said == common) <= counts.max() / counts.sum():
        return []
    text = (
        f"class {rare} has {share:.1%} of the labels, and at most {high:.0%} of its rows are "
        f"found (of the other classes {np.mean(others):.0%})"
    )
    return [Finding(cause="class_imbalance", confidence=0.6, evidence=text, tag="labels/entropy")]


def _mixed(seen: Observation) -> bool:
    """Whether targets are shares of several classes, none of which has four fifths in the median."""
    y = targets_of(seen)
    return y is not None and y.ndim == 2 and form_of(y) == "shares" and bool(np.median(y.max(1)) < 0.8)


def _missed(seen: Observation, share: float) -> list[Finding]:
    """A rare class that the last weights do not find among the rows held out."""
    e = seen.experiments
    rows = int(e.get("rare_rows", 0))
    if rows < 8 or share_interval(int(e["rare_found"]), rows)[1] >= 0.5 * e["others_found"]:
        return []
    text = (
        f"class {int(e['rare_class'])} has {share:.1%} of the labels, and {int(e['rare_found'])} of {rows} rows of it "
        f"that are held out are found (of the other classes {e['others_found']:.0%})"
    )
    return [Finding(cause="class_imbalance", confidence=0.8, certain=True, evidence=text, tag="labels/entropy")]


def _at_its_share(seen: Observation, rare: int, share: float) -> list[Finding]:
    """A rare class that is named as seldom as it occurs, in a script that measures each class by itself."""
    e = seen.experiments
    gain = e.get("evened", 0.0)
    if gain < EVENED or gain < 3 * e["evened_error"]:
        return []
    where = "what is held out" if e["shares_held"] else "rows of the training"
    text = f"class {rare} has {share:.1%} of the labels; on {where} the mean recall of the classes is "
    text += f"{e['recall']:.2f}, and {e['recall'] + gain:.2f} where their shares are taken out of the outputs"
    found = Finding(cause="class_imbalance", kind="note", confidence=0.7, evidence=text, tag="labels/entropy")
    if not seen.by_class and gain < SURELY_EVENED:
        return [found]
    text += f"; the script asks for it as {seen.by_class}" if seen.by_class else ""
    return [dataclasses.replace(found, kind="named", certain=True, evidence=text)]


def _weights_reversed(seen: Observation, names: np.ndarray, counts: np.ndarray) -> list[Finding]:
    """Weights that make a rare class rarer. names, counts: of the classes."""
    given = class_weights(seen) or {}
    rare, common = int(names[counts.argmin()]), int(names[counts.argmax()])
    share, weights = counts.min() / counts.sum(), [float(given.get(name, 1.0)) for name in (rare, common)]
    if not given or share >= 0.2 or weights[0] >= weights[1] / 3:
        return []
    text = f"class {rare}, {share:.1%} of the labels, counts {weights[0]:g} and class {common} {weights[1]:g}"
    return [Finding(cause="class_imbalance", confidence=0.9, certain=True, evidence=text, tag="labels/entropy")]


def _last_decisions(looks: list[Probe], seen: Observation, rare: int) -> tuple[np.ndarray, np.ndarray]:
    """Class and decision of each row of the second half of the steps; of more where it has too few rows of a class."""
    half = seen.steps.count / 2 if seen.steps is not None else 0
    true, said = decisions([p for p in looks if p.step >= half], seen)
    if np.sum(true == rare) >= 5:
        return true, said
    true, said = decisions(looks, seen)
    places = np.flatnonzero(true == rare)[-8:]
    first = places[0] if len(places) else 0
    return true[first:], said[first:]


def decisions(looks: list[Probe], seen: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Class and decision of each row of the looks."""
    true, said = [], []
    middle = 0.0 if seen.loss.from_logits and seen.head == "linear" else 0.5
    for probe in looks:
        rows, target = flat_rows(np.asarray(probe.output)), classes_of(np.asarray(probe.y))
        if target is not None and len(target) == len(rows):
            true.append(target)
            said.append(rows.argmax(1) if rows.shape[1] > 1 else (rows[:, 0] > middle).astype(int))
    return (np.concatenate(true), np.concatenate(said)) if true else (np.zeros(0, int), np.zeros(0, int))


RULES = {
    "label_encoding": label_encoding,
    "constant_labels": constant_labels,
    "missing_class": missing_class,
    "class_imbalance": class_imbalance,
}
