from assignments.foundations.metrics import EXERCISE, Settings, area, population, posterior
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics as theirs

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 60)
SCORES = np.round(RNG.normal(size=60) + LABELS, 1)  # with ties
DECISIONS = (SCORES > 1.0).astype(int)


def counted(labels, decisions, beta):
    from assignments.foundations.metrics import confusion, f_beta

    counts = confusion(labels, decisions)
    return {"counts": counts, "f": f_beta(counts, beta)}


def curve(labels, scores):
    from assignments.foundations.metrics import roc
    from keras_course.base import InputError

    try:
        return list(roc(labels, scores))
    except InputError as error:
        return str(error)


def summary(labels, scores):
    from assignments.foundations.metrics import average_precision

    return average_precision(labels, scores)


def cheapest(labels, scores, cost_false_positive, cost_miss):
    from assignments.foundations.metrics import operating_point

    return operating_point(labels, scores, cost_false_positive, cost_miss)


@points(2)
def test_counts_and_f_beta_are_those_of_scikit_learn(subject):
    tn, fp, fn, tp = theirs.confusion_matrix(LABELS, DECISIONS).ravel().tolist()
    for beta in (0.5, 1.0, 2.0):
        received = subject(counted, labels=LABELS, decisions=DECISIONS, beta=beta)
        same(received["counts"], {"tp": tp, "fp": fp, "tn": tn, "fn": fn}, what="counts")
        same(float(received["f"]), float(theirs.fbeta_score(LABELS, DECISIONS, beta=beta)), what=f"F of β = {beta}")


def test_f_beta_of_nothing_is_zero(subject):
    received = subject(counted, labels=np.zeros(3, int), decisions=np.zeros(3, int), beta=1.0)
    same(float(received["f"]), 0.0)


@points(3)
def test_the_roc_curve_is_that_of_scikit_learn_with_its_ties(subject):
    alarms, hits, thresholds = subject(curve, labels=LABELS, scores=SCORES)
    expected = theirs.roc_curve(LABELS, SCORES, drop_intermediate=False)
    for what, received, right in zip(("false positive rates", "true positive rates", "thresholds"), (alarms, hits, thresholds), expected, strict=True):  # fmt: skip  # noqa: E501
        same(received, right, what=what)


def test_equal_scores_are_one_point_whatever_their_order(subject):
    scores = np.array([0.5, 0.5, 0.5, 0.5])
    for labels in ([1, 1, 0, 0], [0, 0, 1, 1]):
        alarms, hits, _ = subject(curve, labels=np.array(labels), scores=scores)
        same([alarms, hits], [np.array([0.0, 1]), np.array([0.0, 1])], what=f"labels {labels}")


@points(2)
def test_average_precision_is_that_of_scikit_learn_and_draws_no_line_between(subject):
    same(subject(summary, labels=LABELS, scores=SCORES), float(theirs.average_precision_score(LABELS, SCORES)))
    same(subject(summary, labels=np.array([1, 0, 1]), scores=np.array([3.0, 2, 1])), 0.5 + 0.5 * 2 / 3, what="by hand")


@points(3)
def test_the_operating_point_is_the_cheapest_of_all_thresholds(subject):
    """By brute force over every threshold that makes a difference."""
    for cost_fp, cost_fn in ((1, 1), (10, 1), (1, 10), (3, 2)):
        costs = {
            float(t): cost_fp * np.sum((t <= SCORES) & (LABELS == 0)) + cost_fn * np.sum((t > SCORES) & (LABELS == 1))
            for t in [np.inf, *np.unique(SCORES)]
        }
        found = subject(cheapest, labels=LABELS, scores=SCORES, cost_false_positive=cost_fp, cost_miss=cost_fn)
        same(float(costs[float(found)]), float(min(costs.values())), what=f"the cost at {cost_fp} : {cost_fn}")


def test_a_dearer_accusation_never_lowers_the_threshold(subject):
    """False accusations and misses cannot both be least: dear accusations mean misses, dear misses accusations."""
    found = [
        subject(cheapest, labels=LABELS, scores=SCORES, cost_false_positive=c, cost_miss=1.0)
        for c in (0.01, 0.3, 1, 3, 100.0)
    ]
    assert found == sorted(found), found
    assert found[0] < found[-1]


def test_a_missing_class_is_refused(subject):
    answer = subject(curve, labels=np.ones(3, int), scores=np.arange(3.0))
    same(answer, "`labels` must be 0 and 1, with both of them there. Received: [1].")


