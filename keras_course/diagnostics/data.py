"""What is wrong with data before anything is trained on them.

The evidence is that of the rules: an `Observation` is made of the arrays alone, and the rules judge it. What a network
takes in its stride or a model may put right (another scale, sorted rows, constant columns) is a note.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_course.base import InputError, require
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.comparisons import label_drift
from keras_course.diagnostics.observation import Data, Finding, Loss, Observation, Probe, Stage
from keras_course.diagnostics.rules import data as rules
from keras_course.diagnostics.rules import labels as label_rules
from keras_course.diagnostics.rules import scale, splits, stream
from keras_course.diagnostics.rules.copies import repeats
from keras_course.diagnostics.rules.leaks import leakage_feature
from keras_course.diagnostics.rules.pairs import labels_shuffled_apart
from keras_course.diagnostics.seen import DIFFERENCES, SPARSE
from keras_course.diagnostics.statistics import classes_of, run_z, share_interval
from keras_course.diagnostics.telling import mislabelled, pairing

import numpy as np

BESIDE = {  # causes that need no training to be seen, and are in no table of its rows
    "constant_columns": "drop them, or look at what they are read from",
    "input_shift": "draw all splits from one population, or report each population by itself",
}
RARE = 0.1  # of an equal share: a class with less is rare, as in row 10
NOISE = 0.03  # of the labels of a split, by the lower bound, as in row 45


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probed:
    """What `probe_data` found: `findings`, faults before notes; one row of `table` for each split; `suspects`, rows of
    each split whose label contradicts what like inputs say. Prints as one line for each finding, and the table.
    """

    findings: list[Finding]
    table: list[dict[str, Any]]
    suspects: dict[str, np.ndarray]

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == "named"]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        lines = [f"{'fault' if f.kind == 'named' else 'note '}  {f.cause}: {f.evidence}" for f in self.findings]
        return "\n".join([*(lines or ["nothing found"]), "", *_aligned(self.table)])


def probe_data(data: Any, *, validation: Any = None, test: Any = None, classes: int | None = None) -> Probed:
    """What is wrong with data before training: of each split, and of the splits against one another.

    data, validation, test: a pair (x, y) of arrays, one array x, or a `tf.data.Dataset` of them; or `data` is a
    `Splits`. x has numbers, or texts, of which only labels and repeats are judged. y: class numbers, one-hot rows or
    real targets. classes: how many outputs the network will have; without it, as many as there are different labels. A
    data set is read from its source where that can be done without drawing from it; else its first elements are drawn.
    Up to 2,048 rows of each split are judged, evenly spread; all of them for repeats.

    Found are values that are not finite, label numbers that do not fit, rare and missing classes, repeats across
    splits, splits prepared or drawn otherwise, suspicious labels, targets that inputs say nothing about, and, as notes,
    scale, constant columns, a column that tells the class, and a stored order or a pipeline that spoils the shuffle.
    Raises InputError for what is no data, or inputs and targets of different length.
    """
    given = _given(data, validation, test)
    parts = {name: _part(value, name) for name, value in given.items() if value is not None}
    pipelines = {name: _stages(value) for name, value in given.items() if value is not None}
    labels = {name: None if part.y is None else classes_of(part.y) for name, part in parts.items()}
    wide = classes or len(np.unique(np.concatenate([y for y in labels.values() if y is not None] or [np.zeros(0)])))
    found = [finding for name, part in parts.items() for finding in _alone(name, part, wide)]
    found += _order(parts["train"], pipelines)
    spoiled = set()
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if first in parts and second in parts:
            between = _between(parts, labels, first, second)
            spoiled |= {second for f in between if f.cause != "leakage_duplicates"}
            found += between
    suspects = _suspects(parts, labels, spoiled)
    found += _noise(parts, suspects)
    found = [dataclasses.replace(f, repair=BESIDE.get(f.cause) or CAUSES[f.cause].repair) for f in found]
    order = sorted(found, key=lambda f: (f.kind == "note", -f.confidence))
    return Probed(findings=order, table=_table(parts, labels, suspects), suspects=suspects)


# From what is given to rows


def _given(data: Any, validation: Any, test: Any) -> dict[str, Any]:
    if all(hasattr(data, name) for name in ("train", "validation", "test")):
        return {"train": data.train, "validation": data.validation, "test": data.test}
    return {"train": data, "validation": validation, "test": test}


def _part(value: Any, name: str) -> Data:
    if hasattr(value, "element_spec"):
        return _drawn(value, name)
    pair = value if isinstance(value, tuple | list) and len(value) == 2 else (value, None)
    x, y = (None if part is None else np.asarray(part) for part in pair)
    rule = "arrays (x, y) with rows, or a tf.data.Dataset"
    require(x is not None and x.ndim >= 1 and len(x) > 0 and x.dtype.kind in "iufbUSOT", name, rule, value)
    assert x is not None
    if y is not None and (y.ndim < 1 or len(y) != len(x)):
        raise InputError(f"`{name}` must have as many targets as inputs. Received: {len(x)} inputs, targets {y.shape}.")
    return Data(x=x, y=y, n=len(x))


def _drawn(dataset: Any, name: str) -> Data:
    from keras_course.diagnostics.pipeline import source_rows

    rows = source_rows(dataset)
    if rows is None:
        batched = any(stage.kind == "batch" for stage in _stages(dataset))
        drawn: list[Any] = []
        for element in dataset.as_numpy_iterator():
            drawn.append(element if isinstance(element, tuple) else (element, None))
            if len(drawn) * (len(np.atleast_1d(drawn[0][0])) if batched else 1) >= Data.ROWS:
                break
        require(drawn and not isinstance(drawn[0][0], dict), name, "a data set of (x, y) with elements", dataset)
        join: Callable[[Sequence[Any]], np.ndarray] = np.concatenate if batched else np.stack
        y = None if drawn[0][1] is None else join([pair[1] for pair in drawn])
        rows = Data(x=join([pair[0] for pair in drawn]), y=y)
    return rows


def _stages(value: Any) -> list[Stage]:
    if not hasattr(value, "element_spec"):
        return []
    from keras_course.diagnostics.pipeline import stages

    return stages(value)


def _few(part: Data) -> Data:
    """At most `Data.ROWS` rows, evenly spread."""
    chosen = np.unique(np.linspace(0, len(part.x) - 1, min(len(part.x), Data.ROWS)).astype(int))
    return Data(x=part.x[chosen], y=None if part.y is None else part.y[chosen], n=part.n or len(part.x))


def _is_numeric(part: Data) -> bool:
    return part.x.dtype.kind in "iufb"


# Judging


def _observed(part: Data, classes: int) -> Observation:
    """A training on these rows that has not begun."""
    few = _few(part)
    loss = SPARSE[0] if few.y is not None and classes_of(few.y) is not None and few.y.ndim == 1 else DIFFERENCES[0]
    x = few.x.astype("float32") if few.x.dtype == np.uint8 else few.x
    return Observation(
        name="data",
        train=few,
        probes=[Probe(step=0, x=x if x.dtype.kind in "iufb" else None, y=few.y)],
        loss=Loss(name=loss),
        classes=max(classes, 2) if loss == SPARSE[0] else None,
    )


def _alone(name: str, part: Data, classes: int) -> list[Finding]:
    """Findings on one split; scale, columns and pairing are judged on the training split alone."""
    seen = _observed(part, classes)
    found = [*rules.nan_or_inf_in_data(seen), *label_rules.label_encoding(seen)]
    found = [dataclasses.replace(f, evidence=f"in {name}, {f.evidence.replace('training ', '')}") for f in found]
    if name != "train":
        return found
    notes = [found for rule in scale.RULES.values() for found in rule(seen)]
    notes += leakage_feature(seen)
    found += [dataclasses.replace(finding, kind="note") for finding in notes]
    return [*found, *labels_shuffled_apart(seen), *_imbalance(part), *_constant_columns(part)]


def _imbalance(part: Data) -> list[Finding]:
    """A class with less than a tenth of an equal share, and less than three tenths by the upper exact 95 % bound."""
    labels = None if part.y is None else classes_of(part.y)
    if labels is None:
        return []
    names, counts = np.unique(labels, return_counts=True)
    if len(names) == 1:
        return [Finding(cause="constant_labels", confidence=0.95, certain=True, evidence=f"all labels are {names[0]}")]
    high = share_interval(counts.min(), counts.sum())[1]
    if high >= 3 * RARE / len(names) or counts.min() / counts.sum() >= RARE / len(names):
        return []
    text = f"class {names[counts.argmin()]} has {counts.min()} of {counts.sum()} rows of train, "
    text += f"class {names[counts.argmax()]} {counts.max()}"
    return [Finding(cause="class_imbalance", confidence=0.8, evidence=text)]


def _constant_columns(part: Data) -> list[Finding]:
    if part.x.ndim != 2 or not _is_numeric(part):
        return []
    constant = np.flatnonzero(np.all(part.x == part.x[:1], axis=0))
    if not len(constant):
        return []
    text = f"{len(constant)} of {part.x.shape[1]} columns hold one value, the first of them column {constant[0]}"
    return [Finding(cause="constant_columns", kind="note", confidence=0.9, evidence=text)]


def _order(train: Data, pipelines: dict[str, list[Stage]]) -> list[Finding]:
    """The stored order, and what a pipeline makes of it."""
    few = _few(train)
    labels = None if few.y is None else classes_of(few.y)
    z = 0.0 if labels is None else run_z(labels)
    if not pipelines["train"]:
        text = f"rows stand sorted by label (z = {z:.0f}): shuffle before batches, and before a split of the last rows"
        return [Finding(cause="data_sorted", kind="note", confidence=0.9, evidence=text)] if z > 5 else []
    seen = Observation(name="data", train=few, pipeline=pipelines["train"])
    seen.validation_pipeline = pipelines.get("validation") or pipelines.get("test")
    found = [finding for rule in stream.RULES.values() for finding in rule(seen)]
    if z > 5 and not any(stage.kind == "shuffle" for stage in stream.flat(seen.pipeline)):
        text = f"rows stand sorted by label (z = {z:.0f}), and nothing shuffles them"
        found.append(Finding(cause="data_sorted", confidence=0.9, evidence=text))
    return found


def _between(parts: dict[str, Data], labels: dict[str, np.ndarray | None], first: str, second: str) -> list[Finding]:
    """Findings on two splits; what explains a shift of the inputs is found before it is looked for."""
    one, two = parts[first], parts[second]
    seen = Observation(name="data", train=_few(one), validation=_few(two))
    found = repeats(one.x, two.x)
    if first == "train":
        found += splits.train_val_preprocessing_mismatch(seen) + _missing(labels, second)
        found += splits.validation_split_sorted(seen) if not any(f.cause == "missing_class" for f in found) else []
        explained = {f.cause for f in found} - {"leakage_duplicates"} or _other_shares(labels, second)
        found += [] if explained else _moved(one, two, second)
    return [dataclasses.replace(f, evidence=_said_of(f.evidence, first, second)) for f in found]


def _said_of(text: str, first: str, second: str) -> str:
    """The rules speak of training and validation; here are two splits by name."""
    text = text.replace("training", "\0").replace("validation", second)
    return text.replace("\0", first)


def _missing(labels: dict[str, np.ndarray | None], second: str) -> list[Finding]:
    """Classes that one of two splits lacks, although chance would leave them out in one case of a thousand at most."""
    a, b = labels["train"], labels[second]
    if a is None or b is None:
        return []
    for here, there, lacking, holding in ((a, b, second, "training"), (b, a, "training", second)):
        gone = np.setdiff1d(here, there)
        if not 0 < len(gone) < len(np.unique(here)):
            continue
        counts = {int(c): int(np.sum(here == c)) for c in gone}
        sure = [c for c, hits in counts.items() if hits >= 5 and (1 - hits / len(here)) ** len(there) < 1e-3]
        if sure:
            text = f"class {sure[0]} has {counts[sure[0]]} rows of {holding} and none of {len(there)} of {lacking}"
            text += f"; {len(sure)} classes are missing" if len(sure) > 1 else ""
            return [Finding(cause="missing_class", confidence=0.95, certain=True, evidence=text)]
    return []


def _other_shares(labels: dict[str, np.ndarray | None], second: str) -> bool:
    """Whether the classes have other shares, so that inputs differ for that reason alone."""
    a, b = labels["train"], labels[second]
    return a is not None and b is not None and label_drift(a, b).p < 1e-6


def _moved(one: Data, two: Data, second: str) -> list[Finding]:
    """Inputs that tell which split they are from.

    Two-sample test by a classifier (Lopez-Paz, Oquab 2017): neighbours are of one split more often than chance has it,
    by a tenth, at p < .02 of 500 permutations.
    """
    same = one.x.shape[1:] == two.x.shape[1:] and _is_numeric(one) and _is_numeric(two) and one.x[0].size <= 20000
    n = min(len(one.x), len(two.x), 512)
    if not same or n < 50:
        return []
    rng = np.random.default_rng(0)
    x = np.concatenate([part.x[rng.permutation(len(part.x))[:n]] for part in (one, two)])
    found = pairing(x, np.repeat([0, 1], n))
    if found.p >= 0.02 or found.agreement - found.chance < 0.1:
        return []
    text = f"neighbours are of one split by {found.agreement:.2f}, by chance {found.chance:.2f}: {second} has others"
    return [Finding(cause="input_shift", confidence=0.8, evidence=text)]


def _suspects(parts: dict[str, Data], labels: dict[str, np.ndarray | None], spoiled: set[str]) -> dict[str, np.ndarray]:
    """Suspicious rows of each split, judged by the rows of all splits that are prepared and drawn alike."""
    names = [n for n, part in parts.items() if n not in spoiled and labels[n] is not None and _is_numeric(part)]
    names = [n for n in names if parts[n].x.shape[1:] == parts[names[0]].x.shape[1:] and parts[n].x[0].size <= 20000]
    if not names:
        return {}
    rows = {n: np.unique(np.linspace(0, len(parts[n].x) - 1, min(len(parts[n].x), 1000)).astype(int)) for n in names}
    x = np.concatenate([parts[n].x[rows[n]] for n in names])
    y = np.concatenate([labels[n][rows[n]] for n in names])  # type: ignore[index]
    marks = np.repeat(np.arange(len(names)), [len(rows[n]) for n in names])
    suspects = mislabelled(x, y).rows if len(x) >= 100 else np.zeros(0, int)
    starts = np.cumsum([0, *(len(rows[n]) for n in names)])
    return {n: rows[n][suspects[marks[suspects] == i] - starts[i]] for i, n in enumerate(names)}


def _noise(parts: dict[str, Data], suspects: dict[str, np.ndarray]) -> list[Finding]:
    found = []
    for name, rows in suspects.items():
        n = min(len(parts[name].x), 1000)
        low = share_interval(len(rows), n)[0]
        if low > NOISE:
            text = f"{len(rows)} of {n} labels of {name} contradict what like inputs say (at least {low:.1%}); "
            text += f"row {rows[0]} is the first"
            found.append(Finding(cause="label_noise", confidence=0.7, evidence=text))
    return found


# The table


def _table(
    parts: dict[str, Data], labels: dict[str, np.ndarray | None], suspects: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    rows = []
    for name, part in parts.items():
        row: dict[str, Any] = {"split": name, "rows": part.n or len(part.x)}
        if (y := labels[name]) is not None:
            counts = np.unique(y, return_counts=True)[1]
            row |= {"classes": len(counts), "rarest": int(counts.min()), "most frequent": int(counts.max())}
        if _is_numeric(part):
            x = part.x.astype("float64")
            x = x[np.isfinite(x)]
            row |= {"min": x.min(initial=np.inf), "mean": x.mean() if x.size else np.nan, "max": x.max(initial=-np.inf)}
            row |= {"spread": x.std() if x.size else np.nan, "not finite": part.x.size - x.size}
        rows.append(row | {"suspects": len(suspects.get(name, ()))})
    return rows


def _aligned(rows: list[dict[str, Any]]) -> list[str]:
    heads = list(dict.fromkeys(head for row in rows for head in row))
    cells = [heads] + [[_cell(row.get(head, "")) for head in heads] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
