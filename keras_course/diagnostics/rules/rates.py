"""Rules on the learning rate and its schedule: rows 31 to 33 of the taxonomy."""

import dataclasses

from keras_course.diagnostics.harm import blind_at_the_end, harm_of, spread_over_inputs
from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.seen import few_examples, outputs_of, worst_unit

import numpy as np

BY_ITS_SIGN = ("Adam", "AdamW", "Nadam", "Adamax", "Lion")  # a step moves a weight by about the rate, or less


def rate_too_high(seen: Observation) -> list[Finding]:
    """The first steps make things worse, and a tenth of the rate does not.

    Threshold: within 20 steps on copies the loss of a fixed batch passes 1.3 times its start (or the steps diverge),
    and at a tenth of the rate the same batches end at least 10 % lower. Measured on 48 runs that were too high and 84
    healthy ones: 46 and 0. Or the first weights are thrown away, or units die: see `_thrown_away`, `_by_force`.
    Must not trigger: wiggles of the batch loss; a warm-up (the peak of the schedule is tried); a hidden layer that is
    flat before the first step. Source: taxonomy row 31.
    """
    e = seen.experiments
    if "end_same" not in e:
        return _beyond_reason(seen) or _thrown_away(seen) or _rate_by_updates(seen)
    worst, start, same = e["probe_worst"], e["probe_start"], e["end_same"]
    slower = {
        word: e[f"end_{word}"] for word in ("tenth", "hundredth", "thousandth", "millionth") if f"end_{word}" in e
    }
    word, lower = min(slower.items(), key=lambda item: item[1])
    better = lower < same - 0.1 * abs(same) or (np.isinf(same) and np.isfinite(lower))
    if _flat_at_first(seen):
        return []  # steps through what is flat say nothing of the rate
    if not (worst > start + 0.3 * abs(start) and better):
        beyond = _beyond_reason(seen) or _thrown_away(seen) or _killed(seen) or _driven_apart(seen)
        return beyond or _by_force(seen) or _carried_uphill(seen)
    return [
        Finding(
            cause="learning_rate_too_high",
            confidence=0.95 if worst > 100 * start else 0.9 if worst > 2 * start else 0.75,
            step=0,
            tag="loss",
            evidence=f"at a rate of {e['rate']:.3g} the loss of a fixed batch goes from {start:.3g} to "
            f"{worst:.3g} within 20 "
            f"steps (above 1.3 times); at a {word} of it the same batches end at {lower:.3g} against {same:.3g}",
            file=seen.file,
            line=seen.line,
        )
    ]


