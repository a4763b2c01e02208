"""What a loss costs by its definition, what its best constant costs, and how what is minimised differs from it."""

from collections.abc import Callable, Iterator

from keras_course.diagnostics.observation import Observation, Probe

import numpy as np
from scipy import optimize, special

CROSS = ("sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy")
SQUARED, ABSOLUTE, HUBER = "mean_squared_error", "mean_absolute_error", "huber"

CLIPPED = 15.0  # the loss of a row whose chance is cut off at 1e-7; a loss of logits goes on from there

# What a difference between prediction and target costs.
COSTS: dict[str, Callable[..., np.ndarray]] = {
    SQUARED: lambda difference, delta: np.square(difference),
    ABSOLUTE: lambda difference, delta: np.abs(difference),
    HUBER: lambda difference, delta: special.huber(delta, difference),
}


def targets_of_training(seen: Observation) -> np.ndarray | None:
    """The targets of the training: of its data, else, or where the loss saw something else, of looks at its batches."""
    # of looks from the whole training, since the targets of a stream may drift
    parts = [np.asarray(y) for y in [p.y for p in seen.probes] or seen.stream if y is not None and np.ndim(y)]
    looked = np.concatenate(parts) if parts and len({p.shape[1:] for p in parts}) == 1 else None
    stored = seen.train.y if seen.train is not None else None
    if stored is None or (looked is not None and looked[:1].size != stored[:1].size):
        return looked
    return stored


def baseline_of(seen: Observation) -> float | None:
    """The loss of the best constant prediction; None when the loss or the targets are not known."""
    y, name = targets_of_training(seen), seen.loss.name
    if y is not None and y.size and (weights := class_weights(seen)) and np.all(np.isfinite(y.astype("float64"))):
        return _weighted(y, name, weights)
    if seen.loss.weighed:
        return None  # whose weights nobody knows
    if (there := _that_count(seen)) is not None and seen.train is not None and seen.train.y is not None:
        constant = loss_of_constant(seen.train.y[there], name, seen.loss.delta)
        # Keras divides by all places; a step of the script's own, by custom, by those that count
        return constant * float(np.mean(there)) if constant is not None and seen.interface == "fit" else constant
    return loss_of_constant(y, name, seen.loss.delta)


def _that_count(seen: Observation) -> np.ndarray | None:
    """Which places of the targets count, where each has a weight of 0 or 1 and some have 0: those that fill up rows."""
    data = seen.train
    if data is None or data.y is None or data.weight is None or data.weight.ndim < 2:
        return None
    places = data.weight.shape == data.y.shape[: data.weight.ndim] and np.isin(data.weight, (0, 1)).all()
    return data.weight > 0 if places and 0 < np.mean(data.weight) < 1 else None


def loss_of_constant(y: np.ndarray | None, name: str, delta: float = 1.0) -> float | None:
    """The loss `name` of the best constant prediction of targets; None when either is not known. delta: of Huber's."""
    if y is None or y.size == 0 or y.dtype.kind not in "iufb" or not np.all(np.isfinite(y.astype("float64"))):
        return None
    if name == "sparse_categorical_crossentropy":
        return _entropy(np.unique(y.astype("int64"), return_counts=True)[1])
    if name == "categorical_crossentropy" and y.ndim >= 2 and y.min() >= 0:  # advantages are no shares
        rows = y.reshape(-1, y.shape[-1]).astype("float64")  # that may hold several ones
        return float(rows.sum(1).mean()) * _entropy(rows.sum(0))
    if name == "binary_crossentropy" and y.min() >= 0 and y.max() <= 1:
        p = np.clip(y.reshape(len(y), -1).astype("float64").mean(0), 1e-7, 1 - 1e-7)
        return float(np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p)))
    if name == SQUARED:
        return float(np.mean(np.var(y.reshape(len(y), -1).astype("float64"), axis=0)))
    if name == "poisson" and y.min() >= 0:
        mean = y.reshape(len(y), -1).astype("float64").mean(0)
        return float(np.mean(mean - mean * np.log(np.maximum(mean, 1e-7))))
    if name in (ABSOLUTE, HUBER):
        flat = y.reshape(len(y), -1).astype("float64")
        middle = np.quantile(flat, np.linspace(0.02, 0.98, 49) if name == HUBER else [0.5], axis=0)
        return float(np.mean(np.min([np.mean(COSTS[name](flat - m, delta), axis=0) for m in middle], axis=0)))
    return None


