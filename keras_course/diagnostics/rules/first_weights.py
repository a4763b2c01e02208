"""Rules on the first weights: rows 23 and 24 of the taxonomy."""

from keras_course.diagnostics.harm import harm_of
from keras_course.diagnostics.observation import LEFT_OVER, Finding, Observation, Unit, Variable
from keras_course.diagnostics.seen import fans, gain_of, kernels, worst_unit

import numpy as np

REPAIRED = 0.8  # a loss that a repair brings below this share of the unrepaired one is better, not noise


def duplicated(kernel: np.ndarray) -> float:
    """The share of output units whose weights are those of another one: 0 when all differ."""
    columns = kernel.reshape(-1, kernel.shape[-1]).T
    return 1 - (len(np.unique(columns, axis=0)) - 1) / max(len(columns) - 1, 1) if len(columns) > 1 else 0.0


def symmetric_init(seen: Observation) -> list[Finding]:
    """Units of a hidden layer start with equal weights and still have them at the end.

    Threshold: more than half of the units are copies, before the first step and after the last: exact, no noise; all of
    them are certain. Or all of them are before the first step, and weights drawn anew do far better; where they are not
    0, in the same steps. Or an embedding, or any weights whose gradient is exactly 0 in every step while no unit is
    silent, are 0 before the first step and after the last, as where two of zeros are multiplied: neither has a slope.
    Must not trigger: a zero head and a zeroed residual branch, whose columns part within a few steps; biases.
    Source: taxonomy row 23; Goodfellow et al., Deep Learning, section 8.4.
    """
    if zero := _zero_weights(seen):
        text = f"{zero.name} starts at 0 and is 0 after the last step: what it is multiplied by has no slope"
        return [
            Finding(
                cause="symmetric_or_zero_init",
                confidence=0.97,
                certain=_without_slope(seen, zero),
                layer=zero.layer,
                step=0,
                tag=f"weights/{zero.name}",
                evidence=text,
            )
        ]
    found = []
    for unit, kernel in kernels(seen)[:-1]:
        if kernel.initial is None or kernel.final is None or not kernel.trainable or kernel.shape[-1] < 3:
            continue
        before, after = duplicated(kernel.initial), duplicated(kernel.final)
        kept = before > 0.5 and after > 0.5
        better = _better_fresh(seen) or (kernel.initial.any() and _repaired(seen))
        if kept or (before == 1 and better):
            said = f"{after:.0%} still have them at the end (more than 50 % is none by chance)"
            parted = "the first steps reach far less from these than from weights drawn anew"
            found.append(
                Finding(
                    cause="symmetric_or_zero_init",
                    confidence=0.97,
                    certain=before == after == 1,
                    layer=unit.name,
                    step=0,
                    tag=f"weights/{kernel.name}",
                    evidence=f"{before:.0%} of the units of {unit.name} start with the weights of another one, and "
                    + (said if kept else parted),
                    file=unit.file,
                    line=unit.line,
                )
            )
    return found[:1]


def _zero_weights(seen: Observation) -> Variable | None:
    """Weights of several columns that are 0 before the first step and after the last: a table, or what has no slope."""
    inside = {name for unit in seen.units if unit.kind == "embedding" for name in unit.variables}
    for v in seen.variables:
        wide = v.trainable and len(v.shape) == 2 and v.shape[-1] > 2 and v.initial is not None and v.final is not None
        if wide and not np.any(v.initial) and not np.any(v.final) and (v.name in inside or _without_slope(seen, v)):
            return v
    return None


def _without_slope(seen: Observation, variable: Variable) -> bool:
    """Whether the gradient by a variable is exactly 0 in each of eight steps or more, and not for want of signal."""
    steps, worst = seen.steps, worst_unit(seen, "dead")
    trained = [v for v in seen.variables if v.trainable]
    if steps is None or not any(v is variable for v in trained) or (worst is not None and worst[1] == 1):
        return False
    place = next(i for i, v in enumerate(trained) if v is variable)
    slope = steps.gradient[:, place] if place < steps.gradient.shape[1] else np.zeros(0)
    return len(slope) >= 8 and not np.any(slope) and bool(np.any(steps.update > 0))