def _beyond_reason(seen: Observation) -> list[Finding]:
    """Steps whose length is the rate itself, whatever the gradient: at a rate of 1 or more, and with a kernel that one
    of the first steps makes ten times as large, no first weights are left. Certain, also where the loss has no name."""
    rate, largest = seen.optimizer.rate or 0, _largest_change(seen)
    if not (rate >= 1 and largest > 10 and seen.optimizer.name in ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop")):
        return []
    text = f"{seen.optimizer.name} at a rate of {rate:.3g} changed a weight matrix by {largest:.0%} of its norm at once"
    return [Finding(cause="learning_rate_too_high", confidence=0.95, certain=True, step=0, tag="loss", evidence=text)]


def _rate_by_updates(seen: Observation) -> list[Finding]:
    """Where steps cannot be tried again: a kernel changes by more than a quarter of itself in one of the first steps,
    and the loss of the first twenty goes up by more than 1.3 times; healthy runs stay below 0.235 and 1."""
    steps, largest = seen.steps, _largest_change(seen)
    if steps is None or len(steps.all_losses) < 5:
        return []
    losses = steps.all_losses[:20]
    up = not np.all(np.isfinite(losses)) or float(np.max(losses)) > 1.3 * float(losses[0])
    if largest < 0.25 or not up:
        return []
    text = f"a weight matrix changed by {largest:.0%} of its norm in one of the first steps, and the loss rose"
    return [Finding(cause="learning_rate_too_high", confidence=0.6, step=0, tag="loss", evidence=text)]


def _thrown_away(seen: Observation) -> list[Finding]:
    """One of the first steps changes a kernel by more than twice itself, at a rate of at least 0.05, and in the
    end the prediction is the same for all inputs: such steps throw the first weights away."""
    largest = _largest_change(seen)
    if not (largest > 2 and (seen.optimizer.rate or 0) >= 0.05 and blind_at_the_end(seen)):
        return []
    text = (
        f"at a rate of {seen.optimizer.rate:.3g} a weight matrix changed by {largest:.0%} of its norm in one of the "
        "first steps (above 200 %), and in the end all predictions are the same"
    )
    return [Finding(cause="learning_rate_too_high", confidence=0.96, step=0, tag="update_ratio", evidence=text)]


def _driven(seen: Observation, quantity: str, below: float) -> tuple[str, str] | None:
    """A layer, and in words what the steps did to it, of whose units less than `below` had the quantity in the first
    look and nine tenths have it in the end; None without."""
    late = worst_unit(seen, quantity)
    first = getattr(seen.probes[0], quantity) if seen.probes else None
    if late is None or first is None or late[1] < 0.9 or not first[late[0]] < below:
        return None
    name, word = seen.units[late[0]].name, {"dead": "silent", "saturated": "flat"}[quantity]
    return name, f"{word} units of {name} went from {first[late[0]]:.0%} to {late[1]:.0%}"


def _killed(seen: Observation) -> list[Finding]:
    """A layer most of whose units fired at first and of which nine tenths are dead in the end, where twenty steps at a
    tenth of the rate end at least 5 % lower, or at a rate of 1 (0.05 where it is the length of a step), which is beyond
    use, at all lower, or leave a fifth less of the loss of a fixed batch, or where the loss ends far above that of a
    constant, which no unit comes to by itself: the steps have pushed them there."""
    driven, e = _driven(seen, "dead", 0.5), seen.experiments
    beyond, harm = e["rate"] >= (0.05 if seen.optimizer.name in BY_ITS_SIGN else 1), harm_of(seen)
    text = _better_at_a_tenth(e, 1 if beyond else 0.95) or (harm.sentence if harm.degree > WORSE else "")
    if driven is None or not text:
        return []
    text = f"at a rate of {e['rate']:.3g} the {driven[1]}; {text}"
    return [Finding(cause="learning_rate_too_high", confidence=0.92, step=0, tag="loss", evidence=text)]


WORSE = 1.5  # of harm: half as much again as a constant has


def _better_at_a_tenth(e: dict[str, float], share: float) -> str:
    """In words, that twenty steps at a tenth of the rate end below a share of the loss, or four fifths of that of a
    fixed batch; "" without."""
    for kind, part in (("end", share), ("probe", 0.8)):
        tenth, same = e.get(f"{kind}_tenth", np.inf), e[f"{kind}_same"]
        if tenth < same - (1 - part) * abs(same):
            return f"at a tenth of it twenty steps end at {tenth:.3g} against {same:.3g}"
    return ""


def _driven_apart(seen: Observation) -> list[Finding]:
    """Nine tenths of a hidden layer's units are flat that were not at first, and the loss ends far above that of a
    constant, or a tenth of the rate does better: the steps have driven them there, as with a momentum that adds up a
    hundred of them."""
    driven, harm = _driven(seen, "saturated", 0.2), harm_of(seen)
    if driven is None or driven[0] == seen.units[-1].name:
        return []
    words = harm.sentence if harm.diverged else _better_at_a_tenth(seen.experiments, 0.95)
    if not words:
        return []
    text = f"at a rate of {seen.experiments['rate']:.3g} the {driven[1]}, and {words}"
    return [Finding(cause="learning_rate_too_high", confidence=0.85, step=0, tag="loss", evidence=text)]


def _flat_at_first(seen: Observation) -> bool:
    """Whether nine tenths of a hidden layer's units are flat in the first look, and in the end."""
    late = worst_unit(seen, "saturated")
    first = seen.probes[0].saturated if seen.probes else None
    if late is None or first is None or late[0] == len(seen.units) - 1:
        return False
    return late[1] >= 0.9 and bool(first[late[0]] >= 0.9)


FORCE = 0.5  # the rate, as momentum adds steps up; Adam's steps are as long as its own, of which 0.02 is twenty times


def _by_force(seen: Observation) -> list[Finding]:
    """Nine tenths of a hidden layer's units are silent or flat that were not at first, at a rate far above the usual:
    what made them so are the steps, not the first weights."""
    rate, by_sign = seen.experiments["rate"], seen.optimizer.name in BY_ITS_SIGN
    if rate < (0.02 if by_sign else FORCE * (1 - seen.optimizer.momentum)):
        return []
    driven = [_driven(seen, quantity, 0.2) for quantity in ("dead", "saturated")]
    found = next((one for one in driven if one is not None and one[0] != seen.units[-1].name), None)
    if found is None:
        return []
    how = f" and a momentum of {seen.optimizer.momentum:g}" if seen.optimizer.momentum else ""
    text = f"at a rate of {seen.experiments['rate']:.3g}{how} the {found[1]}"
    return [Finding(cause="learning_rate_too_high", confidence=0.91, step=0, tag="loss", evidence=text)]


TURBULENT = 0.2  # of the loss of a constant, beyond it, from which on what a momentum does is none of noise
UPHILL, STEADY = 0.25, 0.4  # of the late steps, and the cosine of step and gradient in the median of their sizes


def _carried_uphill(seen: Observation) -> list[Finding]:
    """In the last half a quarter of the steps go up their own gradients, and these are no noise: the velocity that a
    momentum has gathered carries the weights to and fro. Where gradients are noise, steps and gradients have little to
    do with each other: their cosine is near 0. A note where the loss is no worse than a fifth above a constant's: there
    nothing may have been learned, and what is left of the gradient, as of the shares of classes, turns to and fro."""
    steps, harm = seen.steps, harm_of(seen)
    if steps is None:
        return []
    cosine = steps.cosine[len(steps.index) // 2 :]
    cosine = cosine[np.isfinite(cosine)]
    steady = len(cosine) >= 10 and np.median(np.abs(cosine)) >= STEADY and np.mean(cosine > 0) >= UPHILL
    said = [spread_over_inputs(output) for _, output in outputs_of(seen)[-3:]]
    if not steady or (said and max(said) < 1e-3):  # what hangs on no input leaves gradients of next to nothing
        return []
    text = f"in the last half {np.mean(cosine > 0):.0%} of the steps go up their own gradient (above {UPHILL:.0%}), "
    text += f"with a cosine of {np.median(np.abs(cosine)):.2f} between the two in the median (above {STEADY}): what a "
    text += "momentum has gathered carries the weights to and fro"
    repair = "a momentum of 0.9, or a tenth of the rate"
    found = Finding(cause="learning_rate_too_high", confidence=0.82, tag="update_ratio", evidence=text, repair=repair)
    best, end = harm.baseline, harm.end
    worse = best is None or end is None or end - best > TURBULENT * abs(best)
    return [found if worse else dataclasses.replace(found, kind="note")]


def _largest_change(seen: Observation) -> float:
    """By how much of its norm a kernel changed, at most, in one of the first five steps that were measured."""
    steps = seen.steps
    if steps is None or len(steps.index) < 3:
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(steps.weight > 0, steps.update / steps.weight, np.nan)
    wide = [
        i for i, v in enumerate(v for v in seen.variables if v.trainable) if len(v.shape) >= 2 and i < ratio.shape[1]
    ]
    first = ratio[:5, wide]
    return float(np.nanmax(first)) if first.size and np.any(np.isfinite(first)) else 0.0


def rate_too_low(seen: Observation) -> list[Finding]:
    """Steps ten times as long do at least five times as much, and a hundred times still more.

    Threshold: over 20 steps on copies, by the loss of a fixed batch. Measured 24 of 24 too-low runs, 0 of 24 healthy.
    From the last weights, too, longer steps must still gain a twentieth of the loss, or at each factor of ten five
    times as much as before, up to a thousand: who has arrived, or is stuck for another reason, does not. Or no weight
    matrix has moved, or no weight can have: see `_barely_moved`, `_cannot_get_far`.
    Must not trigger: a fine-tuning that starts near its optimum; a schedule that starts low (its peak is tried); a loss
    without a lower end, as that of a policy, which gains by any step; Adam at about its own rate, where embeddings of
    next to nothing gain slowly at first, and time is what is short. Source: taxonomy row 32.
    """
    e = seen.experiments
    if "probe_ten" not in e:
        return _low_by_updates(seen)
    if not np.isfinite(e["probe_ten"]) or e["probe_hundred"] < -10 * abs(e["probe_start"]):
        return []
    same, ten = e["probe_start"] - e["probe_same"], e["probe_start"] - e["probe_ten"]
    hundred = e["probe_start"] - e["probe_hundred"]
    floor = 1e-5 * abs(e["probe_start"])
    if not _would_go_on(e):
        return _barely_moved(seen) or _cannot_get_far(seen)
    usual = seen.optimizer.name in BY_ITS_SIGN and e["rate"] >= USUAL
    linear = ten > 5 * max(same, 0.0) and hundred > 5 * ten > 0  # far below where steps begin to bend
    if linear and hundred > floor and not usual:
        return [_too_low(seen, same, ten, hundred)]
    if still := _barely_moved(seen) or _cannot_get_far(seen):
        return still
    if usual or hundred < 1e-3 * abs(e["probe_start"]) or ten < max(floor, 5 * same) or hundred < 1.5 * ten:
        return []
    return [_too_low(seen, same, ten, hundred)]


def _barely_moved(seen: Observation) -> list[Finding]:
    """At the end no weight matrix is further from its first values than 1 % of its norm, after 20 steps or more, and a
    rate a hundred and a thousand times as high gains more and more from there, 3 % of the loss in twenty steps; or the
    network learns eight examples by heart with Adam, so that nothing keeps it from learning but its steps."""
    e = seen.experiments
    moved = [
        float(np.linalg.norm(v.final - v.initial)) / float(np.linalg.norm(v.initial))
        for v in seen.variables
        if v.trainable and len(v.shape) >= 2 and v.initial is not None and v.final is not None and np.any(v.initial)
    ]
    if not moved or max(moved) >= 0.01 or seen.steps is None or seen.steps.count < 20 or "late_thousand" not in e:
        return []
    same, hundred, thousand = e["late_same"], e["late_hundred"], e["late_thousand"]
    gains = thousand < hundred < same and same - thousand >= 0.03 * abs(same)
    learns = e.get("few_end", np.inf) < 0.1 * e.get("few_start", 0.0)
    if not (gains or (learns and max(moved) < 0.002)):
        return []
    text = f"after {seen.steps.count} steps no weight matrix has moved by more than {max(moved):.2g} of its norm"
    if gains:
        text += f" (below 0.01), and twenty further steps at a thousand times the rate end at {thousand:.3g} against "
        text += f"{same:.3g}"
    else:
        text += f" (below 0.002), and Adam takes the loss of {few_examples(seen)} from {e['few_start']:.3g} to "
        text += f"{e['few_end']:.3g}"
    return [Finding(cause="learning_rate_too_low", confidence=0.85, step=0, tag="update_ratio", evidence=text)]


def _cannot_get_far(seen: Observation) -> list[Finding]:
    """By rate times steps no weight can have gone 0.02, nor has one, in 100 steps or more; the network learns eight
    examples by heart; and from the last weights the loss is the lower the higher the rate, up to a thousand times it,
    unless no weight can have gone 0.002.

    As of embeddings, of which each row is seen in few of twenty steps. Fine-tuning at 2e-5 gets there in 1000 steps.
    Where a weight has gone further a loop has changed the rate, and the one that was seen says nothing.
    """
    e, count = seen.experiments, seen.steps.count if seen.steps is not None else 0
    rate = e.get("rate", 0.0)
    far = count * rate if rate and seen.optimizer.name in BY_ITS_SIGN else np.inf
    gone = [
        float(np.max(np.abs(v.final - v.initial)))
        for v in seen.variables
        if v.trainable and v.initial is not None and v.final is not None and v.initial.size
    ]
    late = [e.get(f"late_{name}", np.nan) for name in ("same", "ten", "hundred", "thousand")]
    learns = e.get("few_end", np.inf) < 0.1 * e.get("few_start", 0.0)
    furthest = max(far, *gone, 0.0)
    if not (count >= 100 and furthest < 0.02 and learns and (np.all(np.diff(late) < 0) or furthest < 0.002)):
        return []
    text = (
        f"{count} steps of {seen.optimizer.name} at a rate of {rate:.3g} move no weight by more than about {far:.2g} "
        f"(below 0.02), and twenty further steps at a thousand times it end at {late[3]:.4g} against {late[0]:.4g}"
    )
    return [Finding(cause="learning_rate_too_low", confidence=0.7, step=0, tag="update_ratio", evidence=text)]


USUAL = 5e-4  # half of Adam's own rate
GAIN = 0.05  # of the loss, by twenty longer steps from the last weights on


def _too_low(seen: Observation, same: float, ten: float, hundred: float) -> Finding:
    return Finding(
        cause="learning_rate_too_low",
        confidence=0.85,
        step=0,
        tag="loss",
        evidence=f"in 20 steps at a rate of {seen.experiments['rate']:.3g} a fixed batch's loss falls by {same:.2g}, "
        f"at ten times the rate by {ten:.2g}, at a hundred times by {hundred:.2g}",
        file=seen.file,
        line=seen.line,
    )


def _low_by_updates(seen: Observation) -> list[Finding]:
    """Where steps by hand are so small that not even their rate can be read off: below the rounding of the weights.

    Threshold: no weight matrix changes by more than 1e-5 of its norm in the middle step, and all have a gradient; at
    that pace 10,000 steps move a weight by a tenth. Healthy runs were seen between 1e-4 and 0.235 in their first steps.
    """
    steps = seen.steps
    if steps is None or len(steps.index) < 10 or seen.optimizer.rate is not None:
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(steps.weight > 0, steps.update / steps.weight, np.nan)
    usable = np.isfinite(ratio).any(axis=0) & (np.nanmedian(steps.gradient, axis=0) > 1e-7)
    if not usable.any() or not 0 < float(np.max(np.nanmedian(ratio[:, usable], axis=0))) < 1e-5:
        return []
    largest = float(np.max(np.nanmedian(ratio[:, usable], axis=0)))
    text = f"the weights change by {largest:.1g} of their norm a step (healthy: above 1e-4)"
    return [Finding(cause="learning_rate_too_low", confidence=0.75, step=0, tag="update_ratio", evidence=text)]


def _would_go_on(e: dict[str, float]) -> bool:
    """Whether steps ten, a hundred or a thousand times as long gain something from the last weights on, against steps
    at the rate itself on the same batches."""
    same = e.get("late_same", np.nan)
    if not np.isfinite(same):
        return True
    gains = [same - e.get(name, np.nan) for name in ("late_ten", "late_hundred", "late_thousand")]
    beyond = gains[2] > 5 * gains[1] or (gains[1] > 0.001 * abs(same) and not gains[2] > 0)  # or it is too far by then
    growing = gains[0] > 0 and gains[1] > 5 * gains[0] and beyond
    return growing or any(gain > GAIN * abs(same) for gain in gains if np.isfinite(gain))


def schedule_wrong(seen: Observation) -> list[Finding]:
    """The schedule is over before training is, or warms up for all of it.

    Threshold: at most 1 % of its peak before half of the planned steps (certain before a quarter), or below 10 % before
    an eighth of them; or its peak in the last fiftieth, behind a hundredth of it at first; or it only rises, and
    reaches five times as much behind the last step: arithmetic. Of a rate that nobody can see, by what steps make of
    their gradients: see `_shrinking`. Certain too: it has more than halved by ReduceLROnPlateau, which takes the worse
    for the better.
    Must not trigger: a decay that is low in the last part; a loop that still runs, of which nobody knows how long.
    Source: taxonomy row 33.
    """
    if seen.interface == "loop" and not seen.finished:
        return []
    rates, logged = seen.optimizer.schedule, [row["learning_rate"] for row in seen.epochs if "learning_rate" in row]
    if rates is None:
        rates = np.array(logged) if len(logged) >= 4 else None
    if seen.plan.slows_at_better and len(logged) >= 2 and logged[-1] < 0.5 * logged[0]:
        name, text = seen.plan.slows_at_better, f"the rate falls from {logged[0]:.3g} to {logged[-1]:.3g}"
        return [
            Finding(
                cause="lr_schedule_wrong",
                confidence=0.9,
                certain=True,
                tag="epoch/learning_rate",
                evidence=f"ReduceLROnPlateau takes the worse {name} for the better, and {text}",
                repair=f"mode='auto' for {name}, as it is without a mode",
            )
        ]
    if rates is None or len(rates) < 4 or np.max(rates) <= 0:
        return _shrinking(seen)
    sure = 0.95
    over = rates <= 1.001 * 0.01 * np.max(rates)  # or at the floor of a schedule that has one
    half = int(np.argmax(over & (np.arange(len(rates)) > np.argmax(rates)))) or len(rates)
    if half < len(rates) / 2:
        text = f"the learning rate is at most 1 % of its peak from {half / len(rates):.0%} of the steps on"
    elif np.any(low := rates < 0.1 * np.max(rates)) and np.argmax(rates) < np.argmax(low) < len(rates) / 8:
        text = f"the learning rate is below 10 % of its peak from {np.argmax(low) / len(rates):.1%} of the steps on"
        sure = 0.8  # some of it is left
    elif int(np.argmax(rates)) >= len(rates) - 1 and rates[-1] > 5 * max(np.median(rates), 1e-30):
        text = "the learning rate still warms up at the last planned step"
    elif int(np.argmax(rates)) >= 0.98 * len(rates) and rates[0] < 0.01 * rates[-1] and np.all(np.diff(rates) >= 0):
        text = f"the warm-up takes all {len(rates)} planned steps"
    elif rates[-1] > rates[0] and np.all(np.diff(rates) >= 0) and seen.optimizer.later > 5 * rates[-1]:
        text = (
            f"the learning rate rises to {rates[-1]:.3g} at the last planned step, on its way to "
            f"{seen.optimizer.later:.3g}"
        )
    else:
        return []
    early = half < len(rates) / 4  # as of a schedule that counts epochs where steps are meant
    recorded = seen.steps is not None and seen.steps.rate is not None and np.isfinite(seen.steps.rate).any()
    tag = "learning_rate" if recorded else "epoch/learning_rate" if logged else "update_ratio"
    return [Finding(cause="lr_schedule_wrong", confidence=sure, certain=early, tag=tag, evidence=text)]


def _shrinking(seen: Observation) -> list[Finding]:
    """Steps by hand that are a thousandth of what they were, against their gradients, before three quarters of the
    training, while the gradients are not much smaller; or next to nothing while some gradient is left."""
    steps = seen.steps
    if steps is None or len(steps.index) < 40 or seen.optimizer.rate is not None:
        return []
    size, gradient = steps.sizes
    fit = np.isfinite(size) & np.isfinite(gradient) & (gradient > 0)
    ratio, gradient, index = size[fit][:-1] / gradient[fit][:-1], gradient[fit], steps.index[fit]
    if len(ratio) < 40:
        return []
    first, late = float(np.median(ratio[:10])), index[:-1] >= 0.75 * steps.count
    if not late.any():
        return []
    share = float(np.max(ratio[late])) / first if first > 0 else 1.0  # steps that never were are another cause
    left = float(np.median(gradient[:-1][late]) / np.median(gradient[:10]))
    if share > 1e-3 or left < (0.05 if share < 1e-5 else 0.3):
        return []
    text = f"in the last quarter steps are at most {share:.1g} times as long against their gradients as the first ones"
    return [Finding(cause="lr_schedule_wrong", confidence=0.95, tag="update_ratio", evidence=text)]


RULES = {
    "learning_rate_too_high": rate_too_high,
    "learning_rate_too_low": rate_too_low,
    "lr_schedule_wrong": schedule_wrong,
}
