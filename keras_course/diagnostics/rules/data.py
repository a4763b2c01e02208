"""Rules on inputs and targets, each as they are: rows 8 to 14, 45 and 46 of the table of causes."""

from collections.abc import Iterator

from keras_course.diagnostics.harm import baseline_of
from keras_course.diagnostics.held_out import held_out, parts
from keras_course.diagnostics.observation import Finding, Observation, Probe
from keras_course.diagnostics.seen import (
    BINARY,
    CATEGORICAL,
    DIFFERENCES,
    SPARSE,
    classes_seen,
    flat_rows,
    joined,
    losses_of_outputs,
    several_inputs,
    targets_of,
)
from keras_course.diagnostics.statistics import (
    MANY,
    classes_of,
    drowned,
    form_of,
    mislabelled,
    neighbour_correlation,
    scales,
    share_interval,
)

import numpy as np

LARGE, FAR, APART = 20.0, 10.0, 100.0  # spread of a feature; its centre in spreads; largest spread against smallest
STATISTICS = ("mean", "variance", "count", "moving_mean", "moving_variance")  # of normalisation: nobody trains them
IGNORED = (-1, -100, 255)  # class numbers that by custom mark places without a label


def label_encoding(seen: Observation) -> list[Finding]:
    """Row 8: labels are not what the loss takes for labels.

    Certain: class numbers outside 0 to K - 1 for K outputs, or broken ones, with a sparse loss; two classes that are
    not called 0 and 1 with a binary cross-entropy. Named when there is harm: more than 1 % of the rows of one-hot
    labels without a 1. Must stay silent: hinge losses, whose labels are -1 and 1; -1, -100 or 255 on places of a
    sequence or an image, which mark what has no label. Source: row 8 of the taxonomy.
    """
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


def constant_labels(seen: Observation) -> list[Finding]:
    """Row 9: all labels are the same.

    Threshold: one value in at least 200 targets of a known loss, or in all of the data of a `fit`, at least 20; of any
    loss, where the targets are pictures of one grey. Certain where all weights of the script are trained on it, by
    `fit` for several epochs. A note otherwise: discriminators and generators are trained on ones and zeros in turn, and
    losses that look at inputs alone take any label. Source: row 9 of the taxonomy, rule of three.
    """
    y = seen.train.y if seen.train is not None and seen.train.y is not None else targets_of(seen)
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
            certain=alone and seen.loss.name in CATEGORICAL + BINARY,
            evidence=f"all {len(y)} labels looked at are {np.ravel(y[0])[:4].tolist()}",
            tag="labels/entropy",
        )
    ]


def missing_class(seen: Observation) -> list[Finding]:
    """Row 9: a class never occurs in training.

    A note for an output that no label asks for, when at least 50 labels for each output were looked at (a class as
    frequent as 3 in n is seen with 95 %) and there are at most 100 outputs. Certain when validation has the class: at
    least 5 rows of it and 2 % of its rows, by the lower exact bound, in none of at least 200 of training; or when the
    accuracy in validation is below half of chance where nine tenths are right in training: what is right there is not
    what was learned; or of the only one of at most 20, between others. Must stay silent: vocabularies; validation by
    other classes altogether, which is row 19.
    """
    labels, width = classes_seen(seen), seen.classes
    if seen.loss.name not in CATEGORICAL + BINARY:
        return []
    for name, train, other in _labels_beside(seen):
        gone = [int(c) for c in np.setdiff1d(other, train)]
        for one in gone if len(gone) < len(np.unique(other)) else ():
            hits = int(np.sum(np.any(other == one, axis=1)))
            low = share_interval(hits, len(other))[0]
            if hits >= 5 and (low > 0.02 if len(train) >= 200 else len(train) * np.log1p(-low) < np.log(1e-6)):
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
    if width <= 20 and inside and len(absent) == 1 and 0 < absent[0] < width - 1:
        text += ", and those before and behind it do"
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
    pairs += [(held.name, held.train.y, held.asked.y) for held in held_out(seen) if held.named]
    for name, *labels in pairs:
        train, other = (None if y is None else _by_place(y) for y in labels)
        if train is not None and other is not None:
            yield name, train, other


