"""Rules on what gradients, units and the loss do while it trains: rows 34 to 37 and 43 of the taxonomy."""

from keras_course.diagnostics.losses import baseline_of
from keras_course.diagnostics.observation import Finding, Observation, Unit
from keras_course.diagnostics.seen import badly_mixed, widths_of, worst_unit

import numpy as np


def exploding(seen: Observation) -> list[Finding]:
    """The gradient grows by orders of magnitude, or is no number.

    Threshold: a norm that is not finite, or above 100 times the running median in at least 3 of 10 kept steps. Through
    time: by more than 1.5 from each place of a sequence to the one before it, and above 1e4 in all, at the first
    weights; above 100 where the first loss is more than a thousand times that of a constant. Or a first loss of more
    than a million times that of a constant, which weights drawn anew do not mend; or outputs that are no numbers in the
    first step, though the inputs are. Must not trigger: a single spike; a loss that was never a number, of outputs that
    are. Source: taxonomy row 34; Pascanu et al. (2013), section 2.
    """
    factor, in_all = (seen.experiments.get(f"time_{of}", 1.0) for of in ("factor", "ratio"))
    least = 1e4 if factor > 1.5 else 100
    if factor > 1.2 and in_all > least and (factor > 1.5 or _starts_far_off(seen)):
        unit = next(u for u in seen.units if u.kind == "recurrent")
        text = f"the gradient by the inputs of {unit.name} grows by a factor of {factor:.1f} from each place of the "
        text += f"sequence to the one before it, {in_all:.2g} in all (above {least:g})"
        layer = unit.name.rpartition("/")[0] or unit.name
        return [Finding(cause="exploding_gradient", confidence=0.8, layer=layer, step=0, evidence=text)]
    steps = seen.steps
    if steps is None or not len(steps.index):
        return []
    _, norms = steps.sizes
    bad = np.flatnonzero(~np.isfinite(np.where(np.isnan(steps.gradient), 0, steps.gradient)).all(axis=1))
    losses = np.flatnonzero(~np.isfinite(steps.all_losses))
    finite = norms[np.isfinite(norms)]
    spikes = [i for i in range(5, len(finite)) if finite[i] > 100 * max(np.median(finite[:i]), 1e-12)]
    if found := _beyond_all_measure(seen) or _overflowing(seen):
        return [found]
    if not len(bad) and not len(losses) and len(spikes) < 3:
        return []
    if len(losses) and not losses[0] and not np.any(finite):
        return []  # the loss was never a number, and nothing has grown
    where = int(steps.index[bad[0]]) if len(bad) else int(losses[0]) if len(losses) else int(steps.index[spikes[0]])
    largest = float(np.max(finite)) if len(finite) else np.inf
    column = int(np.nanargmax(np.nan_to_num(steps.gradient[min(len(steps.index) - 1, 2)], posinf=1e38)))
    trained = [v for v in seen.variables if v.trainable]
    layer = trained[column].layer if column < len(trained) else ""
    return [
        Finding(
            cause="exploding_gradient",
            confidence=0.5,
            layer=layer,
            step=where,
            tag=f"gradient_norm/{layer}",
            evidence=f"the gradient's norm reaches {largest:.3g}, and from step {where} on loss or gradient are "
            f"no numbers"
            if len(bad) or len(losses)
            else f"the gradient's norm is above 100 times its running median in {len(spikes)} measured steps",
        )
    ]


def _starts_far_off(seen: Observation) -> bool:
    """Whether the first loss is more than a thousand times that of a constant."""
    best, first = baseline_of(seen), seen.experiments.get("first_loss", 0.0)
    return best is not None and best > 0 and first > 1000 * best


