"""What matters in a search: against functions whose Sobol indices are known in closed form."""

import itertools
import math

from keras_course.base import InputError
from keras_course.tuning import importance as module
from keras_course.tuning.importance import Table, importance

import numpy as np
import pytest

NAMES = ("strong", "weak", "dead", "left", "right")
# scores = 2 strong + .6 weak + 1.2 left right, each of mean 0 and variance 1: parts of variance 4, .36 and 1.44
TOTAL = 4 + 0.36 + 1.44
INDICES = {"strong": 4 / TOTAL, "weak": 0.36 / TOTAL, "dead": 0.0, "left": 1.44 / TOTAL, "right": 1.44 / TOTAL}


def formula(columns):
    strong, weak, _, left, right = columns
    return 2 * strong + 0.6 * weak + 1.2 * left * right


def drawn(n, seed):
    """Trials of the function: three numbers uniform with variance 1, two choices of -1 and 1."""
    rng = np.random.default_rng(seed)
    numbers = rng.uniform(-math.sqrt(3), math.sqrt(3), (n, 3))
    columns = [*numbers.T, *rng.choice([-1.0, 1.0], (2, n))]
    return [dict(zip(NAMES, row, strict=True)) for row in zip(*columns, strict=True)], formula(np.array(columns))


def exact(values):
    """The function itself instead of a forest, on the ranks of a table."""
    known = [np.array(sorted({each[name] for each in values})) for name in NAMES]
    return lambda rows: formula([known[i][rows[:, i].astype(int)] for i in range(len(NAMES))])


@pytest.fixture
def without_copies(monkeypatch):
    """The shares alone: quicker, and nothing is clear."""
    monkeypatch.setattr(module, "ROUNDS", 0)


GROUPS = [*((name,) for name in NAMES), *itertools.combinations(NAMES, 2)]


def test_shares_of_the_exact_function_are_its_sobol_indices(monkeypatch):
    levels, signs = (-math.sqrt(1.5), 0.0, math.sqrt(1.5)), (-1.0, 1.0)  # each of variance 1; all combinations
    values = [dict(zip(NAMES, row, strict=True)) for row in itertools.product(levels, levels, levels, signs, signs)]
    monkeypatch.setattr(module, "DONORS", len(values))  # every other trial gives its values
    scores = formula(np.array([list(each.values()) for each in values]).T)
    predict, scale = exact(values), scores.std(ddof=1)
    added = module.increases(
        lambda rows: predict(rows) / scale,
        Table(values),
        scores / scale,
        np.arange(len(values)),
        GROUPS,
        np.random.default_rng(0),
    )
    singles, pairs = module.shares(added, GROUPS)
    assert {one.names[0]: one.share for one in singles} == pytest.approx(INDICES, abs=1e-12)
    assert pairs[0].names == ("left", "right")
    assert pairs[0].share == pytest.approx(INDICES["left"], abs=0.02)  # not all pairs of donors meet
    assert all(abs(one.share) < 0.02 for one in pairs[1:])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_forest_finds_the_strong_the_weak_the_dead_and_the_pair(seed):
    found = importance(*drawn(200, seed), seed=seed)
    shares = {one.names[0]: one for one in found.singles}
    assert found.believable
    assert found.trials == 200
    assert found.singles[0].names == ("strong",)
    assert shares["strong"].share == pytest.approx(INDICES["strong"], abs=0.15)
    assert shares["dead"].share == pytest.approx(0, abs=0.02)
    assert 0.01 < shares["weak"].share < 0.15
    assert shares["weak"].clear
    assert set(found.pairs[0].names) == {"left", "right"}
    assert found.pairs[0].clear
    assert found.pairs[0].share > 2 * found.pairs[1].share
    assert sum(one.clear for one in found.pairs) <= 2
    assert not shares["dead"].clear
    for name in ("left", "right"):
        assert 0.05 < shares[name].share < INDICES[name] + 0.05


def test_of_twenty_trials_the_strong_parameter_is_clear_and_a_dead_one_seldom():
    found = [importance(*drawn(20, seed), seed=seed) for seed in range(4)]
    assert all(each.singles[0].names == ("strong",) and each.singles[0].clear for each in found)
    dead = [one.clear for each in found for one in each.singles if one.names == ("dead",)]
    pairs = [one.clear for each in found for one in each.pairs if set(one.names) != {"left", "right"}]
    assert len(dead) == 4
    assert sum(dead) <= 1
    assert len(pairs) == 4 * 9
    assert sum(pairs) <= 3


