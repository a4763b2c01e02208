"""Rules on whole curves: rows 40 to 42 of the taxonomy. They come last, when nothing else explains the harm."""

from keras_course.diagnostics.harm import Harm, harm_of
from keras_course.diagnostics.losses import baseline_of
from keras_course.diagnostics.observation import LEFT_OVER, Finding, Observation
from keras_course.diagnostics.seen import (
    CATEGORICAL,
    DIFFERENCES,
    SHORT,
    few_examples,
    targets_of,
    widths_of,
    worst_unit,
)
from keras_course.diagnostics.statistics import left_of_axes

import numpy as np

HANDFUL, FEW_ROWS = 50, 100  # rows: which any network holds, and most do


def overfitting(seen: Observation) -> list[Finding]:
    """The validation loss turns and climbs while the training loss still falls; or what was learned holds nowhere else.

    Threshold: the mean of its last three epochs lies above its best by more than three robust standard deviations of
    its own changes and by at least a quarter of it, at least three epochs after it, with a training loss below half of
    it. Certain where it has doubled, or where callbacks go by the training alone. Of 20 to 99 rows of validation, of
    which one can move the mean, only where a squared or absolute error climbs above that of a constant: the last
    weights are worth nothing.
    Or, certain: the last weights are right on more than nine tenths of the rows of the training and on those held out
    by 0.15 less often than a linear model of the same rows, by which there is more to be known of them; or by 0.2 less
    often, with a loss above half of that of a constant, which knows nothing; or by 0.15, of fewer than 50 rows, or by
    0.25, of fewer than 100.
    Or, certain: see `_worse_than_nothing`; and, where nothing else is named, validation lacks seven tenths of what
    there is to gain and the training a fifth at most, unless a penalty is in both and the answers are known; of three
    to seven epochs these alone.
    Must not trigger: a validation loss that wiggles about its floor; a callback that keeps the weights of the best
    epoch. Source: taxonomy row 40; Prechelt (1998).
    """
    e = seen.experiments
    if e.get("linear_held", -np.inf) > max(e.get("right_held", np.inf), 0.0) + 0.15:
        text = (
            f"the last weights are right on {e['right_train']:.0%} of the training and on {e['right_held']:.0%} of "
            f"what is held out, of which a linear model of the training is right on {e['linear_held']:.0%}"
        )
        return [Finding(cause="overfitting", confidence=0.7, certain=True, evidence=text, tag="epoch/val_loss")]
    rows = e.get("rows_train", np.inf)
    gap = 0.15 if rows < HANDFUL else 0.25
    handful = rows < FEW_ROWS and e["right_train"] > max(0.9, e["right_held"] + gap)
    if handful or (e.get("held_loss", 0.0) > 0.5 and e["right_train"] > max(0.9, e["right_held"] + 0.2)):
        text = (
            f"the last weights are right on {e['right_train']:.0%} of the training and on "
            f"{max(e['right_held'], 0):.0%} of what is held out"
        )
        text += f", of {e['rows_train']:.0f} rows to learn from" if handful else ""
        text += f", where their loss is {e['held_loss']:.3g} times that of a constant" if "held_loss" in e else ""
        return [Finding(cause="overfitting", confidence=0.7, certain=True, evidence=text, tag="epoch/val_loss")]
    both = [(r["loss"], r["val_loss"]) for r in seen.epochs if "loss" in r and "val_loss" in r]
    if len(both) < 3 or not np.all(np.isfinite(both)):
        return []
    train, val = np.array(both).T
    found = _worse_than_nothing(seen, train, val)
    if found or len(both) < 8:
        return found or _holds_nowhere_else(seen)
    best, end = int(np.argmin(val)), float(np.mean(val[-3:]))
    changes = np.diff(val[: best + 1]) if best > 3 else np.diff(val)
    robust = 1.4826 * float(np.median(np.abs(changes - np.median(changes)))) + 1e-12
    climbed = end - val[best]
    n, constant = (seen.validation.n if seen.validation is not None else None) or 100, baseline_of(seen)
    useless = seen.loss.name in DIFFERENCES and constant is not None and end > constant > 1.25 * val[best]
    if seen.plan.keeps_best or n < 20 or (n < 100 and not useless):
        return []
    blown = constant is not None and train[-1] > constant  # nothing is known by heart at such a loss
    if climbed < 3 * robust or climbed < 0.25 * val[best] or len(val) - best < 4 or train[-1] > 0.5 * end or blown:
        return _holds_nowhere_else(seen)
    blind = seen.plan.monitored and not any(name.startswith("val_") for name in seen.plan.monitored)
    text = f"the validation loss is lowest in epoch {best + 1} with {val[best]:.3g} and ends at {end:.3g}, while the "
    text += f"training loss falls to {train[-1]:.3g}"
    text += f"; a callback goes by {seen.plan.monitored[0]}, which is of the training" if blind else ""
    sure = bool(blind) or ((climbed > val[best] or useless) and train[-1] < 0.2 * end)
    return [Finding(cause="overfitting", confidence=0.7, step=best, tag="epoch/val_loss", certain=sure, evidence=text)]


