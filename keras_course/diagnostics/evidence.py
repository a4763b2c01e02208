"""What shows a cause: for each, the tags whose values can show it, and when they do.

`shows` judges an answer's evidence against the event files of the training. The rules of the doctor judge more finely,
and with more than one tag; here a reader names the one curve that convinced them.
"""

import fnmatch
from collections.abc import Callable
from typing import Any

import numpy as np

Events = dict[str, tuple[np.ndarray, np.ndarray]]  # tag -> (steps, values)
Test = Callable[[np.ndarray, Events], Any]  # what it returns is taken as true or false
Tags = list[tuple[str, Test]]  # patterns of tags that can show a cause, and when they do


def shows(cause: str, tag: str, events: Events) -> bool:
    """Whether the values under `tag` show `cause`. A tag that is not there shows nothing."""
    if tag not in events:
        return False
    values = events[tag][1]
    with np.errstate(all="ignore"):
        return any(bool(test(values, events)) for pattern, test in EVIDENCE[cause] if fnmatch.fnmatch(tag, pattern))


def reaches(limit: float) -> Test:
    return lambda values, events: np.nanmax(values) >= limit


def starts_above(limit: float) -> Test:
    """Before any step was made, so that no step is to blame."""
    return lambda values, events: values[0] >= limit


def stays_below(limit: float) -> Test:
    return lambda values, events: np.isfinite(values).all() and np.max(values) <= limit


def stays_above(limit: float) -> Test:
    return lambda values, events: np.isfinite(values).all() and np.min(values) >= limit


def usually_below(limit: float) -> Test:
    return lambda values, events: np.nanmedian(values) <= limit


def breaks(values: np.ndarray, events: Events) -> bool:
    """Not finite somewhere."""
    return not np.isfinite(values).all()


def rises(values: np.ndarray, events: Events) -> bool:
    """Twice as high at the end as at the start, and higher in each quarter than in the one before."""
    quarters = [np.median(part) for part in np.array_split(values, 4)]
    return quarters[-1] > 2 * quarters[0] and all(np.diff(quarters) > 0)


def fades(factor: float) -> Test:
    """Smaller by `factor` in the last tenth than in the first, on the median."""

    def test(values: np.ndarray, events: Events) -> bool:
        tenths = np.array_split(values, 10)
        return np.nanmedian(tenths[-1]) * factor <= np.nanmedian(tenths[0])

    return test


def never_changes(values: np.ndarray, events: Events) -> bool:
    return len(values) > 2 and np.isfinite(values).all() and np.ptp(values) <= 1e-6 * abs(values[0])


def stays_zero(values: np.ndarray, events: Events) -> bool:
    """Every step changes nothing. The last value may be missing: nothing is known of what the last step did."""
    return len(values) > 2 and not np.nan_to_num(values).any()


def same_bars(values: np.ndarray, events: Events) -> bool:
    """Histograms (n, buckets, 3): the last is the first."""
    return len(values) > 1 and bool((values[0] == values[-1]).all())


def few_values(values: np.ndarray, events: Events) -> bool:
    """Histograms (n, buckets, 3) of a matrix with a handful of different entries at the start."""
    counts = values[0][:, 2]
    return counts.sum() > 50 and (counts > 0).sum() <= 2


def least_of_its_kind(quantity: str, share: float) -> Test:
    """At the start below `share` of the largest unit's value of the same quantity."""

    def test(values: np.ndarray, events: Events) -> bool:
        others = [found[1][0] for tag, found in events.items() if tag.startswith(f"{quantity}/")]
        return values[0] <= share * np.nanmax(others)

    return test


