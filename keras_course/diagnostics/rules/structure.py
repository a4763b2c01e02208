"""Rules on how the network is put together and what of it is trained: rows 25, 26 and 30 of the taxonomy."""

from keras_course.diagnostics.harm import accuracy_of_chance, harm_of, spread_over_inputs
from keras_course.diagnostics.losses import least_of
from keras_course.diagnostics.observation import Finding, Observation, Variable
from keras_course.diagnostics.seen import (
    ALIKE,
    collapsed,
    fans,
    gain_of,
    kernels,
    looked_up,
    rows_of,
    targets_of,
)

import numpy as np

ROUNDING = 1e-6  # of a weight: below a tenth of it float32 keeps nothing of a change


def missing_nonlinearity(seen: Observation) -> list[Finding]:
    """Two layers or more with nothing between them that bends: the whole is one linear map.

    Threshold: superposition holds up to rounding: |f(a+b) - f(a) - f(b) + f(0)| < 1e-4 |f(a+b) - f(0)|; measured 2e-7
    for linear nets, 0.03 for LeakyReLU(0.9), 0.5 for ReLU. Without other harm it is named where a forest has at least a
    tenth less loss than a linear model on the same rows. Where the loss blew up it is the less sure: no linear layer
    does that by itself.
    Normalisation by the batch bends too, and gives no network what an activation does: with harm also two hidden layers
    or more, dense ones or convolutions, of which none has an activation, and one is normalised. Certain too, where
    nothing else is between them: a twin of the network with ReLU learns a quarter more of the same rows.
    Must not trigger: a linear model on purpose (one layer); a part of a net that is factorised.
    Source: taxonomy row 25.
    """
    error = seen.experiments.get("superposition")
    linear = [u for u in seen.units[:-1] if u.activation == "linear"]
    if found := _straight(seen) or _bent_by_nothing_but_normalisation(seen):
        return [found]
    if error is None or not error <= 1e-4 or not linear or len(seen.units) < 2:
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


def _straight(seen: Observation) -> Finding | None:
    """No layer between the inputs, or tables that are looked up, and the last one has an activation, and a twin with
    ReLU there leaves a quarter less than a twin without, and than the training."""
    e, harm = seen.experiments, harm_of(seen)
    hidden = [unit for unit in seen.units[:-1] if unit.kind in ("dense", "conv")]
    if "bent" not in e or not hidden or harm.end is None or harm.baseline is None:
        return None
    least = least_of(seen)  # of shares a cross-entropy has more than 0
    bent, straight, constant = e["bent"] - least, min(e["straight"], harm.end) - least, harm.baseline - least
    if bent > 0.75 * straight or bent > 0.7 * constant:
        return None
    text = f"none of the {len(hidden)} layers before the last has an activation; behind the same steps a twin of the "
    text += f"network leaves {e['straight']:.3g} of what is held out, and with ReLU there {e['bent']:.3g}"
    return Finding(
        cause="missing_nonlinearity",
        confidence=0.9,
        certain=True,
        layer=hidden[0].name,
        step=0,
        tag=f"activation_spread/{hidden[0].name}",
        evidence=text,
        file=hidden[0].file,
        line=hidden[0].line,
    )


def _bent_by_nothing_but_normalisation(seen: Observation) -> Finding | None:
    hidden = seen.units[:-1]
    plain = all(u.activation == "linear" and u.kind in ("dense", "conv") for u in hidden)
    if len(hidden) < 2 or not plain or not any(u.normalised for u in hidden):
        return None
    first, text = hidden[0], f"none of the {len(hidden)} layers before the last has an activation, only normalisation"
    return Finding(
        cause="missing_nonlinearity",
        confidence=0.8,
        layer=first.name,
        step=0,
        tag=f"activation_spread/{first.name}",
        evidence=text,
        file=first.file,
        line=first.line,
    )