LOST = 0.7  # of what there is to gain, that validation lacks where the training has nearly all of it


def _holds_nowhere_else(seen: Observation) -> list[Finding]:
    """What is left to say of a network that has learned its rows and next to nothing of validation."""
    harm = harm_of(seen)
    penalised = seen.loss.regularised and "right_held" in seen.experiments  # which costs no answer
    if harm.degree > 0.2 or harm.elsewhere < LOST or penalised or not seen.epochs:
        return []
    text = f"{harm.sentence}, and that of validation lacks {min(harm.elsewhere, 1):.0%} of what there is to gain"
    return [Finding(cause="overfitting", confidence=LEFT_OVER, tag="epoch/val_loss", certain=True, evidence=text)]


def _worse_than_nothing(seen: Observation, train: np.ndarray, val: np.ndarray) -> list[Finding]:
    """Validation costs more than a constant behind the last epoch, and a quarter more than at its best, where next to
    nothing is left of the loss of training."""
    constant = baseline_of(seen)
    n = (seen.validation.n if seen.validation is not None else None) or 100
    if not constant or min(constant, val.min()) <= 0 or n < 100 or seen.plan.keeps_best:
        return []  # of a likelihood below 0 nobody knows what is nothing
    if val[-1] < max(constant, 1.25 * float(val.min())) or train[-1] > 0.1 * constant:
        return []
    text = f"the validation loss rises from {val.min():.3g} to {val[-1]:.3g}, where a constant costs {constant:.3g}, "
    text += f"while that of training falls to {train[-1]:.3g}"
    return [Finding(cause="overfitting", confidence=0.65, tag="epoch/val_loss", certain=True, evidence=text)]


def _would_gain(seen: Observation) -> bool:
    """Whether twenty further steps take a tenth off the loss of the same batches."""
    start, after = (seen.experiments.get(f"late_{when}", np.nan) for when in ("start", "after"))
    return bool(start - after > 0.1 * abs(start))


def too_few_steps(seen: Observation) -> list[Finding]:
    """Training ends while the loss still falls.

    Threshold: the last third of the steps lies significantly below the third before (three standard errors and 2 %), or
    twenty further steps on copies gain a tenth of the loss, and what a simple model reaches is not reached. Or fewer
    than 50 steps were made, of a network of which a hundred of Adam take a tenth of the loss of eight examples: named
    last, and where they take nine tenths of it with less harm. Certain: from .4 of harm on, where a simple model leaves
    less than half of what a constant does (of 129 healthy runs of which that is so and whose loss still falls none has
    more than .26); or EarlyStopping takes the worse for the better, and has ended the training before half of its
    epochs, which had still gained. Source: taxonomy row 42.
    """
    if found := _stopped_at_better(seen):
        return [found]
    harm, e = harm_of(seen), seen.experiments
    count = seen.steps.count if seen.steps is not None else 0
    degree = max(harm.degree, harm.elsewhere) if count < SHORT else harm.degree
    told = harm.reference is not None and harm.baseline is not None and harm.reference < 0.5 * harm.baseline
    if harm.diverged or degree < (0.4 if count < SHORT or told else 0.5):
        return []
    sure = count < SHORT or told
    if harm.still_falling or _would_gain(seen):
        few, text = 0.5 if count < 100 else 0.35, f"the loss still falls: {harm.sentence}"
    elif count < SHORT and e.get("few_end", np.inf) < 0.9 * e.get("few_start", 0.0):
        few, sure = 0.2, e["few_end"] < 0.1 * e["few_start"]
        text = f"{count} steps were made, and a hundred take the loss of {few_examples(seen)} from "
        text += f"{e['few_start']:.3g} to {e['few_end']:.3g}"
    else:
        return []
    return [Finding(cause="too_few_steps", confidence=few, certain=sure, tag="loss", evidence=text)]


def _stopped_at_better(seen: Observation) -> Finding | None:
    """A training that ended since what it monitors got better."""
    name, planned = seen.plan.stops_at_better, seen.plan.epochs or 0
    losses = [row.get("loss", row[name]) for row in seen.epochs if name in row]
    if not name or not 2 <= len(losses) < planned / 2 or not losses[-1] < losses[0]:
        return None
    text = f"EarlyStopping takes the worse {name} for the better, and ended the training behind epoch {len(losses)} of "
    repair = f"mode='auto' for {name}, as it is without a mode"
    return Finding(
        cause="too_few_steps", confidence=0.8, certain=True, evidence=f"{text}{planned}", repair=repair, tag="loss"
    )


