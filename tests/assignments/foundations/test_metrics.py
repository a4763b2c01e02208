import math
import statistics
import warnings

from assignments.foundations.metrics import EXERCISE, Settings, auc, known, made, precision_at, sweep, thin
from keras_course.base import InputError
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

RNG = np.random.default_rng(5)
LABELS = (RNG.random(40) < 0.3).astype(int)
DECISIONS = (RNG.random(40) < 0.45).astype(int)
SCORES = np.round(RNG.normal(size=40) + LABELS, 1)  # rounded: many ties, some between the classes
NORMAL = statistics.NormalDist()


def counts(labels, decisions):
    from assignments.foundations.metrics import confusion

    return confusion(labels, decisions)


def f_scores(labels, decisions, betas):
    from assignments.foundations.metrics import f_beta

    return [list(f_beta(labels, decisions, beta)) for beta in betas]


def swept(labels, scores):
    from assignments.foundations.metrics import sweep

    return list(sweep(labels, scores))


def roc_curve(labels, scores):
    from assignments.foundations.metrics import roc

    return list(roc(labels, scores))


def areas(labels, scores):
    from assignments.foundations.metrics import auc, average_precision

    return {"roc": auc(labels, scores), "average precision": average_precision(labels, scores)}


def chosen(labels, scores, costs):
    from assignments.foundations.metrics import operating_point

    return [list(operating_point(labels, scores, *pair)) for pair in costs]


def formula(costs):
    from assignments.foundations.metrics import bayes_threshold

    return [float(bayes_threshold(*pair)) for pair in costs]


def precisions(base_rate, tpr, fpr):
    from assignments.foundations.metrics import precision_at

    return precision_at(base_rate, tpr, fpr)


def refusals():
    """What is said of bad input, by what is bad."""
    from assignments.foundations import metrics as task
    from keras_course.base import InputError

    cases = {
        "label 2": lambda: task.sweep([0, 1, 2], [0.1, 0.2, 0.3]),
        "NaN": lambda: task.sweep([0, 1], [0.5, float("nan")]),
        "lengths": lambda: task.confusion([0, 1, 1], [0, 1]),
        "nobody": lambda: task.confusion([], []),
        "beta": lambda: task.f_beta([0, 1], [0, 1], -1.0),
        "cost": lambda: task.operating_point([0, 1], [0.2, 0.3], 1.0, 0.0),
    }
    found = {}
    for name, case in cases.items():
        try:
            case()
            found[name] = "accepted"
        except InputError as error:
            found[name] = str(error)
    return found


def run_on(test_shift):
    """The made part of the run, in which the second draw of scores, the test, is shifted; its rows."""
    from unittest import mock

    from assignments.foundations import metrics as task

    import numpy as np

    draw, times = task.made, []

    def shifted(settings, rng):
        labels, posterior = draw(settings, rng)
        times.append(1)
        return (labels, posterior) if len(times) == 1 else (labels, posterior**test_shift)

    real = [(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.9]))] * 2
    with mock.patch.object(task, "made", shifted), mock.patch.object(task, "real", return_value=real):
        result = task.run(task.Settings(examples=5000, base_rate=0.02), None)
    table = result.tables["Made scores: three prices, three decisions"]
    return {"thresholds": [row["threshold"] for row in table], "accused": [row["TP"] + row["FP"] for row in table]}


def real_posteriors(kept, move_test):
    """Labels and posteriors for validation and test of a made set, its test images moved; base rates before."""
    from unittest import mock

    from assignments.foundations import metrics as task
    from keras_course import data

    import numpy as np

    rng, parts = np.random.default_rng(2), []
    for n in (600, 400, 400):
        y = np.arange(n) % 2
        parts.append(data.Split(rng.normal(size=(n, 2)) + np.outer(y, [1.5, 0.5]), y))
    parts[2] = data.Split(parts[2].x + move_test, parts[2].y)
    splits = data.Splits(*parts, name="made", source="small", classes=("no", "yes"), licence="none")
    seen = []
    scaler = task.StandardScaler

    class Spy(scaler):
        def fit(self, x, y=None, **options):
            seen.append(len(x))
            return super().fit(x, y, **options)

    with mock.patch.object(task, "StandardScaler", Spy):
        found = task.real(splits, task.Settings(positive="yes", kept=kept), np.random.default_rng(0))
    return {"parts": [list(part) for part in found], "fitted on": seen}


