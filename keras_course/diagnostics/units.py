"""Targets as a loss sees them, where a step takes them from its data in other units: (y - mean) / spread, log(y)."""

import dataclasses
from collections.abc import Callable

from keras_course.diagnostics.observation import Data, Feed
from keras_course.diagnostics.statistics import MANY

import numpy as np

COLUMNS = 16  # of targets, at most
ROWS = 40  # that a loss has seen, at least
ITSELF = 0.05  # share of what a loss saw that stands in the data as it is, from which on nothing was changed


@dataclasses.dataclass
class Change:
    """of: what a step makes of targets. low, high: where those of its data lie. width: how many each row has."""

    of: Callable[[np.ndarray], np.ndarray]
    low: float
    high: float
    width: int

    def data(self, data: Data | None) -> Data | None:
        """Rows with their targets as the loss sees them."""
        if data is None or data.y is None or not self._alike(data.y):
            return data
        return dataclasses.replace(data, y=self.of(data.y))

    def feed(self, feed: Feed) -> Feed:
        """What a script gave its model, with what may be its targets, by their range, as the loss sees them."""
        labels = {name: self.of(y) if self._targets(y) else y for name, y in feed.labels.items()}
        return dataclasses.replace(feed, labels=labels)

    def _alike(self, y: np.ndarray) -> bool:
        return y.dtype.kind in "iuf" and len(y) > 0 and y[:1].size == self.width

    def _targets(self, y: np.ndarray) -> bool:
        return self._alike(y) and bool(np.mean((y >= self.low) & (y <= self.high)) > 0.5)


def change_of(stored: np.ndarray | None, looked: np.ndarray | None) -> Change | None:
    """What a step makes of the targets of its data before its loss sees them; None where it leaves them as they are.

    stored: (n,) or (n, k) measurements, of the data. looked: what the loss saw of some of these rows, in any order.
    Each column is brought to the values at the same ranks, by which any change that keeps the order is known but for
    the chance of which rows were looked at. One that does not, as a sine, is not known, and is taken for one that does.
    """
    if stored is None or looked is None or stored.dtype.kind not in "iuf" or looked.dtype.kind != "f":
        return None
    a, b = (y.reshape(len(y), -1).astype("float32") for y in (stored, looked))
    if a.shape[1] != b.shape[1] or a.shape[1] > COLUMNS or len(b) < ROWS:
        return None
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or len(np.unique(a)) <= MANY:
        return None
    if np.mean(np.isin(b, a)) >= ITSELF:
        return None
    ranks = np.linspace(0, 1, 101)
    before, after = np.quantile(a, ranks, axis=0), np.quantile(b, ranks, axis=0)

    def change(y: np.ndarray) -> np.ndarray:
        columns = y.reshape(len(y), -1).T
        changed = [np.interp(column, *both) for column, *both in zip(columns, before.T, after.T, strict=True)]
        return np.stack(changed, axis=1).reshape(y.shape).astype("float32")

    return Change(change, float(a.min()), float(a.max()), a.shape[1])