def frozen(seen: Observation) -> list[Finding]:
    """Weights without a gradient, or not trainable where they have to be.

    Threshold: a weight that was made trainable behind `compile`, which takes no notice (certain), or a kernel that a
    `fit` computes with and its model does not know (certain); no gradient at all
    for any weight (certain) or for one in every kept step (certain where an accuracy stays at that of chance, or where
    a fifth of all weights feed the loss, are those of a fresh start and were to be trained), or the head (certain where
    the script trains nothing else), or 99 % of all weights, not trainable, or a table of at least 64 numbers that are
    those that Keras draws; surer where the other fixed weights are so too. Those of a model beside the one that a loop
    trains count as its own, if nothing changes them. Or half of the layers of plain variables, or all but their biases,
    are given to no gradient.
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
    if seen.untaken:
        text = f"{len(seen.untaken)} weights were made trainable behind compile, as {seen.untaken[0]}, and the steps "
        text += "change those alone that they were made for"
        cause, file, line = "frozen_or_disconnected", seen.file, seen.line
        repair = "compile the model again behind each change of `trainable`"
        return [Finding(cause=cause, confidence=0.97, certain=True, evidence=text, repair=repair, file=file, line=line)]
    if seen.untracked:
        forms = ", ".join(map(str, seen.untracked[:3]))
        text = (
            f"the network computes with {len(seen.untracked)} kernels that are no weights of its model, of the forms "
        )
        cause, repair = "frozen_or_disconnected", "self.add_weight(...) in the layer, or a keras.Variable"
        text += f"{forms}: no step changes them, as Keras 3 does not know a tf.Variable of a layer"
        return [Finding(cause=cause, confidence=0.97, certain=True, evidence=text, repair=repair)]
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
        widest = float(np.abs(table.initial).max()) if table.initial is not None else 0.0
        text = f"{table.name} is not trained and holds what it was drawn with, from {-widest:.2g} to {widest:.2g}"
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
    """Whether a table that is looked up is fixed at first values of Keras, its own or Glorot's; vectors from elsewhere
    reach further."""
    looked_up = table.name in {name for unit in seen.units if unit.kind == "embedding" for name in unit.variables}
    if not looked_up or table.trainable or table.trained_before or table.initial is None or table.initial.size < 64:
        return False
    return 0.045 < float(np.abs(table.initial).max()) <= 0.05 or _as_drawn(table)


def _cut_off(seen: Observation, without: list[Variable]) -> float:
    """The share of the weights of those without a gradient that feed the loss and were not trained elsewhere."""
    pairs = kernels(seen)
    own = [(u, k) for u, k in pairs if any(k is v for v in without)]
    trunk = any(u.normalised or k.initial is None or gain_of(u, k) >= 1.5 or k.trained_before for u, k in own)
    if not pairs:
        return 1.0  # none of the units is made of a weight, as of what was computed from it once
    return 0.0 if trunk else float(sum(np.prod(k.shape) for _, k in own) / sum(np.prod(k.shape) for _, k in pairs))


def _left_out(seen: Observation) -> list[Finding]:
    """Layers of plain variables that the script never trains: before others that it does, or the last ones, by which
    it stays above a constant."""
    linear = [unit for unit in seen.units if unit.kind in ("dense", "conv")]
    fixed = [unit for unit in linear if not unit.variables]
    text = f"no gradient is taken by the variables of {len(fixed)} of {len(linear)} layers"
    vectors = {v.name for v in seen.variables if v.trainable and len(v.shape) < 2}
    if len(linear) > 1 and all(unit.variables and vectors.issuperset(unit.variables) for unit in linear):
        fixed, text = linear, f"of {len(linear)} layers only the biases are trained"  # of one they may be its weights
    elif len(fixed) < 0.5 * len(linear) or (linear[-1:] == fixed[-1:] and not _above_a_constant(seen)):
        return []
    if seen.layers or not seen.alone or not fixed:
        return []
    first = fixed[0]
    text += f", {first.name} first"
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


def _above_a_constant(seen: Observation) -> bool:
    """Whether the loss ends above that of the best constant."""
    harm = harm_of(seen)
    return harm.baseline is not None and harm.degree > 1


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
    that of unknown words (the most frequent letter or base has below 40 %), or the last weights say the same when the
    words are dealt out among the places that hold one; or, certain, one of several inputs leads to
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
    if seen.experiments.get("words_moved", 1.0) < 1e-5:
        text = (
            "the prediction is the same when the words are dealt out among their places: it knows where there are any"
        )
        return [Finding(cause="input_ignored", confidence=0.95, tag="inputs/spread", evidence=text)]
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
    if len(spreads) < 3 or not (np.median(spreads) <= 1e-6 and max(spreads) <= 1e-5) or _was_lost_early(seen):
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


def _was_lost_early(seen: Observation) -> bool:
    """Whether the loss is no number from one of the first steps on: what is said behind it says nothing of inputs."""
    losses = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    return len(losses) > 5 and not np.isfinite(losses[5:]).any()


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
    "missing_nonlinearity": missing_nonlinearity,
    "frozen_or_disconnected": frozen,
    "input_ignored": input_ignored,
}