def _beyond_all_measure(seen: Observation) -> Finding | None:
    """What a network gives at the first step, whatever its weights, as when each of many steps multiplies it."""
    e, constant = seen.experiments, baseline_of(seen)
    first = e.get("first_loss", 0.0)
    if constant is None or not 0 < 1e6 * constant < first < np.inf or e.get("end_fresh", 0.0) < 1e3 * constant:
        return None
    text = (
        f"the first loss is {first:.3g}, where a constant costs {constant:.3g}, and weights drawn anew do not mend it"
    )
    return Finding(cause="exploding_gradient", confidence=0.5, step=0, tag="loss", evidence=text)


def _overflowing(seen: Observation) -> Finding | None:
    """Outputs that are no numbers in the first step, of inputs that are: what the layers make of these has outgrown
    them."""
    first = next((probe for probe in seen.probes if probe.step == 0), None)
    if first is None or first.mean is None or any(a is None for a in (first.x, first.y, first.output)):
        return None
    sound = [np.all(np.isfinite(a)) for a in (first.x, first.y, first.output, first.mean[:1]) if a is not None]
    lost = np.flatnonzero(~np.isfinite(first.mean))
    if sound != [True, True, False, True] or not len(lost) or lost[0] >= len(seen.units):
        return None
    name, before = seen.units[lost[0]].name, first.mean[lost[0] - 1]
    text = f"in the first step {name} gives no numbers, of inputs that are; the mean of what the layer before it gives "
    text += f"is {before:.3g}"
    return Finding(cause="exploding_gradient", confidence=0.6, step=0, layer=name, tag="loss", evidence=text)


def vanishing(seen: Observation) -> list[Finding]:
    """The gradient fades from the last layer to the first.

    Threshold: log10 of its root mean square by the activations falls by more than 0.3 a layer over at least 4 layers
    (t-test p < .01), below 1e-2 in all (2e-2 by more than 0.4 a layer), in the first closer looks. Of pictures the
    places are summed: pooling spreads it over more of them, which is no loss. A ratio, so a net whose loss is near 0
    does not count; certain below 1e-5 where the loss has no constant to compare with; the less sure where half of a
    layer is flat from the start, or one has but one or two units, which explains it. Through time: by less than 0.4
    from each place of a sequence to the one before it, and below 1e-4 in all, by what enters a recurrent network at its
    first weights; a sigmoid passes at most a quarter, tanh with orthogonal weights nearly all, an LSTM about 0.7.
    Must not trigger: nets with normalisation inside; layers of dead units, which have no gradient at all.
    Source: taxonomy row 35; Bengio et al. (1994); Glorot and Bengio (2010), section 4.2.
    """
    from scipy import stats

    if (factor := seen.experiments.get("time_factor", 1.0)) < 0.4 and seen.experiments["time_ratio"] < 1e-4:
        unit = next(u for u in seen.units if u.kind == "recurrent")
        text = f"the gradient by the inputs of {unit.name} shrinks by a factor of {1 / factor:.1f} from each place of "
        text += "the sequence to the one before it (above 2.5)"
        return [
            Finding(
                cause="vanishing_gradient",
                confidence=0.75,
                layer=unit.name.rpartition("/")[0] or unit.name,
                step=0,
                evidence=text,
                file=unit.file,
                line=unit.line,
            )
        ]
    rows = [p.gradient for p in seen.probes[:3] if p.gradient is not None and len(p.gradient) >= 4]
    if not rows or any(u.normalised for u in seen.units[:-1]):
        return []
    rms = np.median(np.stack(rows).astype("float64"), axis=0)
    dead = [p.dead for p in seen.probes[:3] if p.dead is not None]
    if dead and np.nanmax(np.nan_to_num(np.stack(dead))) > 0.5:
        return []
    # units that enter one product have one gradient, and are one stage
    stage = np.concatenate([[True], ~np.isclose(rms[1:], rms[:-1], rtol=1e-3, atol=0)])
    depth = np.flatnonzero(stage & np.isfinite(rms))
    if len(depth) < 4 or rms[depth[-1]] <= 0:
        return []
    logs = np.log10(np.maximum(rms[depth], 1e-38))
    fit = stats.linregress(np.cumsum(stage)[depth], logs)
    ratio = rms[depth[0]] / rms[depth[-1]]
    if fit.slope < 0.3 or fit.pvalue > 0.01 or ratio > (2e-2 if fit.slope > 0.4 else 1e-2):
        return []
    unit = seen.units[depth[0]]
    flat = [p.saturated[:-1] for p in seen.probes[:3] if p.saturated is not None]
    flat_at_once = bool(flat) and np.nanmax(np.nan_to_num(np.stack(flat))) > 0.5
    narrow = min((width for _, width in widths_of(seen)), default=3) <= 2
    return [
        Finding(
            cause="vanishing_gradient",
            confidence=0.75 if flat_at_once or narrow else 0.92,
            certain=ratio < 1e-5 and baseline_of(seen) is None,  # where nobody knows the harm
            layer=unit.name,
            step=seen.probes[0].step,
            tag=f"gradient_norm/{unit.name}",
            evidence=f"the gradient by the activations is {ratio:.1g} times as large at {unit.name} as at the "
            f"last layer, a "
            f"factor of {10**fit.slope:.1f} from layer to layer (above 2)",
            file=unit.file,
            line=unit.line,
        )
    ]


