"""The tests of evidence that rules and `probe_data` share: one definition of each statistic.

Where chance matters the null hypothesis is explicit: exact intervals for shares (Clopper, Pearson 1934), permutations
for order and pairing. Every test has an effect size beside it, since with many rows any difference is significant.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

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
    p = counts[counts > 0] / counts.sum()
    return float(-np.sum(p * np.log(p)))


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
    seen = np.mean([entropy(np.bincount(part, minlength=len(names))) for part in parts])
    p = np.bincount(reference_numbers, minlength=len(names)) / len(reference_numbers)
    drawn = np.array([[entropy(rng.multinomial(size, p)) for size in sizes] for _ in range(draws)]).mean(1)
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


def keys(x: np.ndarray) -> np.ndarray:
    """(n,) a number for each row, equal for equal rows."""
    if x.dtype.kind not in "iufb":
        return np.array([hash(tuple(map(str, np.ravel(row)))) for row in x])
    flat = np.ascontiguousarray(np.reshape(x, (len(x), -1)))
    return np.array([hash(row.tobytes()) for row in flat])


class Shared(NamedTuple):
    """hits: rows of the second part that stand in the first. expected: share of repeats inside of the first.

    chance: how many repeats columns that know nothing of each other would give.
    """

    hits: int
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
    return Shared(int(np.isin(b, a).sum()), len(b), min(2 * expected, 1.0), _equal_by_chance(first) * len(a) * len(b))


def _equal_by_chance(x: np.ndarray) -> float:
    """The most that two rows are equal with, when each column is drawn by itself; 1 for what is not numbers.

    Of 64 columns at most: each further one makes it less.
    """
    if x.dtype.kind not in "iufb" or not len(x):
        return 1.0
    flat = np.reshape(x, (len(x), -1))[:, :64]
    shares = [np.unique(column, return_counts=True)[1] / len(flat) for column in flat.T]
    return float(np.prod([np.sum(share**2) for share in shares]))


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

    Another scale keeps them, noise of its own on each feature takes them away. NaN where there is next to nothing to
    keep: a mean square of the correlations below 0.05.
    """
    flat = [np.reshape(part, (len(part), -1)).astype("float64") for part in (first, second)]
    varied = np.flatnonzero((flat[0].std(0) > 0) & (flat[1].std(0) > 0))
    chosen = varied[np.unique(np.linspace(0, len(varied) - 1, min(len(varied), features)).astype(int))]
    if len(chosen) < 2:
        return np.nan
    pairs = np.triu_indices(len(chosen), 1)
    own, other = (np.corrcoef(part[:, chosen], rowvar=False)[pairs] for part in flat)
    strength = float(np.mean(other**2))
    return float(np.mean(own * other)) / strength if strength > 0.05 else np.nan


def drowned(first: np.ndarray, second: np.ndarray) -> float:
    """How many times as strong as the rows of the second part the noise is that those of the first have; 0 without.

    By the spreads, where they let expect more than 1.8, a signal-to-noise ratio below 0.3, and the correlations of the
    features are gone accordingly: to 0.3 and less of what they are in the second part.
    """
    a, b = columns_of(first).astype("float64").std(0), columns_of(second).astype("float64").std(0)
    varied = (a > 0) & (b > 0)
    ratio = float(np.median((a[varied] / b[varied]) ** 2)) - 1 if varied.any() else 0.0
    return np.sqrt(ratio) if ratio > 1.8**2 and kept_correlation(first, second) < 0.3 else 0.0


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


# Inputs and labels together


class Pairing(NamedTuple):
    """agreement: how well nearest neighbours agree on the target. p: of the better of two tests, times two."""

    agreement: float
    chance: float
    p: float


def pairing(x: np.ndarray, y: np.ndarray, *, rows: int = 1024, permutations: int = 500) -> Pairing:
    """Whether inputs say anything of the targets; null: the targets were dealt out at random.

    y: (n,) class numbers or real, or (n, k) columns of numbers. Two statistics, each against the same permutations: the
    agreement of 5 nearest neighbours (share of equal classes, or correlation with their mean), and how well a ridge
    regression predicts what it has not seen (left out one by one, in closed form), which finds a single direction among
    many.
    """
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(x))[:rows]
    x, y = np.asarray(x)[chosen], np.asarray(y)[chosen]
    near = NearestNeighbors(n_neighbors=min(5, len(x) - 1)).fit(embedded(x)).kneighbors(return_distance=False)
    agree = _same_class if y.dtype.kind in "iub" and y.ndim == 1 else _correlated
    orders = [rng.permutation(len(y)) for _ in range(permutations)]
    seen, dealt = agree(y, near), np.array([agree(y[order], near) for order in orders])
    beaten = int(np.sum(dealt >= seen))
    if beaten:  # neighbours see it at once, or not at all: many columns that say nothing drown one that does
        target = _centred(y[:512])
        inside = [np.arange(len(target)), *(order[order < 512] for order in orders)]
        all_targets = np.stack([target[order] for order in inside], axis=1)  # (n, permutations + 1, k)
        errors = np.tensordot(_left_out(x[:512]), all_targets, 1) - all_targets
        fitted = -np.sum(errors**2, axis=(0, 2))
        beaten = min(beaten, int(np.sum(fitted[1:] >= fitted[0])))
    return Pairing(seen, float(dealt.mean()), min(2 * float((1 + beaten) / (1 + permutations)), 1.0))


