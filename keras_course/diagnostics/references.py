"""What a simple model learns from the rows of a training: the loss that a network should reach at least."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from keras_course.diagnostics.losses import COSTS, CROSS
from keras_course.diagnostics.observation import Data, Loss, Observation
from keras_course.diagnostics.seen import different_rows, quantities
from keras_course.diagnostics.telling import convolved, on_one_scale

import numpy as np

ROWS = 1500
COLUMNS = 4096
OUTPUTS = 10  # of several labels for a row


def reference_of(seen: Observation) -> float | None:
    """The cross-validated loss of the best of a linear model, ten nearest neighbours, and of sequences and pictures a
    linear one of random convolutions; by all inputs or the best of several, None without data. Of several labels for a
    row, at most 10, the mean of theirs."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    classifiers = LogisticRegression(C=0.1, max_iter=60), KNeighborsClassifier(10)
    regressors = RidgeCV(np.logspace(-2, 3, 6)), KNeighborsRegressor(10)
    simple = _kept(seen, lambda: seen.train, classifiers, regressors)
    by_patterns = (LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),)
    found = _kept(seen, lambda: _patterned(seen.train), by_patterns, (RidgeCV(np.logspace(-1, 4, 6)),))
    return min((loss for loss in (simple, found) if loss is not None), default=None)


def _patterned(data: Data | None) -> Data | None:
    """What random convolutions find in the rows of sequences or pictures of measurements."""
    if data is None or data.y is None or len(data.x) != len(data.y) or data.x.ndim not in (3, 4):
        return None
    if data.x.dtype.kind not in "iuf" or data.x[0].size > COLUMNS or min(data.x.shape[1:-1]) < 3:
        return None
    rows = np.random.default_rng(0).permutation(len(data.x))[:ROWS]
    x = data.x[rows].astype("float64")
    return Data(x=convolved(x), y=np.asarray(data.y)[rows]) if np.isfinite(x).all() else None


def loss_of_models(seen: Observation, *, bent: bool) -> float | None:
    """The cross-validated loss of a linear model, or of a forest, on the rows of the training, or of its looks."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV

    classifiers = (RandomForestClassifier(60, random_state=0),) if bent else (LogisticRegression(C=0.1, max_iter=60),)
    regressors = (RandomForestRegressor(60, random_state=0),) if bent else (RidgeCV(np.logspace(-2, 3, 6)),)
    return _kept(seen, lambda: seen.train or different_rows(seen), classifiers, regressors)


def _kept(
    seen: Observation, rows: Callable[[], Data | None], classifiers: Sequence[Any], regressors: Sequence[Any]
) -> float | None:
    """The reference by these models, found once."""
    key = " ".join([seen.loss.name, *(type(model).__name__ for model in (*classifiers, *regressors))])
    if key not in seen.references:
        seen.references[key] = _judged_by(seen, rows(), classifiers, regressors)
    return seen.references[key]


def _judged_by(
    seen: Observation, data: Data | None, classifiers: Sequence[Any], regressors: Sequence[Any]
) -> float | None:
    if data is None or data.y is None or len(data.y) < 40 or len(data.x) != len(data.y):
        return None
    alone = [Data(x=x, y=data.y) for x in (data.x, *data.further)] if data.further else []
    found = [_of_rows(quantities(seen, part), data, seen.loss, classifiers, regressors) for part in (data, *alone)]
    return min((loss for loss in found if loss is not None), default=None)


def _of_rows(
    weighed: np.ndarray, data: Data, loss: Loss, classifiers: Sequence[Any], regressors: Sequence[Any]
) -> float | None:
    if weighed.dtype.kind not in "iufb":
        return None
    x = weighed.reshape(len(weighed), -1)
    if x.shape[1] > COLUMNS or not np.all(np.isfinite(x.astype("float64"))):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _reference(x.astype("float64"), data, loss, classifiers, regressors)
        except ValueError:
            return None


def _reference(
    x: np.ndarray, data: Data, loss: Loss, classifiers: Sequence[Any], regressors: Sequence[Any]
) -> float | None:
    from sklearn.model_selection import cross_val_predict

    rows = np.random.default_rng(0).permutation(len(x))[:ROWS]
    (x,), y = on_one_scale(x[rows]), np.asarray(data.y)[rows]
    if loss.name in CROSS:
        labels = y.argmax(-1)[:, None] if loss.name == "categorical_crossentropy" else y.reshape(len(y), -1)
        if labels.shape[1] > (OUTPUTS if loss.name == "binary_crossentropy" else 1) or np.any(
            labels != np.round(labels)
        ):
            return None
        each = [_of_classes(x, column.astype(int), classifiers) for column in labels.T]
        known = [cost for cost in each if cost is not None]
        return float(np.mean(known)) if len(known) == len(each) else None
    targets, found = y.reshape(len(y), -1).astype("float64"), []
    if targets.shape[1] > 20 or loss.name not in (*COSTS, "poisson"):
        return None
    for model in regressors:
        said = cross_val_predict(model, x, targets.squeeze(-1) if targets.shape[1] == 1 else targets, cv=3)
        said = said.reshape(targets.shape)
        if loss.name == "poisson":
            said = np.maximum(said, 0.01 * max(float(targets.mean()), 1e-12))
            found.append(float(np.mean(said - targets * np.log(said))))
        else:
            found.append(float(np.mean(COSTS[loss.name](said - targets, loss.delta))))
    return min(found)


def _of_classes(x: np.ndarray, labels: np.ndarray, classifiers: Sequence[Any]) -> float | None:
    """The cross-entropy of the best classifier; None where a class has too few rows."""
    from sklearn.model_selection import cross_val_predict

    names, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 3 or len(names) < 2:
        return None
    chances = [cross_val_predict(model, x, labels, cv=3, method="predict_proba") for model in classifiers]
    own = [p[np.arange(len(p)), numbers] for p in chances]
    return min(float(np.mean(-np.log(np.clip(p, 0.01, 1)))) for p in own)
