"""Rules on how the network is put together: rows 23 to 26 and 30 of the taxonomy."""

from keras_course.diagnostics.harm import accuracy_of_chance, harm_of, spread_over_inputs
from keras_course.diagnostics.observation import LEFT_OVER, Finding, Observation, Unit, Variable
from keras_course.diagnostics.seen import ALIKE, collapsed, looked_up, rows_of, targets_of, worst_unit

import numpy as np

ROUNDING = 1e-6  # of a weight: below a tenth of it float32 keeps nothing of a change
REPAIRED = 0.8  # a loss that a repair brings below this share of the unrepaired one is better, not noise


def kernels(seen: Observation) -> list[tuple[Unit, Variable]]:
    """The weight matrices and filters of the units, in order; embeddings have none."""
    by_name = {v.name: v for v in seen.variables}
    found = []
    for unit in seen.units:
        own = [by_name[name] for name in unit.variables if name in by_name and len(by_name[name].shape) >= 2]
        if own and unit.kind != "embedding":
            found.append((unit, max(own, key=lambda v: np.prod(v.shape))))
    return found


def duplicated(kernel: np.ndarray) -> float:
    """The share of output units whose weights are those of another one: 0 when all differ."""
    columns = kernel.reshape(-1, kernel.shape[-1]).T
    return 1 - (len(np.unique(columns, axis=0)) - 1) / max(len(columns) - 1, 1) if len(columns) > 1 else 0.0


def symmetric_init(seen: Observation) -> list[Finding]:
    """Units of a hidden layer start with equal weights and still have them at the end.

    Threshold: more than half of the units are copies, before the first step and after the last: exact, no noise; all of
    them are certain. Or all of them are before the first step, and weights drawn anew do far better. Or an embedding,
    or any weights whose gradient is exactly 0 in every step while no unit is silent, are 0 before the first step and
    after the last, as where two of zeros are multiplied: neither has a slope.
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
        if kept or (before == 1 and _better_fresh(seen)):
            said = f"{after:.0%} still have them at the end (more than 50 % is none by chance)"
            parted = "a short training by Adam reaches far less from these than from weights drawn anew"
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


def fans(kernel: Variable) -> tuple[float, float]:
    """How many values each unit takes in, and to how many each value goes."""
    return float(np.prod(kernel.shape[:-1])), float(np.prod(kernel.shape[:-2]) * kernel.shape[-1])


def gain_of(unit: Unit, kernel: Variable) -> float:
    """The spread of first weights against what keeps a signal's size: √(2 / fan-in) before ReLU, else Glorot's."""
    assert kernel.initial is not None
    fan_in, fan_out = fans(kernel)
    rectified = unit.activation in ("relu", "relu6", "leaky_relu", "elu", "gelu", "swish")
    right = np.sqrt(2 / fan_in) if rectified else np.sqrt(2 / (fan_in + fan_out))
    return float(np.sqrt(np.mean(np.square(kernel.initial.astype("float64")))) / right)


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
    factor of 10,000. Weights of a recurrent layer are off by 8 times Glorot's spread. Of a loss that nobody knows also
    where a short training from weights drawn anew does far better. Must not trigger: nets with normalisation; a single
    wide layer; a net that has been trained before; sines, whose weights stand behind a frequency. Source: taxonomy row
    24; Glorot and Bengio (2010), section 4.2; He et al. (2015), section 2.2; Sitzmann et al. (2020), section 3.2.
    """
    if wild := _wild_recurrence(seen):
        return wild
    drawn = [(u, k) for u, k in _in_a_row(seen) if k.initial is not None and u.kind in ("dense", "conv")]
    gains = [(u, k, gain_of(u, k)) for u, k in drawn if k.shape[-1] > 1 or np.any(k.initial)]  # no logistic regression
    if not gains or any(unit.activation == "sine" for unit in seen.units):
        return []
    if any(unit.normalised for unit in seen.units):
        return _scale_by_trial(seen, gains)
    off = [(u, k, g) for u, k, g in gains if not 1 / 1.5 < g < 1.5 and not _by_default(k)]
    total = float(np.prod([max(g, 1e-9) for _, _, g in off])) if off else 1.0
    repaired = seen.experiments.get("end_fresh", np.nan) < REPAIRED * seen.experiments.get("end_same", np.nan)
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


