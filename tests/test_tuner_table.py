"""The tabulated benchmark of searches: its table is whole, and a regret is what it is said to be."""

import itertools
import json
import math
import statistics

from benchmarks import _tuner_regret as regret
from benchmarks._tuner_table import EPOCHS, SEEDS, SPACE, TABLE

import numpy as np
import pytest


@pytest.fixture(scope="module")
def table():
    return regret.read_table()


def test_the_table_has_every_configuration_from_every_seed_and_is_small(table):
    accuracies, means = table
    assert set(accuracies) == set(itertools.product(itertools.product(*SPACE.values()), SEEDS))
    assert all(set(row) == set(EPOCHS) and all(0 <= v <= 1 for v in row.values()) for row in accuracies.values())
    assert len(means) == math.prod(map(len, SPACE.values())) >= 300
    assert TABLE.stat().st_size < 100_000


def test_the_table_has_something_to_find(table):
    values = sorted(table[1].values())
    assert values[-1] - values[len(values) // 2] > 0.02, "the best is hardly better than the median"
    noise = [statistics.stdev(table[0][key, seed][max(EPOCHS)] for seed in SEEDS) for key in table[1]]
    assert statistics.stdev(values) > 2 * statistics.median(noise), "the seeds differ as much as the configurations"


def test_a_regret_is_the_distance_of_the_chosen_from_the_best():
    means = {"a": 0.5, "b": 0.9, "c": 0.6}
    trials = [(3, "a", 0.7), (6, "c", 0.4), (8, "b", 0.8), (11, "c", 0.95)]
    found = regret.regrets(trials, means, (2, 3, 6, 8, 20))
    # before a trial ends the mean configuration; then what was told to be best, whatever it is worth
    np.testing.assert_allclose(found, [0.9 - 2 / 3, 0.4, 0.4, 0.0, 0.3], atol=1e-12)


def test_regret_of_random_draws_without_noise_is_that_of_the_formula(table):
    means = table[1]
    keys, values = list(means), np.sort(list(means.values()))
    n, k = len(values), 5
    # the largest of k of n draws is the i-th smallest value with probability C(i, k-1) / C(n, k), i from 0
    share = np.array([math.comb(i, k - 1) for i in range(n)]) / math.comb(n, k)
    expected = values[-1] - float(np.sum(share * values))
    rng, found = np.random.default_rng(0), []
    for _ in range(3000):
        drawn = [keys[i] for i in rng.choice(n, k, replace=False)]
        found += regret.regrets([(9 * (i + 1), key, means[key]) for i, key in enumerate(drawn)], means, (9 * k,))
    error = statistics.stdev(found) / len(found) ** 0.5
    assert abs(statistics.fmean(found) - expected) < 4 * error


@pytest.mark.parametrize("method", ["random", "hyperband", "grid", "bayesian"])
def test_a_search_keeps_to_its_budget_and_is_repeated_by_its_seed(method, table):
    trials = regret.search(method, 3, table[0], 60)
    assert trials == regret.search(method, 3, table[0], 60)
    spent = [at for at, _, _ in trials]
    assert spent == sorted(spent)
    assert spent[-1] <= 60
    assert all(key in table[1] for _, key, _ in trials)
    if method == "random":
        assert trials != regret.search(method, 4, table[0], 60)


def test_the_document_is_what_the_record_gives():
    record = json.loads(regret.RECORD.read_text())
    assert regret.TEXT.read_text() == regret.text(record)
    assert record["searches"] >= 20
    for runs in record["regrets"].values():
        assert len(runs) == record["searches"]
        assert all(value >= 0 for run in runs for value in run)
