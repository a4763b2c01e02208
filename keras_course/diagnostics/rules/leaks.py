"""Rules on columns, words and windows that give the target away: row 22 of the table of causes."""

import dataclasses

from keras_course.diagnostics.held_out import trained_on
from keras_course.diagnostics.observation import Data, Finding, Observation
from keras_course.diagnostics.seen import TARGETS, looked_up, rows_of, several_inputs
from keras_course.diagnostics.statistics import classes_of, form_of
from keras_course.diagnostics.telling import dominating, linear, telling_feature

import numpy as np

SEVERAL = 8  # labels of a row, at most, each of which may be given away
TABLE = 4  # columns, from which on a table is one that somebody measured
TOLD = 0.05  # of the entropy of the classes, by columns that somebody measured since they say something
VOCABULARY = 20  # words, from which on a last word is none that is to be kept in mind


def leakage_feature(seen: Observation) -> list[Finding]:
    """Row 22: one column tells the class.

    A note: some columns are known beforehand and really say it. Threshold: a tree on this column alone is right on more
    than 98 % of the rows it was not fitted on, by the lower exact 99 % bound, and leaves less than a tenth of the
    errors of naming the most frequent class. Certain where a column is the target itself, written otherwise: one value
    for each class, or values of each class with a gap between them of a tenth of the spread, while all other columns
    together leave more than two errors in a hundred to a linear model, or the same measurement up to scale and
    rounding, or to a five hundredth of its variance, or in the same order, of which a line through the others leaves a
    tenth; or where it is blank for one of two classes and for no example of the other, as what is filled in when the
    outcome is known; or where words are their own labels, place by place, in a network without a bottleneck of a single
    vector, or the last of at least 20 different ones is what comes next; or where a window of measurements ends with
    those that are asked for; or where one of more than four columns tells 82 % of the entropy of the classes and all
    others less than half of that, but a twentieth, as what was measured when the outcome was known. A note where they
    tell less, as in a toy; so in tables of fewer than four columns. Of up to eight labels of a row each by itself, of
    which one column tells 95 %: each may have a measurement of its own.
    Must stay silent: images, tables of one column, a sequence whose first place is to be kept in mind, a word by which
    a text shows what it wants. Source: deepchecks' single-feature check.
    """
    data = seen.train or trained_on(seen)  # what is behind a generator or a stream is known by what entered the model
    if rows := _window_with_its_target(seen):
        text = f"the last place of each window is the target itself, in all of {rows} rows"
        return [Finding(cause="leakage_feature", confidence=0.9, certain=True, evidence=text)]
    if data is None or data.y is None:
        return []
    if data.further and (found := _input_is_label(data)):
        return found
    if found := _next_word_is_given(seen, data.x, data.y):
        return found
    y, (table, names) = classes_of(data.y), _table(seen, data)
    if len(data.y) < 200 or len(names) < 2 or not np.isfinite(table).all():
        return []
    if (copy := _copy_of(table, y, data.y)) >= 0:
        text = f"{names[copy]} is the target itself in all of {len(data.y)} rows"
        kind = "named" if len(names) >= TABLE else "note"  # of two columns one is to be found, in a toy
        return [Finding(cause="leakage_feature", kind=kind, confidence=0.9, certain=True, evidence=text)]
    if y is None and form_of(data.y) == "multi_hot" and data.y.ndim == 2 and data.y.shape[1] <= SEVERAL:
        columns = enumerate(data.y.T.astype("int64"))
        each = ((place, _of_classes(table, names, one, 0.95)) for place, one in columns)
        return next((_of_label(found, place) for place, found in each if found), [])
    if y is None:
        near = next((told for one in _columns(data.y) if (told := _nearly(table, one))), None)
        if len(names) < TABLE or near is None:
            return []
        how = (
            f"but for {1 - near[1]:.2%} of its variance"
            if near[1] < 1
            else "written otherwise, as its order is the same"
        )
        text = f"{names[near[0]]} is the target {how}; the other columns tell {near[2]:.0%} ({len(data.y)} rows)"
        return [Finding(cause="leakage_feature", confidence=0.7, certain=True, evidence=text)]
    if found := _of_classes(table, names, y):
        return found
    column, low = telling_feature(table, y)
    common = np.unique(y, return_counts=True)[1].max() / len(y)
    if low <= max(0.98, 1 - 0.1 * (1 - common)):
        return []
    text = f"{names[column]} alone tells the class in more than {low:.1%} of the rows"
    return [Finding(cause="leakage_feature", kind="note", confidence=0.6, evidence=text)]


def _of_label(found: list[Finding], place: int) -> list[Finding]:
    return [dataclasses.replace(finding, evidence=f"of label {place}, {finding.evidence}") for finding in found]