def missing_nonlinearity(seen: Observation) -> list[Finding]:
    """Two layers or more with nothing between them that bends: the whole is one linear map.

    Threshold: superposition holds up to rounding: |f(a+b) - f(a) - f(b) + f(0)| < 1e-4 |f(a+b)|; measured 2e-7 for
    linear nets, 0.03 for LeakyReLU(0.9), 0.5 for ReLU. Without other harm it is named where a forest has at least a
    tenth less loss than a linear model on the same rows. Where the loss blew up it is the less sure: no linear layer
    does that by itself.
    Must not trigger: a linear model on purpose (one layer); a part of a net that is factorised.
    Source: taxonomy row 25.
    """
    error = seen.experiments.get("superposition")
    linear = [u for u in seen.units[:-1] if u.activation == "linear"]
    if error is None or error > 1e-4 or not linear or len(seen.units) < 2:
        return []
    gain = seen.experiments.get("bent_gain", 0.0)
    return [
        Finding(
            cause="missing_nonlinearity",
            confidence=0.55 if harm_of(seen).diverged else 0.96 if gain > 0.1 else 0.6,
            certain=gain > 0.1,
            layer=linear[0].name,
            step=0,
            tag=f"activation_spread/{linear[0].name}",
            evidence=f"superposition holds to {error:.1g} over {len(seen.units)} layers (a net that bends: "
            f"above 0.03), so "
            "they are one linear layer",
            file=linear[0].file,
            line=linear[0].line,
        )
    ]


def frozen(seen: Observation) -> list[Finding]:
    """Weights without a gradient, or not trainable where they have to be.

    Threshold: no gradient at all for any weight (certain) or for one in every kept step (certain where an accuracy
    stays at that of chance, or where a fifth of all weights feed the loss, are those of a fresh start and were to be
    trained), or the head (certain where the script trains nothing else), or 99 % of all weights, not trainable, or a
    table of at least 64 numbers that are those that Keras draws; surer where the other fixed weights are so too.
    Must not trigger: a frozen trunk under a trained head, which is transfer learning (a note): its weights are far from
    fresh ones, or an earlier training of the script changed them.
    Source: taxonomy row 26.
    """
    found = []
    if seen.experiments.get("idle"):
        text = "no weight of the model is trainable, so no step can change anything"
        return [Finding(cause="frozen_or_disconnected", confidence=1.0, certain=True, evidence=text)]
    if seen.experiments.get("disconnected"):
        text = "no weight has a gradient: an operation without one, such as rounding or argmax, stands before the loss"
        cause, file, line = "frozen_or_disconnected", seen.file, seen.line
        return [Finding(cause=cause, confidence=1.0, certain=True, evidence=text, file=file, line=line)]
    finite = np.isfinite(seen.steps.loss) if seen.steps is not None else np.zeros(0, bool)
    if seen.steps is not None and finite.any():  # of a loss that is no number no gradient is one
        missing = np.all(np.isnan(seen.steps.gradient[finite]), axis=0)
        trained = [v for v in seen.variables if v.trainable][: len(missing)]
        names = [v for v, none in zip(trained, missing, strict=False) if none and len(v.shape) >= 2]
        if names:
            chance = accuracy_of_chance(seen)
            found.append(
                Finding(
                    cause="frozen_or_disconnected",
                    confidence=0.9,
                    certain=bool(chance) or _cut_off(seen, names) > 0.2,
                    layer=names[0].layer,
                    step=0,
                    tag=f"gradient_norm/{names[0].layer}",
                    evidence=f"{names[0].name} got no gradient in any of {seen.steps.count} steps: no path leads from "
                    f"it to the loss" + f"; {chance}" * bool(chance),
                )
            )
    found += _stuck(seen) + _left_out(seen)
    pairs = kernels(seen)
    fixed = [(u, k) for u, k in pairs if not k.trainable]
    if fixed and pairs[-1] in fixed:
        unit, kernel = pairs[-1]
        found.append(
            Finding(
                cause="frozen_or_disconnected",
                confidence=0.85,
                certain=seen.alone and not kernel.trained_before,  # else it may be another network that judges
                layer=unit.name,
                tag=f"weight_norm/{unit.name}",
                evidence=f"{kernel.name}, the weights of the head, is not trainable",
                file=unit.file,
                line=unit.line,
            )
        )
    elif fixed:
        share = sum(np.prod(k.shape) for _, k in fixed) / sum(np.prod(k.shape) for _, k in pairs)
        fresh = all((k.initial is None or gain_of(u, k) < 1.5) and not k.trained_before for u, k in fixed)
        drawn = fresh and all(_as_drawn(k) for _, k in fixed)
        found.append(
            Finding(
                cause="frozen_or_disconnected",
                kind="named" if fresh and share > 0.5 else "note",
                confidence=0.3 if share <= 0.5 else 0.8 if drawn else 0.6,
                layer=fixed[0][0].name,
                evidence=f"{share:.0%} of the weights are not trainable, {fixed[0][0].name} first"
                + ", and are what Keras draws" * drawn,
                file=fixed[0][0].file,
                line=fixed[0][0].line,
            )
        )
    elif table := next((v for v in seen.variables if _drawn_table(seen, v)), None):
        text = f"{table.name} is not trainable and holds what it was drawn with, from -0.05 to 0.05"
        finding = Finding(cause="frozen_or_disconnected", confidence=0.6, layer=table.layer, evidence=text)
        found.append(finding)
    return found