def _weighted(y: np.ndarray, name: str, weights: dict[int, float]) -> float | None:
    """The loss of the best constant when the examples of a class count by its weight: the entropy of the weights."""
    labels = y.argmax(-1) if name == "categorical_crossentropy" and y.ndim > 1 else y.reshape(-1)
    if name not in CROSS or np.any(labels != labels.astype("int64")):
        return None
    classes, counts = np.unique(labels.astype("int64"), return_counts=True)
    total = counts * np.array([float(weights.get(int(c), 1.0)) for c in classes])
    return float(_entropy(total) * total.sum() / counts.sum())


def least_of(seen: Observation) -> float:
    """The loss of a perfect prediction: above 0 for soft targets, whose own entropy a cross-entropy keeps."""
    y = targets_of_training(seen)
    if y is not None and seen.loss.name == "poisson":
        counts = np.maximum(y.astype("float64"), 1e-12)
        return float(np.mean(counts - counts * np.log(counts)))
    if y is None or y.dtype.kind != "f" or y.min() < 0 or y.max() > 1:
        return 0.0
    p = np.clip(y.astype("float64"), 1e-12, 1 - 1e-12)
    if seen.loss.name == "binary_crossentropy":
        return float(np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p)))
    if seen.loss.name == "categorical_crossentropy" and y.ndim >= 2:
        size = np.maximum(p.sum(-1), 1e-12)
        return float(np.mean(size * np.log(size) - np.sum(p * np.log(p), axis=-1)))
    return 0.0


def loss_by_definition(seen: Observation, y: np.ndarray | None, output: np.ndarray | None) -> float | None:
    """The loss of a batch by its definition, for the forms in which nothing is ambiguous."""
    losses = _losses(seen, y, output)
    return None if losses is None else float(np.mean(losses))