@points(2)
def test_the_four_counts_are_those_of_scikit_learn(subject):
    same(subject(counts, labels=LABELS, decisions=DECISIONS), oracle.confusion_matrix(LABELS, DECISIONS))


def test_a_class_or_a_decision_that_never_occurs_has_counts_of_zero(subject):
    """The table is 2 by 2 even where all labels are one class, or nobody is accused."""
    for labels, decisions in (([0, 0, 0], [0, 0, 0]), ([1, 1], [0, 1]), ([0, 1, 0], [0, 0, 0])):
        due = oracle.confusion_matrix(labels, decisions, labels=[0, 1])
        same(subject(counts, labels=np.array(labels), decisions=np.array(decisions)), due)


@points(2)
def test_precision_recall_and_f_are_those_of_scikit_learn(subject):
    betas = [0.0, 0.5, 1.0, 2.0, 7.0]
    found = subject(f_scores, labels=LABELS, decisions=DECISIONS, betas=betas)
    for beta, received in zip(betas, found, strict=True):
        due = oracle.precision_recall_fscore_support(LABELS, DECISIONS, beta=beta, average="binary")[:3]
        same(received, [float(value) for value in due], what=f"β = {beta:g}")


def test_a_denominator_of_zero_gives_zero(subject):
    """Nobody accused has precision 0, nobody guilty recall 0, neither F 0: no NaN."""
    for labels, decisions in (([0, 1, 1], [0, 0, 0]), ([0, 0], [0, 1]), ([0, 0], [0, 0])):
        due = oracle.precision_recall_fscore_support(labels, decisions, average="binary", zero_division=0)[:3]
        (received,) = subject(f_scores, labels=np.array(labels), decisions=np.array(decisions), betas=[1.0])
        same(received, [float(value) for value in due], what=f"{labels}, {decisions}")


@points(2)
def test_a_sweep_counts_what_brute_force_counts(subject):
    """At each threshold TP and FP are those of accusing whoever scores at least that much."""
    thresholds, fp, tp = subject(swept, labels=LABELS, scores=SCORES)
    same(thresholds, np.array([np.inf, *sorted(set(SCORES.tolist()), reverse=True)]), what="thresholds")
    for threshold, false, true in zip(thresholds, fp, tp, strict=True):
        accused = [bool(score >= threshold) for score in SCORES]
        due = [sum(a and y == label for a, y in zip(accused, LABELS, strict=True)) for label in (0, 1)]
        same([int(false), int(true)], due, what=f"FP and TP at {threshold:g}")


def test_equal_scores_are_accused_together_whatever_their_order(subject):
    scores = np.array([0.5, 0.5, 0.5, 0.2, 0.5])
    for labels in ([1, 0, 0, 1, 0], [0, 0, 0, 1, 1]):
        thresholds, fp, tp = subject(swept, labels=np.array(labels), scores=scores)
        same([thresholds.tolist(), fp.tolist(), tp.tolist()], [[math.inf, 0.5, 0.2], [0, 3, 3], [0, 1, 2]])


@points(2)
def test_no_threshold_has_fewer_of_both_mistakes(subject):
    """A lower threshold never has fewer FP nor more misses: to minimise both at once asks for two thresholds."""

    @settings(max_examples=20, deadline=None, database=None)
    @given(st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=1, max_size=30))
    def holds(pairs):
        labels, scores = (np.array(part) for part in zip(*pairs, strict=True))
        _, fp, tp = subject(swept, labels=labels, scores=scores)
        assert (np.diff(fp) >= 0).all(), f"FP {fp.tolist()}"
        assert (np.diff(tp) >= 0).all(), f"TP {tp.tolist()}"
        same([int(fp[0]), int(tp[0]), int(fp[-1] + tp[-1])], [0, 0, len(labels)], what="the ends, never and always")

    holds()


@points(2)
def test_the_roc_is_that_of_scikit_learn_with_ties(subject):
    due = oracle.roc_curve(LABELS, SCORES, drop_intermediate=False)
    same(subject(roc_curve, labels=LABELS, scores=SCORES), list(due))


