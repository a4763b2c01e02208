"""What inputs tell of labels: of the same rows, and of another part of the data."""

import warnings
from typing import Any, NamedTuple

from keras_course.diagnostics.statistics import MANY, classes_of, form_of, share_interval

import numpy as np


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


def told_at_all(x: np.ndarray, y: np.ndarray, rows: int = 2048) -> bool:
    """Whether a linear model says more of classes left out than the most frequent one, by five standard errors.

    x: (n, ...). y: (n,) class numbers, of others nothing is told. A ridge regression, or naive Bayes of counts, by five
    folds: where most labels are noise, some of thousands are told, and of a few hundred none.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import cross_val_predict
    from sklearn.naive_bayes import MultinomialNB

    if y.ndim != 1 or y.dtype.kind not in "iub":
        return False
    chosen = np.random.default_rng(0).permutation(len(x))[:rows]
    (flat,), labels = on_one_scale(_plain(x[chosen])), np.asarray(y)[chosen]
    counts = np.unique(labels, return_counts=True)[1]
    if counts.min() < 5 or len(counts) > MANY:
        return False
    models = [(RidgeClassifier(100.0), flat)]
    if np.asarray(x).dtype.kind in "iub" and np.min(x) >= 0:
        models.append((MultinomialNB(), _plain(x[chosen])))
    common = counts.max() / counts.sum()
    right = max(np.mean(cross_val_predict(model, a, labels, cv=5) == labels) for model, a in models)
    return bool(right > common + 5 * np.sqrt(common * (1 - common) / len(labels)))


WORDS = 200  # whose places are told apart
BESIDE = 2  # places of a sequence on each side that are looked at with one; of a picture 1


def one_place_each(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Of rows that have a label at each place one place each, what lies around it, and its label; None of others.

    x: (n, time, channels), (n, height, width, channels), or numbers of words (n, time), of which the most frequent are
    told apart. y: class numbers (n, time) or (n, height, width), with or without a last axis of 1. Places of a sequence
    that are zeros are padding, unless all are. Of each row a class is drawn first, so that a rare one counts; one place
    each, since those of one row are not independent.
    """
    if x.dtype.kind not in "iuf" or form_of(y) not in ("ids", "multi_hot") or len(np.unique(y)) > MANY:
        return None  # a mask of two classes is rows of zeros and ones too
    if x.ndim == 2 and y.shape[:2] == x.shape and x.dtype.kind in "iu":
        names, counts = np.unique(x[x != 0], return_counts=True)
        x = x[..., None] == names[np.argsort(-counts)[:WORDS]]
    y = y.reshape(y.shape[:-1]) if y.ndim == x.ndim and y.shape[-1] == 1 else y
    if x.ndim not in (3, 4) or y.shape != x.shape[:-1] or y.ndim < 2:
        return None
    rng, reach = np.random.default_rng(0), 0 if x.dtype == bool else BESIDE if x.ndim == 3 else 1
    around = np.pad(np.nan_to_num(x), [(0, 0), *[(reach, reach)] * (x.ndim - 2), (0, 0)], mode="edge")
    filled = np.any(x != 0, axis=-1) if x.ndim == 3 else np.ones(y.shape, bool)
    found, labels = [], []
    for row, (there, label) in enumerate(zip(filled, y, strict=True)):
        places = np.argwhere(there if there.any() else ~there)
        classes = label[tuple(places.T)]
        place = places[rng.choice(np.flatnonzero(classes == rng.choice(np.unique(classes))))]
        window = tuple(slice(i, i + 2 * reach + 1) for i in place)
        found.append(around[row][window].reshape(-1))
        labels.append(label[tuple(place)])
    return np.array(found, "float32"), np.array(labels).astype("int64")


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


def embedded(x: np.ndarray) -> np.ndarray:
    """(n, k): features on one scale; of more than 256 the first 32 principal axes, so that distances count."""
    return _in_axes(_plain(x), columns=256, axes=32, scaled=np.ndim(x) <= 2)[0]  # pixels have no units of their own