def _losses(seen: Observation, y: np.ndarray | None, output: np.ndarray | None) -> np.ndarray | None:
    """The loss of each row, or of each place of it where these are predictions of their own."""
    name, logits = seen.loss.name, seen.loss.from_logits
    if y is None or output is None or len(y) != len(output) or not np.all(np.isfinite(output)):
        return None
    o, t = output.astype("float64"), y.astype("float64")
    if name in CROSS[:2] and o.ndim > 2 and t.size in (o.size, o.size // o.shape[-1]):  # of each place
        o, t = o.reshape(-1, o.shape[-1]), t.reshape(-1, *o.shape[-1:] * (t.shape == o.shape))
    if name in COSTS and o.size == t.size:
        return COSTS[name](o.reshape(-1) - t.reshape(-1), seen.loss.delta)
    if name == "binary_crossentropy" and o.size == t.size and not logits and o.min() >= 0 and o.max() <= 1:
        p = np.clip(o.reshape(-1), 1e-7, 1 - 1e-7)
        return -t.reshape(-1) * np.log(p) - (1 - t.reshape(-1)) * np.log(1 - p)
    if name == "binary_crossentropy" and o.size == t.size and logits:
        z, hit = o.reshape(-1), t.reshape(-1)
        return np.maximum(z, 0) - z * hit + np.log1p(np.exp(-np.abs(z)))
    if name == "categorical_crossentropy" and o.ndim == 2 and t.shape == o.shape and not logits and o.min() >= 0:
        return -np.sum(t * np.log(np.clip(o / np.maximum(o.sum(1), 1e-7)[:, None], 1e-7, 1)), axis=1)
    if name == "categorical_crossentropy" and o.ndim == 2 and t.shape == o.shape and logits:
        return t.sum(1) * special.logsumexp(o, axis=1) - np.sum(t * o, axis=1)
    if name == "poisson" and o.size == t.size and (logits or o.min() >= 0):
        rate, counts = np.exp(o.reshape(-1)) if logits else o.reshape(-1), t.reshape(-1)
        return rate - counts * np.log(np.maximum(rate, 1e-7))
    if name == "sparse_categorical_crossentropy" and o.ndim == 2 and t.size == len(o):
        rows, labels = np.arange(len(o)), t.reshape(-1).astype(int)
        if labels.min() < 0 or labels.max() >= o.shape[1]:
            return None
        if logits:
            top = o.max(1)
            return top + np.log(np.exp(o - top[:, None]).sum(1)) - o[rows, labels]
        return -np.log(np.clip(o[rows, labels] / o.sum(1), 1e-7, 1)) if o.min() >= 0 else None
    return None


def class_weights(seen: Observation) -> dict[int, float] | None:
    """What the examples of each class count: as `fit` is told; or as a loss of the script's own has it.

    What is minimised is then within a hundredth the sum of the losses of each class, each so many times, and of a
    penalty of at most a fifth, in nine looks of ten of those that hold every class, at least four times as many as
    there are classes; by factors of which the largest is 1.2 times the least. Nothing of what is minimised that does
    not move.
    """
    if seen.plan.class_weight or seen.loss.name not in CROSS or seen.steps is None:
        return seen.plan.class_weight
    if seen.loss.name not in seen.weights:
        seen.weights[seen.loss.name] = _weights_by_hand(seen)
    return seen.weights[seen.loss.name]


def _weights_by_hand(seen: Observation) -> dict[int, float] | None:
    """`class_weights` of a loss of the script's own, from the closer looks."""
    looks = [(losses, _class_numbers(seen, probe.y), total) for probe, losses, total in _looks(seen)]
    found = [(losses, labels, total) for losses, labels, total in looks if labels is not None]
    names = np.unique(np.concatenate([labels for _, labels, _ in found])) if found else np.zeros(0, int)
    found = [look for look in found if len(np.unique(look[1])) == len(names)]
    if not 2 <= len(names) <= 20 or len(found) < 4 * len(names):
        return None
    parts = np.array([[np.sum(losses[labels == name]) / len(losses) for name in names] for losses, labels, _ in found])
    totals = np.array([total for *_, total in found])
    if not np.std(totals) > 0.02 * np.abs(np.mean(totals)) or np.linalg.matrix_rank(parts) < len(names):
        return None
    beside = np.concatenate([parts, np.ones((len(parts), 1))], axis=1)  # and a penalty, which moves slowly
    for columns in (parts, beside):
        weights = optimize.nnls(columns, totals)[0]
        rest = np.quantile(np.abs(columns @ weights - totals) / np.maximum(np.abs(totals), 1e-12), 0.9)
        if rest <= 0.01:
            break
    penalty, weights = sum(weights[len(names) :]), weights[: len(names)]
    if rest > 0.01 or penalty > 0.2 * np.mean(totals) or weights.min() <= 0 or weights.max() < 1.2 * weights.min():
        return None
    return {int(name): float(weight) for name, weight in zip(names, weights, strict=True)}


def _class_numbers(seen: Observation, y: np.ndarray | None) -> np.ndarray | None:
    """The class of each row or place of targets; None where they are shares."""
    if y is None or y.dtype.kind not in "iufb":
        return None
    labels = (y.argmax(-1) if seen.loss.name == "categorical_crossentropy" and y.ndim > 1 else y).reshape(-1)
    return labels.astype(int) if np.all(labels == np.round(labels)) else None


def penalty_shares(seen: Observation) -> list[float]:
    """The share of the loss that is not of the data, at each closer look of which all of a batch is known.

    None is claimed where weights of classes, the loss of another output or a second loss may be the difference: where
    the model has no penalties by name, what is left must move slowly against the loss of the batch, by the second half
    of the looks.
    """
    scale, losses = scale_of(seen), np.array(own_and_minimised(seen)).reshape(-1, 2)
    if class_weights(seen) or (seen.head == "softmax" and seen.classes == 1):  # whose loss is of the logits
        return []
    if len(seen.losses) > 1 or seen.loss.several:
        return []  # what is left is the loss of the other outputs
    if not seen.loss.regularised and len(losses) >= 8:
        own, rest = np.diff(losses[len(losses) // 2 :] @ [[1, -scale], [0, 1]], axis=0).T
        if np.std(rest) > np.std(scale * own):
            return []
    return [float((total - scale * own) / total) for own, total in losses if total > 1e-6]


def scale_of(seen: Observation) -> float:
    """How often the loss by its definition counts in what is minimised: 100 in `100 * mean`, the batch in a sum.

    Between closer looks a penalty moves little, so that what is minimised moves as often as the loss of the batch does:
    by the slope of the differences, when they are correlated by more than .9 and it is above 2 or below .5; else 1.
    Beside penalties by name, which may move too, only above 20, as of a sum over the pixels of a picture, and by the
    second half of the looks.
    """
    if class_weights(seen):
        return 1.0  # which hold it
    losses = np.array(own_and_minimised(seen))
    losses = losses[len(losses) // 2 :] if seen.loss.regularised else losses
    if len(losses) < 8:
        return _of_a_sum(seen, losses)
    own, total = np.diff(losses, axis=0).T
    if min(np.ptp(own), np.ptp(total)) < 1e-9 or np.corrcoef(own, total)[0, 1] < 0.9:
        return 1.0
    slope = float(own @ total / (own @ own))
    return slope if slope > 20 or not (seen.loss.regularised or 0.5 <= slope <= 2) else 1.0


def weighed_by_example(seen: Observation) -> bool:
    """Whether examples count by weights of their own, so that no constant is known to compare with.

    What is minimised is then now above the loss by its definition and now below it, each by a twentieth in a fifth of
    at least four looks; a penalty is never negative.
    """
    losses = np.array(own_and_minimised(seen)).reshape(-1, 2)
    if len(losses) < 4 or class_weights(seen):  # whose constant is known
        return False
    own = scale_of(seen) * losses[:, 0]
    rest = (losses[:, 1] - own) / max(abs(float(np.median(own))), 1e-12)  # Poisson's may be below 0
    low, high = np.quantile(rest, (0.2, 0.8))
    return bool(low < -0.05 and high > 0.05)


def weighed_down(seen: Observation) -> bool:
    """Whether what a loop minimises lies below the loss by its definition by shares that change from look to look, as
    where rewards of 0 and 1 are factors of it: what counts for nothing is no label."""
    losses = np.array(own_and_minimised(seen)).reshape(-1, 2)
    if len(losses) < 4 or seen.interface != "loop" or class_weights(seen):
        return False
    shares = losses[:, 1] / np.maximum(scale_of(seen) * losses[:, 0], 1e-12)
    return bool(np.quantile(shares, 0.8) < 0.95 and np.std(shares) > 0.05 * abs(np.mean(shares)))


def _of_a_sum(seen: Observation, losses: np.ndarray) -> float:
    """The size of the batches where what is minimised is so many times the loss, within 5 %; else 1."""
    size = max((len(np.atleast_1d(p.y)) for p in seen.probes if p.y is not None), default=1)
    ratio = losses[:, 1] / losses[:, 0] if len(losses) >= 2 and np.all(losses[:, 0] > 0) else np.zeros(1)
    return float(size) if np.all(np.abs(ratio / size - 1) < 0.05) else 1.0


def own_and_minimised(seen: Observation) -> list[tuple[float, float]]:
    """The loss of a batch by its definition, and what was minimised, at each closer look where both are known."""
    return [(float(np.mean(losses)), total) for _, losses, total in _looks(seen) if np.isfinite(total)]


def _looks(seen: Observation) -> Iterator[tuple[Probe, np.ndarray, float]]:
    """Each closer look with the losses of its rows by definition, and what was minimised, where both are known: not of
    chances that are cut off, behind which Keras takes the logits."""
    cut = seen.loss.name in CROSS and not seen.loss.from_logits
    kept = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    first = seen.steps.count - len(kept) if seen.steps is not None else 0
    for probe in seen.probes:
        losses = _losses(seen, probe.y, probe.output)
        if losses is None or (cut and losses.max(initial=0) >= CLIPPED):
            continue
        if 0 <= probe.step - first < len(kept):
            yield probe, losses, float(kept[probe.step - first])


def _entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-np.sum(p * np.log(p)))
