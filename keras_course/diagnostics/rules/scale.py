"""Rules on the scale of inputs and targets: rows 11 to 13 of the table of causes."""

import dataclasses

from keras_course.diagnostics.harm import harm_of
from keras_course.diagnostics.held_out import held_out
from keras_course.diagnostics.losses import baseline_of
from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.seen import (
    BINARY,
    CATEGORICAL,
    DIFFERENCES,
    joined,
    losses_of_outputs,
    targets_of,
)
from keras_course.diagnostics.statistics import scales

import numpy as np

LARGE, FAR, APART = 20.0, 10.0, 100.0  # spread of a feature; its centre in spreads; largest spread against smallest
ALONE = 100.0  # the centre of a single feature that moves all units alike
WILD = 1000.0  # a spread that nothing but a normalisation makes up for


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
    or such a centre of one feature further than 100; or spreads a hundredfold apart of which the largest is above 20;
    or examples that lie closer than 0.2 to their mean; or one feature wider than 20 and twice as wide as all others
    together, where half of the first units are flat. It is named when there is harm: with Adam and batch normalisation
    such a network often learns; where the loss has no constant to compare with, also when more than 90 % of the first
    units are flat from it; where a spread is above 1,000, unless what is to be learned is known and was learned, up to
    15 % of it; and behind a layer Normalization that was never adapted. Judged behind Rescaling, Normalization and the
    like. Must stay silent: embeddings, codes of zeros and ones, bags of words, rows of length 1, constant features,
    places that are masked. Source: UMLAUT and TheDeepChecker ask for [-1, 1] or a spread of exactly 1, and alarm on
    half of the healthy runs of the base; hence the wide band.
    """
    first = first_inputs(seen)
    given = [] if first is None or inputs_scaled_twice(seen) else [("", _unmasked(seen, first))]
    given += _further(seen)
    said = [(name, *_far_from_one(x, alone=not name)) for name, x in given]
    name, text, widest = next((one for one in said if one[1]), ("", "", 0.0))
    if not text and first is not None and (driven := _one_drives(seen, scales(first).spread)):
        return [Finding(cause="inputs_not_scaled", confidence=0.85, evidence=driven, tag="inputs/spread")]
    if not text:
        return []
    sure = 0.6 + 0.1 * (widest > 100) + 0.1 * (seen.optimizer.name == "SGD")
    flat = not name and widest > LARGE and baseline_of(seen) is None and _flat_behind(seen)
    if flat:
        text += f", and nearly all units of {seen.units[0].name} are flat"
    harm = harm_of(seen)
    wild = widest > WILD and (harm.baseline is None or harm.degree > 0.15)
    if idle := _never_adapted(seen):
        text = f"never adapted, so that nothing is scaled: {' and '.join(idle)}; {f'{name}: ' * bool(name)}{text}"
        repair = "call `adapt` of the layer on the training rows before the model is trained"
        return [
            Finding(
                cause="inputs_not_scaled",
                confidence=0.9,
                certain=True,
                evidence=text,
                layer=idle[0],
                repair=repair,
                tag="inputs/spread",
            )
        ]
    return [
        Finding(
            cause="inputs_not_scaled",
            confidence=0.96 if wild and harm.degree > 0.5 else sure,  # before what the outputs say that they lead to
            certain=bool(flat or wild),
            evidence=f"{name}: {text}" if name else text,
            layer=name if any(unit.name == name for unit in seen.units) else "",
            tag="inputs/spread",
        )
    ]


def _further(seen: Observation) -> list[tuple[str, np.ndarray]]:
    """What further inputs bring, (rows, ...), by their names."""
    return [(name, x) for name, x in seen.entering.items() if x.ndim >= 2 and len(x) >= 32 and np.isfinite(x).all()]


def _one_drives(seen: Observation, spread: np.ndarray) -> str:
    """In words, that one input is far wider than all others together, and half of the first units flat; "" without."""
    flat = [float(p.saturated[0]) for p in seen.probes[-3:] if p.saturated is not None and len(p.saturated)]
    if len(flat) < 3 or not min(flat) >= 0.5:
        return ""
    others = np.delete(spread, spread.argmax())
    if not len(others) or spread.max() < LARGE or spread.max() < 2 * np.linalg.norm(others):
        return ""
    text = f"one input spreads by {spread.max():.3g}, all others together by {np.linalg.norm(others):.3g}, and of "
    return text + f"the units of {seen.units[0].name} {flat[-1]:.0%} are flat"


def _never_adapted(seen: Observation) -> list[str]:
    """The layers Normalization that have seen no data and were told no mean."""
    values, found = {v.name: v.final for v in seen.variables if v.final is not None}, []
    for layer in seen.layers:
        if layer["class"] == "Normalization" and layer["config"].get("mean") is None:
            mean, variance = (values.get(f"{layer['name']}/{of}") for of in ("mean", "variance"))
            if mean is not None and variance is not None and not mean.any() and np.all(variance == 1):
                found.append(str(layer["name"]))
    return found


def _unmasked(seen: Observation, x: np.ndarray) -> np.ndarray:
    """The places (m, channels) of sequences that a layer does not mask; sequences of which none is masked as they
    are."""
    value = next((layer["config"].get("mask_value") for layer in seen.layers if layer["class"] == "Masking"), None)
    if value is None or x.ndim != 3:
        return x
    there = np.any(x != np.asarray(value, x.dtype), axis=-1)
    return x if there.all() or there.sum() < len(x) else x[there]


def _far_from_one(x: np.ndarray, *, alone: bool) -> tuple[str, float]:
    """In words, how far inputs are from a scale of 1, or ""; and the widest spread. alone: no other input makes up for
    examples that lie close together."""
    found = scales(x)
    varies = found.spread > 1e-12
    if found.sparse or not varies.any():
        return "", 0.0
    spread, center = found.spread[varies], np.abs(found.center[varies])
    large = float(np.mean(spread > LARGE))
    far = float(np.mean((center > FAR * spread) & (center > FAR)))
    text = ""
    if large > 0.2:
        text = f"{large:.0%} of the inputs spread by more than {LARGE:g}, the widest by {spread.max():.3g}"
    elif far > 0.2:
        text = f"{far:.0%} of the inputs lie further than {FAR:g} spreads from 0, the furthest at {center.max():.3g}"
    elif np.any((center > FAR * spread) & (center > ALONE)):
        text = f"one of the inputs lies further than {FAR:g} spreads from 0, at {center.max():.3g}"
    elif spread.max() > LARGE and spread.max() > APART * spread.min():
        text = f"the spreads of the inputs reach from {spread.min():.2g} to {spread.max():.3g}"
    elif found.row < 0.2 and alone:
        text = f"inputs differ from their mean by {found.row:.2g} in the median"
    return text, float(spread.max())


def _flat_behind(seen: Observation) -> bool:
    """Whether more than 90 % of the first units are saturated or silent, in each of the last three looks."""
    looks = [(p.saturated, p.dead) for p in seen.probes[-3:]]
    if len(looks) < 3 or any(s is None or d is None or not len(s) for s, d in looks):
        return False
    return all(float(np.nanmax([0.0, s[0], d[0]])) > 0.9 for s, d in looks if s is not None and d is not None)


def inputs_scaled_twice(seen: Observation) -> list[Finding]:
    """Row 12: pixels that were divided by 255 twice, or tables from which means and spreads were taken twice.

    Threshold: all inputs in [0, 1.01 / 255], or as near to -1, with a spread above 0 within the examples; certain where
    the largest of rows of at least 64 numbers is 1 / 255, within a hundredth of it, and of images half of that. Certain
    too: a layer Normalization whose means or spreads are not those of the columns that it is given, which have means of
    0 and spreads of 1. With harm: a table all of whose columns lie below 0, a fifth of them by ten spreads. Certain
    too: a layer Rescaling by a twentieth or less of examples, of training or else of validation, that reach no further
    than 5, or, but for noise, no further than 1, whose spread is that of what enters the first weights; with harm by
    more, where that is below 0.05. Must stay silent: blank images.
    Source: row 12 of the taxonomy; UMLAUT's range check, for the other end of the range.
    """
    x = first_inputs(seen)
    if found := _standardised_before(seen) or _taken_twice(seen):
        return [found]
    if x is None:
        return []
    if again := _rescaled_again(seen, x):
        return [again]
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


def _standardised_before(seen: Observation) -> Finding | None:
    """A layer Normalization that was adapted to a table as it was, or told its means, and is given its columns, or
    windows of them, with means of 0 and spreads of 1."""
    values = {v.name: v.final for v in seen.variables if v.final is not None}
    given = () if seen.train is None else (seen.train.x, *seen.train.further)
    windows = [x.reshape(-1, x.shape[-1]) if x.ndim == 3 else x for x in given]
    tables = [x for x in windows if _is_table(x)]
    for layer in seen.layers:
        if layer["class"] != "Normalization":
            continue
        told = [layer["config"].get(of) for of in ("mean", "variance")]  # by the script, or what was adapted
        learned = [values.get(f"{layer.get('name')}/{of}") for of in ("mean", "variance")]
        mean, variance = (b if a is None else np.asarray(a, "float64") for a, b in zip(told, learned, strict=True))
        if mean is None or variance is None:
            continue
        mean, spread = mean.reshape(-1), np.sqrt(np.maximum(variance.reshape(-1), 1e-12))
        other = (spread > 5) | (spread < 0.2) | (np.abs(mean) > 3 * spread)
        for x in tables:
            if x.shape[1] != mean.size or np.mean(other) <= 0.25:
                continue
            if np.all(np.abs(x.mean(0)) < 0.2) and np.all((x.std(0) > 0.5) & (x.std(0) < 2)):
                text = f"{layer['name']} takes means up to {np.abs(mean).max():.3g} from columns whose means are 0 and "
                text += "whose spreads are 1 already"
                found = Finding(cause="inputs_scaled_twice", confidence=0.95, certain=True, evidence=text)
                return dataclasses.replace(found, layer=layer["name"], tag="inputs/spread")
    return None


def _taken_twice(seen: Observation) -> Finding | None:
    """A table that looks as one does from which its means are taken a second time: all of it lies below 0, and some
    of it by many spreads, which differ."""
    first = [("the inputs", probe.x) for probe in seen.probes[:1] if probe.x is not None and len(probe.x) >= 32]
    for name, x in [*_further(seen), *first]:
        if not _is_table(x) or x.shape[1] < 4:
            continue
        center, spread = x.mean(0), x.std(0)
        uneven = spread.min() > 0 and spread.max() > 5 * spread.min() and spread.max() < 5
        if uneven and np.all(center < -0.5 * spread) and np.mean(center < -FAR * spread) > 0.2:
            text = f"{name}: all {x.shape[1]} columns lie below 0, by {np.max(-center / spread):.3g} spreads at most, "
            text += "as those do from which their means are taken twice"
            return Finding(cause="inputs_scaled_twice", confidence=0.8, evidence=text, tag="inputs/spread")
    return None


def _is_table(x: np.ndarray) -> bool:
    """Whether these are rows of measurements, all of them known."""
    return x.ndim == 2 and x.dtype.kind == "f" and bool(np.isfinite(x).all())


NEXT_TO_NOTHING = 0.05  # of a spread, in front of the first weights


def _rescaled_again(seen: Observation, entering: np.ndarray) -> Finding | None:
    """A layer that divides pixels, in front of what holds pixels no more. entering: what reaches the first weights."""
    known = next((data for data in (seen.train, seen.validation) if data is not None), None)
    x = known.x if known is not None else np.zeros(0)
    if x.dtype.kind != "f" or x[:1].size < 64:
        return None
    reach = float(np.abs(x).max())
    reach = reach if reach <= 5 else _without_noise(seen, x)
    if not 0 < reach <= 5:
        return None
    ratio = float(np.std(entering)) / float(np.std(x)) if np.std(x) > 0 else 0.0
    brought = any(layer["class"] == "Normalization" for layer in seen.layers)  # to a spread of 1, if pixels went in
    for layer in seen.layers:
        scale = layer["config"].get("scale") if layer["class"] == "Rescaling" else None
        much = isinstance(scale, float | int) and (
            0 < scale <= 0.05 or (scale < 1 and np.std(entering) < NEXT_TO_NOTHING)
        )
        if isinstance(scale, float | int) and much and 0.5 < ratio / scale < (10 if brought else 2):
            text = f"{layer['name']} multiplies by {scale:.3g} what reaches no further than {reach:.3g}"
            return Finding(
                cause="inputs_scaled_twice",
                confidence=0.95,
                certain=scale <= 0.05,
                evidence=text,
                layer=layer["name"],
                tag="inputs/max",
            )
    return None


def _without_noise(seen: Observation, x: np.ndarray) -> float:
    """How far rows that are held out reach from 0, where the training differs from them by noise around the same mean,
    as of grains of a film that was meant for bytes; 0 where none are so."""
    held = [each.asked.x for each in held_out(seen) if each.asked.x.shape[1:] == x.shape[1:]]
    near = [rows for rows in held if abs(float(rows.mean()) - float(x.mean())) < 0.5]
    return min((float(np.abs(rows).max()) for rows in near if rows.min() >= 0 and rows.max() <= 1.01), default=0.0)


def targets_not_scaled(seen: Observation) -> list[Finding]:
    """Row 13: targets further away than the output layer can move, or than a squared error bears.

    Threshold: mean or spread of the targets above 10 with a squared or absolute error. With Adam, whose steps are about
    as long as the rate, they are out of reach when their size exceeds rate x steps x (1 + sum of the last activations):
    then it is the surer, as where updates by hand move the weights, and the loss stays above a constant's, of targets
    beyond 1,000; within reach it is a note. Named when there is harm, since with time and a high enough rate it is no
    fault; where the rate is below a tenth of the usual one and the targets below 100, the rate is the surer cause; a
    note too where only their mean is far, and the loss comes down to that of the best constant, and where the steps of
    a network of one layer diverge: by its inputs and the rate, whatever it is to tell. Of several outputs one whose
    squared or absolute error stays above 10,000, or a thousand times above the loss of classes, which falls by less
    than a tenth; or, certain, of several targets of one output one a tenth as wide as the widest, of which the network
    has not learned what a line tells. Must stay silent: outputs scaled back inside the model. Source: row 13 of the
    taxonomy.
    """
    for output, (name, losses) in losses_of_outputs(seen).items():
        if name in DIFFERENCES and losses[0] > 1e4 and losses[0] >= losses[-1] > 0.5 * losses[0]:
            text = f"the {name} of {output} starts at {losses[0]:.3g} and ends at {losses[-1]:.3g} (above 10,000)"
            return [Finding(cause="targets_not_scaled", confidence=0.88, evidence=text, tag=f"epoch/{output}_loss")]
    if found := _drowning_out(seen) or _narrow_beside_wide(seen):
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
    harm = harm_of(seen)
    if reach is None and center + spread > BEYOND and harm.degree > 1 and _moved_by_hand(seen):
        text, sure = f"{text}; updates by hand move the weights, and the output has not got there", 0.9
    there = spread <= FAR and harm.baseline is not None and harm.degree < 2
    linear = seen.loss.name == DIFFERENCES[0] and len(seen.units) <= 1 and harm.diverged
    kind = "note" if near or there or linear else "named"
    return [Finding(cause="targets_not_scaled", kind=kind, confidence=sure, evidence=text, tag="outputs/max")]


BEYOND = 1000.0  # of targets that updates by hand do not reach while their weights move


def _moved_by_hand(seen: Observation) -> bool:
    """Whether updates by hand move the weights by more than a thousandth of their norm in the median step, as those of
    an Adam by hand do whatever the gradients are: no rate that is too low by itself."""
    steps = seen.steps
    if seen.optimizer.name or steps is None or not len(steps.index):
        return False
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.nanmedian(steps.update / steps.weight) if steps.update.size else 0.0
    return bool(moved > 1e-3)


def _reach(seen: Observation) -> float | None:
    """How far the steps seen can move the output with an optimizer whose steps are as long as its rate."""
    rate, last = seen.optimizer.rate, seen.probes[0] if seen.probes else None
    if rate is None or seen.optimizer.name in ("", "SGD") or seen.steps is None or last is None:
        return None
    kernels = [v for v in seen.variables if seen.units and v.layer == seen.units[-1].name and len(v.shape) == 2]
    if not kernels or last.mean is None:
        return None
    if len(last.mean) >= 2:
        size = abs(last.mean[-2])
    elif last.x is not None and last.x.dtype.kind in "iuf":
        size = np.mean(np.abs(last.x))
    else:
        return None
    return float(rate * seen.steps.count * (1 + kernels[-1].shape[0] * size))


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


def _narrow_beside_wide(seen: Observation) -> Finding | None:
    """Of several real targets of one output a narrow one is not learned, though a line tells it, and the widest is."""
    e = seen.experiments
    if e.get("wide_told", 0.0) < 0.7 or e["narrow_told"] > 0.3 or e["narrow_known"] < max(e["narrow_told"], 0.0) + 0.2:
        return None
    text = (
        f"the network tells {e['wide_told']:.0%} of the target whose spread is {e['wide_spread']:.3g}, and of number "
        f"{e['narrow']:.0f}, whose spread is {e['narrow_spread']:.3g}, {max(e['narrow_told'], 0):.0%}, of which a line "
        f"tells {e['narrow_known']:.0%}: the squared error is that of the widest"
    )
    return Finding(cause="targets_not_scaled", confidence=0.88, certain=True, evidence=text, tag="outputs/max")


RULES = {
    "inputs_not_scaled": inputs_not_scaled,
    "inputs_scaled_twice": inputs_scaled_twice,
    "targets_not_scaled": targets_not_scaled,
}