def _by_default(kernel: Variable) -> bool:
    """Whether the spread of first weights is Glorot's or LeCun's, within a tenth and the chance of few weights."""
    assert kernel.initial is not None
    fan_in, fan_out = fans(kernel)
    size = float(np.sqrt(np.mean(np.square(kernel.initial.astype("float64")))))
    within = 1.1 + 2 / np.sqrt(kernel.initial.size)
    return any(1 / within < size / rule < within for rule in (np.sqrt(2 / (fan_in + fan_out)), np.sqrt(1 / fan_in)))


def _in_a_row(seen: Observation) -> list[tuple[Unit, Variable]]:
    """The weights before the head, through which a signal goes one after the other."""
    found, known = [], set()
    for unit, kernel in kernels(seen)[:-1]:
        if kernel.name not in known or kernel.shape[0] == kernel.shape[-1]:
            found.append((unit, kernel))
        known.add(kernel.name)
    return found


def init_scale(seen: Observation) -> list[Finding]:
    """The first weights blow the signal up, or let it fade, on its way through the layers.

    Threshold: the product of the gains of all hidden layers is above 8 or below 1/8 where nothing normalises; a gain is
    the weights' root mean square against He's (Glorot's where there is no rectifier). Layers within a factor of 1.5 of
    their own rule, or of 1.1 of Glorot's or LeCun's, count as 1: a default is nobody's mistake, and must not make up
    for one. Weights that are used again, as in each step of a recurrence by hand, count again where they are square:
    others never meet what they gave. A fresh initialisation that repairs makes it surer, and 3 enough for 8; so does a
    factor of 10,000. Weights of two hidden layers that are all above 0 give every unit the same sum, whatever enters.
    Weights of a recurrent layer are off by 8 times Glorot's spread. Of a loss that nobody knows also
    where a short training from weights drawn anew does far better. Must not trigger: nets with normalisation; small
    weights of a branch that is added to what it came from; a single wide layer; a net that has been trained before;
    sines, whose weights stand behind a frequency. Source: taxonomy row 24; Glorot and Bengio (2010), section 4.2; He et
    al. (2015), section 2.2; Sitzmann et al. (2020), section 3.2.
    """
    if wild := _wild_recurrence(seen):
        return wild
    drawn = [(u, k) for u, k in _in_a_row(seen) if k.initial is not None and u.kind in ("dense", "conv")]
    gains = [(u, k, gain_of(u, k)) for u, k in drawn if k.shape[-1] > 1 or np.any(k.initial)]  # no logistic regression
    if not gains or any(unit.activation == "sine" for unit in seen.units):
        return []
    if any(unit.normalised for unit in seen.units):
        return _scale_by_trial(seen, gains)
    if found := _all_positive(seen, drawn):
        return [found]
    skipped = any(layer["class"] == "Add" for layer in seen.layers)
    off = [(u, k, g) for u, k, g in gains if not 1 / 1.5 < g < 1.5 and not _by_default(k) and not (skipped and g < 1)]
    total = float(np.prod([max(g, 1e-9) for _, _, g in off])) if off else 1.0
    repaired = _repaired(seen)
    bound = 3 if repaired else 8
    if not off or 1 / bound <= total <= bound:
        return _scale_by_trial(seen, gains)
    layers = len({k.name for _, k, _ in off})  # those of a recurrence by hand stand in each of its steps
    unit, kernel, gain = max(off, key=lambda row: abs(np.log(max(row[2], 1e-9))))
    text = (
        f"the first weights of {layers} layers multiply the signal by {total:.3g} in all (within 1/{bound} and {bound} "
        f"is sound), most {unit.name} with {gain:.3g} times the spread that keeps its size"
    )
    tried = np.isfinite(seen.experiments.get("end_fresh", np.nan))  # and weights drawn anew do no better
    sure = 0.93 if repaired or not 1e-4 < total < 1e4 else LEFT_OVER if tried else 0.5
    return [_first_weights(unit, kernel, sure, text)]


