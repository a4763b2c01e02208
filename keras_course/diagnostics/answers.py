"""What the last weights of a training say of its rows and of those held out, asked when it is judged.

Each number goes into `Observation.experiments`, as those of the experiments do. A model is asked as the script would; a
network that is no model by the forward pass of its steps, run again.
"""

import dataclasses
from typing import Any, NamedTuple

from keras_course.diagnostics.experiments import last_weights, replay_of
from keras_course.diagnostics.graph import ancestors
from keras_course.diagnostics.held_out import given, parts, trained_on
from keras_course.diagnostics.layers import as_in_evaluation
from keras_course.diagnostics.losses import loss_by_definition, loss_of_constant
from keras_course.diagnostics.observation import Data, Observation
from keras_course.diagnostics.replay import Replay
from keras_course.diagnostics.seen import (
    BINARY,
    CATEGORICAL,
    DIFFERENCES,
    TARGETS,
    classes_seen,
    inputs_of,
    quantities,
    several_inputs,
)
from keras_course.diagnostics.statistics import classes_of
from keras_course.diagnostics.telling import explained, linear
from keras_course.diagnostics.trainings import Training

import keras
import numpy as np
from scipy import special


class Again:
    """A network that is no model, asked about other rows by the forward pass of its last steps.

    None is made of one that draws at random, or whose prediction hangs on more than the rows.
    """

    def __init__(self, replay: Replay, training: Training, place: int) -> None:
        self.replay, self.place, self.weights = replay, place, last_weights(replay, training)

    @classmethod
    def of(cls, training: Training) -> "Again | None":
        forward = training.forward
        if forward is None or forward.draws or not forward.found or forward.prediction is None:
            return None
        place, targets = forward.place(forward.found[0].entering), forward.place(forward.targets)
        before = {t.name for op in ancestors(forward.prediction) for t in op.inputs}
        others = [t for i, t in enumerate(forward.boundary) if i not in (place, targets) and t.name in before]
        replay = replay_of(training) if place is not None and not others else None
        return cls(replay, training, place) if replay is not None and place is not None else None

    def close(self) -> None:
        self.replay.close()

    def __call__(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """What it says of rows (n, ...), as the loss is given it; training: as of a model, and without effect."""
        batch = [np.resize(a, (len(x), *a.shape[1:])) for a in self.replay.batches[0]]
        old = batch[self.place]
        batch[self.place] = x.reshape(old.shape).astype(old.dtype)
        return self.replay.outputs(self.weights, batch)


def _asked_of(training: Training) -> Any:
    """What answers for the last weights; None where they have been trained on since, or nothing does."""
    if training.until is not None:
        return None
    if training.model is None and training.stored and training.again is None:
        training.again = Again.of(training)
    return training.model if training.model is not None else training.again


ROWS = 1024  # of each part, of which a model is asked whether it knows them
RARE = 0.6  # of 1 / K, below which a class is looked for
FEW_OF_A_CLASS = 8  # rows, of which less say nothing of how often it is found


def by_heart(training: Training, seen: Observation) -> dict[str, float]:
    """How often the last weights are right on rows of the training and on those held out, and a linear model on these;
    and the loss of what is held out as so many times that of a constant.

    Shares of classes, or of the variance of real targets. Nothing without labels, of real ones that stand in other
    units, of inputs that were not all seen, or when the weights have been trained on since; and no linear model where
    what was learned holds, or of fewer than 100 rows.
    """
    model = _asked_of(training)
    if model is None:
        return {}
    known = [
        (train, other)
        for train, other, _ in parts(seen, few=4)
        if _askable(seen, train) and _askable(seen, other) and len(other.x) >= 100
    ]
    if not known:
        return {}
    train, other = known[0]
    assert train.y is not None
    assert other.y is not None
    (said, true), (said_held, true_held) = (_answered(model, part) for part in (train, other))
    old, new = _decided(said, true, seen), _decided(said_held, true_held, seen)
    if old is None or new is None or not _of_one_scale(old[1], new[1]):
        return {}
    found = {"right_train": _right(*old), "right_held": _right(*new), "rows_train": float(len(train.x))}
    loss = loss_by_definition(seen, true_held, said_held)
    constant = loss_of_constant(true_held, seen.loss.name, seen.loss.delta)
    if loss is not None and constant:
        found["held_loss"] = loss / constant
    if len(train.x) < 100:
        return found
    further = [_decided(*_answered(model, part), seen) for _, part in known[1:]]
    rare = [_rarest(train, *answer) for answer in (new, *further) if answer is not None]
    most = max(rare, key=lambda one: one.get("rare_rows", 0.0))  # of where there are most of it
    found |= most
    if found["right_train"] > max(0.9, found["right_held"] + 0.2) and train.y.size == len(train.x):
        rows = quantities(seen, train, other)
        if rows[0].size <= 4096 and rows.dtype.kind in "iuf" and np.isfinite(rows).all():
            found["linear_held"] = linear(rows[: len(train.x)], train.y, rows[len(train.x) :], other.y)
    return found


class Answer(NamedTuple):
    """values: (rows, k) what is said, as the loss is given it. said, true: class numbers. held: of rows held out."""

    values: np.ndarray
    said: np.ndarray
    true: np.ndarray
    held: bool


def _of_classes(training: Training, seen: Observation) -> Answer | None:
    """What the last weights say of at least 100 rows with classes: of those held out, else of the training."""
    model, own = _asked_of(training), trained_on(seen)
    held = [other for _, other, _ in parts(seen)] if model is not None else []
    part = next((p for p in (*held, own) if p is not None and _askable(seen, p) and len(p.x) >= 100), None)
    if model is None or part is None:
        return None
    values, targets = _answered(model, part)
    decided = _decided(values, targets, seen)
    if decided is None or decided[0].dtype.kind not in "iu":
        return None
    said, true = decided
    return Answer(values.astype("float64").reshape(len(true), -1), said, true, part is not own)


def surest(training: Training, seen: Observation) -> dict[str, float]:
    """How often the last weights are wrong about classes: the third of the rows of which they are surest, and all.

    By rows held out, else by those of the training. `sure_recall`: the mean share of each class that is found, of
    `sure_classes`. Nothing of fewer than 100 rows, of inputs that were not all seen, or when the weights have been
    trained on since.
    """
    answer = _of_classes(training, seen)
    if answer is None:
        return {}
    values, said, true, _ = answer
    wrong = said != true
    if values.shape[1] == 1:
        sure = np.abs(values[:, 0] - (0.0 if seen.loss.from_logits else 0.5))
    else:
        chances = special.softmax(values, axis=1) if seen.loss.from_logits else values
        sure = chances.max(1)
    first = np.argsort(-sure, kind="stable")[: len(sure) // 3]
    recall = np.mean([np.mean(said[true == name] == name) for name in np.unique(true)])
    found = {"sure_rows": len(first), "sure_wrong": np.mean(wrong[first]), "sure_all": np.mean(wrong)}
    found["sure_classes"] = len(np.unique(true))
    return {name: float(value) for name, value in (found | {"sure_recall": recall}).items()}


def at_their_shares(training: Training, seen: Observation) -> dict[str, float]:
    """The mean recall of the classes by the last weights, `recall`, and what it gains, `evened`, with its standard
    error, where the shares that the classes have in training are taken out of the outputs: logit adjustment (Menon et
    al., 2021, section 4).

    By rows held out, else by those of the training; `shares_held` is 1 or 0. Next to nothing is left to be gained by
    what was trained with weights of its classes. Nothing where no class has a share below 0.6 / K, or one of them less
    than eight rows.
    """
    labels = classes_seen(seen)
    if labels is None or len(labels) < 100:
        return {}
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) < 2 or counts.min() >= RARE * len(labels) / len(counts):
        return {}
    answer = _of_classes(training, seen)
    if answer is None:
        return {}
    values, _, true, held = answer
    names, counts = np.unique(true, return_counts=True)
    if len(names) < 2 or counts.min() < FEW_OF_A_CLASS:
        return {}
    two = values.shape[1] == 1
    if not seen.loss.from_logits:
        values = np.clip(values, 1e-7, 1 - 1e-7)
        values = special.logit(values) if two else np.log(values)
    values, labels = (np.pad(values, [(0, 0), (1, 0)]), labels > 0) if two else (values, labels)
    shares = np.bincount(labels.astype(int), minlength=values.shape[1]) + 1.0
    before = (values.argmax(1) == true).astype("float64")
    gained = ((values - np.log(shares)).argmax(1) == true) - before
    error = np.sqrt(sum(np.var(gained[true == name]) / n for name, n in zip(names, counts, strict=True))) / len(names)
    recall, evened = (np.mean([np.mean(each[true == name]) for name in names]) for each in (before, gained))
    found = {"recall": recall, "evened": evened, "evened_error": error, "shares_held": held}
    return {name: float(value) for name, value in found.items()}


MANY_WORDS = 20  # numbers, from which on they are words


def of_other_words(training: Training, seen: Observation) -> dict[str, float]:
    """How far the prediction moves, in its own spreads, when the words of texts are dealt out among all places that
    hold one: `words_moved`; places of 0 stay as they are.

    Nothing of inputs that are no rows of at least 20 different whole numbers, or of a prediction that is constant.
    """
    model, data = _asked_of(training), trained_on(seen)
    if model is None or data is None or data.x.dtype.kind not in "iu" or data.x.ndim != 2 or data.x.shape[1] < 2:
        return {}
    part = data.take(np.arange(min(len(data.x), 256)))
    words = part.x[part.x != 0]
    if len(np.unique(words)) < MANY_WORDS or (several_inputs(seen) and len(part.further) != inputs_of(seen) - 1):
        return {}
    dealt = part.x.copy()
    dealt[part.x != 0] = np.random.default_rng(0).permutation(words)
    told = as_in_evaluation(model)
    said, other = (np.asarray(model(given(each), **told)) for each in (part, dataclasses.replace(part, x=dealt)))
    spread = float(np.max(np.std(said, axis=0)))
    return {"words_moved": float(np.max(np.abs(said - other))) / spread} if spread > 1e-6 else {}


NARROW = 0.1  # a spread, in those of the widest


def by_column(training: Training, seen: Observation) -> dict[str, float]:
    """Of several real targets what the last weights tell of the widest, and of that narrow one of which they tell least
    beside what a line tells, on rows of the training.

    `wide_told`, `narrow_told`, `narrow_known`: shares of the variance by the weights and by a ridge regression;
    `wide_spread` and `narrow_spread`; `narrow`, its place. Narrow is a tenth of the widest spread. Nothing of targets
    of more than eight numbers, or without a narrow one.
    """
    model, data = _asked_of(training), trained_on(seen)
    if model is None or data is None or data.y is None or seen.loss.name not in DIFFERENCES:
        return {}
    if data.y.ndim != 2 or not 2 <= data.y.shape[1] <= TARGETS or not _askable(seen, data) or data.x.dtype.kind != "f":
        return {}
    said, true = _answered(model, data)
    spread, wide = true.std(0), int(np.argmax(true.std(0)))
    narrow = np.flatnonzero((spread > 0) & (spread < NARROW * spread[wide]))
    if said.shape != true.shape or not np.isfinite(said).all() or not len(narrow):
        return {}
    told = 1 - np.mean((said - true) ** 2, axis=0) / np.maximum(spread**2, 1e-30)
    known = {int(j): explained(data.x, data.y[:, j]) for j in narrow}
    worst = max(known, key=lambda j: known[j] - told[j])
    found = {"narrow": worst, "narrow_spread": spread[worst], "wide_spread": spread[wide]}
    found |= {"narrow_told": told[worst], "wide_told": told[wide], "narrow_known": known[worst]}
    return {name: float(value) for name, value in found.items()}


def in_evaluation(training: Training, seen: Observation) -> dict[str, float]:
    """The loss of rows of the training by the last weights, normalised by moving averages. Nothing without those, or
    when the weights have been trained on since."""
    data = trained_on(seen) or seen.train  # of which a few rows say enough
    averages = any(layer["class"] == "BatchNormalization" for layer in seen.layers) or own_averages(seen)
    since = training.later & {id(v.handle) for v in training.variables}
    if training.model is None or since or not averages:
        return {}
    if data is None or not _askable(seen, data) or data.x.dtype.kind not in "iuf":
        return {}
    said, true = _answered(training.model, data)
    loss = loss_by_definition(seen, true, said)
    return {} if loss is None or not np.isfinite(loss) else {"evaluated": loss}


def own_averages(seen: Observation) -> list[str]:
    """The layers of the script's own that keep numbers which the steps move and no gradient does, as averages."""
    known = {layer["name"] for layer in seen.layers if layer["class"] in vars(keras.layers)}
    moved = [v for v in seen.variables if not v.trainable and v.initial is not None and v.final is not None
             and v.initial.dtype.kind == "f" and not np.array_equal(v.initial, v.final)]  # fmt: skip
    owners = [v.name.rpartition("/")[0] for v in moved]
    return [owner for owner in owners if owner and owner.rpartition("/")[2] not in known]


def _askable(seen: Observation, part: Data) -> bool:
    """Whether these are labelled rows of all that the model is given."""
    complete = not several_inputs(seen) or len(part.further) == inputs_of(seen) - 1
    return part.y is not None and len(part.y) == len(part.x) and complete


def _answered(model: Any, part: Data) -> tuple[np.ndarray, np.ndarray]:
    """What the model says of some rows of a part, without training, and their targets; of sequences place by place."""
    assert part.y is not None
    chosen = np.unique(np.linspace(0, len(part.x) - 1, min(ROWS, len(part.x))).astype(int))
    split = np.array_split(chosen, min(4, len(chosen)))
    told = as_in_evaluation(model)
    said = np.concatenate([np.asarray(model(given(part.take(rows)), **told)) for rows in split])
    true = np.asarray(part.y)[chosen]
    if said.ndim == 3 and true.shape in (said.shape, said.shape[:2]):
        return said.reshape(-1, said.shape[2]), true.reshape(said.shape[0] * said.shape[1], *true.shape[2:])
    return said, true


def _decided(said: np.ndarray, y: np.ndarray, seen: Observation) -> tuple[np.ndarray, np.ndarray] | None:
    """What is said and what is true: class numbers, or real targets; None where they are neither."""
    classes = classes_of(y)
    if classes is not None and seen.loss.name in CATEGORICAL and said.ndim == 2:
        return said.argmax(-1), classes
    if classes is not None and seen.loss.name in BINARY and said.size == len(y):
        middle = 0.0 if seen.loss.from_logits else 0.5
        return (said.reshape(-1) > middle).astype(int), (classes > 0).astype(int)
    if seen.loss.name in DIFFERENCES and said.size == y.size <= 20 * len(y) and np.var(y) > 0:
        return said.reshape(len(y), -1).astype("float64"), y.reshape(len(y), -1).astype("float64")
    return None


def _of_one_scale(y: np.ndarray, other: np.ndarray) -> bool:
    """Whether real targets of two parts have like spreads and means, each column of them; those of a test may stand in
    other units."""
    if y.dtype.kind in "iu":
        return True
    a, b = y.std(0), other.std(0)
    near = np.abs(y.mean(0) - other.mean(0)) < 2 * a
    return bool(np.all((a / 3 < b) & (b < 3 * a) & near))


def _right(said: np.ndarray, true: np.ndarray) -> float:
    """The share of classes, or of the variance of real targets."""
    whole = said.dtype.kind in "iu"
    return float(np.mean(said == true)) if whole else float(1 - np.mean((said - true) ** 2) / np.mean(true.var(0)))


def _rarest(train: Data, said: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """How often rows held out of the rarest class of training are found, and those of the others."""
    classes = classes_of(np.asarray(train.y))
    if classes is None or said.dtype.kind not in "iu":
        return {}
    names, counts = np.unique(classes, return_counts=True)
    rare = names[counts.argmin()]
    others = [np.mean(said[true == name] == name) for name in np.unique(true) if name != rare]
    if not others or not np.any(true == rare):
        return {}
    found = {"rare_found": np.sum(said[true == rare] == rare), "rare_rows": np.sum(true == rare)}
    found |= {"rare_class": rare, "others_found": np.mean(others)}
    return {name: float(value) for name, value in found.items()}
