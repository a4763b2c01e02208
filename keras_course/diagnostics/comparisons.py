"""Two parts of the data beside each other: rows in both, features that moved, noise on one of them, other classes."""

from typing import NamedTuple

from keras_course.diagnostics.statistics import columns_of, keys, neighbour_correlation, share_interval
from keras_course.diagnostics.telling import on_one_scale

import numpy as np
from scipy import optimize, stats
from scipy.spatial.distance import cdist


class Shared(NamedTuple):
    """hits: rows of the second part that stand in the first. kinds: how many of them differ. expected: share of repeats
    inside of the first.

    chance: how many repeats columns that know nothing of each other would give.
    """

    hits: int
    kinds: int
    n: int
    expected: float
    chance: float

    @property
    def low(self) -> float:
        return share_interval(self.hits, self.n)[0]


def shared_rows(first: np.ndarray, second: np.ndarray) -> Shared:
    """Rows that both parts hold. Discrete data repeat by chance: as often as inside a half of the first part."""
    first, second = np.asarray(first), np.asarray(second)
    a, b = keys(first), keys(second.astype(first.dtype) if first.dtype.kind in "iufb" else second)
    halves = np.random.default_rng(0).permutation(len(a))
    left, right = a[halves[: len(a) // 2]], a[halves[len(a) // 2 :]]
    expected = float(np.mean(np.isin(right, left))) if len(a) > 1 else 0.0
    shared = b[np.isin(b, a)]
    chance = _equal_by_chance(first) * len(a) * len(b)
    return Shared(len(shared), len(np.unique(shared)), len(b), min(2 * expected, 1.0), chance)


def _equal_by_chance(x: np.ndarray) -> float:
    """The most that two rows are equal with, when each column is drawn by itself; 1 for what is not numbers.

    Of 512 columns at most, from all over a picture: each further one makes it less.
    """
    if x.dtype.kind not in "iufb" or not len(x):
        return 1.0
    flat = np.reshape(x, (len(x), -1))
    flat = flat[:, np.linspace(0, flat.shape[1] - 1, min(flat.shape[1], 512)).astype(int)]
    shares = [np.unique(column, return_counts=True)[1] / len(flat) for column in flat.T]
    return float(np.prod([np.sum(share**2) for share in shares]))


NEAR, ASKED = 100, 200  # rows of the first part around one of the second, and how many of these are looked at
COLUMNS = 64  # of measurements, that say enough
DIRECTIONS = 4  # from which on three rows of measurements lie on one line by no chance


def on_lines(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of the second part (m, k) were looked at, and whether each of them lies on a straight line through two
    of the first (n, k), as what SMOTE makes between neighbours does (Chawla et al. 2002, section 4.2).

    Nothing of rows whose measurements, the columns of which most numbers are different ones, span fewer than four
    directions.
    """
    measured = np.flatnonzero([len(np.unique(column)) > 0.5 * len(first) for column in first.T])[:COLUMNS]
    chosen = np.random.default_rng(0).permutation(len(second))[:ASKED]
    if len(measured) < DIRECTIONS:
        return np.zeros(0, int), np.zeros(0, bool)
    scaled, rows = on_one_scale(*(part[:, measured].astype("float64") for part in (first, second[chosen])))
    if np.linalg.matrix_rank(scaled, tol=1e-6 * len(scaled)) < DIRECTIONS:
        return np.zeros(0, int), np.zeros(0, bool)
    sizes = cdist(rows, scaled)
    sizes[sizes < 1e-9] = np.inf  # equal rows have no line of their own
    near = np.argpartition(sizes, min(NEAR, len(scaled)) - 1)[:, :NEAR]
    size = np.take_along_axis(sizes, near, axis=1)[..., None]
    ways = (scaled[near] - rows[:, None]) / size  # (rows, near, columns), of length 1
    cosines = np.abs(ways @ ways.transpose(0, 2, 1))
    cosines[:, np.arange(near.shape[1]), np.arange(near.shape[1])] = 0
    return chosen, cosines.max((1, 2)) > 1 - 1e-9


class Shift(NamedTuple):
    """share: of the features that moved. factor, distance: the median ratio of spreads and distance in spreads of them.

    p: the largest p-value of the Kolmogorov-Smirnov tests of the moved features, times their number.
    """

    share: float
    factor: float
    distance: float
    p: float


def shift(first: np.ndarray, second: np.ndarray, *, ratio: float = 3.0, distance: float = 3.0) -> Shift:
    """Features whose spread differs by more than `ratio`, or whose mean by more than `distance` of the spreads.

    Features that are constant in both parts at the same value do not count. Values of one example are not independent:
    the test takes one value per example and feature.
    """
    a, b = columns_of(first).astype("float64"), columns_of(second).astype("float64")
    sd_a, sd_b = a.std(0), b.std(0)
    gap = np.abs(a.mean(0) - b.mean(0))
    counted = (sd_a > 0) | (sd_b > 0) | (gap > 0)
    floor = 1e-3 * max(float(np.median(sd_a[counted])) if counted.any() else 1.0, 1e-12)
    factor = np.log(np.maximum(sd_b, floor) / np.maximum(sd_a, floor))
    away = gap / np.maximum(sd_a, floor)
    tests = [
        j
        for j in map(int, np.flatnonzero(counted & ((np.abs(factor) > np.log(ratio)) | (away > distance))))
        if _ks(first, second, j) < 1e-6
    ]
    if not tests:
        return Shift(0.0, 1.0, 0.0, 1.0)
    worst = max(_ks(first, second, j) for j in tests)
    return Shift(
        len(tests) / int(counted.sum()),
        float(np.exp(np.median(factor[tests]))),
        float(np.median(away[tests])),
        min(worst * len(tests), 1.0),
    )


def scaled_otherwise(first: np.ndarray, second: np.ndarray, *, within: float = 0.15) -> float:
    """The share of the features that vary whose distributions are alike but for their mean and spread.

    within: the Levy distance of two that are alike, when each has mean 0 and spread 1. Values that many examples share,
    as the black of a picture, may stand a little apart, which Kolmogorov and Smirnov's distance would not forgive.
    """
    a, b = ([_one_value(part, j) for j in range(columns_of(part).shape[1])] for part in (first, second))
    alike = [
        _alike((one - one.mean()) / np.std(one), (other - other.mean()) / np.std(other), within)
        for one, other in zip(a, b, strict=True)
        if np.std(one) > 0 and np.std(other) > 0
    ]
    return float(np.mean(alike)) if alike else 0.0


def _alike(first: np.ndarray, second: np.ndarray, within: float) -> bool:
    """Whether the second distribution lies between the first, moved to the right and down, and to the left and up."""
    first, second = np.sort(first.astype("float64")), np.sort(second.astype("float64"))
    at = np.unique(np.concatenate([first - within, first + within, second]))

    def below(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        return np.searchsorted(values, at, side="right") / len(values)

    low, high, other = below(first, at - within) - within, below(first, at + within) + within, below(second, at)
    return bool(np.all(low <= other + 1e-12) and np.all(other <= high + 1e-12))


def kept_correlation(first: np.ndarray, second: np.ndarray, *, features: int = 64) -> float:
    """How much of the correlations of the features in the second part the first part has: 1 where all, 0 where none.

    Another scale keeps them, noise of its own on each feature takes them away. Of sequences whose places have nothing
    to do with each other from afar, as waves of any phase, those next to each other. NaN where there is next to nothing
    to keep: a mean square of the correlations below 0.05, of neighbours a correlation below 0.3.
    """
    flat = [np.reshape(part, (len(part), -1)).astype("float64") for part in (first, second)]
    varied = np.flatnonzero((flat[0].std(0) > 0) & (flat[1].std(0) > 0))
    chosen = varied[np.unique(np.linspace(0, len(varied) - 1, min(len(varied), features)).astype(int))]
    if len(chosen) < 2:
        return np.nan
    pairs = np.triu_indices(len(chosen), 1)
    own, other = (np.corrcoef(part[:, chosen], rowvar=False)[pairs] for part in flat)
    strength = float(np.mean(other**2))
    if strength > 0.05:
        return float(np.mean(own * other)) / strength
    if first.ndim != 3:
        return np.nan
    here, there = (neighbour_correlation(part[:, None]) for part in (first, second))  # pictures one row high
    return here / there if there > 0.3 else np.nan


def drowned(first: np.ndarray, second: np.ndarray) -> float:
    """How many times as strong as the rows of the second part the noise is that those of the first have; 0 without.

    By the spreads, where they let expect more than 1.8, a signal-to-noise ratio below 0.3, and the correlations of the
    features are gone accordingly, to 0.3 and less of what they are in the second part; or features of unlike spreads,
    of which the widest tenth is three times as wide as the narrowest, have gained the same variance, where another
    scale multiplies; unless they are alike but for their scale, as features that were all brought to one. Or by one
    channel of sequences or pictures, all of whose frequencies have gained the same power.
    """
    if (times := _beside_the_signal(first, second)) > 1.8:
        return times
    a, b = columns_of(first).astype("float64").std(0), columns_of(second).astype("float64").std(0)
    varied = (a > 0) & (b > 0)
    ratio = float(np.median((a[varied] / b[varied]) ** 2)) - 1 if varied.any() else 0.0
    if ratio <= 1.8**2:
        return 0.0
    gained, (narrow, wide) = a[varied] ** 2 - b[varied] ** 2, np.quantile(b[varied], (0.1, 0.9))
    added = wide > 3 * narrow and float(np.std(gained)) < 0.25 * float(np.mean(gained))
    added = added and scaled_otherwise(first, second) < 0.5
    if not added and not kept_correlation(first, second) < 0.3:
        return 0.0
    return float(np.sqrt(np.mean(gained) / np.mean(b[varied] ** 2)) if added else np.sqrt(ratio))


def _beside_the_signal(first: np.ndarray, second: np.ndarray) -> float:
    """How many times as strong the noise is on the noisiest channel, by its spectrum along the places: every frequency
    has gained the same power, whatever it had, where another scale would multiply."""
    if np.ndim(first) < 3 or first.shape[1:] != second.shape[1:] or first.shape[-2] < 3:
        return 0.0
    found = [0.0]
    for channel in range(first.shape[-1]):
        a, b = (_spectrum(x[..., channel].astype("float64")) for x in (first, second))
        gained, uneven = a - b, float(np.std(b)) / max(float(np.mean(b)), 1e-30)
        # a few rows make an even spectrum uneven
        if uneven > 0.2 and float(np.std(gained)) < 0.25 * min(uneven, 1.0) * float(np.mean(gained)):
            found.append(float(np.sqrt(np.mean(gained) / np.mean(b))))
    return max(found)


def _spectrum(x: np.ndarray) -> np.ndarray:
    """The mean power of each frequency along the last axis of x, but for that of the mean."""
    return np.mean(np.abs(np.fft.rfft(x - x.mean()))[..., 1:].reshape(-1, x.shape[-1] // 2) ** 2, axis=0)


def _ks(first: np.ndarray, second: np.ndarray, feature: int) -> float:
    one, two = (_one_value(x, feature) for x in (first, second))
    return float(stats.ks_2samp(one, two, method="asymp").pvalue)


def _one_value(x: np.ndarray, feature: int) -> np.ndarray:
    """One value of a feature for each example: its mean over the places."""
    x = np.asarray(x)
    return (
        x.reshape(len(x), -1)[:, feature] if x.ndim <= 2 else x.reshape(len(x), -1, x.shape[-1])[..., feature].mean(1)
    )


class Drift(NamedTuple):
    """distance: total variation of two distributions of labels, 0 to 1. p: of the chi-squared test."""

    distance: float
    p: float
    only_first: tuple[int, ...]  # classes without an example in the second part
    only_second: tuple[int, ...]


def label_drift(first: np.ndarray, second: np.ndarray) -> Drift:
    """How far the shares of the classes differ between two parts. first, second: class numbers."""
    names = np.union1d(first, second)
    a, b = (np.array([np.sum(part == name) for name in names], "float64") for part in (first, second))
    p = float(stats.chi2_contingency(np.stack([a, b]))[1]) if len(names) > 1 else 1.0
    distance = 0.5 * float(np.abs(a / a.sum() - b / b.sum()).sum())
    return Drift(distance, p, tuple(map(int, names[b == 0])), tuple(map(int, names[a == 0])))


HERE, THERE = 0.3, 0.15  # spreads, by which a column lies apart in the mean, where it stands, and where it belongs


def exchanged(x: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    """The columns of `other` that look as another column of `x` does and not as the one in their place: (that one, the
    column that it looks as), by the order that fits best; none of fewer than two, or than half of those that do not
    look as the one in their place.

    x, other: (n, ..., columns) of at least 200 rows, 2 to 64 columns. How far columns lie apart is the mean distance of
    their quantiles, in spreads of the column of x (Wasserstein's distance).
    """
    a, b = columns_of(x).astype("float64"), columns_of(other).astype("float64")
    if not 2 <= a.shape[1] <= COLUMNS or a.shape[1] != b.shape[1] or min(len(x), len(other)) < 200:
        return []
    spread = a.std(0)
    if not (np.isfinite(a).all() and np.isfinite(b).all() and np.all(spread > 0)):
        return []
    steps = np.linspace(0.01, 0.99, 99)
    first, second = np.quantile(a, steps, axis=0), np.quantile(b, steps, axis=0)
    apart = np.abs(first[:, :, None] - second[:, None, :]).mean(0) / spread[:, None]  # (of x, of other)
    columns, places = optimize.linear_sum_assignment(apart.T)
    moved = [
        (int(j), int(i)) for j, i in zip(columns, places, strict=True) if apart[j, j] > HERE and apart[i, j] < THERE
    ]
    return moved if len(moved) >= max(2, np.sum(np.diag(apart) > HERE) / 2) else []
