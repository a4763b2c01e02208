"""Rows that a script asks its model about outside of training, beside those it trains on: validation that `fit` is not
given, a test set, what a loop evaluates on."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from keras_course.diagnostics.observation import Data, Feed, Observation
from keras_course.diagnostics.seen import different_rows, joined, rows_of
from keras_course.diagnostics.statistics import classes_of, form_of, keys

import numpy as np

NAMES = re.compile(
    r"val|test|hold|held|unseen|eval|(^|_)(dev|va|vl|te|tst|oos)(_|$)|_new$|^out_(rows?|idx|index|fold)|^x_?(v|te|t)$|"
    r"^(v|te|t)_?x$",
    re.IGNORECASE,
)
NOTHING = re.compile(  # of what names say, as those of a batch
    r"^([xb]*|x?s|(x_?)?batch(_?x)?|(batch_?)?(inputs?|images?|imgs?|features?|data|samples?|rows?|texts?))$|\]$",
    re.IGNORECASE,
)
EITHER = re.compile(r"^x_?t$|^t_?x$", re.IGNORECASE)  # of a test, or of a training
SURELY = re.compile(r"(?<!e)val|test|hold|held|unseen", re.IGNORECASE)  # what is evaluated may be the training
WHOLE = re.compile(r"train|all|full|whole|every", re.IGNORECASE)
FEW = 20  # rows from which on there is something to compare
MANY = 100  # and from which on shares of them say something


def is_held_out(name: str) -> bool:
    """Whether rows of this name are no part of the training by it."""
    return bool(NAMES.search(name)) and not WHOLE.search(name)


class HeldOut(NamedTuple):
    """name: what the script calls the rows. named: by that name they are held out. train, asked: the two parts."""

    name: str
    named: bool
    train: Data
    asked: Data


def held_out(seen: Observation, few: int = FEW) -> list[HeldOut]:
    """The rows asked about that are of the form of the training rows, and for the most part none of them.

    few: how many rows of training there are at least.
    """
    train = trained_on(seen, few)
    if train is None:
        return []
    found = []
    for feed in seen.asked:
        named = is_held_out(feed.name)
        if feed.x.shape[1:] != train.x.shape[1:] or feed.x.dtype.kind not in "iuf":
            continue
        asked = _once(feed, train.y)
        again = float(np.mean(np.isin(*_keys_of(asked, train))))
        # what a name says nothing of may be all rows, those of the training among them
        if EITHER.search(feed.name) and np.mean(np.isin(*_keys_of(train, asked))) > 0.5:
            continue
        most = 0.95 if named else 0.05 if feed.name and NOTHING.search(feed.name) else 0.5
        if len(asked.x) >= FEW and again < most:
            found.append(HeldOut(feed.name, named, train, asked))
    return found


def copied(seen: Observation) -> list[HeldOut]:
    """The sets whose rows stand all among those of the training, though by their names they are held out, where nothing
    is that does not: neither validation nor another set."""
    train = trained_on(seen)
    named = [feed for feed in seen.asked if SURELY.search(feed.name) and is_held_out(feed.name)]
    if train is None or seen.validation is not None or held_out(seen):
        return []
    sets = [HeldOut(feed.name, True, train, _once(feed, train.y)) for feed in named
            if feed.x.shape[1:] == train.x.shape[1:] and feed.x.dtype.kind in "iuf"]  # fmt: skip
    return [each for each in sets if len(each.asked.x) >= FEW and np.isin(*_keys_of(each.asked, train)).all()]


def _keys_of(first: Data, second: Data) -> tuple[np.ndarray, np.ndarray]:
    """A number for each row of two parts, by all inputs that both have: equal for equal rows."""
    both = list(zip((first.x, *first.further), (second.x, *second.further), strict=False))
    both = [(a.astype(b.dtype), b) for a, b in both if a.shape[1:] == b.shape[1:]]
    a, b = (np.stack([keys(x) for x in inputs], axis=1) for inputs in zip(*both, strict=True))
    return (keys(a), keys(b)) if len(both) > 1 else (a[:, 0], b[:, 0])


def validated(seen: Observation) -> tuple[Data, Data] | None:
    """Training and validation rows, when both were seen and are numbers of one form."""
    a, b = seen.train, seen.validation
    if a is None or b is None or a.x.dtype.kind not in "iuf" or b.x.dtype.kind not in "iuf":
        return None
    return (a, b) if a.x.shape[1:] == b.x.shape[1:] and min(len(a.x), len(b.x)) >= 10 else None


def beside(seen: Observation, few: int = FEW) -> list[HeldOut]:
    """The sets that the script asks about under a name by which they are held out; or under none, as `x[rest]`, or one
    that says nothing, as that of each batch, where there are at least 100 rows with labels."""
    return [
        held._replace(name="what is asked about" if NOTHING.search(held.name) else held.name)
        for held in held_out(seen, few)
        if held.named or (NOTHING.search(held.name) and _labelled(held.asked))
    ]


def parts(seen: Observation, few: int = FEW) -> list[tuple[Data, Data, str]]:
    """`validated`, and training `beside` each set that the script asks about."""
    both = validated(seen)
    validation = [(*both, "validation")] if both is not None else []
    return validation + [(held.train, held.asked, held.name) for held in beside(seen, few)]


def _labelled(data: Data) -> bool:
    return data.y is not None and len(data.x) >= MANY


class Classed(NamedTuple):
    """Rows of the training and of what is held out, each with the classes of its rows, and the name of the latter."""

    train: Data
    other: Data
    name: str
    classes: np.ndarray
    other_classes: np.ndarray


def classed(seen: Observation) -> list[Classed]:
    """`parts` that have classes."""
    return [both for part in parts(seen) if (both := classes_of_both(*part)) is not None]


def classes_of_both(train: Data, other: Data, name: str) -> Classed | None:
    """Two parts of finite numbers of which all rows have a class; at least 100 of each, and two classes of 3 rows, as
    many as a model can be fitted to. None otherwise."""
    a, b = (None if part.y is None else classes_of(part.y) for part in (train, other))
    if a is None or b is None or min(len(a), len(b)) < MANY:
        return None
    if any(np.sum(np.unique(y, return_counts=True)[1] >= 3) < 2 for y in (a, b)):
        return None
    fine = np.isfinite(train.x).all() and np.isfinite(other.x).all()
    return Classed(train, other, name, a, b) if fine else None


def trained_on(seen: Observation, few: int = FEW) -> Data | None:
    """The rows of the training as the model is given them: those of `fit`, of a generator those of the looks where
    nothing stands before the first unit, or those of the steps of a loop, without a model those of the looks; where no
    labels stand beside these, as in `y[rows]`, those of the looks, if they are rows of the steps."""
    if seen.interface != "loop":
        data = seen.train if seen.train is not None or _prepares(seen) else _looked_at(seen)
    elif not seen.fed and not seen.layers:  # plain functions, whose rows are those of the looks
        data = different_rows(dataclasses.replace(seen, train=None))
    else:
        data = _of_steps(seen)
        if data is not None and data.y is None and (looked := different_rows(seen)) is not None:
            same = looked.x.shape[1:] == data.x.shape[1:] and looked.x.dtype == data.x.dtype
            data = looked if same and np.mean(np.isin(keys(looked.x), keys(data.x))) > 0.5 else data
    return data if data is not None and data.x.dtype.kind in "iuf" and len(data.x) >= few else None


def given(part: Data) -> Any:
    """Rows as the script gives them to its model."""
    inputs = [part.x, *part.further]
    if not part.further:
        return part.x
    return dict(zip(part.names, inputs, strict=True)) if part.names else inputs


def _of_steps(seen: Observation) -> Data | None:
    """What a model is given in the steps of a loop, with labels and further inputs where every row has them."""
    like = joined([p.y for p in seen.probes])
    parts = [_once(feed, like) for feed in seen.fed]
    if (x := joined([p.x for p in parts])) is None:
        return None
    y = joined([p.y for p in parts if p.y is not None])
    further = [joined(inputs) for inputs in zip(*(p.further for p in parts), strict=False)]
    complete = [other for other in further if other is not None and len(other) == len(x)]
    return Data(
        x=x,
        y=y if y is not None and len(y) == len(x) else None,
        further=tuple(complete) if len(complete) == len(further) else (),
        names=parts[0].names,
    )


def _looked_at(seen: Observation) -> Data | None:
    """The rows of the looks; a convolution over a sequence sees a picture one row high."""
    data = rows_of(seen)
    return data if data is None or data.x.ndim != 4 or data.x.shape[1] > 1 else Data(x=data.x[:, 0], y=data.y)


def _prepares(seen: Observation) -> bool:
    """Whether a layer stands before the first unit, as one that scales or augments: looks show what it made."""
    first = next((layer["name"] for layer in seen.layers if layer["class"] != "InputLayer"), None)
    return not seen.units or first != seen.units[0].name


def _once(feed: Feed, like: np.ndarray | None) -> Data:
    """Each row of a feed once, with its labels where they are known; rows with gaps, which say nothing, all of them."""
    rows = Data(x=feed.x, y=labels_of(feed, like), further=feed.further, names=feed.names)
    gaps = ~np.isfinite(feed.x).reshape(len(feed.x), -1).all(1) if feed.x.dtype.kind == "f" else []
    return rows.take(np.union1d(np.unique(_keys_of(rows, rows)[0], return_index=True)[1], np.flatnonzero(gaps)))


def labels_of(feed: Feed, like: np.ndarray | None) -> np.ndarray | None:
    """Of what stands beside the rows of a feed the one that has the form of `like`, labels of the training, or that of
    its classes in another form; None where none has, or where several have and no name decides."""
    if like is None:
        return None
    written = {name: _written_as(y, like) for name, y in feed.labels.items() if len(y) == len(feed.x)}
    alike = {name: y for name, y in written.items() if _alike(y, like)}
    if len(alike) > 1 and (wanted := _words(feed.name)):
        alike = {name: y for name, y in alike.items() if _words(name) == wanted} or alike
    if len(alike) > 1 and form_of(like) == "ids":
        alike = {name: y for name, y in alike.items() if np.mean(np.isin(y, like)) > 0.5}
    left = list(alike.values())
    return left[0] if left and all(np.array_equal(y, left[0]) for y in left) else None


def _written_as(y: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Numbers of classes as rows with a one where `like` has those, and the other way round."""
    form, wanted = form_of(y), form_of(like)
    if wanted == "one_hot" and like.ndim == 2 and form == "ids" and _width(y) == () and y.dtype.kind in "iuf":
        numbers = y.reshape(-1).astype(int)
        return np.eye(like.shape[1])[numbers] if numbers.min() >= 0 and numbers.max() < like.shape[1] else y
    if wanted == "ids" and _width(like) == () and form == "one_hot" and y.ndim == 2:
        return y.argmax(-1).reshape(-1, *like.shape[1:])
    apart = _width(y) == _width(like) == () and y.ndim != like.ndim  # (n,) and (n, 1)
    return y.reshape(len(y), *like.shape[1:]) if apart else y


def _alike(y: np.ndarray, like: np.ndarray) -> bool:
    if y.dtype.kind not in "iufb" or _width(y) != _width(like):
        return False
    if classes_of(like) is not None and classes_of(y) is None:
        return False  # numbers of rows, not of classes
    return bool(np.all(like == np.round(like))) == bool(np.all(y == np.round(y)))


def _width(y: np.ndarray) -> tuple[int, ...]:
    """The form of a label; one number is written in two ways."""
    return () if y.shape[1:] == (1,) else y.shape[1:]


def _words(name: str) -> Sequence[str]:
    """What is left of a name without the words for inputs and for labels: that of x_val and y_val is "val"."""
    left = re.sub(r"image|label|target|input|feature|data|answer|class", "", name.lower())
    return sorted(filter(None, (re.sub(r"^t$|^[xy]|[xy]$|s$", "", word) for word in left.split("_"))))