def dead_units(seen: Observation) -> list[Finding]:
    """More than half of a layer's ReLU units are silent on every example looked at, three times in a row.

    Threshold: a unit counts when it fires for no example of the last four closer looks; alarm above one half, by more
    than chance allows where each unit falls silent with one half (binomial, p < .05: as many do in a small layer behind
    inputs of one sign), a note above a fifth. Units, not elements: sparse activations are healthy. A layer that is
    silent as a whole lets nothing pass, however narrow; an output that is so is no lack of units, and surer than that.
    Behind a layer that is flat as a whole, which gives every example the same, they come after it; where the gradient
    faded while they were still firing, they are a note.
    Must not trigger: the zeros of a trained ReLU net. Source: taxonomy row 36; Lu et al. (2019), "Dying ReLU".
    """
    found = worst_unit(seen, "dead")
    if found is None or found[1] < 0.2:
        return []
    unit, share = seen.units[found[0]], found[1]
    output, flat = found[0] == len(seen.units) - 1, worst_unit(seen, "saturated")
    behind = flat is not None and flat[0] < found[0] and flat[1] > 0.95
    sure = 0.95 if share == 1 and output else 0.9 if share > 0.8 else 0.6
    few = 0.5 + (0.82 / np.sqrt(width) if (width := _outputs(seen, unit)) else 0.0)
    return [
        Finding(
            cause="dead_units",
            kind="named" if (share > few or share == 1) and not vanishing(seen) else "note",
            confidence=0.5 if behind else sure,
            layer=unit.name,
            step=seen.probes[-1].step,
            tag=f"dead_share/{unit.name}",
            evidence=f"{share:.0%} of the units of {unit.name} are silent on every example looked at "
            f"({'above' if share > few else 'harmless below'} {min(few, 1):.0%})",
            file=unit.file,
            line=unit.line,
        )
    ]


def _outputs(seen: Observation, unit: Unit) -> int:
    """How many outputs a unit has, by the last axis of its weights; 0 where it is not known."""
    own = [v.shape[-1] for v in seen.variables if v.name in unit.variables and len(v.shape) >= 2]
    return max(own, default=0)


def saturated_units(seen: Observation) -> list[Finding]:
    """More than half of a hidden layer's sigmoid or tanh units sit at their ends for nearly every example.

    Threshold: within 1 % of an end for 95 % of a batch, in three closer looks in a row.
    Must not trigger: the output of a trained classifier; gates. Source: taxonomy row 37.
    """
    found = worst_unit(seen, "saturated")
    if found is None or found[1] < 0.5 or found[0] == len(seen.units) - 1:
        return []
    unit, share = seen.units[found[0]], found[1]
    return [
        Finding(
            cause="saturated_units",
            confidence=0.8,
            layer=unit.name,
            step=seen.probes[-1].step,
            tag=f"saturated_share/{unit.name}",
            evidence=f"{share:.0%} of the {unit.activation} units of {unit.name} are flat on 95 % of a batch "
            f"(above 50 %)",
            file=unit.file,
            line=unit.line,
        )
    ]


