"""The tests of evidence that rules and `probe_data` share: one definition of each statistic.

Where chance matters the null hypothesis is explicit: exact intervals for shares (Clopper, Pearson 1934), permutations
for order and pairing. Every test has an effect size beside it, since with many rows any difference is significant.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special, stats

MANY = 20  # more distinct values than this are measurements, not classes


# Labels


def form_of(y: np.ndarray) -> str:
    """What kind of targets `y` holds.

    "ids": whole numbers, one for each example or each place of a sequence. "one_hot": rows of 0 and 1 with one 1.
    "multi_hot": rows of 0 and 1. "shares": rows that add up to 1. "real": anything else. "none": nothing to judge by.
    """
    y = np.asarray(y)
    if y.dtype.kind not in "iufb" or not y.size or not y.ndim:
        return "none"
    values = y.astype("float64", copy=False)
    values = values[np.isfinite(values)] if not np.isfinite(values).all() else values
    if values.ndim >= 2 and y.shape[-1] > 1 and values.min() >= 0:
        rows = values.reshape(-1, y.shape[-1])
        if np.isin(rows, (0.0, 1.0)).all():
            return "one_hot" if np.all(rows.sum(1) == 1) else "multi_hot"
        if np.allclose(rows.sum(1), 1, atol=1e-3):
            return "shares"
    return "ids" if values.size and np.all(values == np.round(values)) else "real"


def classes_of(y: np.ndarray) -> np.ndarray | None:
    """(n,) the class of each example when `y` says one: ids of few values or one-hot rows; None otherwise."""
    form = form_of(y)
    if form in ("one_hot", "shares") and y.ndim == 2:
        return y.argmax(-1)
    flat = y.reshape(len(y), -1) if y.ndim else y
    if form != "ids" or flat.shape[1] != 1:
        return None
    distinct = len(np.unique(flat))
    return flat[:, 0].astype("int64") if distinct <= max(MANY, len(flat) // 20) else None


def entropy(counts: np.ndarray) -> float:
    """Of the distribution that `counts` are drawn from, as they stand, in nats."""
    return float(_entropies(counts[None])[0])


def _entropies(counts: np.ndarray) -> np.ndarray:
    """(m,) `entropy` of each row of (m, k); of nothing it is 0."""
    return np.sum(special.entr(counts / np.maximum(counts.sum(1, keepdims=True), 1)), axis=1)


def share_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share of which `hits` of `n` were seen."""
    interval = stats.binomtest(int(hits), int(n)).proportion_ci(confidence_level=level)
    return float(interval.low), float(interval.high)


# Order


class Mixing(NamedTuple):
    """ratio: entropy of the labels within a batch, against batches drawn at random. z: in standard deviations."""

    ratio: float
    z: float


def mixing(batches: Sequence[np.ndarray], reference: np.ndarray, draws: int = 200) -> Mixing:
    """How well the labels of `batches` are mixed; null: each batch is a random draw of `reference`, without order.

    batches: of class numbers. reference: class numbers in the proportions of the data. Perfect mixing has ratio 1.
    """
    rng = np.random.default_rng(0)
    names, numbers = np.unique(np.concatenate([reference, *batches]), return_inverse=True)
    reference_numbers, rest = numbers[: len(reference)], numbers[len(reference) :]
    sizes = [len(batch) for batch in batches]
    parts = np.split(rest, np.cumsum(sizes)[:-1])
    seen = np.mean(_entropies(np.stack([np.bincount(part, minlength=len(names)) for part in parts])))
    p = np.bincount(reference_numbers, minlength=len(names)) / len(reference_numbers)
    drawn = np.array([np.mean(_entropies(rng.multinomial(sizes, p))) for _ in range(draws)])
    spread = max(float(drawn.std(ddof=1)), 1e-9)
    expected = float(drawn.mean())
    return Mixing(ratio=float(seen / expected) if expected else 1.0, z=float((seen - expected) / spread))


