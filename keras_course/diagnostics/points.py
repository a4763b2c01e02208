"""Which number of an observation stands under which TensorBoard tag, as plain NumPy.

Every generator here yields `(tag, step, value)`. A value that was not measured yields nothing; one that came out NaN or
infinite is yielded as it is, for that is what a diverged training looks like.
"""

from collections.abc import Iterator

from keras_course.diagnostics.observation import Observation, Probe, Steps

import numpy as np

Point = tuple[str, int, float]

PER_UNIT = {  # tag -> field of `Probe`, and whether NaN means "does not apply to this unit"
    "activation_mean": ("mean", False),
    "activation_spread": ("spread", False),
    "activation_gradient": ("gradient", False),
    "dead_share": ("dead", True),
    "saturated_share": ("saturated", True),
}
QUANTITIES = ("gradient_norm", "weight_norm", "update_ratio", *PER_UNIT)  # each is the tag `<quantity>/<unit>`


def groups(seen: Observation) -> dict[str, list[int]]:
    """The variables of each unit, as indices into `seen.variables`, by the unit's name in tags.

    Units come in their order. Variables that no unit uses follow under the name of their layer, or their own. A space
    becomes "_", and a second unit of the same name has "_2" behind it.
    """
    index = {variable.name: i for i, variable in enumerate(seen.variables)}
    found: dict[str, list[int]] = {}
    for unit in seen.units:
        found[_unused(unit.name.replace(" ", "_"), found)] = [index[name] for name in unit.variables if name in index]
    left = set(index.values()) - {i for group in found.values() for i in group}
    for i in sorted(left):
        found.setdefault((seen.variables[i].layer or seen.variables[i].name).replace(" ", "_"), []).append(i)
    return found


def losses(seen: Observation, start: int = 0) -> Iterator[Point]:
    """`loss` of every step from `start` on, as the script computes it."""
    sign = -1.0 if seen.loss.climbed else 1.0
    if seen.steps is not None:
        first = seen.steps.count - len(seen.steps.all_losses)
        for step in range(max(first, start), seen.steps.count):
            yield "loss", step, sign * float(seen.steps.all_losses[step - first]) + seen.loss.offset


def learning_rates(seen: Observation, start: int = 0) -> Iterator[Point]:
    """`learning_rate` at each kept step from `start` on, where the optimizer keeps it in a variable."""
    if seen.steps is not None and seen.steps.rate is not None:
        for step, rate in zip(seen.steps.index, seen.steps.rate, strict=True):
            if step >= start and np.isfinite(rate):
                yield "learning_rate", int(step), float(rate)


def dynamics(seen: Observation, start: int = 0) -> Iterator[Point]:
    """`gradient_norm`, `weight_norm` and `update_ratio` of each unit at each kept step from `start` on.

    Norms are over all variables of a unit together; the ratio is the norm of a step's change over the norm of the
    weights before it, and there is none while those are 0.
    """
    if seen.steps is None:
        return
    trained = seen.steps.gradient.shape[1]  # these come first; nothing of a frozen variable changes from step to step
    for name, indices in groups(seen).items():
        columns = [i for i in indices if i < trained]
        for row in np.flatnonzero(seen.steps.index >= start) if columns else ():
            yield from _dynamics(seen.steps, int(row), columns, name)


def activations(seen: Observation, start: int = 0) -> Iterator[Point]:
    """What the probes from step `start` on measured of each unit: see `PER_UNIT`."""
    names = list(groups(seen))[: len(seen.units)]
    for probe in _from(start, seen):
        for tag, (field, optional) in PER_UNIT.items():
            values = getattr(probe, field)
            for name, value in zip(names, () if values is None else values, strict=False):
                if not (optional and np.isnan(value)):
                    yield f"{tag}/{name}", probe.step, float(value)


def ranges(seen: Observation, start: int = 0) -> Iterator[Point]:
    """`inputs/...`, `outputs/...` and `labels/entropy` of the batches probed from step `start` on."""
    for probe in _from(start, seen):
        for name, value in (_inputs(probe) | _outputs(probe) | _labels(probe)).items():
            yield name, probe.step, value


def epochs(seen: Observation) -> Iterator[Point]:
    """`epoch/<metric>`, with the number of the epoch as its step."""
    for epoch, logs in enumerate(seen.epochs):
        for name, value in logs.items():
            yield f"epoch/{name}", epoch, float(value)