def _of_classes(table: np.ndarray, names: list[str], y: np.ndarray, nearly: float = 0.82) -> list[Finding]:
    """A column that was filled in when the class was known: by gaps, by its blanks, or by what it alone tells of the
    entropy, which is nearly all."""
    if (blank := _blank_for_one(table, y)) >= 0:
        text = f"{names[blank]} has one value in all rows of one class and never in the other, of {len(y)} rows"
        return [Finding(cause="leakage_feature", confidence=0.85, certain=True, evidence=text)]
    if (parted := _apart(table, y)) >= 0 and len(names) >= TABLE:
        text = f"{names[parted]} has values of its own for each class, with a gap between them, in all of "
        return [Finding(cause="leakage_feature", confidence=0.85, certain=True, evidence=f"{text}{len(y)} rows")]
    most = dominating(table, y) if len(names) > TABLE else None
    if most is not None and most.alone > nearly and most.without < 0.5 * most.alone:
        text = f"{names[most.column]} alone tells {most.alone:.0%} of what there is to know of the classes, and all "
        text += f"other columns {max(most.without, 0.0):.0%}"
        sure = most.without > TOLD
        kind = "named" if sure else "note"
        return [Finding(cause="leakage_feature", kind=kind, confidence=0.7, certain=sure, evidence=text)]
    return []


def _table(seen: Observation, data: Data) -> tuple[np.ndarray, list[str]]:
    """The columns of all inputs that are rows of numbers, and what each is called; without words, by their numbers."""
    several = bool(data.further)
    parts, names = [np.zeros((len(data.x), 0))], []
    for number, x in enumerate((data.x, *data.further), 1):
        flat = x[:, None] if x.ndim == 1 else x
        if x.dtype.kind not in "iuf" or flat.ndim != 2 or len(flat) != len(data.x):
            continue
        if (several and x.dtype.kind != "f" and flat.shape[1] > 1) or (not several and looked_up(seen, x)):
            continue
        parts.append(flat)
        names += [f"column {j}" + f" of input {number}" * several for j in range(flat.shape[1])]
    return np.concatenate(parts, axis=1), names


def _window_with_its_target(seen: Observation) -> int:
    """How many rows were looked at, where all of them are sequences whose last place is the number to be told; or 0."""
    data = rows_of(seen)
    if data is None or data.y is None or data.x.ndim != 3 or data.x.dtype.kind != "f" or len(data.x) < 100:
        return 0
    if classes_of(data.y) is not None or np.prod(data.y.shape[1:]) >= data.x.shape[1]:  # what is to be reconstructed
        return 0
    last = data.y.reshape(len(data.y), -1)[:, -1]  # of several days that are asked for
    return len(data.x) if _copy_of(data.x[:, -1], None, last) >= 0 else 0


def _input_is_label(data: Data) -> list[Finding]:
    """One of several inputs, a number or a word for each example, that is the class under another name."""
    classes = classes_of(data.y) if data.y is not None else None
    if classes is None or len(classes) < 200 or len(np.unique(classes)) < 2:
        return []
    for number, column in enumerate((data.x, *data.further), 1):
        if column.size != len(classes) or column.dtype.kind not in "iufbOSU":
            continue
        names, place = np.unique(
            column.reshape(-1).astype(str) if column.dtype.kind == "O" else column, return_inverse=True
        )
        if len(names) <= 20 and _same_classes(place.reshape(-1), classes):
            text = f"input {number} is the target itself, under another name, in all of {len(classes)} rows"
            return [Finding(cause="leakage_feature", confidence=0.9, certain=True, evidence=text)]
    return []


def _next_word_is_given(seen: Observation, x: np.ndarray, y: np.ndarray) -> list[Finding]:
    """Words that are their own labels, place by place, or whose last one is the label: what is to be said next is what
    is read."""
    kinds = {layer["class"] for layer in seen.layers}
    words = x.ndim == 2 and x.dtype.kind in "iuf" and looked_up(seen, x) and not several_inputs(seen)
    if words and y.size == len(x) >= 200 and len(np.unique(y)) >= VOCABULARY and np.mean(x[:, -1] == y.ravel()) > 0.98:
        text = f"the last word of {np.mean(x[:, -1] == y.ravel()):.0%} of the rows is their label"
        return [Finding(cause="leakage_feature", confidence=0.85, certain=True, evidence=text)]
    if not words or x.shape != y.shape or "RepeatVector" in kinds:
        return []
    names, counts = np.unique(x, return_counts=True)
    real = x != names[counts.argmax()]  # without what fills rows up
    if real.sum() < 200 or np.mean(x[real] == y[real]) < 0.98:
        return []
    text = f"{np.mean(x[real] == y[real]):.0%} of the words are their own labels, at the same place"
    return [Finding(cause="leakage_feature", confidence=0.85, certain=True, evidence=text)]


def _copy_of(x: np.ndarray, classes: np.ndarray | None, targets: np.ndarray) -> int:
    """The only column that is the target under another name, or the first of two that are the class, as indicators of
    two classes; -1 when there is none, or, as in a ramp, several."""
    wanted = classes if classes is not None else targets
    if wanted.dtype.kind not in "iuf" or wanted.size != len(x) or x.shape[1] > 4096:
        return -1
    y = wanted.reshape(-1).astype("float64")
    same = _same_classes if classes is not None else _same_measurement
    found = [j for j, column in enumerate(x.T.astype("float64")) if same(column, y)]
    return found[0] if len(found) == 1 or (len(found) == 2 and classes is not None) else -1