def _as_drawn(kernel: Variable) -> bool:
    """Whether at least 64 weights are spread evenly up to the limit of Glorot's, which those of a training leave."""
    if kernel.initial is None or kernel.initial.size < 64:
        return False
    limit, values = float(np.sqrt(6 / sum(fans(kernel)))), kernel.initial.astype("float64")
    return 0.93 * limit < float(np.abs(values).max()) < 1.001 * limit and float(np.std(values)) < 0.65 * limit


def _drawn_table(seen: Observation, table: Variable) -> bool:
    """Whether a table that is looked up is fixed at Keras's own first values; vectors from elsewhere reach further."""
    looked_up = table.name in {name for unit in seen.units if unit.kind == "embedding" for name in unit.variables}
    if not looked_up or table.trainable or table.trained_before or table.initial is None or table.initial.size < 64:
        return False
    return 0.045 < float(np.abs(table.initial).max()) <= 0.05


def _cut_off(seen: Observation, without: list[Variable]) -> float:
    """The share of the weights of those without a gradient that feed the loss and were not trained elsewhere."""
    pairs = kernels(seen)
    own = [(u, k) for u, k in pairs if any(k is v for v in without)]
    trunk = any(u.normalised or k.initial is None or gain_of(u, k) >= 1.5 or k.trained_before for u, k in own)
    return 0.0 if trunk else float(sum(np.prod(k.shape) for _, k in own) / sum(np.prod(k.shape) for _, k in pairs))


def _left_out(seen: Observation) -> list[Finding]:
    """Layers of plain variables that the script never trains, before others that it does."""
    linear = [unit for unit in seen.units if unit.kind in ("dense", "conv")]
    fixed = [unit for unit in linear if not unit.variables]
    if seen.layers or not seen.alone or len(fixed) < 0.5 * len(linear) or linear[-1:] == fixed[-1:]:
        return []
    text = f"the variables of {len(fixed)} of {len(linear)} layers are given to no gradient, {fixed[0].name} first"
    first = fixed[0]
    return [
        Finding(
            cause="frozen_or_disconnected",
            confidence=0.9,
            layer=first.name,
            evidence=text,
            file=first.file,
            line=first.line,
        )
    ]


def _stuck(seen: Observation) -> list[Finding]:
    """Some weight matrices get a gradient and are never changed, while others are.

    Not where a step as long as those of the others, against its gradient, is lost in the rounding of the weights.
    """
    steps = seen.steps
    if steps is None or not len(steps.index):
        return []
    rows = np.all(np.isfinite(steps.update), axis=1)
    if rows.sum() < 3 or not np.any(steps.update[rows] > 0):
        return []
    update, gradient = steps.update[rows], np.nan_to_num(steps.gradient[rows])
    pace = float(np.median(update[(update > 0) & (gradient > 0)] / gradient[(update > 0) & (gradient > 0)]))
    felt = pace * gradient > ROUNDING * steps.weight[rows]
    still = np.all(update == 0, axis=0) & np.all(felt, axis=0)
    trained = [v for v in seen.variables if v.trainable]
    left = [v for v, s in zip(trained, still, strict=False) if s and len(v.shape) >= 2]
    if not left:
        return []
    return [
        Finding(
            cause="frozen_or_disconnected",
            confidence=0.95,
            layer=left[0].layer,
            step=int(steps.index[0]),
            tag=f"update_ratio/{left[0].layer}",
            evidence=f"{len(left)} weight matrices, {left[0].name} first, have a gradient in every step and never "
            "change, while others do: the optimiser is not given them",
            file=seen.file,
            line=seen.line,
        )
    ]


