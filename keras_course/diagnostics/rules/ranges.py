"""Rule on what the activation of the output can say, and what the targets ask for: row 5 of the table of causes."""

import math

from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.seen import BINARY, DIFFERENCES, outputs_of, sinks_below_zero, targets_of
from keras_course.diagnostics.statistics import form_of, share_interval

import numpy as np

ROWS = 3  # targets that must lie outside: one can be a rounding error
RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "softsign": (-1.0, 1.0),
}


def out_of_reach(seen: Observation) -> list[Finding]:
    """Row 5: targets outside of what the activation of the output can give.

    Threshold: at least 3 different targets outside, and a floor of the loss, E[(y - clip(y))²], of more than 5 % of the
    variance of the targets; below it a note. Certain from half of the variance on, or when a tenth of the targets lies
    outside: no training repairs it; also where a loss of the script's own falls below 0, as a cross-entropy in it does
    then; or an output that is cut off at a number of its own (see `_at_its_end`); or a softmax before shares, as of
    pixels, of which half of the rows add up to 0.5 or more besides 1. A ReLU before a binary cross-entropy on logits
    says p >= 1/2 always. Must stay silent: targets on the boundary; a few outliers. Source: TheDeepChecker's t7, made
    quantitative.
    """
    if seen.head in ("relu", "relu6", "softplus") and seen.loss.name in BINARY and seen.loss.from_logits:
        low = _finding(seen, "logits that cannot be negative give no probability below one half", 0.9, True)
        return [low] if (y := targets_of(seen)) is not None and np.mean(y < 0.5) > 0.05 else []
    y = targets_of(seen)
    if (
        seen.loss.name in BINARY
        and y is not None
        and y.ndim > 1
        and 1 < y.shape[-1] == seen.classes  # one for each output: pixels, not classes
        and np.mean((y < -0.01) | (y > 1.01)) > 0.01
    ):
        text = (
            f"targets from {y.min():.3g} to {y.max():.3g} are no probabilities, which a binary cross-entropy compares"
        )
        return [_finding(seen, text, 0.95, True)]
    if found := _below_zero(seen, y) or _shared_among_all(seen, y) or _at_its_end(seen, y):
        return [_finding(seen, found, 0.95, True)]
    if (
        seen.head not in RANGES
        or seen.loss.name not in (*DIFFERENCES, "poisson")
        or y is None
        or seen.classes == 1 == len(np.unique(y))
    ):
        return []
    if seen.head == "softmax" and seen.classes == 1:
        return []  # row 1
    low_end, high_end = RANGES[seen.head]
    values = y[np.isfinite(y)].astype("float64")
    rest = values - np.clip(values, low_end, high_end)
    outside = np.abs(rest) > 1e-6
    if len(np.unique(values[outside])) < ROWS and not (outside.mean() > 0.2):
        return []
    variance = max(float(np.var(values)), 1e-12)
    floor = float(np.mean(rest**2))
    share = share_interval(int(outside.sum()), len(values), 0.99)[0]
    text = (
        f"{outside.mean():.0%} of the targets lie outside [{low_end:g}, {high_end:g}], the range of {seen.head}: the "
        f"mean squared error cannot fall below {floor:.3g}, and a constant reaches {variance:.3g}"
    )
    if share <= 0 or floor < 0.05 * variance:
        return [_finding(seen, text, 0.3, False, kind="note")] if share > 0 else []
    return [_finding(seen, text, 0.95 if floor > 0.5 * variance else 0.85, floor > 0.5 * variance or share > 0.1)]


STUCK = 0.2  # of the outputs that are exactly the largest, or the least, and of the targets beyond it


def _at_its_end(seen: Observation, y: np.ndarray | None) -> str:
    """In words, an output of real targets that says one and the same largest (or least) number in each of the last
    looks, and not 0, for a fifth of the rows and more, while a fifth of the targets lie beyond: an activation that is
    cut off there, as a hard sigmoid; "" without."""
    looks = [np.ravel(output).astype("float64") for _, output in outputs_of(seen)[-3:]]
    if seen.loss.name not in DIFFERENCES or seen.classes != 1 or seen.head in RANGES or len(looks) < 3:
        return ""
    if y is None or y.dtype.kind not in "iuf" or not np.isfinite(y).all():
        return ""
    said, margin = np.concatenate(looks), 0.05 * float(np.std(y))
    needed = STUCK if np.ptp(said) > 0 else 1 - STUCK / 2  # a bias alone comes to lie between the targets
    for end, beyond, word in (
        (np.max, y > np.max(said) + margin, "above"),
        (np.min, y < np.min(said) - margin, "below"),
    ):
        bound, at, left = float(end(said)), float(np.mean(said == end(said))), float(np.mean(beyond))
        if bound != 0 and all(end(look) == bound for look in looks) and at > STUCK and left > needed:
            return f"{at:.0%} of the outputs are exactly {bound:.4g}, and {left:.0%} of the targets lie {word} it"
    return ""


def _below_zero(seen: Observation, y: np.ndarray | None) -> str:
    """In words, targets beyond the probabilities of a sigmoid whose loss, of no name, falls below 0; "" without, or of
    two values, which are labels."""
    if seen.head != "sigmoid" or y is None or not np.isfinite(y).all() or not sinks_below_zero(seen):
        return ""
    if np.mean((y < -0.01) | (y > 1.01)) <= 0.01 or len(np.unique(y[:20000])) == 2:
        return ""
    return f"targets from {y.min():.3g} to {y.max():.3g} beside a sigmoid, and a loss that falls below 0"


def _shared_among_all(seen: Observation, y: np.ndarray | None) -> str:
    """In words, a softmax, whose outputs add up to 1, before shares each of its own, as of the pixels of a picture,
    that do not; "" without."""
    if seen.head != "softmax" or seen.loss.name not in (*DIFFERENCES, *BINARY) or y is None or form_of(y) != "real":
        return ""
    if y.ndim < 2 or not 1 < y.shape[-1] == seen.classes or not np.isfinite(y).all() or y.min() < 0:
        return ""
    sums = y.sum(-1)
    if np.mean(np.abs(sums - 1) > 0.5) < 0.5:
        return ""
    return f"softmax shares 1 among {y.shape[-1]} outputs, and the targets of a row add up to {np.median(sums):.3g}"


def _finding(seen: Observation, evidence: str, confidence: float, certain: bool, kind: str = "named") -> Finding:
    return Finding(
        cause="output_range_cannot_reach_targets",
        kind=kind,
        confidence=confidence,
        certain=certain,
        evidence=evidence,
        layer=seen.units[-1].name if seen.units else "",
        tag="outputs/max",
    )


RULES = {"output_range_cannot_reach_targets": out_of_reach}
