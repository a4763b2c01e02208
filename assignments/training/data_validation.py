"""Data validation: which faults of a data set can be found before anything is trained, and what does each one cost?

Shapes and types say little: all of the six faults that are planted here keep them. Training on them runs without a
complaint, and the validation split, which shares some of them, may say that all is well. You write what finds them:

- `repeats`: rows that a split shares with another;
- `lacking`: classes that one split has and another one lacks, where chance would not leave them out;
- `moved`: the share of the features whose scale or place differs between two splits;
- `suspects`: rows whose label contradicts that of their neighbours;
- `told_apart`: whether inputs betray which of two splits they are from.

The run plants one fault at a time into training, validation and test split, looks for all of them with your functions
and with `keras_course.diagnostics.probe_data`, and trains the same small network on each, to see what validation says
and what a clean test split says.

Schilling (1986), "Multivariate two-sample tests based on nearest neighbors", section 2, for `told_apart`; Northcutt,
Jiang, Chuang (2021), "Confident learning", section 2, for labels that are wrong.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, diagnostics, models, plots, training
from keras_course.data import Split
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed, Share

import keras
import numpy as np
from sklearn.neighbors import NearestNeighbors

FAULTS = ("missing classes", "repeats", "other preprocessing", "wrong labels", "shifted", "imbalance")
LIBRARY = {  # what `probe_data` calls them
    "missing_class": "missing classes",
    "leakage_duplicates": "repeats",
    "train_val_preprocessing_mismatch": "other preprocessing",
    "label_noise": "wrong labels",
    "input_shift": "shifted",
    "class_imbalance": "imbalance",
}


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    examined: Count = 1000  # rows of each split that the functions with neighbours look at
    neighbours: Count = 5  # of each row
    noise: Share = 0.2  # of the labels, where they are wrong
    copied: Share = 0.5  # of the validation split, where rows repeat
    rarest: Positive = 0.02  # size of the smallest class against the largest, where they are imbalanced
    epochs: Count = 20  # of the network that is trained on each triplet
    seed: Seed = 0


@blank(
    "training/data_validation",
    hints=(
        "Two rows are the same when all of their values are. Which data structure answers 'have I seen this?' at once?",
        "`row.tobytes()` is the same for equal rows, and may stand in a set.",
    ),
)
def repeats(first, second):
    """The numbers of those rows of `second` that stand, value by value, anywhere in `first`; ascending integers.

    first, second: arrays (n, …) and (m, …) with the same dtype and the same shape of a row.
    """
    known = {row.tobytes() for row in np.ascontiguousarray(first)}
    return np.flatnonzero([row.tobytes() in known for row in np.ascontiguousarray(second)])


@blank(
    "training/data_validation",
    hints=(
        "A class with share p of one split is absent from m random rows with probability (1 - p)^m.",
        "A class that one split lacks and the other has not either is none of the two's business.",
    ),
)
def lacking(first, second, *, chance):
    """The classes of `first` that `second` lacks, although luck would leave them out with a probability below `chance`.

    first, second: class numbers, (n,) and (m,). The share of a class is that in `first`. Returns ascending integers.
    """
    names, counts = np.unique(first, return_counts=True)
    luck = (1 - counts / len(first)) ** len(second)
    return names[~np.isin(names, second) & (luck < chance)]


@blank(
    "training/data_validation",
    hints=(
        "Standard deviation and mean of each feature over the rows of each split: which of them may be 0?",
        "A feature that is constant and the same in both splits says nothing, and does not count in the share.",
        "A feature that is constant in one split only has moved.",
    ),
)
def moved(first, second, *, factor):
    """The share of the features that differ between two splits, from 0 to 1.

    A feature has moved when its standard deviations differ by more than `factor`, either way, or its means by more than
    `factor` standard deviations of `first`. Features that hold one and the same value in both do not count; without any
    other the share is 0. first, second: arrays (n, …) and (m, …); a feature is a place in a row.
    """
    a, b = first.reshape(len(first), -1).astype("float64"), second.reshape(len(second), -1).astype("float64")
    sd_a, sd_b, gap = a.std(0), b.std(0), np.abs(a.mean(0) - b.mean(0))
    counted = (sd_a > 0) | (sd_b > 0) | (gap > 0)
    differs = (sd_b > factor * sd_a) | (sd_a > factor * sd_b) | (gap > factor * sd_a)
    return float(np.mean(differs[counted])) if counted.any() else 0.0


@blank(
    "training/data_validation",
    hints=(
        "Who is the nearest neighbour of a row among all rows, itself included?",
        "A wrong label has neighbours that agree with one another, and not with it.",
        "`NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)` leaves each row itself out.",
    ),
)
def suspects(x, y, *, neighbours):
    """The numbers of the rows whose `neighbours` nearest other rows all carry one label that is not theirs; ascending.

    x: (n, …) inputs, compared by Euclidean distance. y: (n,) class numbers.
    """
    flat = x.reshape(len(x), -1)
    near = NearestNeighbors(n_neighbors=neighbours).fit(flat).kneighbors(return_distance=False)  # (n, neighbours)
    labels = y[near]
    return np.flatnonzero(np.all(labels == labels[:, :1], axis=1) & (labels[:, 0] != y))


@blank(
    "training/data_validation",
    hints=(
        "Pool the two splits and mark each row by where it is from. Of which split are its neighbours?",
        "The splits must weigh the same, or the larger one has more neighbours for that reason alone.",
    ),
)
def told_apart(first, second, *, neighbours):
    """The share of the neighbours of a row, in the pool of both splits, that come from the row's own split: 0 to 1.

    Schilling's statistic: about 1/2 where both are drawn alike, 1 where nobody would mistake one for the other. Of the
    larger split as many rows count as the smaller has, the first ones. A row is no neighbour of itself.
    first, second: arrays (n, …) and (m, …).
    """
    n = min(len(first), len(second))
    pool = np.concatenate([first[:n], second[:n]]).reshape(2 * n, -1)
    origin = np.repeat([0, 1], n)
    near = NearestNeighbors(n_neighbors=neighbours).fit(pool).kneighbors(return_distance=False)
    return float(np.mean(origin[near] == origin[:, None]))


def report(train, validation, test, settings):
    """The faults that the functions above find, each as a word of `FAULTS`."""
    few = lambda part: Split(part.x[: settings.examined], part.y[: settings.examined])  # noqa: E731 - one expression
    counts = np.unique(train.y, return_counts=True)[1]
    found = {"imbalance"} if counts.min() < 0.1 * counts.sum() / len(counts) else set()
    for other in (validation, test):
        if len(repeats(train.x, other.x)) > max(4, 0.01 * len(other.x)):
            found.add("repeats")
        gone = [*lacking(train.y, other.y, chance=1e-3), *lacking(other.y, train.y, chance=1e-3)]
        far = moved(few(train).x, few(other).x, factor=3) > 0.8
        found |= {"missing classes"} if gone else {"other preprocessing"} if far else set()
        if not found & {
            "missing classes",
            "other preprocessing",
            "imbalance",
        }:  # each of them explains that inputs differ
            apart = told_apart(few(train).x, few(other).x, neighbours=settings.neighbours)
            found |= {"shifted"} if apart > 0.6 else set()
    for part in map(few, (train, validation, test)):
        if len(suspects(part.x, part.y, neighbours=settings.neighbours)) > 0.03 * len(part.y):
            found.add("wrong labels")
    return found


# Planting


def plant(fault, splits, settings):
    """(train, validation, test) of `splits` with one fault, or without when `fault` is "none"."""
    rng = np.random.default_rng(settings.seed)
    train, validation, test = splits.train, splits.validation, splits.test
    if fault == "missing classes":
        gone = rng.permutation(len(splits.classes))[:3]
        train, validation = (Split(*(a[~np.isin(part.y, gone)] for a in part)) for part in (train, validation))
    elif fault == "repeats":
        many = round(settings.copied * len(validation.y))
        copies = rng.permutation(len(train.y))[:many]
        validation = Split(*(np.concatenate([a[copies], b[many:]]) for a, b in zip(train, validation, strict=True)))
    elif fault == "other preprocessing":
        test = Split(test.x / 255, test.y)
    elif fault == "wrong labels":
        wrong = rng.permutation(len(train.y))[: round(settings.noise * len(train.y))]
        y = train.y.copy()
        y[wrong] = (y[wrong] + rng.integers(1, len(splits.classes), len(wrong))) % len(splits.classes)
        train = Split(train.x, y)
    elif fault == "shifted":
        test = Split(np.roll(test.x, test.x.shape[2] // 4, axis=2), test.y)
    elif fault == "imbalance":
        train = _thinned(train, len(splits.classes), settings.rarest, rng)
    return train, validation, test


def _thinned(part, classes, rarest, rng):
    """Classes of exponentially falling size: the last one has the share `rarest` of the first."""
    kept = []
    for label in range(classes):
        rows = rng.permutation(np.flatnonzero(part.y == label))
        kept.append(rows[: max(1, round(len(rows) * rarest ** (label / (classes - 1))))])
    rows = rng.permutation(np.concatenate(kept))
    return Split(part.x[rows], part.y[rows])


def learn(train, validation, tests, classes, settings):
    """The accuracy on validation, and on each of `tests`, of a network trained on `train`."""
    keras.utils.set_random_seed(settings.seed)  # the same start for every triplet
    model = models.mlp(train.x.shape[1:], classes, hidden=(64,))
    batches = data.Batches(*train, batch_size=64, seed=settings.seed)
    optimizer = keras.optimizers.Adam(0.003)
    training.fit(model, training.classification, batches, epochs=settings.epochs, optimizer=optimizer, progress=False)
    parts = [data.Batches(*part, batch_size=500, shuffle=False) for part in (validation, *tests)]
    return [training.evaluate(model, training.classification, part)["accuracy"] for part in parts]


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    rows, missed, wrong = [], {"hand": 0, "library": 0}, {"hand": 0, "library": 0}
    for fault in ("none", *FAULTS):
        train, validation, test = plant(fault, splits, settings)
        found = {
            "hand": report(train, validation, test, settings),
            "library": {LIBRARY.get(f.cause, f.cause) for f in _probed(train, validation, test, splits).faults},
        }
        for who, said in found.items():
            missed[who] += fault != "none" and fault not in said
            wrong[who] += len(said - {fault})
        accuracy = learn(train, validation, (test, splits.test), len(splits.classes), settings)
        rows.append(
            {"fault": fault}
            | {who: ", ".join(sorted(said)) or "none" for who, said in found.items()}
            | dict(zip(("validation", "test", "clean test"), accuracy, strict=True))
        )
    by_fault = {row["fault"]: row for row in rows}
    return Result(
        scores={
            **{f"found_by_{who}": 1 - missed[who] / len(FAULTS) for who in missed},
            **{f"false_by_{who}": float(wrong[who]) for who in wrong},
            "accuracy_clean": by_fault["none"]["test"],
            "promise_broken_missing": _gap(by_fault["missing classes"]),
            "promise_broken_preprocessing": _gap(by_fault["other preprocessing"]),
            "promise_broken_shifted": _gap(by_fault["shifted"]),
            "cost_wrong_labels": by_fault["none"]["test"] - by_fault["wrong labels"]["test"],
            "cost_imbalance": by_fault["none"]["test"] - by_fault["imbalance"]["test"],
        },
        arrays={"rows": rows, "examples": _examples(splits, settings)},
        tables={"One fault at a time": rows},
        data=(splits,),
    )


def _probed(train, validation, test, splits):
    return diagnostics.probe_data(train, validation=validation, test=test, classes=len(splits.classes))


def _gap(row):
    return row["validation"] - row["test"]


def _examples(splits, settings):
    """The first ten test images as they are, prepared otherwise and shifted."""
    return [plant(fault, splits, settings)[2].x[:10] for fault in ("none", "other preprocessing", "shifted")]


def figures(result):
    rows = result.arrays["rows"]
    columns = ("validation", "test", "clean test")
    return {
        "accuracy": plots.grouped(
            {column: [row[column] for row in rows] for column in columns},
            groups=[row["fault"].replace(" ", "\n") for row in rows],
            ylabel="accuracy",
            title="what validation promises, and what a test keeps",
        ),
        "examples": plots.images(
            result.arrays["examples"],
            row_labels=("as it is", "divided by\n255 again", "shifted"),
            title="the test split, with two of the faults",
        ),
    }


EXERCISE = Exercise(
    source="S4: data validation",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", examined=2000, epochs=5),
    quick=Settings(examined=300, epochs=2),
    run=run,
    figures=figures,
    expect={
        "found_by_hand": Band(1.0, 1.0),
        "false_by_hand": Band(0.0, 0.0),
        "found_by_library": Band(1.0, 1.0),
        "false_by_library": Band(0.0, 0.0),
        "accuracy_clean": Band(0.9, 1.0),
        "promise_broken_missing": Band(0.2, 0.4),
        "promise_broken_preprocessing": Band(0.5, 1.0),
        "promise_broken_shifted": Band(0.3, 1.0),
        "cost_wrong_labels": Band(-0.05, 0.2),
        "cost_imbalance": Band(0.0, 0.3),
    },
)