def test_clear_is_what_is_ahead_of_the_copies_by_two_errors_in_three_rounds_of_four(monkeypatch):
    name = module.SHUFFLED
    rounds = [  # a: always ahead; b: in three rounds; c: in two; d: never by two errors; e: never
        [("a", 0.9, 0.1), ("d", 0.8, 0.5), ("b", 0.5, 0.1), ("c", 0.4, 0.1), ("a" + name, 0.2, 0.1), ("e", 0.1, 0.01)],
        [("a", 0.9, 0.1), ("d", 0.8, 0.5), ("b", 0.5, 0.1), ("c", 0.4, 0.1), ("b" + name, 0.2, 0.1), ("e", 0.1, 0.01)],
        [("a", 0.9, 0.1), ("d", 0.8, 0.5), ("b", 0.5, 0.1), ("a" + name, 0.4, 0.1), ("c", 0.3, 0.1)],
        [("a", 0.9, 0.1), ("d", 0.8, 0.5), ("a" + name, 0.6, 0.1), ("b", 0.5, 0.1), ("c", 0.4, 0.1)],
    ]
    pairs = [module.Effect(("a", "b"), 0.3, 0.1), module.Effect(("a", "c"), 0.3, 0.1)]
    given = iter(rounds)
    monkeypatch.setattr(
        module, "_measured", lambda *_: ([module.Effect((n,), s, e) for n, s, e in next(given)], pairs, 1.0)
    )
    values = [{each: float(i) for each in "abcde"} for i in range(12)]
    clear = module._clear(values, np.arange(12.0), list("abcde"), seed=0)
    assert clear == {frozenset("a"), frozenset("b"), frozenset("ab")}, "a pair only with both of its parameters"


def test_scores_without_any_reason_give_no_skill():
    for seed in range(2):
        values, _ = drawn(30, seed)
        assert not importance(values, np.random.default_rng(seed + 10).normal(size=30)).believable


def test_another_scale_of_a_parameter_or_of_the_scores_changes_nothing(without_copies):
    values, scores = drawn(30, 3)
    other = [each | {"strong": math.exp(each["strong"])} for each in values]
    found = importance(values, scores)
    assert found == importance(other, scores)
    assert found == importance(values, np.exp(scores)), "the order of the scores is what counts"
    ruined = np.where(scores == scores.min(), -math.inf, scores)
    assert found == importance(values, ruined)


def test_equal_scores_share_their_places():
    np.testing.assert_array_equal(module.ranks([0.5, -math.inf, 0.7, 0.5]), [2.5, 1, 4, 2.5])


def test_words_and_flags_are_seen_like_numbers():
    rng = np.random.default_rng(0)
    values = [
        {"activation": str(rng.choice(["relu", "tanh", "gelu"])), "xla": bool(rng.integers(2)), "n": int(k)}
        for k in rng.integers(0, 9, 60)
    ]
    scores = [{"relu": 0.0, "gelu": 0.2, "tanh": 1.0}[each["activation"]] + 0.3 * each["xla"] for each in values]
    found = importance(values, scores)
    assert [(one.names[0], one.clear) for one in found.singles] == [("activation", True), ("xla", True), ("n", False)]
    assert found.singles[2].share == pytest.approx(0, abs=0.03)


def conditional(n=120, seed=0):
    """One or two layers; the width of the second is there in half of the trials."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(n):
        depth, width = int(rng.integers(1, 3)), float(rng.uniform(-1, 1))
        values.append({"depth": depth} | ({"width": width} if depth == 2 else {}))
    return values, np.array([each.get("width", 0.0) for each in values])


def test_what_is_there_for_some_trials_only_counts_in_these(without_copies):
    values, scores = conditional()
    # all of the variance is the width's, in half of the trials; the depth moves every score by the width, or back to 0
    found = {one.names[0]: one.share for one in importance(values, scores, children={"depth": {"width"}}).singles}
    assert found["width"] == pytest.approx(1, abs=0.1)
    assert found["depth"] == pytest.approx(0.5, abs=0.1)
    table = Table(values, {"depth": {"width"}})
    at = np.array([[i for i, each in enumerate(values) if each["depth"] == 1][:3]])
    donors = np.array([[i for i, each in enumerate(values) if each["depth"] == 2][:3]])
    for here, there in ((at, donors), (donors, at)):  # the width comes and goes with the depth
        changed = table.exchanged(table.rows[here], here, there, "depth")
        np.testing.assert_array_equal(changed, table.rows[there])
    unchanged = table.exchanged(table.rows[at], at, donors, "width")
    np.testing.assert_array_equal(unchanged, table.rows[at])


def test_too_little_to_tell_is_none(without_copies):
    values, scores = drawn(module.FEWEST, 0)
    assert importance(values, scores) is not None
    assert importance(values[:-1], scores[:-1]) is None
    assert importance(values, [0.5] * module.FEWEST) is None
    assert importance([{"rate": 0.1}] * 12, np.arange(12.0)) is None


def test_one_score_for_each_trial_is_asked_for():
    with pytest.raises(InputError, match=r"`scores` must be as many as there are trials\. Received: 1"):
        importance([{"rate": 0.1}] * 12, [1.0])


def test_of_many_parameters_the_pairs_of_the_first_are_looked_at(without_copies):
    rng = np.random.default_rng(0)
    values = [{f"p{i}": float(v) for i, v in enumerate(rng.random(module.PAIRED + 2))} for _ in range(20)]
    found = importance(values, [each["p9"] for each in values])
    assert found.singles[0].names == ("p9",)
    assert len(found.singles) == module.PAIRED + 2
    assert len(found.pairs) == math.comb(module.PAIRED, 2)
