"""Which hyper-parameters matter: how much of the ranking of the trials goes with each, and with which of them together.

A forest learns the ranks of the scores from the values of the trials: of the scores themselves, one training that was
ruined would be nearly all of the variance. On trials that it has not seen, the values of one parameter
are then exchanged for those of other trials: half of what this adds to the squared error, as a share of the variance,
estimates the total Sobol index of that parameter, that is, of its own effect and of all its interactions. Two
parameters exchanged at once add less than both alone by exactly what they do together. What the forest has not learned
is missing from all of these: from few trials it learns a large effect of one parameter, and hardly ever a pair that
has no effect apart.

The trees are extremely randomised: they explained more of unseen trials than those of a random forest, from 20, 60
and 400 trials alike. Geurts, Ernst and Wehenkel (2006), "Extremely randomized trees", section 2; Breiman (2001),
"Random forests", section 10; Saltelli et al. (2010), "Variance based sensitivity analysis of model
output", equation f of table 2 (the estimator of Jansen); what it is good for in searches: Hutter, Hoos and
Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance", section 4.
"""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from keras_course.base import require

import numpy as np

FEWEST = 10  # trials: a forest of fewer can be right by luck only
SKILL = 0.1  # below this share of unseen variance, what the forest says of parameters is not worth a sentence
DONORS = 20  # other trials whose values each trial is given
PAIRED = 8  # the most important parameters, whose pairs are looked at
FOLDS, TREES = 10, 50
ROUNDS, HITS = 4, 3  # rounds in which shuffled copies of all parameters take part; those in which a clear one is ahead
SHUFFLED = " (shuffled)"

Predict = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Effect:
    """What one parameter, or two together, have to do with the scores.

    share: of the variance of the ranks. Shares of single parameters include their interactions, so they may sum to
        more than 1; noise can make one negative.
    error: standard error of the share over the trials.
    clear: whether it is above 0 by two errors and above all that shuffled copies reached, in most rounds.
    """

    names: tuple[str, ...]
    share: float
    error: float
    clear: bool = False


@dataclasses.dataclass(frozen=True)
class Importance:
    """Effects, largest first, and how far they can be believed.

    singles: of every parameter that takes more than one value. pairs: interactions of the most important ones.
    skill: share of the variance that the forest explains on trials that it has not seen; at most 1, 0 for a guess.
    trials: on which it rests.
    """

    singles: tuple[Effect, ...]
    pairs: tuple[Effect, ...]
    skill: float
    trials: int

    @property
    def believable(self) -> bool:
        """Whether the forest can predict trials at all."""
        return self.skill >= SKILL


class Table:
    """The values of the trials as numbers for a forest.

    Numbers become ranks, so that a scale or a logarithm changes nothing; words become one column each; a parameter
    that a trial has not is -1.

    values: by trial, the parameters that it has. children: by parameter, those that are there for some of its values
    only.
    """

    def __init__(self, values: Sequence[Mapping[str, Any]], children: Mapping[str, Collection[str]] | None = None):
        self.children = children or {}
        names = dict.fromkeys(name for each in values for name in each)
        self.active = {name: np.array([name in each for each in values]) for name in names}
        self.columns: dict[str, slice] = {}
        blocks: list[np.ndarray] = []
        for name in names:
            block = encoded([each.get(name) for each in values])
            if len(np.unique(block, axis=0)) > 1:
                start = sum(b.shape[1] for b in blocks)
                self.columns[name] = slice(start, start + block.shape[1])
                blocks.append(block)
        self.rows = np.concatenate(blocks, axis=1) if blocks else np.zeros((len(values), 0))

    def exchanged(self, rows: np.ndarray, at: np.ndarray, donors: np.ndarray, name: str) -> np.ndarray:
        """`rows`, which began as those of the trials `at`, with the values of `name` from the trials `donors`.

        Where one of the two has not the parameter, nothing is exchanged. What is there for some of its values only
        appears and disappears with it; what both have stays.
        """
        both = self.active[name][at] & self.active[name][donors]
        found = rows.copy()
        moved = {name: both} | {
            child: both & (self.active[child][at] != self.active[child][donors])
            for child in self.children.get(name, ())
            if child in self.columns
        }
        for each, where in moved.items():
            here = self.columns[each]
            found[..., here] = np.where(where[..., None], self.rows[donors][..., here], found[..., here])
        return found