def _same_classes(column: np.ndarray, y: np.ndarray) -> bool:
    names = np.unique(column)
    return 2 <= len(names) == len(np.unique(y)) == len(np.unique(np.stack([column, y]), axis=1).T)


def _blank_for_one(x: np.ndarray, classes: np.ndarray) -> int:
    """The only column whose most frequent value marks one of two classes, beside many others, or the first of two of
    which each marks another class; -1 without."""
    first, *rest = np.unique(classes)
    if len(rest) != 1 or x.shape[1] > 4096:
        return -1
    one = classes == first
    found, marked = [], set()
    for j, column in enumerate(x.T):
        values, counts = np.unique(column, return_counts=True)
        blank = column == values[counts.argmax()]
        if len(values) > 10 and (np.array_equal(blank, one) or np.array_equal(blank, ~one)):
            found.append(j)
            marked.add(bool(blank[0]))
    return found[0] if found and len(found) == len(marked) and 20 <= one.sum() <= len(one) - 20 else -1


def _apart(x: np.ndarray, classes: np.ndarray) -> int:
    """The only column in which each class has values of its own, with a gap between them of a fifth of its spread, of
    a tenth in 500 rows, and which says what the others together do not; -1 without. A threshold on a measurement leaves
    no such gap."""
    names = np.unique(classes)
    if not 2 <= len(names) <= 20 or not 2 <= x.shape[1] <= 256:
        return -1
    low, high = (np.stack([f(x[classes == name], axis=0) for name in names]) for f in (np.min, np.max))
    order = np.argsort(low, axis=0)
    low, high = (np.take_along_axis(ends, order, axis=0) for ends in (low, high))
    least = 0.1 if len(x) >= 500 else 0.2  # in few rows chance leaves gaps, most of all far out
    gap = np.min(low[1:] - high[:-1], axis=0) / np.maximum(np.std(x, axis=0), 1e-12)
    positive = np.min(x, axis=0) >= 0  # of times and sums, by their logarithms
    logs = [np.log1p(np.where(positive, part, 0.0)) for part in (low, high, x)]
    gap = np.maximum(gap, np.min(logs[0][1:] - logs[1][:-1], axis=0) / np.maximum(np.std(logs[2], axis=0), 1e-12))
    found = np.flatnonzero(gap > least)
    if len(found) != 1:
        return -1
    rest, half = np.delete(x, found[0], axis=1), np.random.default_rng(0).permutation(len(x)) % 2 == 0
    told = linear(rest[half], classes[half], rest[~half], classes[~half])
    return int(found[0]) if told < 0.98 else -1


def _columns(targets: np.ndarray) -> list[np.ndarray]:
    """Each of several real targets by itself."""
    rows = targets.reshape(len(targets), -1)
    return list(rows.T) if rows.shape[1] <= TARGETS else [targets]


def _nearly(x: np.ndarray, targets: np.ndarray) -> tuple[int, float, float] | None:
    """The only column that tells all but a five hundredth of the variance of real targets, or their order; the share
    that it tells, and what all others tell, where that is less than nine tenths: nothing that is measured beforehand
    says so much by itself, but for the last value of a series."""
    if targets.dtype.kind != "f" or targets.size != len(x) or not 2 <= x.shape[1] <= 256:
        return None
    y, columns = targets.reshape(-1).astype("float64"), x.astype("float64")
    varied = np.flatnonzero(columns.std(0) > 0)
    if np.std(y) == 0 or not len(varied) or np.corrcoef(y[1:], y[:-1])[0, 1] > 0.9:
        return None
    shares = np.array([np.corrcoef(columns[:, j], y)[0, 1] ** 2 for j in varied])
    shares[[_in_order(columns[:, j], y) for j in varied]] = 1.0
    if np.sum(shares > 0.9) != 1 or shares.max() < 0.998:
        return None
    best = int(varied[shares.argmax()])
    rest, half = np.delete(columns, best, axis=1), np.random.default_rng(0).permutation(len(x)) % 2 == 0
    told = max(linear(rest[half], y[half], rest[~half], y[~half]), 0.0)
    return (best, float(shares.max()), told) if told < 0.9 else None


def _in_order(column: np.ndarray, y: np.ndarray) -> bool:
    """Whether measurements never fall, or never rise, with a column of at least half as many values as rows: they are
    that column, written otherwise."""
    if len(np.unique(column)) < len(column) / 2 or len(np.unique(y)) < len(y) / 2:
        return False
    steps = np.diff(y[np.argsort(column, kind="stable")])
    return bool(np.all(steps >= -1e-6 * np.std(y)) or np.all(steps <= 1e-6 * np.std(y)))


def _same_measurement(column: np.ndarray, y: np.ndarray) -> bool:
    """Whether a line leaves less than a ten-thousandth of the spread."""
    spread = np.std(column) * np.std(y)
    return spread > 0 and abs(np.mean((column - column.mean()) * (y - y.mean())) / spread) > 1 - 5e-9


RULES = {"leakage_feature": leakage_feature}