def _same_class(y: np.ndarray, near: np.ndarray) -> float:
    return float(np.mean(y[near] == y[:, None]))


def _correlated(y: np.ndarray, near: np.ndarray) -> float:
    """Of targets with the mean of their neighbours', each column about its own mean."""
    own, mean = (each.reshape(len(y), -1).astype("float64") for each in (y, y[near].mean(1)))
    own, mean = own - own.mean(0), mean - mean.mean(0)
    size = float(np.linalg.norm(own) * np.linalg.norm(mean))
    return float(np.sum(own * mean)) / size if size > 0 else 0.0


def _centred(y: np.ndarray) -> np.ndarray:
    """(n, k) targets of a regression: classes as columns of 0 and 1, at most 100 of them."""
    if y.ndim > 1:
        return y - y.mean(0)
    columns = y[:, None] == np.unique(y)[:100] if y.dtype.kind in "iub" else y[:, None]
    return columns - columns.mean(0)


def _left_out(x: np.ndarray) -> np.ndarray:
    """(n, n) matrix that maps targets to the predictions of a ridge regression fitted without the row predicted."""
    flat = _plain(x)[:, :2048]
    flat = (flat - flat.mean(0)) / np.where(flat.std(0) > 0, flat.std(0), 1.0)
    gram = flat @ flat.T / flat.shape[1]
    hat = gram @ np.linalg.inv(gram + np.eye(len(x)))
    own = np.diag(hat)
    return (hat - np.diag(own)) / (1 - own)[:, None]


def _plain(x: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.reshape(x, (len(x), -1)).astype("float64"), posinf=0.0, neginf=0.0)


def embedded(x: np.ndarray, dimensions: int = 32, columns: int = 256) -> np.ndarray:
    """(n, k): features on one scale; of more than `columns` the first principal components, so that distances count."""
    from sklearn.decomposition import PCA

    flat = _plain(x)
    if np.ndim(x) <= 2:  # columns have units of their own; pixels do not
        flat = (flat - flat.mean(0)) / np.where(flat.std(0) > 0, flat.std(0), 1.0)
    if flat.shape[1] <= columns or len(flat) <= dimensions:
        return flat
    return PCA(dimensions, svd_solver="randomized", random_state=0).fit_transform(flat)