def on_one_scale(x: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows of numbers (n, k), each column with the mean and spread of x taken out; `others` by the same numbers.

    Of more than 512 columns, with which simple models would take minutes, the first 100 principal axes of x. Nobody
    looks at labels for that.
    """
    return _in_axes(x, *others, columns=512, axes=100)


def _in_axes(
    x: np.ndarray, *others: np.ndarray, columns: int, axes: int, scaled: bool = True
) -> tuple[np.ndarray, ...]:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    wide = x.shape[1] > columns
    steps = [StandardScaler()] * scaled + [PCA(min(axes, len(x)), svd_solver="randomized", random_state=0)] * wide
    if not steps:
        return (x, *others)
    model = make_pipeline(*steps).fit(x)
    return tuple(model.transform(each) for each in (x, *others))


KERNELS = 256  # of random convolutions of sequences, over all dilations; of pictures half as many
REACH = 7  # places, at most, that one spans; of pictures 5


def convolved(x: np.ndarray) -> np.ndarray:
    """(n, k) what random convolutions find in sequences (n, time, channels) or pictures (n, height, width, channels).

    Of each the largest answer and the share of places above a threshold, of pictures in each quarter of them: with a
    linear model on top they tell patterns wherever these stand. With dilations 1, 2, 4 and 8 of sequences, and of
    pictures as they are and two and four times as small, as far as the size allows.
    Source: ROCKET (Dempster, Petitjean, Webb 2020, section 3).
    """
    import tensorflow as tf

    rng, axes, flat = np.random.default_rng(0), tuple(range(x.ndim - 1)), x.ndim == 4
    scaled = ((x - x.mean(axes)) / np.maximum(x.std(axes), 1e-12)).astype("float32")
    size = min(5 if flat else REACH, *x.shape[1:-1])
    steps = [step for step in ((1, 2, 4) if flat else (1, 2, 4, 8)) if step == 1 or step * size < min(x.shape[1:-1])]
    found = []
    for step in steps:
        count = KERNELS // (1 + flat) // len(steps)
        kernels = rng.normal(size=(*[size] * (x.ndim - 2), x.shape[-1], count)).astype("float32")
        shares = rng.uniform(0.1, 0.9, count)
        seen = tf.nn.avg_pool2d(scaled, step, step, "SAME") if flat and step > 1 else scaled
        answers = tf.nn.convolution(seen, kernels, padding="SAME", dilations=1 if flat else step)
        some = answers.numpy().reshape(-1, count)[::11]
        cuts = np.array([np.quantile(one, share) for one, share in zip(some.T, shares, strict=True)], "float32")
        for part in _quarters(answers) if flat else [answers]:
            over = tf.cast(part > cuts, "float32")
            found += [tf.reduce_max(part, axes[1:]).numpy(), tf.reduce_mean(over, axes[1:]).numpy()]
    return np.concatenate(found, axis=1)


def _quarters(pictures: Any) -> list[Any]:
    """Above and below, left and right."""
    rows, columns = (size // 2 for size in pictures.shape[1:3])
    halves = pictures[:, :rows], pictures[:, rows:]
    return [quarter for half in halves for quarter in (half[:, :, :columns], half[:, :, columns:])]


class Suspects(NamedTuple):
    """rows: whose labels are contradicted. surest: the rows of which neighbours are surest, a third of them all. wrong:
    how many of these are called otherwise: where classes overlap next to none, with labels at random as many as of all.
    beside: the share of those whose label is the class before or behind, as of grades.
    """

    rows: np.ndarray
    surest: int
    wrong: int
    beside: float


def mislabelled(x: np.ndarray, y: np.ndarray, folds: int = 5) -> Suspects:
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
        return Suspects(np.zeros(0, int), 0, 0, 0.0)
    model = KNeighborsClassifier(min(10, len(y) // (2 * folds)), weights="distance")
    p = cross_val_predict(model, embedded(x), numbers, cv=folds, method="predict_proba")
    common = counts.max() / counts.sum()
    if np.mean(p.argmax(1) == numbers) < common + 0.4 * (1 - common):
        return Suspects(np.zeros(0, int), 0, 0, 0.0)
    own = p[np.arange(len(p)), numbers]
    threshold = np.array([p[numbers == k, k].mean() for k in range(len(names))])
    other = np.where(np.eye(len(names), dtype=bool)[numbers], -1.0, p - threshold)
    suspects = (other.max(1) >= 0) & (own < threshold[numbers]) & (p.argmax(1) != numbers)
    rows = np.flatnonzero(suspects & ((_left_out(x) @ _centred(numbers)).argmax(1) != numbers))
    surest = np.argsort(-p.max(1), kind="stable")[: len(p) // 3]
    off = np.abs(p[surest].argmax(1) - numbers[surest])
    return Suspects(rows, len(surest), int(np.sum(off > 0)), float(np.mean(off[off > 0] == 1)) if off.any() else 0.0)


def error_of_difference(share: float, n: int, other: float, m: int, rows: int = 1000) -> float:
    """The standard error of the difference of two shares of n and m rows, of which at most `rows` were asked."""
    return float(np.sqrt(share * (1 - share) / min(n, rows) + other * (1 - other) / min(m, rows)))


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


def explained(x: np.ndarray, y: np.ndarray, rows: int = 1000) -> float:
    """The share of the variance of real targets (n,), or of several columns (n, k), that a ridge regression tells of
    rows that it was not fitted to; 0 where it tells nothing."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import cross_val_predict

    chosen = np.random.default_rng(0).permutation(len(y))[:rows]
    targets = np.reshape(y, (len(y), -1))[chosen].astype("float64")
    targets = targets[:, targets.std(0) > 0]
    if not targets.size:
        return 0.0
    said = cross_val_predict(Ridge(10.0), on_one_scale(_plain(x[chosen]))[0], targets, cv=3)
    left = np.mean((np.reshape(said, targets.shape) - targets) ** 2, axis=0) / targets.var(0)
    return float(max(np.mean(1 - left), 0.0))


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


class Dominating(NamedTuple):
    """Shares of the entropy of the classes that a column alone tells, and that all others tell without it."""

    column: int
    alone: float
    without: float


INTERVALS = 20  # of equal shares of the rows, by which a column is judged before a model is fitted to it


def dominating(x: np.ndarray, y: np.ndarray, rows: int = 2000) -> Dominating:
    """What the column of a table (n, k) that tells most of the classes (n,) says of half of the rows, by a tree
    that was fitted to the other half, and what all others do, by a forest.

    (-1, 0.0, 0.0) of fewer than two columns or classes, or of more than 256 or 30.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    chosen = np.random.default_rng(0).permutation(len(y))[:rows]
    x, classes = x[chosen], np.unique(y[chosen], return_inverse=True)[1]
    half, count = len(x) // 2, classes.max(initial=0) + 1
    if not 2 <= x.shape[1] <= 256 or not 2 <= count <= 30 or len(np.unique(classes[:half])) < count:
        return Dominating(-1, 0.0, 0.0)
    shares = np.bincount(classes, minlength=count) / len(classes)
    entropy = -float(np.sum(shares * np.log(shares)))

    def told(chances: np.ndarray) -> float:
        right = chances[np.arange(len(x) - half), classes[half:]]
        return 1 + float(np.mean(np.log(np.clip(right, 0.002, 1)))) / entropy

    def of_intervals(column: np.ndarray) -> float:
        place = np.searchsorted(np.unique(np.quantile(column, np.linspace(0, 1, INTERVALS + 1)[1:-1])), column)
        counts = np.full((INTERVALS + 1, count), 0.5 / count)
        np.add.at(counts, (place[:half], classes[:half]), 1)
        return told((counts / counts.sum(1, keepdims=True))[place[half:]])

    def by(model: Any, columns: np.ndarray) -> float:
        return told(model.fit(columns[:half], classes[:half]).predict_proba(columns[half:]))

    best = int(np.argmax([of_intervals(column) for column in x.T]))
    alone = by(DecisionTreeClassifier(max_leaf_nodes=8, min_samples_leaf=10, random_state=0), x[:, [best]])
    forest = RandomForestClassifier(60, min_samples_leaf=20, random_state=0)
    return Dominating(best, alone, by(forest, np.delete(x, best, axis=1)) if alone > 0.5 else 0.0)