def test_the_rates_of_a_class_that_is_absent_are_nan(subject):
    for labels in ([0, 0, 0], [1, 1, 1]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of the NaN that is due here
            due = oracle.roc_curve(labels, [0.1, 0.4, 0.3], drop_intermediate=False)
        same(subject(roc_curve, labels=np.array(labels), scores=np.array([0.1, 0.4, 0.3])), list(due))


@points(2)
def test_the_area_below_the_roc_is_the_share_of_pairs_in_the_right_order(subject):
    """AUC is the Mann-Whitney statistic: a positive above a negative counts 1, a tie one half."""
    pairs = [(a > b) + (a == b) / 2 for a in SCORES[LABELS == 1] for b in SCORES[LABELS == 0]]
    same(subject(areas, labels=LABELS, scores=SCORES)["roc"], float(np.mean(pairs)))


@points(2)
def test_average_precision_is_that_of_scikit_learn_with_ties(subject):
    due = float(oracle.average_precision_score(LABELS, SCORES))
    same(subject(areas, labels=LABELS, scores=SCORES)["average precision"], due)


def test_average_precision_joins_no_points_by_a_line(subject):
    """Two thresholds, precision 1 at recall ½ and ½ at recall 1: AP is ¾, not the trapezium's."""
    found = subject(areas, labels=np.array([1, 0, 0, 1]), scores=np.array([3.0, 1.0, 1.0, 1.0]))
    same(found["average precision"], 0.75)


@points(2)
def test_the_operating_point_is_the_cheapest_of_all_thresholds(subject):
    """No threshold, tried one by one, costs less; of equal ones the highest is taken."""
    costs = [(1.0, 1.0), (10.0, 1.0), (1.0, 10.0), (0.3, 0.2), (1e6, 1.0)]
    for pair, (threshold, cost) in zip(costs, subject(chosen, labels=LABELS, scores=SCORES, costs=costs), strict=True):
        tried = []
        for t in [math.inf, *sorted(set(SCORES.tolist()), reverse=True)]:
            wrong = [pair[0] if y == 0 else pair[1] for y, s in zip(LABELS, SCORES, strict=True) if (s >= t) != y]
            tried.append((sum(wrong) / len(LABELS), -t))
        due = min((round(total, 9), other) for total, other in tried)
        same([threshold, cost], [-due[1], due[0]], what=f"costs {pair}")


def test_scaling_both_costs_changes_no_decision(subject):
    one, other = subject(chosen, labels=LABELS, scores=SCORES, costs=[(2.0, 3.0), (20.0, 30.0)])
    same(other[0], one[0], what="the threshold")
    same(other[1], 10 * one[1], what="the cost")


@points(2)
def test_for_calibrated_scores_the_formula_finds_the_cheapest_threshold(subject):
    """Where k of 10 examples with the score k/10 are positive, the least cost lies at c_FP / (c_FP + c_miss)."""
    scores = np.repeat(np.arange(11) / 10, 10)
    labels = np.concatenate([(np.arange(10) < k).astype(int) for k in range(11)])
    costs = [(1.0, 1.5), (3.0, 1.0), (1.0, 12.0), (5.0, 1.0)]
    limits = subject(formula, costs=costs)
    for (false, miss), limit, (best, cost) in zip(
        costs, limits, subject(chosen, labels=labels, scores=scores, costs=costs), strict=True
    ):
        same(limit, false / (false + miss))
        accused = scores >= limit
        total = false * np.sum(accused & (labels == 0)) + miss * np.sum(~accused & (labels == 1))
        same(float(total / len(labels)), cost, what=f"cost at the formula's threshold, costs {false:g} and {miss:g}")
        same(best, min(s for s in set(scores.tolist()) if s > limit), what="the threshold")


@points(2)
def test_precision_falls_with_the_base_rate_by_bayes(subject):
    """Of a million people: the accused who are guilty, by the accused."""
    base = np.array([0.5, 0.1, 0.001, 0.0])
    guilty = base * 1_000_000
    due = [g * 0.9 / (g * 0.9 + (1_000_000 - g) * 0.05) for g in guilty.tolist()]
    same(subject(precisions, base_rate=base, tpr=0.9, fpr=0.05), np.array(due))
    same(subject(precisions, base_rate=np.array([0.3, 0.2]), tpr=np.zeros(2), fpr=np.zeros(2)), np.zeros(2))


def test_bad_input_is_refused_in_one_sentence(subject):
    same(
        subject(refusals),
        {
            "label 2": "`labels` must be 0 or 1 for each example. Received: [2].",
            "NaN": "`scores` must be finite. Received: [nan].",
            "lengths": "`decisions` must be of shape (3,). Received: (2,).",
            "nobody": "`labels` must be one axis of at least one value. Received: 'shape (0,)'.",
            "beta": "`beta` must be a number of at least 0. Received: -1.0.",
            "cost": "`cost_miss` must be a number above 0. Received: 0.0.",
        },
    )


@points(2)
def test_the_threshold_is_chosen_on_validation_and_judged_on_test(subject):
    """Other test examples leave the thresholds alone and change the counts."""
    first, other = subject(run_on, test_shift=1.0), subject(run_on, test_shift=3.0)
    same(other["thresholds"], first["thresholds"], what="thresholds")
    assert other["accused"] != first["accused"], "the counts are not those of the test examples"


@points(2)
def test_the_model_of_the_real_data_sees_the_training_split_only(subject):
    """Its scale is that of the training examples, and moving the test examples moves no posterior of validation."""
    first, moved = (subject(real_posteriors, kept=1.0, move_test=by) for by in (0.0, 2.0))
    same(first["fitted on"], [600])
    same(moved["parts"][0], first["parts"][0], what="validation")
    assert np.abs(moved["parts"][1][1] - first["parts"][1][1]).max() > 0.01, "the test posteriors do not move"


def test_posteriors_follow_a_base_rate_that_was_made_smaller(subject):
    """Where one positive in ten is kept, the posteriors still add up to the positives there are."""
    for labels, posterior in subject(real_posteriors, kept=0.1, move_test=0.0)["parts"]:
        same(int(labels.sum()), 20, what="positives kept")
        spread = math.sqrt(np.sum(posterior * (1 - posterior)))
        assert abs(posterior.sum() - 20) < 4 * spread, f"posteriors add up to {posterior.sum():.3g}, with 20 positives"


def test_never_is_right_on_999_of_1000():
    labels, _ = made(Settings(), np.random.default_rng(1))
    assert oracle.accuracy_score(labels, np.zeros_like(labels)) == 0.999


def test_the_made_posteriors_are_calibrated_and_have_the_known_area():
    labels, posterior = made(Settings(examples=300_000, base_rate=0.2), np.random.default_rng(0))
    for low in np.arange(10) / 10:
        inside = (posterior >= low) & (posterior < low + 0.1)
        n, due = inside.sum(), posterior[inside].mean()
        assert abs(labels[inside].mean() - due) < 4 * math.sqrt(due * (1 - due) / n)
    assert auc(labels, posterior) == pytest.approx(NORMAL.cdf(3 / math.sqrt(2)), abs=1e-3)


@pytest.mark.parametrize("cost", [0.1, 1.0, 30.0, 1000.0])
def test_the_closed_forms_are_those_of_a_search_over_thresholds(cost):
    """No threshold on the score costs less in expectation than the formula's on the posterior."""
    own = Settings()
    tpr, fpr, least = known(own, 1 / (1 + cost), cost)
    grid = [
        (1 - own.base_rate) * (1 - NORMAL.cdf(t)) + own.base_rate * cost * NORMAL.cdf(t - own.separation)
        for t in np.linspace(-3, 8, 4001)
    ]
    assert least == pytest.approx(min(grid), rel=1e-5)
    assert (1 - own.base_rate) * fpr + own.base_rate * cost * (1 - tpr) == pytest.approx(least)


def test_the_advice_of_the_source_is_shown_beside_what_is_so():
    result = EXERCISE.run(EXERCISE.quick, None)
    table = result.tables["Minimise false positives and false negatives at once?"]
    never, always = table[0], table[1]
    assert never["FP"] == 0
    assert always["FP"] > 100 * max(1, table[2]["FP"])
    assert always["FN"] < never["FN"] == 20
    assert not any(row["FP"] == never["FP"] and row["FN"] == always["FN"] for row in table)
    dear = [name for name in table[0] if name.endswith("a miss for 1000")]
    assert table[-1][dear[0]] < table[2][dear[0]] / 1.5


def test_thinning_drops_positives_only():
    y = np.array([0, 1, 1, 0, 1, 1, 0])
    rows = thin(y, 0.5, np.random.default_rng(0))
    assert y[rows].tolist().count(0) == 3
    assert y[rows].sum() == 2
    assert thin(y, 1.0, np.random.default_rng(0)).tolist() == list(range(7))


def test_a_class_that_is_not_there_and_a_base_rate_of_nothing_are_refused():
    with pytest.raises(InputError, match=r"`positive` must be one of .*'malignant'.* Received: 'cancer'"):
        EXERCISE.run(Settings(positive="cancer", examples=5000), None)
    with pytest.raises(InputError, match="`base_rate` must be one that leaves both classes among 100"):
        made(Settings(examples=100), np.random.default_rng(0))


def test_the_base_rate_theorem_gives_the_precision_of_a_sample():
    labels, posterior = made(Settings(examples=50_000, base_rate=0.01), np.random.default_rng(3))
    thresholds, fp, tp = sweep(labels, posterior)
    at = 700
    expected = tp[at] / (tp[at] + fp[at])
    assert precision_at(labels.mean(), tp[at] / tp[-1], fp[at] / fp[-1]) == pytest.approx(expected)
    assert oracle.precision_score(labels, posterior >= thresholds[at]) == pytest.approx(expected)


FILE = "assignments/foundations/metrics.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="2 * labels + decisions",
        new="labels + 2 * decisions",
        caught_by="test_the_four_counts_are_those_of_scikit_learn",
        trap="false positives taken for misses",
    ),
    Mutant(
        file=FILE,
        old="minlength=4).reshape(2, 2)",
        new="minlength=1)[:4].reshape(2, -1)",
        caught_by="test_a_class_or_a_decision_that_never_occurs_has_counts_of_zero",
        trap="no row for a class that is absent",
    ),
    Mutant(
        file=FILE,
        old="    weight = beta**2",
        new="    weight = beta",
        caught_by="test_precision_recall_and_f_are_those_of_scikit_learn",
        trap="β for β²",
    ),
    Mutant(
        file=FILE,
        old="weight * fn + fp)",
        new="fn + weight * fp)",
        caught_by="test_precision_recall_and_f_are_those_of_scikit_learn",
        trap="the weight on the wrong mistake",
    ),
    Mutant(
        file=FILE,
        old="np.append(ranked[1:] != ranked[:-1], True)",
        new="np.ones(len(ranked), bool)",
        caught_by="test_equal_scores_are_accused_together_whatever_their_order",
        trap="ties cut apart",
    ),
    Mutant(
        file=FILE,
        old="order = np.argsort(-scores, kind=",
        new="order = np.argsort(scores, kind=",
        caught_by="test_a_sweep_counts_what_brute_force_counts",
        trap="the lowest scores accused first",
    ),
    Mutant(
        file=FILE,
        old="count / count[-1] if count[-1] else np.full(len(count), np.nan) for count",
        new="count / max(count[-1], 1) for count",
        caught_by="test_the_rates_of_a_class_that_is_absent_are_nan",
        trap="a rate among none",
    ),
    Mutant(
        file=FILE,
        old="np.sum(np.diff(tp) * precision[1:])",
        new="np.sum(np.diff(tp) * (precision[1:] + np.append(1, precision[1:-1])) / 2)",
        caught_by="test_average_precision_joins_no_points_by_a_line",
        trap="precision interpolated between points",
    ),
    Mutant(
        file=FILE,
        old="best = int(np.argmin(costs))",
        new="best = int(np.argmin(fp + tp[-1] - tp))",
        caught_by="test_the_operating_point_is_the_cheapest_of_all_thresholds",
        trap="minimising FP and FN at once, as if they cost the same",
    ),
    Mutant(
        file=FILE,
        old="return cost_false_positive / (cost_false_positive + cost_miss)",
        new="return cost_miss / (cost_false_positive + cost_miss)",
        caught_by="test_for_calibrated_scores_the_formula_finds_the_cheapest_threshold",
        trap="the costs exchanged",
    ),
    Mutant(
        file=FILE,
        old="return ratio(accused, accused + (1 - base_rate) * fpr)",
        new="return ratio(tpr, tpr + fpr) * np.ones_like(accused)",
        caught_by="test_precision_falls_with_the_base_rate_by_bayes",
        trap="the base rate neglected",
    ),
    Mutant(
        file=FILE,
        old="    rows = operate(validation, test, settings.costs, settings.beta)",
        new="    rows = operate(test, test, settings.costs, settings.beta)",
        caught_by="test_the_threshold_is_chosen_on_validation_and_judged_on_test",
        trap="a threshold chosen on the test examples",
    ),
    Mutant(
        file=FILE,
        old="expit(log_odds + np.log(share))",
        new="expit(log_odds)",
        caught_by="test_posteriors_follow_a_base_rate_that_was_made_smaller",
        trap="posteriors of another base rate",
    ),
]