def encoded(column: Sequence[Any]) -> np.ndarray:
    """The values of one parameter as columns of numbers, None as -1 (in a column for each word: as no word)."""
    there = [v for v in column if v is not None]
    if all(isinstance(v, bool | int | float) for v in there):
        ranks = {v: i for i, v in enumerate(sorted(set(there)))}
        return np.array([[-1.0 if v is None else ranks[v]] for v in column])
    words = sorted({str(v) for v in there})
    return np.array([[float(v is not None and str(v) == word) for word in words] for v in column])


def donors_of(table: Table, name: str, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each of the trials `at` others that have the parameter, (trials, donors), in equal numbers."""
    n = len(table.rows)
    there = rng.permutation(np.flatnonzero(table.active[name]))
    place = np.zeros(n, int)
    place[there] = np.arange(len(there))
    steps = 1 + np.arange(min(DONORS, n - 1)) % max(1, len(there) - 1)
    return there[(place[at][:, None] + rng.permutation(steps)) % len(there)]


def increases(
    predict: Predict,
    table: Table,
    scores: np.ndarray,
    at: np.ndarray,
    groups: Sequence[tuple[str, ...]],
    rng: np.random.Generator,
) -> np.ndarray:
    """What the exchange of each group of parameters adds to the squared error of the trials `at`, (groups, trials)."""
    donors = {name: donors_of(table, name, at, rng) for names in groups for name in names}
    whose = np.broadcast_to(at[:, None], donors[groups[0][0]].shape)
    altered = []
    for names in groups:
        rows = table.rows[whose]  # (trials, donors, columns)
        for name in names:
            rows = table.exchanged(rows, whose, donors[name], name)
        altered.append(rows)
    everything = np.concatenate([table.rows[at], *(rows.reshape(-1, rows.shape[-1]) for rows in altered)])
    told = predict(everything)  # at once: a forest has a price for each call
    before = (scores[at] - told[: len(at)]) ** 2
    after = (scores[at][:, None] - told[len(at) :].reshape(len(groups), *whose.shape)) ** 2
    return after.mean(-1) - before


def shares(added: np.ndarray, groups: Sequence[tuple[str, ...]]) -> tuple[list[Effect], list[Effect]]:
    """Effects of single parameters and of pairs, from what their exchange adds, (groups, trials), at variance 1."""
    each = dict(zip(groups, added / 2, strict=True))
    singles = [effect(names, parts) for names, parts in each.items() if len(names) == 1]
    pairs = [
        effect(names, each[names[:1]] + each[names[1:]] - parts) for names, parts in each.items() if len(names) == 2
    ]
    return largest_first(singles), largest_first(pairs)


def effect(names: tuple[str, ...], parts: np.ndarray) -> Effect:
    """The mean over the trials, with its standard error."""
    return Effect(names, float(parts.mean()), float(parts.std(ddof=1) / len(parts) ** 0.5))


def largest_first(effects: Sequence[Effect]) -> list[Effect]:
    """By share."""
    return sorted(effects, key=lambda one: -one.share)


def ranks(scores: Sequence[float]) -> np.ndarray:
    """The place of each score, from 1; equal ones share the mean of their places."""
    from scipy.stats import rankdata

    return rankdata(np.asarray(scores, float))


def importance(
    values: Sequence[Mapping[str, Any]],
    scores: Sequence[float],
    *,
    children: Mapping[str, Collection[str]] | None = None,
    seed: int = 0,
) -> Importance | None:
    """What each hyper-parameter has to do with the scores of the trials; None when they cannot tell.

    They cannot when there are fewer than ten, when all scores are equal, or when no parameter varies. `values`,
    `children`: see `Table`. The answer is about the ranges that were searched, and about where the trials lie in them:
    a method that has gathered its trials around the best sees less of what ruins a training than random search does.
    """
    require(len(values) == len(scores), "scores", "as many as there are trials", len(scores))
    table, y = Table(values, children), ranks(scores)
    if len(y) < FEWEST or np.ptp(y) == 0 or not table.columns:
        return None
    y = (y - y.mean()) / y.std(ddof=1)
    names = list(table.columns)
    if len(names) > PAIRED:
        singles, _, _ = _measured(table, y, [(name,) for name in names], seed)
        names = [one.names[0] for one in singles]
    groups = [*((name,) for name in names), *itertools.combinations(names[:PAIRED], 2)]
    singles, pairs, skill = _measured(table, y, groups, seed)
    clear = _clear(values, y, names, seed) if skill >= SKILL else set()
    return Importance(_judged(singles, clear), _judged(pairs, clear), skill, len(y))


def _judged(effects: Sequence[Effect], clear: Collection[frozenset[str]]) -> tuple[Effect, ...]:
    return tuple(dataclasses.replace(one, clear=frozenset(one.names) in clear) for one in effects)


def _clear(values: Sequence[Mapping[str, Any]], y: np.ndarray, names: Sequence[str], seed: int) -> set[frozenset[str]]:
    """The parameters and pairs that stand above all copies, which have the values of another trial, in most rounds.

    A share of a single parameter holds those of its pairs, so a pair is clear only when both of its parameters are.
    Among few trials there is nearly always a parameter that goes with the scores by accident, and that helps to predict
    unseen ones too. A copy can do so as well, and nothing else (Kursa and Rudnicki, 2010, "Feature selection with the
    Boruta package", section 2).
    """
    ahead: collections.Counter[frozenset[str]] = collections.Counter()
    for number in range(ROUNDS):
        order = np.random.default_rng([seed, number]).permutation(len(values))
        table = Table(
            [
                {**each, **{name + SHUFFLED: v for name, v in values[other].items()}}
                for each, other in zip(values, order, strict=True)
            ]
        )
        first, copies = names[:PAIRED], [name + SHUFFLED for name in names]
        groups: list[tuple[str, ...]] = [(name,) for name in [*names, *copies]]
        groups += [*itertools.combinations(first, 2), *itertools.product(first, copies[:PAIRED])]
        singles, pairs, _ = _measured(table, y, groups, seed + number)
        ahead.update(_above_copies(singles) | _above_copies(pairs))
    found = {one for one, count in ahead.items() if count >= HITS}
    return {one for one in found if all(frozenset({name}) in found for name in one)}


def _above_copies(effects: Sequence[Effect]) -> set[frozenset[str]]:
    """Those of the effects, largest first, that come before the first copy and are two standard errors above 0."""
    real = itertools.takewhile(lambda one: not one.names[-1].endswith(SHUFFLED), effects)
    return {frozenset(one.names) for one in real if one.share > 2 * one.error}


def _measured(
    table: Table, y: np.ndarray, groups: Sequence[tuple[str, ...]], seed: int
) -> tuple[list[Effect], list[Effect], float]:
    """Effects of the groups on trials that the forest has not seen, and its skill there."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.model_selection import KFold

    rng, added, wrong, guessed = np.random.default_rng(seed), np.zeros((len(groups), len(y))), 0.0, 0.0
    for seen, at in KFold(min(FOLDS, len(y)), shuffle=True, random_state=seed).split(y):
        forest = ExtraTreesRegressor(TREES, random_state=seed).fit(table.rows[seen], y[seen])
        added[:, at] = increases(forest.predict, table, y, at, groups, rng)
        wrong += float(((y[at] - forest.predict(table.rows[at])) ** 2).sum())
        guessed += float(((y[at] - y[seen].mean()) ** 2).sum())
    return *shares(added, groups), 1 - wrong / guessed
