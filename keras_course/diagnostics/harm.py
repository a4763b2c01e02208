"""Whether a training is harmed: how much of what a simple model learns from the same data it has learned."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from keras_course.diagnostics.observation import Data, Observation
from keras_course.diagnostics.seen import quantities, rows_of, takes_turns
from keras_course.diagnostics.statistics import classes_of, keys
from keras_course.diagnostics.telling import on_one_scale

import numpy as np
from scipy import special

ROWS = 1500
COLUMNS = 4096


@dataclasses.dataclass(kw_only=True)
class Harm:
    """degree: 0 when the training reaches what it can, 1 when it is no better than a constant, more when it is worse.

    sentence: the comparison in words. baseline: the loss of the best constant. reference: of a simple model.
    attained: where neither is known, the share of what a short training by Adam gains that this one has not gained.
    elsewhere: the degree by the validation loss, or by the loss that the last weights give the first batches, where it
    is larger: batches of one class are easy, one after the other.
    """

    degree: float
    sentence: str
    diverged: bool = False
    baseline: float | None = None
    reference: float | None = None
    end: float | None = None
    still_falling: bool = False
    elsewhere: float = 0.0
    attained: float | None = None

    def __bool__(self) -> bool:
        return self.degree > 0.5


CROSS = ("sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy")
SQUARED, ABSOLUTE, HUBER = "mean_squared_error", "mean_absolute_error", "huber"

# What a difference between prediction and target costs; Huber's with Keras's own delta.
COSTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    SQUARED: np.square,
    ABSOLUTE: np.abs,
    HUBER: functools.partial(special.huber, 1.0),
}


def harm_of(seen: Observation) -> Harm:
    """The harm of one training, by its loss."""
    steps = seen.steps
    if steps is None or not len(steps.all_losses):
        return Harm(degree=0.0, sentence="no step was seen")
    losses = steps.all_losses
    if not np.all(np.isfinite(losses)):
        first = int(np.flatnonzero(~np.isfinite(losses))[0]) + max(steps.count - len(losses), 0)
        return Harm(
            degree=2.0, sentence=f"the loss is {losses[~np.isfinite(losses)][0]} at step {first}", diverged=True
        )
    tail = losses[-max(len(losses) // 10, min(10, len(losses))) :]
    end, error = float(np.mean(tail)), float(np.std(tail) / np.sqrt(len(tail)))
    start = float(np.mean(losses[: max(min(5, len(losses) // 4), 1)]))
    falling = _falling(losses)
    if impossible(seen):
        return Harm(degree=2.0, sentence=f"the loss ends at {end:.3g}, and {seen.loss.name} is never below 0", end=end)
    made = made_by_the_program(seen)
    if made and not seen.alone:
        words = f"the loss ends at {end:.3g} in a game of two, whose balance is no failure"
        return Harm(degree=0.0, sentence=words, end=end)
    best, reference, scale = baseline_of(seen), None, scale_of(seen)
    least = scale * least_of(seen)
    # A loss that is below 0, and not impossible, is not the one of its name.
    odd = (float(np.min(losses)) < -1e-3 and seen.loss.name in CROSS) or weighed_by_example(seen)
    if best is not None and scale * best - least > 1e-3 and not odd:
        best *= scale
        # of examples that all count alike, and whose targets are not made by the program
        reference = None if seen.plan.class_weight or made else reference_of(seen)
        reference = None if reference is None else scale * reference
        low = min(max(reference if reference is not None else 0.0, least), max(0.9 * best, least))
        low = least if seen.loss.name == "poisson" else low  # which has no reference, and may be below 0
        key = f"val_{next(iter(seen.losses))}_loss" if len(seen.losses) > 1 else "val_loss"
        values = [row[key] for row in seen.epochs if np.isfinite(row.get(key, np.nan))]
        # dropout makes the training loss the larger one; so do weights of classes, which validation does not have
        drawn = seen.experiments.get("draws") and not seen.plan.class_weight
        known = scale * np.array(_losses(seen)).reshape(-1, 2)[-5:, 0]  # without what is added
        own = [float(np.mean(known))] if len(known) and (scale != 1 or len(seen.losses) > 1) else []
        if own and len(seen.losses) > 1:
            end = own[0]  # of several outputs, of which the constant is that of the first
        judged_by = [end, *own, *(values[-1:] if drawn else [])]
        degree = (min(judged_by) - low) / (best - low)
        judged = values[-1] if values else 2 * end
        if reference is not None and reference > 0.95 * best and judged > 0.95 * best:
            degree = max(degree, 0.5)  # what can be learned by heart is not what was to be learned
        if made and end < 0.97 * best:  # pairs inside of a batch: how many can be told apart nobody knows
            degree = 0.0
        other = [loss for loss in (*values[-1:], seen.experiments.get("forgotten", np.nan)) if np.isfinite(loss)]
        words = f"the loss ends at {end:.3g}, the best constant gives {best:.3g}"
        if reference is not None:
            words += f", a simple model {reference:.3g}"
        return Harm(
            degree=float(np.clip(degree, 0, 5)),
            sentence=words,
            diverged=end > 3 * max(best, 1e-12) and end > 1.5 * start,
            baseline=best,
            reference=reference,
            end=end,
            still_falling=falling,
            elsewhere=max(((loss - low) / (best - low) for loss in other), default=0.0),
        )
    # Without a known target only progress can be judged: none at all, or uphill, is harm.
    moved = (start - end) / max(abs(start), 1e-12)
    grew = end > start + 3 * error and moved < -0.2
    diverged = (grew and end > 10 * abs(start)) or end < -1e4 * max(abs(start), 1.0)  # or down without end
    grew = grew and (seen.alone or diverged)  # what another network makes may be the harder the better that one gets
    blind, chance = blind_at_the_end(seen), accuracy_of_chance(seen)
    words = f"the loss goes from {start:.3g} to {end:.3g}" + ", and the prediction is constant" * blind
    lost = grew or abs(moved) < 0.01 or blind or chance
    short, reached = shortfall(seen, end), attained(seen)
    if short > ENOUGH:
        words += f", where a short training by Adam reaches {reached:.3g}"
    return Harm(
        degree=max(
            1.0 if lost else STALLED if seen.alone and _stalled(losses) else 0.0,
            min(2 * short, 1.0) if short > ENOUGH else 0.0,  # to lack half of what so short a training gains is all
        ),
        sentence=f"{words}, {chance}" if chance else words,
        diverged=diverged,
        end=end,
        still_falling=falling,
        attained=short if short > ENOUGH else None,
    )


ENOUGH = (
    0.2  # of what a short training by Adam gains: of 18 healthy runs with such a loss none was further from it than .09
)


def attained(seen: Observation) -> float | None:
    """The loss that a short training by Adam reaches, from the better of two starts; None where it says nothing.

    Nothing of a loss that goes below 0, as that of a policy, which gains by any step and has no end; nor where there is
    next to nothing to gain, less than a twentieth of the loss before any step.
    """
    e = seen.experiments
    best = min(e.get("attained_own", np.inf), e.get("attained_fresh", np.inf))
    return best if np.isfinite(best) and 0 <= best < 0.95 * e["attained_from"] else None


def shortfall(seen: Observation, end: float) -> float:
    """The share of what a short training by Adam gains that the script has not gained: 0 where it reaches as much.

    By the lower of the loss that its last weights give the same batches, and that of its last steps: batches of the
    beginning may be of another time.
    """
    best = attained(seen)
    if best is None:
        return 0.0
    last = min(loss for loss in (seen.experiments["attained_last"], end) if np.isfinite(loss))
    return max((last - best) / (seen.experiments["attained_from"] - best), 0.0)


STALLED = 0.45  # of harm: a mechanism may be named, a curve may not


def _stalled(losses: np.ndarray) -> bool:
    """Whether the last tenth of the steps is not significantly below the first, by three standard errors; or not below
    the first loss of all, from which it jumped."""
    n = len(losses) // 10
    if n < 5:
        return False
    if np.max(losses[:n]) > 100 * losses[0] > 0:
        return bool(np.mean(losses[-n:]) > 0.8 * losses[0])
    first, last = losses[:n], losses[-n:]
    error = np.sqrt((np.var(first) + np.var(last)) / n)
    return bool(np.mean(last) > np.mean(first) - 3 * error and np.mean(last) > 0.8 * np.mean(first) > 0)


def impossible(seen: Observation) -> bool:
    """Whether the loss is below 0, where it has a name whose loss cannot be.

    Not where the loss of the batches by its definition is none of it: one that is weighted by an advantage may be
    anything. Its negative is what is minimised when the two move against each other.
    """
    losses = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    losses = losses[np.isfinite(losses)]  # downwards without end it is soon no number
    if not len(losses) or seen.loss.name not in (*CROSS, SQUARED, ABSOLUTE) or not float(np.min(losses)) < -1e-3:
        return False
    known = np.array(_losses(seen)).reshape(-1, 2)
    if len(known) < 4 or seen.interface == "fit":
        return not seen.losses  # a sum of several has no name
    own, total = known.T
    return own.min() < -1e-3 or (np.std(own) > 0 and bool(np.corrcoef(own, total)[0, 1] < -0.9))


def made_by_the_program(seen: Observation) -> bool:
    """Whether other inputs have the same labels in the same order each time: the ones and zeros of a game of two; or
    batches of ones take turns with batches of zeros, beside another network that is trained."""
    looks = [(p.x, p.y) for p in seen.probes if p.x is not None and p.y is not None and np.ndim(p.y)]
    looks = [(x, y) for x, y in looks if len(y) == len(looks[0][1])]  # the last batch of an epoch is shorter
    if len(looks) < 4 or len(looks[0][1]) < 8:
        return False
    if not seen.alone and takes_turns([y.reshape(-1) for _, y in looks if y.dtype.kind in "iufb"]):
        return True
    (x, y), *others = looks
    if seen.alone and np.all(y == y[:1]):
        return False  # there is nobody to play against, and nothing to be told apart
    return all(np.array_equal(b, y) for _, b in others) and not any(np.array_equal(a, x) for a, _ in others)


def _falling(losses: np.ndarray) -> bool:
    """Whether the last third lies significantly below the third before it."""
    third = len(losses) // 3
    if third < 5:
        return False
    before, last = losses[-2 * third : -third], losses[-third:]
    error = np.sqrt(np.var(before) / third + np.var(last) / third)
    return bool(
        np.mean(before) - np.mean(last) > 3 * error and np.mean(before) - np.mean(last) > 0.02 * np.mean(before)
    )


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
    if y is not None and y.size and seen.plan.class_weight and np.all(np.isfinite(y.astype("float64"))):
        return _weighted(y, name, seen.plan.class_weight)
    return loss_of_constant(y, name)


def loss_of_constant(y: np.ndarray | None, name: str) -> float | None:
    """The loss `name` of the best constant prediction of targets; None when either is not known."""
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
        return float(np.mean(np.min([np.mean(COSTS[name](flat - m), axis=0) for m in middle], axis=0)))
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


def spread_over_inputs(output: np.ndarray) -> float:
    """How much a prediction varies over its batch, against its size."""
    out = output.astype("float64")
    return float(np.max(np.std(out, axis=0))) / max(float(np.max(np.abs(out))), 1e-30)


def blind_at_the_end(seen: Observation) -> bool:
    """Whether the prediction was the same for all inputs, which differed, in each of the last three closer looks."""
    looks = [(p.x, p.output) for p in seen.probes if p.x is not None and p.output is not None][-3:]
    if len(looks) < 3 or any(min(np.ndim(x), np.ndim(output)) < 1 or len(output) < 2 for x, output in looks):
        return False
    return all(np.any(x != x[:1]) and spread_over_inputs(output) <= 1e-6 for x, output in looks)


def accuracy_of_chance(seen: Observation) -> str:
    """In words, an accuracy of the last epoch that is no better than naming the most frequent class; "" otherwise."""
    y = seen.train.y if seen.train is not None else None
    labels = classes_of(y) if y is not None else None
    if labels is None or len(labels) < 100 or not seen.epochs:
        return ""
    common = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    error = np.sqrt(common * (1 - common) / len(labels))
    for name, value in seen.epochs[-1].items():
        if name in ("acc", "accuracy") and 0 < value < common + 3 * error and common < 0.9:
            return f"the {name} ends at {value:.2f}, the most frequent class has {common:.2f} of the rows"
    return ""


def penalty_shares(seen: Observation) -> list[float]:
    """The share of the loss that is not of the data, at each closer look of which all of a batch is known.

    None is claimed where weights of classes or a second loss may be the difference: where the model has no penalties by
    name, what is left must move slowly against the loss of the batch, by the second half of the looks.
    """
    scale, losses = scale_of(seen), np.array(_losses(seen)).reshape(-1, 2)
    if seen.plan.class_weight or (seen.head == "softmax" and seen.classes == 1):  # whose loss is of the logits
        return []
    if len(seen.losses) > 1 and not seen.loss.regularised:
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
    losses = np.array(_losses(seen))
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
    losses = np.array(_losses(seen)).reshape(-1, 2)
    if len(losses) < 4 or seen.plan.class_weight:  # whose constant is known
        return False
    rest = (losses[:, 1] - scale_of(seen) * losses[:, 0]) / max(scale_of(seen) * float(np.median(losses[:, 0])), 1e-12)
    low, high = np.quantile(rest, (0.2, 0.8))
    return bool(low < -0.05 and high > 0.05)


def _of_a_sum(seen: Observation, losses: np.ndarray) -> float:
    """The size of the batches where what is minimised is so many times the loss, within 5 %; else 1."""
    size = max((len(np.atleast_1d(p.y)) for p in seen.probes if p.y is not None), default=1)
    ratio = losses[:, 1] / losses[:, 0] if len(losses) >= 2 and np.all(losses[:, 0] > 0) else np.zeros(1)
    return float(size) if np.all(np.abs(ratio / size - 1) < 0.05) else 1.0


def _losses(seen: Observation) -> list[tuple[float, float]]:
    """The loss of a batch by its definition, and what was minimised, at each closer look where both are known."""
    if seen.steps is None:
        return []
    found, first = [], seen.steps.count - len(seen.steps.all_losses)
    for probe in seen.probes:
        own = loss_by_definition(seen, probe.y, probe.output)
        if own is not None and 0 <= probe.step - first < len(seen.steps.all_losses):
            total = float(seen.steps.all_losses[probe.step - first])
            found += [(own, total)] if np.isfinite(total) else []
    return found


def loss_by_definition(seen: Observation, y: np.ndarray | None, output: np.ndarray | None) -> float | None:
    """The loss of a batch by its definition, for the forms in which nothing is ambiguous."""
    name, logits = seen.loss.name, seen.loss.from_logits
    if y is None or output is None or len(y) != len(output) or not np.all(np.isfinite(output)):
        return None
    o, t = output.astype("float64"), y.astype("float64")
    if name in COSTS and o.size == t.size:
        return float(np.mean(COSTS[name](o.reshape(-1) - t.reshape(-1))))
    if name == "binary_crossentropy" and o.size == t.size and not logits and o.min() >= 0 and o.max() <= 1:
        p = np.clip(o.reshape(-1), 1e-7, 1 - 1e-7)
        return float(np.mean(-t.reshape(-1) * np.log(p) - (1 - t.reshape(-1)) * np.log(1 - p)))
    if name == "binary_crossentropy" and o.size == t.size and logits:
        z, hit = o.reshape(-1), t.reshape(-1)
        return float(np.mean(np.maximum(z, 0) - z * hit + np.log1p(np.exp(-np.abs(z)))))
    if name == "categorical_crossentropy" and o.ndim == 2 and t.shape == o.shape and not logits and o.min() >= 0:
        return float(np.mean(-np.sum(t * np.log(np.clip(o / np.maximum(o.sum(1), 1e-7)[:, None], 1e-7, 1)), axis=1)))
    if name == "sparse_categorical_crossentropy" and o.ndim == 2 and t.size == len(o):
        rows, labels = np.arange(len(o)), t.reshape(-1).astype(int)
        if labels.min() < 0 or labels.max() >= o.shape[1]:
            return None
        if logits:
            top = o.max(1)
            return float(np.mean(top + np.log(np.exp(o - top[:, None]).sum(1)) - o[rows, labels]))
        return float(np.mean(-np.log(np.clip(o[rows, labels] / o.sum(1), 1e-7, 1)))) if o.min() >= 0 else None
    return None


def _entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-np.sum(p * np.log(p)))


def reference_of(seen: Observation) -> float | None:
    """The cross-validated loss of the better of a linear model and ten nearest neighbours; None without data."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    classifiers = LogisticRegression(C=0.1, max_iter=60), KNeighborsClassifier(10)
    regressors = RidgeCV(np.logspace(-2, 3, 6)), KNeighborsRegressor(10)
    return _kept(seen, seen.train, classifiers, regressors)


