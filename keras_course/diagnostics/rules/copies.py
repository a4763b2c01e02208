"""The rule on rows that stand in training and in validation: row 21 of the table of causes."""

from keras_course.diagnostics.comparisons import on_lines, shared_rows
from keras_course.diagnostics.held_out import FEW, HeldOut, copied, parts
from keras_course.diagnostics.observation import Data, Finding, Observation
from keras_course.diagnostics.statistics import classes_of, keys, share_interval

import numpy as np


def leakage_duplicates(seen: Observation) -> list[Finding]:
    """Row 21: rows of validation stand in training too.

    Threshold: at least 5 rows, and by the lower exact 95 % bound more than 1 % and more than three times what repeats
    inside the training rows let expect; or more than 5 %, 20 different ones, of rows of a table that cannot be equal by
    chance, or of sequences and images of which each has numbers of its own: rows were copied before the split. At most
    2,048 rows of training are looked at, so that fewer are found than there are. Must stay silent: discrete data of few
    columns, which repeat by chance; windows of a series that repeats; inputs that are looked up, unless they are texts
    of eight words or more that were copied. Or at least 5 rows, and by that bound 1 %, lie on straight lines through
    two rows of training each, and none of another class: they were made between neighbours before the split. Or all
    rows of what is held out by its name stand in training, and nothing else is held out. What the script asks about
    under a name like x_test is validation too; against the steps of a loop, of which repeats cannot be counted, only
    where rows are measurements. So are rows as the source of a pipeline holds them, before its maps, and targets of
    eight numbers and more, as the pictures that others are made of, unless these repeat inside of the training.
    Source: deepchecks' duplicates of train and test, with a bound.
    """
    pairs = [(_whole(train), _whole(other), name) for train, other, name in parts(seen)]
    pairs = [pair for pair in pairs if pair[0][0].size > 1]
    if seen.interface == "loop":  # whose rows are known once each, so that nobody knows how many repeat by chance
        pairs = [pair for pair in pairs if _measured(pair[0])]
    words = bool(seen.units) and seen.units[0].kind == "embedding"  # unless numbers stand beside them
    judged = ((_copied_texts if words and pair[0].dtype.kind != "f" else repeats)(*pair) for pair in pairs)
    found = next((found for found in judged if found), [])
    found = found or next((hidden for both in parts(seen) if (hidden := _behind(seen, *both))), [])
    found = found or next((between for both in parts(seen) if (between := _between(*both))), [])
    return found or next((same for held in copied(seen) if (same := _the_same(held))), [])


def _the_same(held: HeldOut) -> list[Finding]:
    """Rows of the training under another name, unless so few are possible that all of them come again by chance."""
    train, other = _whole(held.train), _whole(held.asked)
    found = shared_rows(train, other)
    if found.hits < found.n or found.kinds < FEW or found.hits <= 5000 * found.chance:
        return []
    text = f"all {found.n} rows of {held.name} stand among the training rows, and nothing else is held out"
    return [Finding(cause="leakage_duplicates", confidence=0.9, certain=True, evidence=text, tag="epoch/val_loss")]


WIDE = 8  # numbers of a target, from which on equal ones are no chance


def _behind(seen: Observation, train: Data, other: Data, name: str) -> list[Finding]:
    """What both parts hold where their inputs do not show it, as where these are drawn anew each time."""
    before, held = train.stored, other.x if other.stored is None else other.stored
    mapped = before is not None and before is not train.x and before.ndim > 1 and before.dtype.kind == "f"
    if before is not None and mapped and (found := repeats(before, held, name)):
        return found
    y, true = train.y, other.y
    if y is None or true is None or y[:1].size < WIDE or y.shape[1:] != true.shape[1:]:
        return []
    if seen.interface == "loop" and not _measured(y):  # of which repeats cannot be counted
        return []
    shared = shared_rows(y, true)
    if shared.kinds < FEW or shared.low <= max(0.05, 2 * shared.expected):
        return []
    text = f"the targets of {shared.hits} of {shared.n} rows of {name} are targets of the training too"
    return [Finding(cause="leakage_duplicates", confidence=0.95, certain=True, evidence=text, tag="epoch/val_loss")]


