"""Rules on the soundness of inputs and targets: rows 14 and 46 of the table of causes."""

from keras_course.diagnostics.comparisons import drowned, label_drift, shift
from keras_course.diagnostics.harm import harm_of
from keras_course.diagnostics.held_out import FEW, MANY, Classed, classes_of_both, parts
from keras_course.diagnostics.observation import Data, Finding, Observation, Probe
from keras_course.diagnostics.references import COLUMNS
from keras_course.diagnostics.seen import (
    joined,
    rows_of,
    targets_of,
)
from keras_course.diagnostics.statistics import classes_of, neighbour_correlation
from keras_course.diagnostics.telling import error_of_difference, explained, transfer

import numpy as np

EXPECTED = 5  # rows with gaps, of which none is seen with a probability below .01


def nan_or_inf_in_data(seen: Observation) -> list[Finding]:
    """Row 14: inputs or targets are not finite.

    Certain when the loss is not finite either and the weights were finite before the step at which it showed; with a
    finite loss only where there is harm, since a mask or an imputing layer takes care of it. Certain too of inputs that
    are held out, whatever their loss (a fused ReLU makes 0 of NaN), where as many in training would have been seen, and
    those are all finite. Must stay silent: inputs that became so behind weights that already were. Source: UMLAUT's u1.
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
                    evidence=f"{100 * share:.3g} % of the values of {where} are not finite",
                    tag="inputs/max",
                )
            ]
    if (share := seen.experiments.get("gaps", 0.0)) > 0 and np.isfinite(losses[:1]).all():
        text = f"{100 * share:.3g} % of the rows of what a step is given hold values that are not finite"
        return [Finding(cause="nan_or_inf_in_data", confidence=0.93, evidence=text, tag="inputs/max")]
    return _gaps_elsewhere(seen)


def _gaps_elsewhere(seen: Observation) -> list[Finding]:
    """Gaps in what is held out alone."""
    for train, other, name in parts(seen):
        if train.x.dtype.kind != "f" or other.x.dtype.kind != "f" or not np.isfinite(train.x).all():
            continue
        rows = float(np.mean(~np.isfinite(other.x).all(axis=tuple(range(1, other.x.ndim)))))
        if rows * len(train.x) > EXPECTED:
            text = f"{100 * rows:.3g} % of the rows of {name} hold values that are not finite, all of training are"
            return [Finding(cause="nan_or_inf_in_data", confidence=0.97, certain=True, evidence=text)]
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


def inputs_drowned_in_noise(seen: Observation) -> list[Finding]:
    """Row 46: noise that the script adds to its inputs is larger than they are.

    Threshold: the noise seen in the graph has a spread of more than 1.8 times that of the inputs, a signal-to-noise
    ratio below 0.3; or neighbouring pixels of what enters correlate below .2 and a quarter of what those of the stored
    images (of validation, where these are not known) do, which must be above .3; less sure where they correlate below
    .15, whatever is stored, unless those held out do so too; or the rows of training have spreads by which that noise
    is on them, and on none of those held out, and a third or less of the correlations of these, or the same variance on
    features of unlike spreads; or rows of training spread 1.8 times as far, and a linear model tells a tenth and four
    standard errors fewer of their labels, or a tenth and half less of the variance of their targets. Only for classes,
    and for targets that are smaller than the input: networks that remove noise are given more, of which more than 5
    times the spread is named when next to nothing is learned; theirs is also seen as inputs less targets. Must stay
    silent: augmentation and dropout on inputs, which keep the ratio above 1. Source: row 46 of the taxonomy.
    """
    y, x = targets_of(seen), joined([probe.x for probe in seen.probes[:16]])
    noise, text = seen.experiments.get("noise", 0.0), ""
    widths = [part[:1].size for part in (x, seen.train.x if seen.train is not None else None) if part is not None]
    cleaned = y is not None and classes_of(y) is None and y[:1].size >= max(widths, default=0)
    noise = noise or (_added(seen) if cleaned else 0.0)
    if y is None or (cleaned and (noise <= 5 or harm_of(seen).degree < 0.8)):
        return []
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
    alike = any(other.x.ndim == 4 and neighbour_correlation(other.x) < 0.15 for _, other, _ in parts(seen))
    if not text and x is not None and picture and not alike and (here := neighbour_correlation(x)) < 0.15:
        sure, text = 0.65, f"neighbouring pixels correlate by {here:.2f}: those of pictures do by .3 and more"
    for train, other, name in parts(seen) if not text else ():
        if times := drowned(train.x, other.x):
            text, tag = f"noise of {times:.2g} times the spread of {name} lies on the rows of training alone", ""
    if not text and (text := _hidden_by_noise(seen)):
        tag = ""
    return [Finding(cause="inputs_drowned_in_noise", confidence=sure, evidence=text, tag=tag)] if text else []


def _hidden_by_noise(seen: Observation) -> str:
    """In words, that rows of training spread further than others, and that a linear model of their own tells less of
    their targets: noise hides targets, another scale does not; or ""."""
    for train, other, name in parts(seen):
        if train.x.dtype.kind != "f" or train.x[0].size > COLUMNS or not np.isfinite(train.x).all():
            continue
        moved = shift(train.x, other.x, ratio=1.8)
        if moved.share < 0.5 or moved.factor > 1 / 1.8:
            continue
        both = classes_of_both(train, other, name)
        told = _told_of_targets(train, other) if both is None else _told_of_classes(both)
        if told is not None and told[1] - told[0] > max(0.1, told[2]):
            return (
                f"the rows of training spread {1 / moved.factor:.2g} times as far as those of {name}, and a linear "
                f"model of their own tells {told[0]:.0%} of their targets and {told[1]:.0%} of those of {name}"
            )
    return ""


def _told_of_classes(both: Classed) -> tuple[float, float, float] | None:
    """The shares of the labels that a linear model of each part tells, and four standard errors of their difference;
    None where the classes have other shares."""
    train, other, _, a, b = both
    if label_drift(a, b).distance > 0.2:
        return None
    inside, elsewhere = transfer(train.x, a, train.x, a).inside, transfer(other.x, b, other.x, b).inside
    return inside, elsewhere, 4 * error_of_difference(inside, len(a), elsewhere, len(b))


def _told_of_targets(train: Data, other: Data) -> tuple[float, float, float] | None:
    """The shares of the variance that a linear model of each part tells of real targets, or of several labels a row,
    and half of the latter: noise as strong as the signal takes as much; None of classes, and of few rows."""
    a, b = train.y, other.y
    if a is None or b is None or classes_of(a) is not None or a.shape[1:] != b.shape[1:] or a[:1].size > FEW:
        return None
    if a.dtype.kind not in "iufb" or min(len(a), len(b)) < 2 * MANY or not np.isfinite(other.x).all():
        return None
    inside, elsewhere = explained(train.x, a), explained(other.x, b)
    return inside, elsewhere, 0.5 * elsewhere


def _added(seen: Observation) -> float:
    """The spread of what inputs hold beside their targets, against that of these, where it has nothing to do with them:
    noise that is to be removed; 0 otherwise."""
    data = rows_of(seen)
    if data is None or data.y is None or data.x.dtype.kind != "f" or len(data.x) < FEW:
        return 0.0
    if len(data.x) != len(data.y) or data.x[0].size != data.y[0].size:  # a sequence enters a convolution as one row
        return 0.0
    clean = data.y.astype("float64").ravel()
    rest = data.x.astype("float64").ravel() - clean
    if not np.isfinite(rest).all() or min(np.std(clean), np.std(rest)) <= 0:
        return 0.0
    return 0.0 if abs(np.corrcoef(rest, clean)[0, 1]) > 0.1 else float(np.std(rest) / np.std(clean))


RULES = {
    "nan_or_inf_in_data": nan_or_inf_in_data,
    "inputs_drowned_in_noise": inputs_drowned_in_noise,
}