def _by_place(y: np.ndarray) -> np.ndarray | None:
    """The class of each example, or of each place of a sequence; None where there is none."""
    if (found := classes_of(y)) is not None:
        return found[:, None]
    return y if y.ndim == 2 and form_of(y) == "ids" and len(np.unique(y)) <= 100 else None


def class_imbalance(seen: Observation) -> list[Finding]:
    """Row 10: a rare class, and a network that does not name it.

    Threshold: a share below 0.1 / K; of the looks at the second half of the steps, or where these have less than 5 rows
    of it of the last that have 8, an upper exact 95 % bound of its recall below half of the mean recall of the others,
    while the most frequent class is named more often than it occurs. A share below 0.3 / K counts where that bound is
    below a tenth. Certain where that bound of the recall of at least 8 rows held out is below half of that of the other
    classes. Or weights of classes by which the rarest one, below a fifth of the rows, counts less than a third of
    the most frequent one. Must stay silent: imbalanced data whose rare class is found. Source: cleanlab's 0.1 / K for
    the share.
    """
    labels = classes_seen(seen)
    looks = [p for p in seen.probes if p.y is not None and p.output is not None]
    if labels is None or seen.loss.name not in CATEGORICAL + BINARY or not looks:
        return []
    names, counts = np.unique(labels, return_counts=True)
    if len(names) >= 2 and (found := _weights_reversed(seen, names, counts)):
        return found
    share = counts.min() / counts.sum()
    if len(names) < 2 or share >= 0.3 / len(names):
        return []
    if found := _missed(seen, share):
        return found
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


def _weights_reversed(seen: Observation, names: np.ndarray, counts: np.ndarray) -> list[Finding]:
    """Weights of `fit` that make a rare class rarer. names, counts: of the classes."""
    given = seen.plan.class_weight or {}
    rare, common = int(names[counts.argmin()]), int(names[counts.argmax()])
    share, weights = counts.min() / counts.sum(), [float(given.get(name, 1.0)) for name in (rare, common)]
    if not given or share >= 0.2 or weights[0] >= weights[1] / 3:
        return []
    text = f"class {rare}, {share:.1%} of the labels, counts {weights[0]:g} and class {common} {weights[1]:g}"
    return [Finding(cause="class_imbalance", confidence=0.9, certain=True, evidence=text, tag="labels/entropy")]


def _last_decisions(looks: list[Probe], seen: Observation, rare: int) -> tuple[np.ndarray, np.ndarray]:
    """Class and decision of each row of the second half of the steps; of more where it has too few rows of a class."""
    half = seen.steps.count / 2 if seen.steps is not None else 0
    true, said = _decisions([p for p in looks if p.step >= half], seen)
    if np.sum(true == rare) >= 5:
        return true, said
    true, said = _decisions(looks, seen)
    places = np.flatnonzero(true == rare)[-8:]
    first = places[0] if len(places) else 0
    return true[first:], said[first:]