def _repaired(seen: Observation) -> bool:
    """Whether the first steps reach far less of the loss from weights drawn anew."""
    return bool(seen.experiments.get("end_fresh", np.nan) < REPAIRED * seen.experiments.get("end_same", np.nan))


def _all_positive(seen: Observation, drawn: list[tuple[Unit, Variable]]) -> Finding | None:
    """Drawn weights of two hidden layers without one below 0, that nothing keeps there."""
    kept = {layer["name"] for layer in seen.layers if layer["config"].get("kernel_constraint")}
    found = [
        (unit, kernel)
        for unit, kernel in drawn
        if kernel.layer not in kept
        and kernel.initial is not None
        and kernel.initial.size >= 9
        and kernel.initial.min() >= 0
        and kernel.initial.std() > 0
    ]
    if len({kernel.name for _, kernel in found}) < 2:
        return None
    unit, kernel = found[0]
    assert kernel.initial is not None
    text = f"no first weight of {len(found)} hidden layers is below 0, and those of {unit.name} lie around "
    text += f"{kernel.initial.mean():.2g}: their units all say the same"
    return _first_weights(unit, kernel, 0.75, text)


def _better_fresh(seen: Observation) -> bool:
    """Of a loss that nobody knows: a short training by Adam from weights drawn anew gains at least a quarter more than
    one from the script's own weights, and the script has not gained as much either."""
    e = seen.experiments
    if harm_of(seen).attained is None or "attained_own" not in e:
        return False
    return e["attained_own"] - e["attained_fresh"] > 0.25 * (e["attained_from"] - e["attained_fresh"])


def _wild_recurrence(seen: Observation) -> list[Finding]:
    """Weights of a recurrent layer 8 times as wide as Glorot's, where no default comes near: its gates are shut or open
    for good, whatever enters."""
    wide = [
        (u, k, gain_of(u, k))
        for u in seen.units
        for k in seen.variables
        if u.kind == "recurrent" and k.name in u.variables and k.initial is not None and len(k.shape) == 2
    ]
    unit, kernel, gain = max(wide, key=lambda row: row[2], default=(None, None, 0.0))
    if unit is None or kernel is None or gain <= 8:
        return []
    text = f"the first weights of {unit.name} have {gain:.3g} times the spread that keeps the signal's size (above 8)"
    return [_first_weights(unit, kernel, 0.9, text)]


def _scale_by_trial(seen: Observation, gains: list[tuple[Unit, Variable, float]]) -> list[Finding]:
    """Weights drawn anew do better, and one layer is off by 1.5 times: normalisation, too, may stand behind it."""
    unit, kernel, gain = max(gains, key=lambda row: abs(np.log(max(row[2], 1e-9))))
    if not _better_fresh(seen) or 1 / 1.5 < gain < 1.5:
        return []
    e = seen.experiments
    text = (
        f"a short training by Adam from weights drawn anew reaches {e['attained_fresh']:.3g}, from the first weights "
        f"of the script {e['attained_own']:.3g}; those of {unit.name} have {gain:.3g} times the spread that keeps the "
        "signal's size"
    )
    return [_first_weights(unit, kernel, 0.7, text)]


def _first_weights(unit: Unit, kernel: Variable, confidence: float, evidence: str) -> Finding:
    return Finding(
        cause="init_scale",
        confidence=confidence,
        layer=unit.name if unit.kind != "recurrent" else kernel.layer,
        step=0,
        tag=f"weights/{kernel.name}",
        evidence=evidence,
        file=unit.file,
        line=unit.line,
    )


RULES = {"symmetric_or_zero_init": symmetric_init, "init_scale": init_scale}