def input_ignored(seen: Observation) -> list[Finding]:
    """The prediction is the same whatever the input, or every input is the same.

    Threshold: the spread of the prediction over a batch is below 1e-6 of its size in the last three closer looks, one
    of them aside that may be up to 1e-5, where a prediction near 0 is left of larger numbers; or what enters is exactly
    the same for every example of every look, which is certain to teach nothing; or more than 30 % of the rows of a
    batch, of at least 64 numbers, enter as another one does; or more than 95 % of the words of texts have one number,
    that of unknown words (the most frequent letter or base has below 40 %); or, certain, one of several inputs leads to
    none of the outputs. Surer where it is so from the first step on, by a linear output of first weights that are not
    0, behind units that fire and are not flat. Must not trigger: the first steps from a zero head; a network whose only
    input is noise that it makes itself; codes. Source: taxonomy row 30.
    """
    if idle := [layer["name"] for layer in seen.layers if not layer.get("used", True)]:
        text = f"nothing that leads to an output of the model takes its input {idle[0]}"
        repair = f"let a layer on the way to the output take {idle[0]}, or leave it out"
        cause, layer = "input_ignored", idle[0]
        return [Finding(cause=cause, confidence=0.97, certain=True, layer=layer, evidence=text, repair=repair)]
    if share := _same_word(seen):
        text = f"{share:.0%} of the words have one and the same number, so that texts differ in their length alone"
        layer = seen.units[0].name if seen.units else ""
        return [Finding(cause="input_ignored", confidence=0.95, layer=layer, tag="inputs/spread", evidence=text)]
    entering = [p.x for p in seen.probes if p.x is not None and p.x.ndim >= 2 and len(p.x) > 1]
    if share := collapsed(seen):
        text = f"{share:.0%} of the examples of a batch enter as another one of it does (above {ALIKE:.0%})"
        layer = seen.units[0].name if seen.units else ""
        return [Finding(cause="input_ignored", confidence=0.93, layer=layer, tag="inputs/spread", evidence=text)]
    if len(entering) >= 3 and all(map(_one_row, entering)):
        value, y = float(entering[0].reshape(-1)[0]), targets_of(seen)
        return [
            Finding(
                cause="input_ignored",
                confidence=0.97,
                certain=y is None or bool(np.any(y != y[:1])),  # else there is nothing to tell apart
                layer=seen.units[0].name if seen.units else "",
                step=seen.probes[0].step,
                tag="inputs/spread",
                evidence=f"what enters the first layer is the same for every example, {value:.3g} in front",
            )
        ]
    spreads = [
        spread_over_inputs(p.output)
        for p in seen.probes[-3:]
        if p.output is not None and p.output.ndim and len(p.output) > 1
    ]
    if len(spreads) < 3 or not (np.median(spreads) <= 1e-6 and max(spreads) <= 1e-5):
        return []
    text = f"the prediction varies by {max(spreads):.1g} of its size over a batch (constant below 1e-6)"
    lost = _lost_from_the_start(seen)
    return [
        Finding(
            cause="input_ignored",
            confidence=0.94 if lost else 0.6,
            layer=seen.units[-1].name if seen.units else "",
            step=seen.probes[0 if lost else -1].step,
            tag="outputs/spread_over_inputs",
            evidence=f"{text}, from the first step on" if lost else text,
        )
    ]


def _one_row(x: np.ndarray) -> bool:
    """Whether all examples are the same; of numbers that are looked up, also all places, which may be counted."""
    if x.dtype.kind not in "iuf":
        return False
    return bool(np.ptp(x, axis=0).max() == 0 and (x.dtype.kind == "f" or np.ptp(x) == 0))


def _lost_from_the_start(seen: Observation) -> bool:
    """Whether the first weights give one prediction for all inputs, and it is not they that make it, nor many layers
    each of which lets a part fade: as the signal, so the gradient on its way back."""
    first, known = seen.probes[0], kernels(seen)
    if first.output is None or first.dead is None or seen.head != "linear" or not known:
        return False
    if any(kernel.initial is None or not np.any(kernel.initial) for _, kernel in known):
        return False
    shares = [first.dead, first.saturated] if first.saturated is not None else [first.dead]
    shut = np.max(np.nan_to_num(np.stack(shares)), axis=0)  # layers that are silent, or flat
    spread = first.spread if first.spread is not None else np.ones(len(shut))
    before = spread[: int(np.argmax(shut))]  # units in front of those that are shut, which may be given nothing
    made = shut.max(initial=0.0) == 1 and not np.any(before == 0)
    back = first.gradient[np.isfinite(first.gradient)] if first.gradient is not None else np.zeros(0)
    if len(back) >= 4 and 0 < back[0] < 1e-3 * back[-1]:
        return False
    return not made and spread_over_inputs(first.output) <= 1e-6


def _same_word(seen: Observation) -> float:
    """The share of the most frequent number among the words of texts, padding at both ends aside; 0 below 95 %."""
    rows = seen.train or rows_of(seen)
    data = rows.x if rows is not None else None
    if data is None or data.dtype.kind not in "iuf" or data.ndim != 2 or data.shape[1] < 3 or not looked_up(seen, data):
        return 0.0
    words = [row[np.flatnonzero(row)[0] : np.flatnonzero(row)[-1] + 1] for row in data if np.any(row)]
    counts = np.unique(np.concatenate(words), return_counts=True)[1] if words else np.zeros(1)
    share = float(counts.max() / max(counts.sum(), 1))
    return share if share > 0.95 else 0.0


RULES = {
    "symmetric_or_zero_init": symmetric_init,
    "init_scale": init_scale,
    "missing_nonlinearity": missing_nonlinearity,
    "frozen_or_disconnected": frozen,
    "input_ignored": input_ignored,
}