def _decisions(looks: list[Probe], seen: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Class and decision of each row of the looks."""
    true, said = [], []
    middle = 0.0 if seen.loss.from_logits and seen.head == "linear" else 0.5
    for probe in looks:
        rows, target = flat_rows(np.asarray(probe.output)), classes_of(np.asarray(probe.y))
        if target is not None and len(target) == len(rows):
            true.append(target)
            said.append(rows.argmax(1) if rows.shape[1] > 1 else (rows[:, 0] > middle).astype(int))
    return (np.concatenate(true), np.concatenate(said)) if true else (np.zeros(0, int), np.zeros(0, int))


def first_inputs(seen: Observation) -> np.ndarray | None:
    """What entered the first linear operation in the first looks; None for what is looked up instead of weighed."""
    if seen.units and seen.units[0].kind == "embedding":
        return None
    if seen.units and seen.units[0].kind == "recurrent" and seen.train is not None and not _scaled_inside(seen):
        rows = seen.train.x  # what enters a cell is one step of it
        fine = rows.dtype.kind == "f" and rows.ndim == 3 and len(rows) >= 32 and np.isfinite(rows).all()
        return rows if fine else None
    few = [probe.x for probe in seen.probes[:64] if probe.x is not None and np.ndim(probe.x)]
    x = joined(few[: max(16, -(-32 // max(len(few[0]), 1)))] if few else [])  # of single rows 32
    if x is None or x.dtype.kind != "f" or x.ndim < 2 or len(x) < 32 or not np.isfinite(x).all():
        return None
    return x


def _scaled_inside(seen: Observation) -> bool:
    """Whether a layer in front may change the scale of the inputs."""
    classes = {layer["class"] for layer in seen.layers}
    return bool(classes & {"Rescaling", "Normalization", "BatchNormalization", "LayerNormalization", "Lambda"})


def inputs_not_scaled(seen: Observation) -> list[Finding]:
    """Row 11: what enters the first weights is far from a scale of 1.

    Threshold: a spread above 20, or a centre further than 10 spreads and 10 from 0, for more than 20 % of the features;
    or spreads a hundredfold apart of which the largest is above 20; or examples that lie closer than 0.2 to their mean.
    It is named when there is harm: with Adam and batch normalisation such a network often learns; where the loss has no
    constant to compare with, also when more than 90 % of the first units are flat from it. Judged behind
    Rescaling, Normalization and the like. Must stay silent: embeddings, codes of zeros and ones, bags of words, rows of
    length 1, constant features. Source: UMLAUT and TheDeepChecker ask for [-1, 1] or a spread of exactly 1, and alarm
    on half of the healthy runs of the base; hence the wide band.
    """
    x = first_inputs(seen)
    if x is None or scales(x).sparse:
        return []
    found = scales(x)
    varies = found.spread > 1e-12
    if not varies.any():
        return []
    spread, center = found.spread[varies], np.abs(found.center[varies])
    large = float(np.mean(spread > LARGE))
    far = float(np.mean((center > FAR * spread) & (center > FAR)))
    apart = float(spread.max() / spread.min())
    text = ""
    if large > 0.2:
        text = f"{large:.0%} of the inputs spread by more than {LARGE:g}, the widest by {spread.max():.3g}"
    elif far > 0.2:
        text = f"{far:.0%} of the inputs lie further than {FAR:g} spreads from 0, the furthest at {center.max():.3g}"
    elif apart > APART and spread.max() > LARGE:
        text = f"the spreads of the inputs reach from {spread.min():.2g} to {spread.max():.3g}"
    elif found.row < 0.2:
        text = f"inputs differ from their mean by {found.row:.2g} in the median"
    if not text or (found.row < 0.2 and inputs_scaled_twice(seen)):
        return []
    sure = 0.6 + 0.1 * (spread.max() > 100) + 0.1 * (seen.optimizer.name == "SGD")
    certain = large > 0.2 and baseline_of(seen) is None and _flat_behind(seen)
    if certain:
        text += f", and nearly all units of {seen.units[0].name} are flat"
    return [Finding(cause="inputs_not_scaled", confidence=sure, certain=certain, evidence=text, tag="inputs/spread")]


def _flat_behind(seen: Observation) -> bool:
    """Whether more than 90 % of the first units are saturated or silent, in each of the last three looks."""
    looks = [(p.saturated, p.dead) for p in seen.probes[-3:]]
    if len(looks) < 3 or any(s is None or d is None or not len(s) for s, d in looks):
        return False
    return all(float(np.nanmax([0.0, s[0], d[0]])) > 0.9 for s, d in looks if s is not None and d is not None)


def inputs_scaled_twice(seen: Observation) -> list[Finding]:
    """Row 12: pixels that were divided by 255 twice.

    Threshold: all inputs in [0, 1.01 / 255], or as near to -1, with a spread above 0 within the examples; certain where
    the largest of rows of at least 64 numbers is 1 / 255, within a hundredth of it, and of images half of that. Certain
    too: a first layer Rescaling by a twentieth or less, of examples that reach no further than 5. Must stay silent:
    blank images.
    Source: row 12 of the taxonomy; UMLAUT's range check, for the other end of the range.
    """
    if layer := _rescaled_again(seen):
        return [layer]
    x = first_inputs(seen)
    if x is None:
        return []
    shifted, low = x, 0
    if np.ptp(x) * 127 < 1.01 and abs(float(x.min()) + 1) < 1e-3:  # x / 127.5 - 1, the second time
        shifted, low = (x + 1) / 2, -1
    if shifted.min() < 0 or shifted.max() * 255 > 1.01 or shifted.max() <= 0:
        return []
    if np.median(x.reshape(len(x), -1).std(1)) <= 0:
        return []
    text = f"inputs reach from {low} to {x.max():.3g}: pixels divided by 255 once reach 1"
    near = 0.5 if x.ndim == 4 else 0.01  # the brightest pixel need not be white
    exact = abs(float(shifted.max()) * 255 - 1) < near and x[0].size >= 64  # and no small number by chance
    return [Finding(cause="inputs_scaled_twice", confidence=0.9, certain=exact, evidence=text, tag="inputs/max")]


def _rescaled_again(seen: Observation) -> Finding | None:
    """A layer that divides pixels, in front of what holds pixels no more."""
    first = next(
        (layer for layer in seen.layers if layer["class"] not in ("InputLayer", "Sequential", "Functional")), {}
    )
    scale = first.get("config", {}).get("scale")
    x = seen.train.x if seen.train is not None else None
    if first.get("class") != "Rescaling" or not isinstance(scale, float | int) or not 0 < scale <= 0.05 or x is None:
        return None
    if x.dtype.kind != "f" or x[0].size < 64 or not 0 < float(np.abs(x).max()) <= 5:
        return None
    text = f"{first['name']} multiplies by {scale:.3g} what reaches no further than {np.abs(x).max():.3g}"
    return Finding(
        cause="inputs_scaled_twice",
        confidence=0.95,
        certain=True,
        evidence=text,
        layer=first["name"],
        tag="inputs/max",
    )


def targets_not_scaled(seen: Observation) -> list[Finding]:
    """Row 13: targets further away than the output layer can move, or than a squared error bears.

    Threshold: mean or spread of the targets above 10 with a squared or absolute error. With Adam, whose steps are about
    as long as the rate, they are out of reach when their size exceeds rate x steps x (1 + sum of the last activations):
    then it is the surer; within reach it is a note. Named when there is harm, since with time and a high enough rate it
    is no fault; where the rate is below a tenth of the usual one and the targets below 100, the rate is the surer
    cause. Of several outputs one whose squared or absolute error stays above 10,000, or a thousand times above the loss
    of classes, which falls by less than a tenth. Must stay silent: outputs scaled back inside the model. Source: row 13
    of the taxonomy.
    """
    for output, (name, losses) in losses_of_outputs(seen).items():
        if name in DIFFERENCES and losses[0] > 1e4 and losses[0] >= losses[-1] > 0.5 * losses[0]:
            text = f"the {name} of {output} starts at {losses[0]:.3g} and ends at {losses[-1]:.3g} (above 10,000)"
            return [Finding(cause="targets_not_scaled", confidence=0.88, evidence=text, tag=f"epoch/{output}_loss")]
    if found := _drowning_out(seen):
        return [found]
    y = targets_of(seen)
    if y is None or seen.loss.name not in DIFFERENCES or not np.isfinite(y).all():
        return []
    center, spread = abs(float(y.mean())), float(y.std())
    if max(center, spread) <= FAR:
        return []
    text, sure = f"targets have mean {y.mean():.3g} and spread {spread:.3g}; {FAR:g} is bearable", 0.6
    reach, near = _reach(seen), False
    if reach is not None and center + spread > reach:
        slow = (seen.optimizer.rate or 0) < 1e-4 and center + spread < 100
        text, sure = f"{text}; {seen.optimizer.name} could move the output by about {reach:.3g}", 0.6 if slow else 0.9
    elif reach is not None:
        near = center + spread < 0.1 * reach
    kind = "note" if near else "named"
    return [Finding(cause="targets_not_scaled", kind=kind, confidence=sure, evidence=text, tag="outputs/max")]


def _reach(seen: Observation) -> float | None:
    """How far the steps seen can move the output with an optimizer whose steps are as long as its rate."""
    rate, last = seen.optimizer.rate, seen.probes[0] if seen.probes else None
    if rate is None or seen.optimizer.name in ("", "SGD") or seen.steps is None or last is None:
        return None
    kernels = [v for v in seen.variables if seen.units and v.layer == seen.units[-1].name and len(v.shape) == 2]
    if not kernels or last.mean is None or len(last.mean) < 2:
        return None
    return float(rate * seen.steps.count * (1 + kernels[-1].shape[0] * abs(last.mean[-2])))


def _drowning_out(seen: Observation) -> Finding | None:
    """One of several outputs whose error is all that the others are trained by."""
    found = losses_of_outputs(seen)
    large = {name: losses for name, (loss, losses) in found.items() if loss in DIFFERENCES and losses.min() > 1e3}
    for name, (loss, losses) in found.items():
        for other, errors in large.items() if loss in CATEGORICAL + BINARY else ():
            if errors[-1] > 1e3 * losses[-1] and losses[-1] > 0.9 * losses[0]:
                text = (
                    f"the error of {other} ends at {errors[-1]:.3g} beside a loss of {losses[-1]:.3g} of {name}, which "
                    f"started at {losses[0]:.3g}"
                )
                tag = f"epoch/{other}_loss"
                return Finding(cause="targets_not_scaled", confidence=0.88, certain=True, evidence=text, tag=tag)
    return None


def nan_or_inf_in_data(seen: Observation) -> list[Finding]:
    """Row 14: inputs or targets are not finite.

    Certain when the loss is not finite either and the weights were finite before the step at which it showed; with a
    finite loss only where there is harm, since a mask or an imputing layer takes care of it. Must stay
    silent: inputs that became so behind weights that already were. Source: UMLAUT's u1.
    """
    losses = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    broken = not np.isfinite(losses).all()
    for where, values in _places(seen):
        if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
            share = float(np.mean(~np.isfinite(values)))
            return [
                Finding(
                    cause="nan_or_inf_in_data",
                    confidence=1.0 if broken else 0.93,
                    certain=broken,
                    evidence=f"{share:.2g} of the values of {where} are not finite",
                    tag="inputs/max",
                )
            ]
    return []


def _places(seen: Observation) -> list[tuple[str, np.ndarray | None]]:
    found: list[tuple[str, np.ndarray | None]] = []
    if seen.train is not None:
        found += [("the training inputs", seen.train.x), ("the training targets", seen.train.y)]
    for probe in seen.probes:
        if _sound(seen, probe):
            found += [(f"the inputs at step {probe.step}", probe.x), (f"the targets at step {probe.step}", probe.y)]
    return found


def _sound(seen: Observation, probe: Probe) -> bool:
    """Whether all weights were finite before the step of `probe`."""
    if probe.step == 0 or seen.steps is None:
        return True
    row = np.flatnonzero(seen.steps.index == probe.step)
    return bool(len(row) and np.isfinite(seen.steps.weight[row[0]]).all())


def label_noise(seen: Observation) -> list[Finding]:
    """Row 45: labels that contradict what like inputs say.

    A note: more than 3 % of the rows, by the lower exact 95 % bound, are suspects of confident learning, while
    neighbours do agree on the class as a whole. Must stay silent: pairs shuffled apart; classes that overlap, up to 15
    % of the rows, in two-class data. Source: Northcutt, Jiang, Chuang (2021).
    """
    data = seen.train
    if data is None or data.y is None or len(data.x) < 200 or data.x.dtype.kind not in "iuf" or data.x[0].size > 4096:
        return []
    y = classes_of(data.y)
    if y is None or len(np.unique(y)) < 2 or (seen.units and seen.units[0].kind == "embedding") or several_inputs(seen):
        return []
    rows = np.linspace(0, len(y) - 1, min(len(y), 1000)).astype(int)
    suspects = mislabelled(data.x[rows], y[rows])
    low = share_interval(len(suspects), len(rows))[0]
    if low <= 0.03:
        return []
    text = f"{len(suspects)} of {len(rows)} labels contradict those of their neighbours (at least {low:.1%})"
    return [Finding(cause="label_noise", kind="note", confidence=0.5, evidence=text, tag="labels/entropy")]


def inputs_drowned_in_noise(seen: Observation) -> list[Finding]:
    """Row 46: noise that the script adds to its inputs is larger than they are.

    Threshold: the noise seen in the graph has a spread of more than 1.8 times that of the inputs, a signal-to-noise
    ratio below 0.3; or neighbouring pixels of what enters correlate below .2 and a quarter of what those of the stored
    images (of validation, where these are not known) do, which must be above .3; less sure where they correlate below
    .15, whatever is stored; or the rows of training have spreads by which that noise is on them, and on none of those
    held out, and a third or less of the correlations of these. Only for classes, and for targets that are smaller than
    the input: networks that remove noise are given more. Must stay silent: augmentation and dropout on inputs, which
    keep the ratio above 1. Source: row 46 of the taxonomy.
    """
    y, x = targets_of(seen), joined([probe.x for probe in seen.probes[:16]])
    if y is None or (classes_of(y) is None and (x is None or y[:1].size >= x[:1].size)):
        return []
    noise, text = seen.experiments.get("noise", 0.0), ""
    if noise > 1.8:
        text = f"noise of {noise:.2g} times the spread of the inputs: signal to noise {noise**-2:.2g}, below 0.3"
    stored = seen.train.x if seen.train is not None else seen.validation.x if seen.validation is not None else None
    picture = x is not None and x.ndim == 4 and min(x.shape[1:3]) > 1  # a sequence enters a convolution as one row
    if not text and x is not None and picture and stored is not None and x.shape[1:] == stored.shape[1:]:
        here, there = neighbour_correlation(x), neighbour_correlation(stored)
        if there > 0.3 and here < min(0.2, 0.25 * there):
            kept = "as stored" if seen.train is not None else "in validation"
            text = f"neighbouring pixels correlate by {here:.2f} where they enter, and by {there:.2f} {kept}"
    sure, tag = 0.9, "inputs/neighbour_correlation"
    if not text and x is not None and picture and (here := neighbour_correlation(x)) < 0.15:
        sure, text = 0.65, f"neighbouring pixels correlate by {here:.2f}: those of pictures do by .3 and more"
    for train, other, name in parts(seen) if not text else ():
        if times := drowned(train.x, other.x):
            text, tag = f"noise of {times:.2g} times the spread of {name}, whose correlations are gone in training", ""
    return [Finding(cause="inputs_drowned_in_noise", confidence=sure, evidence=text, tag=tag)] if text else []


RULES = {
    "label_encoding": label_encoding,
    "constant_labels": constant_labels,
    "missing_class": missing_class,
    "class_imbalance": class_imbalance,
    "inputs_not_scaled": inputs_not_scaled,
    "inputs_scaled_twice": inputs_scaled_twice,
    "targets_not_scaled": targets_not_scaled,
    "nan_or_inf_in_data": nan_or_inf_in_data,
    "label_noise": label_noise,
    "inputs_drowned_in_noise": inputs_drowned_in_noise,
}