def test_the_area_is_the_chance_that_the_guilty_score_higher():
    from assignments.foundations.metrics import roc

    guilty, others = SCORES[LABELS == 1], SCORES[LABELS == 0]
    pairs = np.mean((guilty[:, None] > others) + 0.5 * (guilty[:, None] == others))
    assert area(*roc(LABELS, SCORES)[:2]) == pytest.approx(pairs, rel=1e-12)


def test_the_posterior_is_that_of_two_normal_densities():
    chosen = Settings(base_rate=0.02, separation=2.0)
    z = np.linspace(-3, 5, 9)
    guilty, others = 0.02 * norm.pdf(z, 2), 0.98 * norm.pdf(z)
    np.testing.assert_allclose(posterior(z, chosen), guilty / (guilty + others), rtol=1e-12)
    labels, scores, p = population(Settings(people=100_000, base_rate=0.1), 0)
    assert abs(p.mean() - labels.mean()) < 5 * np.sqrt(0.1 / 100_000)
    assert scores[labels == 1].mean() - scores[labels == 0].mean() == pytest.approx(3, abs=0.06)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 20))
def test_for_true_probabilities_the_threshold_of_theory_is_the_best(cost):
    """The expected cost of accusing is c (1 - p), of not accusing p: accuse above c / (1 + c)."""
    p = np.linspace(0.001, 0.999, 999)
    expected = [np.sum(np.where(p >= t, cost * (1 - p), p)) for t in np.linspace(0, 1, 501)]
    best = np.sum(np.where(p >= cost / (1 + cost), cost * (1 - p), p))
    assert best <= min(expected) + 1e-9


def test_the_threshold_is_chosen_without_the_test_half(monkeypatch):
    from assignments.foundations import metrics

    real = metrics.population
    monkeypatch.setattr(
        metrics, "population", lambda s, seed: real(s, seed) if seed == 0 else [a[::-1] for a in real(s, 5)]
    )
    name = "Three operating points on the test half of the made population"
    first = [row["threshold"] for row in EXERCISE.run(EXERCISE.quick, None).tables[name]]
    monkeypatch.undo()
    assert first == [row["threshold"] for row in EXERCISE.run(EXERCISE.quick, None).tables[name]]


def test_never_accusing_is_right_in_all_but_the_base_rate():
    chosen = Settings(people=100_000)
    labels, *_ = population(chosen, 1)
    assert 1 - labels.mean() == pytest.approx(0.999, abs=5e-4)


FILE = "assignments/foundations/metrics.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old='"fp": int(np.sum(~true & positive)),',
        new='"fp": int(np.sum(true & ~positive)),',
        caught_by="test_counts_and_f_beta_are_those_of_scikit_learn",
        trap="false positives and false negatives exchanged",
    ),
    Mutant(
        file=FILE,
        old='beta**2 * counts["fn"] + counts["fp"]',
        new='counts["fn"] + beta**2 * counts["fp"]',
        caught_by="test_counts_and_f_beta_are_those_of_scikit_learn",
        trap="β on the side of precision",
    ),
    Mutant(
        file=FILE,
        old="return hits / total if total else 0.0",
        new="return hits / total",
        caught_by="test_f_beta_of_nothing_is_zero",
        trap="0 / 0",
    ),
    Mutant(
        file=FILE,
        old="ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)",
        new="ends = np.arange(len(scores))",
        caught_by="test_equal_scores_are_one_point_whatever_their_order",
        trap="ties cut apart in the order of the file",
    ),
    Mutant(
        file=FILE,
        old="float(np.sum(np.diff(hit_rate) * hits / (hits + alarms)))",
        new="float(np.trapezoid(hits / (hits + alarms), hit_rate[1:]))",
        caught_by="test_average_precision_is_that_of_scikit_learn_and_draws_no_line_between",
        trap="a straight line between points of a precision-recall curve",
    ),
    Mutant(
        file=FILE,
        old="cost_false_positive * alarm_rate * np.sum(1 - labels) + cost_miss",
        new="cost_false_positive * alarm_rate + cost_miss",
        caught_by="test_the_operating_point_is_the_cheapest_of_all_thresholds",
        trap="rates for counts, as if both classes were equally many",
    ),
    Mutant(
        file=FILE,
        old="    return float(thresholds[np.argmin(cost)])",
        new="    return float(thresholds[np.argmin(alarm_rate + 1 - hit_rate)])",
        caught_by="test_the_operating_point_is_the_cheapest_of_all_thresholds",
        trap="minimising false positives and misses at once, whatever they cost",
    ),
    Mutant(
        file=FILE,
        old="    require_both(labels)\n    order",
        new="    order",
        caught_by="test_a_missing_class_is_refused",
        trap="rates of a class that is not there",
    ),
]