def _between(train: Data, other: Data, name: str) -> list[Finding]:
    """Rows that were made between others before the split, of some classes: where rows of all of them lie on lines, as
    what is loud or soft does, nobody made them."""
    classes = None if other.y is None or train.further or other.further else classes_of(other.y)
    if classes is None or train.x.ndim != 2 or train.x.dtype.kind != "f" or train.x.shape[1:] != other.x.shape[1:]:
        return []
    if not np.isfinite(train.x).all() or not np.isfinite(other.x).all():
        return []
    looked, lies = on_lines(train.x, other.x)
    hits, n = int(lies.sum()), len(lies)
    free = [lies[classes[looked] == one] for one in np.unique(classes)]
    if hits < 5 or share_interval(hits, n)[0] <= 0.01 or not any(len(rows) >= FEW and not rows.any() for rows in free):
        return []
    text = f"{hits} of {n} rows of {name} lie on straight lines through two rows of training each, as what is made "
    text += "between neighbours does"
    return [
        Finding(
            cause="leakage_duplicates",
            confidence=0.9,
            certain=True,
            evidence=text,
            repair="split first, and make further examples from those of training alone",
        )
    ]


def _whole(data: Data) -> np.ndarray:
    """Rows of all inputs that are numbers."""
    inputs = [x.reshape(len(x), -1) for x in (data.x, *data.further) if x.dtype.kind in "iufb"]
    return np.concatenate(inputs, axis=1) if len(inputs) > 1 else data.x


def _measured(x: np.ndarray) -> bool:
    """Whether rows are measurements, more numbers than rows, or sequences of them, which are never equal by chance."""
    return x.dtype.kind == "f" and (len(np.unique(x)) > len(x) if x.ndim == 2 else x.ndim > 2 and _new_numbers(x))


def _copied_texts(train: np.ndarray, validation: np.ndarray, name: str) -> list[Finding]:
    """Texts that were copied: those that come again come equally often, where what repeats by chance does not."""
    found = repeats(train, validation, name)
    if not found or train[0].size < 8:
        return []
    times = np.unique(keys(np.concatenate([train, validation])), return_counts=True)[1]
    again = times[times > 1]
    return found if len(again) >= 30 and np.mean(again == np.median(again)) > 0.98 else []


def repeats(train: np.ndarray, validation: np.ndarray, name: str = "validation") -> list[Finding]:
    """`leakage_duplicates` of rows of numbers, or of texts."""
    if train.shape[1:] != validation.shape[1:]:
        return []
    found = shared_rows(train, validation)
    copied = found.low > 0.05 and found.kinds >= FEW and found.hits > 5000 * found.chance
    copied = copied and (train.ndim == 2 or _new_numbers(train))
    if found.hits < 5 or (found.low <= max(0.01, 3 * found.expected) and not copied):
        return []
    text = f"{found.hits} of {found.n} rows of {name} stand among the training rows (at least {found.low:.1%})"
    if len(train) == len(validation) and found.hits > 0.95 * found.n:  # on purpose, to see whether it can be learned
        text = f"{name} is the training data"
        return [Finding(cause="leakage_duplicates", kind="note", confidence=0.5, evidence=text, tag="epoch/val_loss")]
    return [Finding(cause="leakage_duplicates", confidence=0.95, certain=True, evidence=text, tag="epoch/val_loss")]


def _new_numbers(x: np.ndarray) -> bool:
    """Whether each example brings numbers of its own, more than four in its first channel: windows of a series bring
    one, or as many as their distance, and equal ones are of a series that repeats; grey levels are few."""
    first = x[..., 0]
    return x.dtype.kind == "f" and len(np.unique(first)) > 4 * len(x) and first.ndim > 1


RULES = {"leakage_duplicates": leakage_duplicates}