def small_capacity(seen: Observation) -> list[Finding]:
    """The network cannot hold what the task asks for.

    Threshold: the loss stands still above what a simple model reaches, for want of no more steps (100 were made, 50
    with one or two units, and twenty further ones gain nothing), and a hidden layer has at most four units or the
    network cannot learn eight examples by heart in 100 steps of Adam; certain for classes, where one or two units let
    such steps keep 40 % of the loss, or more classes are told by them and three tenths of the loss are left, and for
    rows of numbers behind a layer of one unit, of which four principal axes leave a third of what the network leaves,
    and one of them half of it. Certain too where a wider twin of the network learns more of the same rows
    (`_wider_learns_more`), and one as narrow not twice what the training has. Where no rate changes anything, or all of
    a wider layer is silent, the network is dead, not narrow. Named last. Tables that are looked up are no layers: a
    bias for each user is a table one wide; nor are weights of attention, and what is the output each time that it is
    called. Source: taxonomy row 41.
    """
    harm, e = harm_of(seen), seen.experiments
    found = widths_of(seen)
    layer, width = min(found, key=lambda pair: pair[1], default=("", 0))
    if _wider_learns_more(harm, e):
        text = f"the narrowest hidden layer has {width} units, and the loss ends at {harm.end:.3g}; behind the same "
        text += (
            f"steps a twin of the network leaves {e['twin_own']:.3g} of what is held out, and with more units there "
        )
        text += f"{e['twin_wider']:.3g}"
        # where the twin as narrow learns twice what the training did, it is not its width that this lacks first
        best, end = harm.baseline or 0.0, harm.end or 0.0
        first = best - end > 0.5 * (best - e["twin_own"])
        sure = (0.92 if width == 1 else 0.89) if first else 0.6
        return [Finding(cause="underfitting_capacity", confidence=sure, certain=first, layer=layer, evidence=text)]
    narrow = bool(found) and width <= 4
    stuck = "few_end" in e and e["few_end"] > 0.5 * e["few_start"]
    tiny, made = narrow and width <= 2, seen.steps.count if seen.steps is not None else SHORT
    tried = [e.get(f"end_{name}", np.nan) for name in ("same", "tenth", "hundred")]
    dead = np.all(np.isfinite(tried)) and np.ptp(tried) <= 1e-6 * abs(tried[0])
    dead = dead or _silent(seen, [name for name, width in found if width > 4])
    if dead or _would_gain(seen) or made < (SHORT if tiny else 100):
        return []
    one = width == 1 and harm.degree > 0.3 and _told_by_four_numbers(seen, harm.degree)
    few = tiny and seen.loss.name in CATEGORICAL and (seen.classes or 0) > width and harm.degree >= 0.3
    if (harm.still_falling and not tiny) or harm.diverged or not (narrow or stuck):
        return []
    if harm.degree < 0.5 and not one and not few:
        return []
    proven = tiny and seen.loss.name in CATEGORICAL and e.get("few_end", 0.0) > 0.4 * e.get("few_start", np.inf)
    heart = few_examples(seen)
    text = f"the narrowest hidden layer has {width} units" if narrow else f"{heart} could not be learned by heart"
    text += f", which hold {heart} by no more than {1 - e['few_end'] / e['few_start']:.0%}" if proven else ""
    text += ", where the targets have several axes" if one else ""
    return [
        Finding(
            cause="underfitting_capacity",
            confidence=0.92 if narrow and width == 1 else 0.89 if tiny else 0.4 if narrow else 0.25,
            certain=proven or one or few,
            layer=layer if narrow else "",
            evidence=f"{text}, and {harm.sentence}",
        )
    ]


def _wider_learns_more(harm: Harm, e: dict[str, float]) -> bool:
    """Whether a twin with wider layers leaves less than the training and less than a twin as narrow, each by a quarter
    of what there is to gain, and less than 0.7 of the best constant. Not where the network itself does with larger
    steps: it lacks these, or more of them."""
    wider, baseline = e.get("twin_wider", np.inf), harm.baseline or 0.0
    if harm.end is None or harm.diverged or not wider < 0.7 * baseline:
        return False
    larger = min(e.get("late_ten", np.inf), e.get("late_hundred", np.inf))
    return bool(min(harm.end, e.get("twin_own", 0.0), larger) - wider > 0.25 * (baseline - wider))


def _told_by_four_numbers(seen: Observation, left: float) -> bool:
    """Whether of rows of at least eight real targets four principal axes leave a third of `left` of their variance, and
    one of them half of it."""
    y = targets_of(seen)
    if y is None or y.ndim != 2 or y.shape[1] < 8 or y.dtype.kind != "f" or not np.isfinite(y).all():
        return False
    shares = left_of_axes(y)
    return bool(shares[4] < left / 3 and shares[1] > left / 2)


def _silent(seen: Observation, layers: list[str]) -> bool:
    """Whether one of the layers has no unit that fires."""
    worst = worst_unit(seen, "dead")
    return worst is not None and worst[1] == 1 and seen.units[worst[0]].name in layers


RULES = {"overfitting": overfitting, "too_few_steps": too_few_steps, "underfitting_capacity": small_capacity}