def _kept(seen: Observation, data: Data | None, classifiers: Sequence[Any], regressors: Sequence[Any]) -> float | None:
    """The reference by these models, found once."""
    key = " ".join([seen.loss.name, *(type(model).__name__ for model in (*classifiers, *regressors))])
    if key not in seen.references:
        seen.references[key] = _judged_by(seen, data, classifiers, regressors)
    return seen.references[key]


def _judged_by(
    seen: Observation, data: Data | None, classifiers: Sequence[Any], regressors: Sequence[Any]
) -> float | None:
    if data is None or data.y is None or len(data.y) < 40 or len(data.x) != len(data.y):
        return None
    weighed = quantities(seen, data.x)
    if weighed.dtype.kind not in "iufb":
        return None
    x = weighed.reshape(len(weighed), -1)
    if x.shape[1] > COLUMNS or not np.all(np.isfinite(x.astype("float64"))):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _reference(x.astype("float64"), data, seen.loss.name, classifiers, regressors)
        except ValueError:
            return None


def loss_of_models(seen: Observation, *, bent: bool) -> float | None:
    """The cross-validated loss of a linear model, or of a forest, on the rows of the training, or of its looks."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV

    classifiers = (RandomForestClassifier(60, random_state=0),) if bent else (LogisticRegression(C=0.1, max_iter=60),)
    regressors = (RandomForestRegressor(60, random_state=0),) if bent else (RidgeCV(np.logspace(-2, 3, 6)),)
    return _kept(seen, seen.train or different_rows(seen), classifiers, regressors)


def different_rows(seen: Observation) -> Data | None:
    """The examples of the looks, each once."""
    data = rows_of(seen)
    if data is None or data.y is None:
        return None
    _, first = np.unique(keys(data.x), return_index=True)
    return Data(x=data.x[first], y=data.y[first])


def _reference(
    x: np.ndarray, data: Data, loss: str, classifiers: Sequence[Any], regressors: Sequence[Any]
) -> float | None:
    from sklearn.model_selection import cross_val_predict

    rows = np.random.default_rng(0).permutation(len(x))[:ROWS]
    (x,), y = on_one_scale(x[rows]), np.asarray(data.y)[rows]
    found = []
    if loss in CROSS:
        labels = y.argmax(-1) if loss == "categorical_crossentropy" else y.reshape(len(y), -1)
        if labels.ndim == 2 and labels.shape[1] != 1:
            return None
        labels = labels.reshape(-1).astype(int)
        if np.min(np.unique(labels, return_counts=True)[1]) < 3:
            return None
        for model in classifiers:
            p = cross_val_predict(model, x, labels, cv=3, method="predict_proba")
            own = p[np.arange(len(p)), np.searchsorted(np.unique(labels), labels)]
            found.append(float(np.mean(-np.log(np.clip(own, 0.01, 1)))))
    elif loss in COSTS:
        targets = y.reshape(len(y), -1).astype("float64")
        if targets.shape[1] > 20:
            return None
        for model in regressors:
            rest = cross_val_predict(model, x, targets.squeeze(-1) if targets.shape[1] == 1 else targets, cv=3)
            rest = rest.reshape(targets.shape) - targets
            found.append(float(np.mean(COSTS[loss](rest))))
    return min(found) if found else None