def never_below(tag: str, share: float) -> Test:
    """In its last quarter at least `share` of the mean of the values under `tag`: nothing is learned."""

    def test(values: np.ndarray, events: Events) -> bool:
        return tag in events and np.median(values[-len(values) // 4 :]) >= share * np.mean(events[tag][1])

    return test


def apart(tag: str, factor: float) -> Test:
    """At the end `factor` times the last value under `tag`, or more."""
    return lambda values, events: tag in events and values[-1] >= factor * events[tag][1][-1]


def lags(tag: str, gap: float) -> Test:
    """At the end at least `gap` below the last value under `tag`."""
    return lambda values, events: tag in events and values[-1] <= events[tag][1][-1] - gap


def turns(values: np.ndarray, events: Events) -> bool:
    """At the end half as high again as at its lowest, which came before."""
    return bool(np.argmin(values) < len(values) - 1 and values[-1] >= 1.5 * np.min(values))


def all_of(*tests: Test) -> Test:
    return lambda values, events: all(test(values, events) for test in tests)


LARGE: Tags = [("inputs/max", reaches(20)), ("inputs/spread", reaches(5)), ("inputs/mean", reaches(5))]
TRAIN_ONLY: Tags = [("epoch/val_loss", apart("epoch/loss", 3)), ("epoch/val_accuracy", lags("epoch/accuracy", 0.4))]
UNMOVED: Tags = [("update_ratio/*", stays_zero), ("weight_norm/*", never_changes), ("weights/*", same_bars)]

EVIDENCE: dict[str, Tags] = {
    "softmax_on_single_unit": [
        ("outputs/spread_over_inputs", stays_below(1e-6)),
        ("outputs/min", stays_above(1 - 1e-6)),
    ],
    "logits_to_probability_loss": [
        ("outputs/min", lambda values, events: np.nanmin(values) < 0),
        ("outputs/max", reaches(1.001)),
        ("outputs/row_sum", lambda values, events: np.nanmax(np.abs(values - 1)) > 0.05),
    ],
    "probabilities_to_logits_loss": [
        ("outputs/row_sum", all_of(stays_above(1 - 1e-3), stays_below(1 + 1e-3))),
        ("outputs/max", all_of(stays_above(0), stays_below(1))),
        ("outputs/min", all_of(stays_above(0), stays_below(1))),
    ],
    "output_range_cannot_reach_targets": [
        ("outputs/min", stays_above(-1)),
        ("outputs/max", stays_below(1)),
    ],
    "class_imbalance": [("labels/entropy", usually_below(0.35))],
    "inputs_not_scaled": LARGE,
    "inputs_scaled_twice": [
        ("inputs/max", stays_below(0.02)),
        ("inputs/spread", stays_below(0.01)),
        ("inputs/mean", stays_below(0.01)),
    ],
    "targets_not_scaled": [("loss", starts_above(1e3)), ("epoch/loss", starts_above(1e3))],
    "nan_or_inf_in_data": [(f"inputs/{name}", breaks) for name in ("mean", "spread", "min", "max")],
    "labels_shuffled_apart": [("loss", never_below("labels/entropy", 0.9))],
    "data_sorted": [("labels/entropy", usually_below(1.0))],
    "shuffle_buffer_too_small": [("labels/entropy", usually_below(1.0))],
    "validation_split_sorted": TRAIN_ONLY,
    "train_val_preprocessing_mismatch": TRAIN_ONLY,
    "symmetric_or_zero_init": [("weights/*", few_values)],
    "init_scale": [
        ("activation_spread/*", starts_above(10)),
        ("loss", starts_above(20)),
        ("activation_gradient/*", starts_above(10)),
    ],
    "frozen_or_disconnected": UNMOVED,
    "optimiser_not_applied": UNMOVED,
    "gradient_sign_flipped": [("loss", rises)],
    "loss_broadcast": [("outputs/spread_over_inputs", usually_below(0.3))],
    "learning_rate_too_high": [("update_ratio/*", reaches(0.25)), ("loss", reaches(20))],
    "learning_rate_too_low": [("update_ratio/*", all_of(stays_below(1e-3), usually_below(3e-4)))],
    "lr_schedule_wrong": [("update_ratio/*", fades(1e3)), ("learning_rate", fades(100))],
    "vanishing_gradient": [
        ("gradient_norm/*", least_of_its_kind("gradient_norm", 1e-3)),
        ("activation_gradient/*", least_of_its_kind("activation_gradient", 1e-3)),
    ],
    "dead_units": [("dead_share/*", reaches(0.5))],
    "saturated_units": [("saturated_share/*", reaches(0.5))],
    "batchnorm_mode": TRAIN_ONLY,
    "regularisation_overwhelms": [("weight_norm/*", fades(5))],
    "overfitting": [("epoch/val_loss", turns)],
    "inputs_drowned_in_noise": [
        ("inputs/neighbour_correlation", stays_below(0.3)),
        ("inputs/spread", stays_above(1)),
        ("inputs/max", stays_above(3)),
        ("inputs/min", stays_below(-3)),
        ("inputs/images", lambda values, events: True),
    ],
}