def mislabelled(x: np.ndarray, y: np.ndarray, folds: int = 5) -> np.ndarray:
    """Rows whose label is contradicted by what a model learned from the other rows.

    Confident learning (Northcutt, Jiang, Chuang 2021, section 3.1): a row is a suspect when another class is at least
    as probable for it as it is on average for the rows that carry it, and its own class less than that. Probabilities
    are those of 10 nearest neighbours, out of fold; a ridge regression that has not seen the row must contradict its
    label too. None where neighbours tell the classes badly, closing less than 40 % of the way from naming the most
    frequent class to being right: there nothing can be suspected. y: class numbers.
    """
    from sklearn.model_selection import cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier

    names, numbers, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(names) < 2 or counts.min() < folds:
        return np.zeros(0, int)
    model = KNeighborsClassifier(min(10, len(y) // (2 * folds)), weights="distance")
    p = cross_val_predict(model, embedded(x), numbers, cv=folds, method="predict_proba")
    common = counts.max() / counts.sum()
    if np.mean(p.argmax(1) == numbers) < common + 0.4 * (1 - common):
        return np.zeros(0, int)
    own = p[np.arange(len(p)), numbers]
    threshold = np.array([p[numbers == k, k].mean() for k in range(len(names))])
    other = np.where(np.eye(len(names), dtype=bool)[numbers], -1.0, p - threshold)
    suspects = (other.max(1) >= 0) & (own < threshold[numbers]) & (p.argmax(1) != numbers)
    return np.flatnonzero(suspects & ((_left_out(x) @ _centred(numbers)).argmax(1) != numbers))


WIDE, AXES = 512, 100  # columns above which simple models, that would take minutes, are given that many axes


def on_one_scale(x: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows of numbers with the mean and spread of each column of x taken out, `others` by the same numbers.

    Of more than `WIDE` columns the first principal axes, which keep distances; nobody looks at labels for that.
    """
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    wide = [PCA(min(AXES, len(x)), svd_solver="randomized", random_state=0)] if x.shape[1] > WIDE else []
    model = make_pipeline(StandardScaler(), *wide).fit(x)
    return tuple(model.transform(each) for each in (x, *others))


class Transfer(NamedTuple):
    """Accuracies of a linear model of the first part: on rows of it that were left out, on the second, of chance."""

    inside: float
    across: float
    chance: float


def transfer(x: np.ndarray, y: np.ndarray, other_x: np.ndarray, other_y: np.ndarray, rows: int = 1000) -> Transfer:
    """What a linear model learns from one part of the data, on itself (3 folds) and on another part.

    x, other_x: rows of equal form. y, other_y: class numbers. chance: the share of the most frequent class, of the part
    where it is larger.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    rng = np.random.default_rng(0)
    first, second = rng.permutation(len(y))[:rows], rng.permutation(len(other_y))[:rows]
    model = LogisticRegression(C=0.1, max_iter=60)
    a, b = on_one_scale(_plain(x[first]), _plain(other_x[second]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inside = float(np.mean(cross_val_score(model, a, y[first], cv=3)))
        across = float(np.mean(model.fit(a, y[first]).predict(b) == other_y[second]))
    common = [np.unique(labels, return_counts=True)[1].max() / len(labels) for labels in (y, other_y)]
    return Transfer(inside, across, float(max(common)))


def linear(x: np.ndarray, y: np.ndarray, other_x: np.ndarray, other_y: np.ndarray, rows: int = 1000) -> float:
    """The share of classes, or of the variance of real targets, that a linear model of one part tells of another."""
    from sklearn.linear_model import Ridge

    a, b = classes_of(y), classes_of(other_y)
    if a is not None and b is not None:
        return transfer(x, a, other_x, b, rows).across if np.unique(a, return_counts=True)[1].min() >= 3 else np.nan
    chosen = np.random.default_rng(0).permutation(len(y))[:rows]
    train, held_out = on_one_scale(_plain(x[chosen]), _plain(other_x))
    model = Ridge(10.0).fit(train, np.reshape(y, -1)[chosen])
    return float(model.score(held_out, np.reshape(other_y, -1)))


def told_by_words(x: np.ndarray, y: np.ndarray, other_x: np.ndarray, other_y: np.ndarray) -> Transfer:
    """What a table of the label that each word has most often says of other words: of rows left out, of another part.

    x, other_x: (rows, places) numbers of words. y, other_y: the label of each. Words that fill rows up, the most
    frequent one with its one label, do not count.
    """
    half, (words, counts) = len(x) // 2, np.unique(x, return_counts=True)
    filling = words[counts.argmax()]
    inside = np.mean([_told(x[:half], y[:half], x[half:], y[half:], filling),
                      _told(x[half:], y[half:], x[:half], y[:half], filling)])  # fmt: skip
    across = _told(x, y, other_x, other_y, filling)
    real = [labels[part != filling] for part, labels in ((x, y), (other_x, other_y))]
    common = [np.unique(labels, return_counts=True)[1].max(initial=0) / max(len(labels), 1) for labels in real]
    return Transfer(float(inside), across, float(max(common)))


def _told(x: np.ndarray, y: np.ndarray, other_x: np.ndarray, other_y: np.ndarray, filling: Any) -> float:
    """The share of the words of another part whose label is the most frequent one of that word here."""
    labels = np.unique(y)
    words, place = np.unique(x, return_inverse=True)
    counts = np.zeros((len(words), len(labels)), int)
    np.add.at(counts, (place.reshape(-1), np.searchsorted(labels, y).reshape(-1)), 1)
    real = other_x != filling
    at = np.minimum(np.searchsorted(words, other_x[real]), len(words) - 1)
    said = np.where(words[at] == other_x[real], labels[counts.argmax(1)][at], labels[counts.sum(0).argmax()])
    return float(np.mean(said == other_y[real])) if real.any() else 0.0


def telling_feature(x: np.ndarray, y: np.ndarray) -> tuple[int, float]:
    """The feature that alone tells the class best, and the lower 99 % bound of its accuracy, out of fold.

    Each feature is cut into as many intervals as there are classes. (-1, 0.0) when there are too few rows.
    """
    from sklearn.model_selection import cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    flat = np.reshape(x, (len(x), -1))
    counts = np.unique(y, return_counts=True)[1]
    if len(counts) < 2 or counts.min() < 5 or flat.shape[1] > 256:
        return -1, 0.0
    tree = DecisionTreeClassifier(max_leaf_nodes=max(len(counts), 2), random_state=0)
    fits = [tree.fit(flat[:, [j]], y).score(flat[:, [j]], y) for j in range(flat.shape[1])]
    best = int(np.argmax(fits))
    right = int(np.sum(cross_val_predict(tree, flat[:, [best]], y, cv=5) == y))
    return best, share_interval(right, len(y), 0.99)[0]