def run_z(labels: np.ndarray) -> float:
    """Standard deviations by which equal neighbours are more than chance has them; exact under exchangeability."""
    n = len(labels)
    counts = np.unique(labels, return_counts=True)[1].astype("float64")
    if n < 3 or len(counts) < 2:
        return 0.0
    # Of n - 1 pairs of neighbours each is equal with probability q; moments as in Wald, Wolfowitz (1940), many kinds.
    q = np.sum(counts * (counts - 1)) / (n * (n - 1))
    triple = np.sum(counts * (counts - 1) * (counts - 2)) / (n * (n - 1) * (n - 2))
    pairs = np.sum(counts * (counts - 1)) ** 2 - np.sum(counts * (counts - 1) * (4 * counts - 6))
    double = pairs / (n * (n - 1) * (n - 2) * (n - 3)) if n > 3 else 0.0
    variance = (n - 1) * q + 2 * (n - 2) * triple + (n - 2) * (n - 3) * double - ((n - 1) * q) ** 2
    equal = float(np.sum(labels[1:] == labels[:-1]))
    return float((equal - (n - 1) * q) / np.sqrt(max(variance, 1e-12)))


def binned(y: np.ndarray, bins: int = 10) -> np.ndarray:
    """Real targets as the numbers of their quantile bins."""
    edges = np.unique(np.quantile(y, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, y)


# Inputs


def columns_of(x: np.ndarray) -> np.ndarray:
    """(values, features): pixels of an image and steps of a sequence are values of the same channel or feature."""
    x = np.asarray(x)
    return x.reshape(len(x), -1) if x.ndim <= 2 else x.reshape(-1, x.shape[-1])


COUNT = 20  # how often a word occurs in a text, at most; the ink of digits on black is brighter


class Scales(NamedTuple):
    """center, spread: of each feature. row: median over the examples of the distance from the mean example."""

    center: np.ndarray
    spread: np.ndarray
    row: float
    sparse: bool  # most entries are 0 and the others small, or there are only zeros and ones: bags of words, codes


def scales(x: np.ndarray) -> Scales:
    columns, flat = columns_of(x).astype("float64"), np.reshape(x, (len(x), -1)).astype("float64")
    row = float(np.median(np.sqrt(np.sum((flat - flat.mean(0)) ** 2, axis=1))))
    codes = np.isin(flat, (0.0, 1.0)).all()
    sparse = codes or (np.ndim(x) == 2 and np.mean(flat == 0) > 0.8 and np.median(np.abs(flat[flat != 0])) <= COUNT)
    return Scales(columns.mean(0), columns.std(0), row, bool(sparse))


def neighbour_correlation(images: np.ndarray) -> float:
    """Correlation of horizontally neighbouring pixels of (n, height, width, channels), channels apart, mean removed."""
    images = np.asarray(images, "float64")
    centred = images - images.mean(axis=(0, 1, 2), keepdims=True)
    left, right = centred[:, :, :-1], centred[:, :, 1:]
    return float(np.sum(left * right) / max(np.sqrt(np.sum(left**2) * np.sum(right**2)), 1e-12))


def left_of_axes(rows: np.ndarray, at_most: int = 1000) -> np.ndarray:
    """(k + 1,) the share of the variance of rows (n, k) that their first 0, 1, ... k principal axes leave."""
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), at_most)).astype(int))].astype("float64")
    power = np.linalg.svd(chosen - chosen.mean(0), compute_uv=False) ** 2
    left = np.zeros(rows.shape[1] + 1)
    left[: len(power)] = np.cumsum(power[::-1])[::-1]
    return left / max(left[0], 1e-300)


def keys(x: np.ndarray) -> np.ndarray:
    """(n,) a number for each row, equal for equal rows."""
    if x.dtype.kind not in "iufb":
        return np.array([hash(tuple(map(str, np.ravel(row)))) for row in x])
    flat = np.ascontiguousarray(np.reshape(x, (len(x), -1)))
    return np.array([hash(row.tobytes()) for row in flat])