def as_images(x: np.ndarray) -> np.ndarray | None:
    """A batch as images (n, height, width, 1 or 3), when it is one: also rows that hold a square of 64 pixels or more.

    Without any channel axis a stack of matrices is taken for grey images when both sides have 8 or more.
    """
    shape = x.shape[1:]
    for channels in (1, 3):
        side = round((shape[0] / channels) ** 0.5) if len(shape) == 1 else 0
        if side >= 8 and side * side * channels == shape[0]:
            return x.reshape(-1, side, side, channels)
    if len(shape) == 2 and min(shape) >= 8:
        return x[..., None]
    return x if len(shape) == 3 and shape[-1] in (1, 3) else None


def neighbour_correlation(images: np.ndarray) -> float | None:
    """Pearson correlation of a pixel with the one to its right and the one below, over all images (n, h, w, c).

    Near 1 in photographs and digits, 0 in white noise; None when nothing varies.
    """
    images = images.astype("float64")
    left = np.concatenate([images[:, :, :-1].ravel(), images[:, :-1].ravel()])
    right = np.concatenate([images[:, :, 1:].ravel(), images[:, 1:].ravel()])
    if not (np.isfinite(left).all() and left.std() > 0 and right.std() > 0):
        return None
    return float(np.corrcoef(left, right)[0, 1])


def label_entropy(y: np.ndarray) -> float | None:
    """Entropy in nats of the classes in one batch of labels: integers, or one-hot rows; None for anything else."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        y = y.argmax(1) if ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all() else np.zeros(0)
    y = y.ravel()
    if not y.size or not np.isfinite(y).all() or (y != np.round(y)).any():
        return None
    share = np.unique(y, return_counts=True)[1] / y.size
    return float(-(share * np.log(share)).sum())


def _unused(name: str, taken: dict[str, list[int]]) -> str:
    number = 2
    while (candidate := name if number == 2 else f"{name}_{number - 1}") in taken:
        number += 1
    return candidate


def _dynamics(steps: Steps, row: int, columns: list[int], name: str) -> Iterator[Point]:
    step = int(steps.index[row])
    parts = steps.gradient, steps.weight, steps.update
    gradient, weight, update = (part[row, columns].astype("float64") for part in parts)  # squares overflow float32
    healthy = np.isfinite(steps.loss[row]) & np.isfinite(weight)
    gradient = gradient[~(np.isnan(gradient) & healthy)]  # a variable without a gradient, not a gradient that is NaN
    norm = float(np.sqrt(np.square(weight).sum()))
    yield f"weight_norm/{name}", step, norm
    if gradient.size:
        yield f"gradient_norm/{name}", step, float(np.sqrt(np.square(gradient).sum()))
    change = float(np.sqrt(np.square(update).sum()))
    if norm and not (np.isnan(change) and np.isfinite(norm)):  # NaN after finite weights: the next step did not come
        yield f"update_ratio/{name}", step, change / norm


def _from(start: int, seen: Observation) -> list[Probe]:
    return [probe for probe in seen.probes if probe.step >= start]


def _labels(probe: Probe) -> dict[str, float]:
    entropy = None if probe.y is None else label_entropy(probe.y)
    return {} if entropy is None else {"labels/entropy": entropy}


def _inputs(probe: Probe) -> dict[str, float]:
    if probe.x is None or not probe.x.size:
        return {}
    x = np.asarray(probe.x, "float64")
    found = {"mean": x.mean(), "spread": x.std(), "min": x.min(), "max": x.max()}
    images = as_images(x)
    correlation = None if images is None else neighbour_correlation(images)
    if correlation is not None:
        found["neighbour_correlation"] = correlation
    return {f"inputs/{name}": float(value) for name, value in found.items()}


def _outputs(probe: Probe) -> dict[str, float]:
    if probe.output is None or not probe.output.size:
        return {}
    output = np.asarray(probe.output, "float64")
    found = {"min": output.min(), "max": output.max(), "spread_over_inputs": output.std(0).mean()}
    if output.ndim > 1 and output.shape[-1] > 1:
        found["row_sum"] = output.sum(-1).mean()
    return {f"outputs/{name}": float(value) for name, value in found.items()}
