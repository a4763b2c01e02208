"""What several rules ask of an observation: its targets, its classes, its outputs, its rows."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from keras_course.diagnostics.observation import Data, Loss, Observation, Stage, Steps, Unit, Variable
from keras_course.diagnostics.statistics import Mixing, binned, classes_of, form_of, keys, mixing, share_interval

import numpy as np

SPARSE = ("sparse_categorical_crossentropy",)
CATEGORICAL = (*SPARSE, "categorical_crossentropy", "categorical_focal_crossentropy")
BINARY = ("binary_crossentropy", "binary_focal_crossentropy")
DIFFERENCES = ("mean_squared_error", "mean_absolute_error", "huber")
TARGETS = 8  # numbers of a row, up to which each is one that somebody measured; more may be the inputs again
SHORT = 50  # steps, before which nothing is said of what a network cannot do
ACCURACY = ("acc", "accuracy", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")


def sinks_below_zero(seen: Observation) -> bool:
    """Whether a loss without a name falls below 0, as a cross-entropy does of labels that are no probabilities."""
    losses = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    losses = losses[np.isfinite(losses)]
    named = seen.loss.name in (*CATEGORICAL, *BINARY, *DIFFERENCES, "poisson")
    return not named and len(losses) > 0 and bool(losses[-1] < min(losses[0], -1e-3))


class Told(NamedTuple):
    """What a twin that has learned from what is held out tells of labels: 1 where it tells all.

    there: of others that are held out, 0 where it names the most frequent class. here: of those of the training, 0
    where they might as well be dealt out at random. errors: how many standard errors that is. words: the same.
    """

    there: float
    here: float
    errors: float
    words: str


def told_by_a_twin(seen: Observation) -> Told | None:
    """None where it was not asked, or has learned less than half of what there is to know."""
    e = seen.experiments
    if "taught_held" not in e:
        return None
    there = (e["taught_held"] - e["taught_chance"]) / max(1 - e["taught_chance"], 1e-9)
    above = e["taught_train"] - e["taught_dealt"]
    words = f"a twin of the network that is trained on what is held out tells {e['taught_held']:.0%} of other labels "
    words += f"there, and {e['taught_train']:.0%} of those of training, where {e['taught_dealt']:.0%} would be chance"
    here, errors = above / max(1 - e["taught_dealt"], 1e-9), above / max(e["taught_error"], 1e-9)
    return Told(there, here, errors, words) if there > 0.5 else None


def partly_right(seen: Observation) -> Told | None:
    """What a twin tells, where most labels of the training are wrong, and not all: it tells some, less than six tenths
    of what it tells elsewhere; None otherwise."""
    told = told_by_a_twin(seen)
    return told if told is not None and told.here < 0.6 * told.there and told.errors > 4 else None


def outputs_of(seen: Observation) -> list[tuple[int, np.ndarray]]:
    """Steps and their predictions, where these are numbers."""
    found = [(p.step, p.output) for p in seen.probes if p.output is not None and p.output.size]
    return [(step, output) for step, output in found if np.isfinite(output).all()]


def last_outputs(seen: Observation) -> np.ndarray | None:
    looks = outputs_of(seen)
    return looks[-1][1] if looks else None


def flat_rows(output: np.ndarray) -> np.ndarray:
    """(predictions, outputs): places of a sequence or an image are predictions of their own."""
    return output.reshape(-1, output.shape[-1] if output.ndim > 1 else 1)


def joined(parts: Iterable[np.ndarray | None]) -> np.ndarray | None:
    """The parts of equal shape in one array, rows first; None without any."""
    found = [np.asarray(part) for part in parts if part is not None and np.ndim(part) and np.size(part)]
    found = [part for part in found if part.dtype.kind in "iufb" and part.shape[1:] == found[0].shape[1:]]
    return np.concatenate(found) if found else None


def targets_of(seen: Observation) -> np.ndarray | None:
    """The targets that the loss saw, of all looks; else those of the data. None when there are none, or no numbers."""
    y = joined([probe.y for probe in seen.probes])
    if y is None and seen.train is not None and seen.train.y is not None:
        y = joined([seen.train.y])
    return None if y is None or y.dtype.kind not in "iufb" else y


def classes_seen(seen: Observation) -> np.ndarray | None:
    """(n,) class numbers of the data, else of the looks."""
    y = seen.train.y if seen.train is not None and seen.train.y is not None else joined([p.y for p in seen.probes])
    return None if y is None else classes_of(y)


def rows_of(seen: Observation) -> Data | None:
    """Examples with their targets: of the data; else of the looks, as they entered the first unit."""
    if seen.train is not None and seen.train.y is not None and len(seen.train.x) == len(seen.train.y):
        return seen.train
    pairs = [
        (p.x, p.y[: len(p.x)])
        for p in seen.probes
        if p.x is not None and p.y is not None and np.ndim(p.x) and np.ndim(p.y) and len(p.y) >= len(p.x)
    ]
    x, y = joined([x for x, _ in pairs]), joined([y for _, y in pairs])
    return None if x is None or y is None or len(x) != len(y) else Data(x=x, y=y)


def different_rows(seen: Observation) -> Data | None:
    """The examples of the looks, each once."""
    data = rows_of(seen)
    if data is None or data.y is None:
        return None
    return data.take(np.unique(keys(data.x), return_index=True)[1])


ALIKE = 0.3  # of the examples of a batch


def collapsed(seen: Observation) -> float:
    """The share of examples that enter as another one of their batch does, where it is above `ALIKE`; 0 otherwise.

    Rows of 64 numbers seldom repeat; codes of zeros and ones do, and what is looked up.
    """
    looks = [p.x for p in seen.probes[:16] if p.x is not None and p.x.ndim >= 2 and p.x.dtype.kind == "f"]
    if not looks or looks[0][0].size < 64 or looked_up(seen, looks[0]) or np.isin(looks[0], (0.0, 1.0)).all():
        return 0.0
    share = float(np.mean([1 - len(np.unique(keys(x))) / len(x) for x in looks]))
    return share if share > ALIKE else 0.0


def losses_of_outputs(seen: Observation) -> dict[str, tuple[str, np.ndarray]]:
    """Of each output of several the name of its loss and its value after each epoch."""
    found = {name: [row.get(f"{name}_loss", np.nan) for row in seen.epochs] for name in seen.losses}
    return {name: (seen.losses[name], np.array(v)) for name, v in found.items() if v and np.isfinite(v).all()}


def by_output(seen: Observation) -> list[tuple[str, Observation]]:
    """Each output beyond the first by its name, as a training of its own: its targets, its loss after each epoch."""
    if seen.train is None or len(seen.losses) != len(seen.train.others) + 1:
        return []
    found = []
    for place, (name, loss) in enumerate(list(seen.losses.items())[1:]):
        train, validation = (
            None if data is None or len(data.others) <= place else dataclasses.replace(data, y=data.others[place])
            for data in (seen.train, seen.validation)
        )
        rows = [{key: row[f"{way}{name}_loss"] for key, way in (("loss", ""), ("val_loss", "val_"))
                 if f"{way}{name}_loss" in row} for row in seen.epochs]  # fmt: skip
        losses = np.array([row["loss"] for row in rows if "loss" in row])
        nothing = np.zeros((len(losses), 0))
        steps = Steps(all_losses=losses, count=len(losses), index=np.arange(len(losses)), loss=losses,
                      gradient=nothing, weight=nothing, update=nothing, aligned=nothing)  # fmt: skip
        part = Observation(
            name=seen.name,
            interface=seen.interface,
            alone=seen.alone,
            layers=seen.layers,
            loss=Loss(name=loss),
            plan=seen.plan,
            train=train,
            validation=validation,
            epochs=rows,
            steps=steps if len(losses) else None,
        )
        found.append((name, part))
    return found


def inputs_of(seen: Observation) -> int:
    """How many inputs the model has; 1 where it does not say."""
    return max(sum(layer["class"] == "InputLayer" for layer in seen.layers), 1)


def several_inputs(seen: Observation) -> bool:
    """Whether a label belongs to several inputs together."""
    return inputs_of(seen) > 1


def kernels(seen: Observation) -> list[tuple[Unit, Variable]]:
    """The weight matrices and filters of the units, in order; embeddings have none."""
    by_name = {v.name: v for v in seen.variables}
    found = []
    for unit in seen.units:
        own = [by_name[name] for name in unit.variables if name in by_name and len(by_name[name].shape) >= 2]
        if own and unit.kind != "embedding":
            found.append((unit, max(own, key=lambda v: np.prod(v.shape))))
    return found


HEADS = ("query", "key", "value", "attention_output")  # layers of Keras's attention with several heads


def fans(kernel: Variable) -> tuple[float, float]:
    """How many values each unit takes in, and to how many each value goes.

    A dense kernel of three axes is of the heads of an attention: (in, heads, size), or behind it (heads, size, out).
    """
    if len(kernel.shape) == 3 and kernel.layer.rpartition("/")[2] in HEADS:
        cut = 2 if kernel.layer.endswith("attention_output") else 1
        return float(np.prod(kernel.shape[:cut])), float(np.prod(kernel.shape[cut:]))
    return float(np.prod(kernel.shape[:-1])), float(np.prod(kernel.shape[:-2]) * kernel.shape[-1])


def gain_of(unit: Unit, kernel: Variable) -> float:
    """The spread of first weights against what keeps a signal's size: √(2 / fan-in) before ReLU, else Glorot's."""
    assert kernel.initial is not None
    fan_in, fan_out = fans(kernel)
    rectified = unit.activation in ("relu", "relu6", "leaky_relu", "elu", "gelu", "swish")
    right = np.sqrt(2 / fan_in) if rectified else np.sqrt(2 / (fan_in + fan_out))
    return float(np.sqrt(np.mean(np.square(kernel.initial.astype("float64")))) / right)


def worst_unit(seen: Observation, name: str) -> tuple[int, float] | None:
    """The unit with the largest share in the last three closer looks, and that share: the least of the three.

    Looks at a network that gives no numbers any more say nothing of its units.
    """
    looks = [p for p in seen.probes if p.mean is None or np.isfinite(p.mean).all()]
    rows = [getattr(p, name) for p in looks[-3:]]
    if len(rows) < 3 or any(r is None or not len(r) for r in rows):
        return None
    with np.errstate(invalid="ignore"):
        least = np.min(np.stack(rows), axis=0)
    least = np.where(np.isfinite(least), least, -1.0)
    return int(np.argmax(least)), float(np.max(least))


def widths_of(seen: Observation) -> list[tuple[str, int]]:
    """Name and width of each hidden layer: of those whose outputs enter another one."""
    shapes = {v.name: v.shape for v in seen.variables if len(v.shape) >= 2}
    entering = [[shapes[name][-2] for name in unit.variables if name in shapes] for unit in seen.units]
    found = []
    for place, unit in enumerate(seen.units[:-1]):
        for name in unit.variables:
            inside = "recurrent" in name.rpartition("/")[2]
            if name not in shapes or unit.kind == "embedding" or (unit.kind == "recurrent" and not inside):
                continue
            if unit.activation == "softmax" or name in seen.units[-1].variables:
                continue
            width = shapes[name][0] if inside else shapes[name][-1]
            later = {size for sizes in entering[place + 1 :] for size in sizes}
            if unit.kind != "dense" or width in later:  # the head of another output leads nowhere
                found.append((unit.name, width))
    return found


def few_examples(seen: Observation) -> str:
    """In words, how many examples `experiments.reach` has tried to learn by heart."""
    return "four examples" if seen.experiments.get("few") == 4 else "eight examples"


WORDS = 1000  # the most frequent ones


def looked_up(seen: Observation, x: np.ndarray) -> bool:
    """Whether inputs are names of something, as words or their numbers are, and no quantities."""
    numbered = bool(seen.units and seen.units[0].kind == "embedding")
    return x.dtype.kind in "OSU" or (numbered and not np.any(x != np.round(x)))


def quantities(seen: Observation, *parts: Data) -> np.ndarray:
    """The rows of these parts, one behind the other, as a simple model can weigh them.

    Of texts, as words or as their numbers, which words each holds; of several inputs (rows, columns) of all of them.
    """
    inputs = [(part.x, *part.further) for part in parts]
    first, *further = [np.concatenate(arrays) for arrays in zip(*inputs, strict=False)]
    if not further:
        return _words_of(first) if looked_up(seen, first) else first
    names = any(unit.kind == "embedding" for unit in seen.units)
    weighed = [_words_of(x) if x.dtype.kind in "OSU" or (names and x.dtype.kind in "iu") else x
               for x in (first, *further)]  # fmt: skip
    return np.concatenate([x.reshape(len(x), -1) for x in weighed if x.dtype.kind in "iufb"], axis=1)


def _words_of(x: np.ndarray) -> np.ndarray:
    """(rows, words): which of the most frequent words, or of their numbers, each row holds."""
    from sklearn.feature_extraction.text import CountVectorizer

    if x.dtype.kind in "OSU":
        words = [[word for text in np.ravel(row) for word in _text(text).lower().split()] for row in x]
    else:
        words = [list(map(str, np.ravel(row).tolist())) for row in x]
    try:
        return CountVectorizer(analyzer=list, binary=True, max_features=WORDS).fit_transform(words).toarray()
    except ValueError:  # no row holds a word
        return np.zeros((len(x), 1))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def flat(pipeline: Sequence[Stage] | None) -> list[Stage]:
    """All stages from the sources on; those of legs come before the stage that joins them."""
    found: list[Stage] = []
    for stage in pipeline or ():
        for leg in stage.detail.get("legs", ()):
            found += flat(leg)
        found.append(stage)
    return found


def takes_turns(batches: Sequence[np.ndarray]) -> bool:
    """Batches of a single class that changes from each to the next: real and made examples, in turn, on purpose."""
    pure = [int(batch[0]) for batch in batches if np.all(batch == batch[0])]
    changes = np.mean(np.diff(pure) != 0) if len(pure) > 2 else 0.0
    return len(pure) > 0.8 * len(batches) and changes > 0.5 and len(set(pure)) <= 3


PATTERNS = 64  # of several labels for an example, each of which comes ten times: they are as good as classes
RATIO, Z = 0.8, -5.0  # of the entropy within a batch: the effect that harms, and the chance that is left


def _streamed(seen: Observation) -> tuple[list[np.ndarray], np.ndarray, bool] | None:
    """Class numbers of each of the first batches, of the data, and whether they are classes or bins of real targets."""
    batches = [np.asarray(batch) for batch in seen.stream if np.ndim(batch) and len(batch) > 1]
    stored = seen.train.y if seen.train is not None else None
    whole = joined([stored]) if stored is not None else joined([*batches, *(p.y for p in seen.probes)])
    if len(batches) < 3 or whole is None or any(b.shape[1:] != batches[0].shape[1:] for b in batches):
        return None
    if whole.shape[1:] != batches[0].shape[1:]:
        whole = joined([*batches, *(p.y for p in seen.probes)])
    together = None if whole is None else joined([whole, *batches])
    if together is None or whole is None or len(together) != len(whole) + sum(map(len, batches)):
        return None
    numbers, classes = classes_of(together), True
    if numbers is None and together.ndim == 2:
        patterns, places = np.unique(together, axis=0, return_inverse=True)  # as of ranks that are written 1100
        numbers = places.reshape(-1) if len(patterns) <= min(PATTERNS, len(together) / 10) else None
    if numbers is None and form_of(together) in ("real", "ids") and together[0].size == 1:
        numbers, classes = binned(together.reshape(-1).astype("float64")), False
    if numbers is None or len(np.unique(numbers)) < 2:
        return None
    cuts = np.cumsum([len(whole), *map(len, batches)])[:-1]
    first, *rest = np.split(numbers, cuts)
    return list(rest), first, classes


def badly_mixed(seen: Observation) -> tuple[Mixing, bool] | None:
    """How well the first batches are mixed when they are not; None when they are, or when nobody knows."""
    if (found := _streamed(seen)) is None:
        return None
    batches, whole, classes = found
    result = mixing(batches, whole)
    if result.ratio >= RATIO or result.z >= Z or takes_turns(batches):
        return None
    return result, classes


class CameAgain(NamedTuple):
    """Inputs of the looks that had come before. conflicts: of these with another class. chance: the share of these if
    the labels were dealt out. different: how many different inputs there are: where these are few, the inputs have lost
    what they were to say."""

    repeats: int = 0
    conflicts: int = 0
    chance: float = 0.0
    different: int = 0

    @property
    def telling(self) -> bool:
        """Whether enough came again of inputs that differ, of classes of which more than one is frequent."""
        many = self.different > max(20, 0.05 * (self.repeats + self.different))
        return many and self.repeats >= 30 and self.chance > 0.2

    @property
    def low(self) -> float:
        """The lower exact 95 % bound of the share of conflicts."""
        return share_interval(self.conflicts, self.repeats)[0]

    @property
    def high(self) -> float:
        return share_interval(self.conflicts, self.repeats)[1]

    @property
    def words(self) -> str:
        return f"of {self.repeats} inputs that came again {self.conflicts} had another label"


def came_again(seen: Observation) -> CameAgain:
    """How often an input of the looks came with another class than before; of a single input."""
    if several_inputs(seen):
        return CameAgain()
    known: dict[int, int] = {}
    repeats = conflicts = 0
    for probe in seen.probes:
        y = None if probe.y is None or not np.ndim(probe.y) else classes_of(np.asarray(probe.y))
        if probe.x is None or y is None or probe.x.dtype.kind != "f" or len(y) < len(probe.x) or probe.x[0].size < 4:
            continue
        for key, label in zip(keys(probe.x).tolist(), y.tolist(), strict=False):
            repeats += key in known
            conflicts += known.setdefault(key, label) != label
    counts = np.unique(list(known.values()), return_counts=True)[1] if known else np.ones(1)
    return CameAgain(repeats, conflicts, float(1 - np.sum((counts / counts.sum()) ** 2)), len(known))