def oscillation(seen: Observation) -> list[Finding]:
    """The loss swings by more than it has gained, or loses again what it had.

    Threshold: in the last half, ten-step means swing by more than 30 % of the whole decrease, and a tenth of the rate
    is at least 10 % better from the start. Or the loss had lost a quarter of its first value, and the last twentieth of
    the steps is back by more than half of that, in batches that are well mixed. Or a momentum adds steps up to a rate
    that nothing bears: see `_adds_up`. Source: taxonomy row 43; Goh (2017) on why momentum works.
    """
    steps, e = seen.steps, seen.experiments
    if steps is None or len(steps.all_losses) < 100 or not np.all(np.isfinite(steps.all_losses)):
        return []
    losses = steps.all_losses[: len(steps.all_losses) // 10 * 10].reshape(-1, 10).mean(1)
    late = losses[len(losses) // 2 :]
    detrended = late - np.polyval(np.polyfit(np.arange(len(late)), late, 1), np.arange(len(late)))
    gained = losses[0] - losses.min()
    if (text := _lost_again(steps.all_losses)) and not badly_mixed(seen):
        return [Finding(cause="oscillation", confidence=0.5, tag="loss", evidence=text)]
    if text := _adds_up(seen):
        return [Finding(cause="oscillation", confidence=0.5, tag="loss", evidence=text, repair=LESS_MOMENTUM)]
    if gained <= 0 or np.std(detrended) < 0.3 * gained or not e.get("end_tenth", np.inf) < 0.9 * e.get("end_same", 0):
        return []
    text = f"the loss swings by ±{np.std(detrended):.2g} (ten-step means) with {gained:.2g} gained in all (above 30 %)"
    return [Finding(cause="oscillation", confidence=0.4, tag="loss", evidence=text)]


LESS_MOMENTUM = "a momentum of 0.9, or a rate as many times smaller as it adds steps up"
GATHERS = 40  # steps that a momentum adds up, from 0.975 on; that of 0.9 ten


def _adds_up(seen: Observation) -> str:
    """In words, a momentum of SGD that adds more than 40 steps up to a rate of at least one half, three times over
    within the training; "" without."""
    rate, momentum = seen.optimizer.rate or 0.0, seen.optimizer.momentum
    many, count = 1 / max(1 - momentum, 1e-9), len(seen.steps.all_losses) if seen.steps is not None else 0
    if not (GATHERS <= many <= count / 3 and rate * many >= 0.5):
        return ""
    text = (
        f"a momentum of {momentum:g} adds {many:.0f} steps up (at 0.9 it is ten), so that the rate of {rate:.3g} works "
    )
    return text + f"as one of {rate * many:.3g}"


def _lost_again(losses: np.ndarray) -> str:
    """In words, a loss that has fallen and come back, by means over a twentieth of the steps; "" without."""
    parts = [float(np.mean(part)) for part in np.array_split(losses, 20)]
    first, low = max(parts[0], float(np.mean(losses[:5]))), min(parts[1:-1])
    fallen = np.array(parts) < low + 0.5 * (first - low)
    once = np.sum(fallen[1:] != fallen[:-1]) <= 2  # what swings with the data comes back more than once
    if low < 0 or low > 0.75 * first or fallen[-1] or not once:
        return ""
    return (
        f"the loss fell from {first:.3g} to {low:.3g}, and ends at {parts[-1]:.3g} (means of a twentieth of the steps)"
    )


RULES = {
    "exploding_gradient": exploding,
    "vanishing_gradient": vanishing,
    "dead_units": dead_units,
    "saturated_units": saturated_units,
    "oscillation": oscillation,
}
