"""When one example in a thousand is positive: how good is a classifier, and where should it draw the line?

"Never" is right on .999 of such examples, so accuracy says nothing. The course's source advised to minimise false
positives and false negatives at once. No threshold does: one that is moved to lose some of the first gains some of
the second, and "never" and "always" are the ends. What decides is what each mistake costs, and the run shows three
answers to one set of scores, one for each price of a miss, in the unit of a false accusation.

You write the counts (`confusion`, `f_beta`), the curves over all thresholds (`sweep`, `roc`, `average_precision`), and
the decision (`operating_point`, `bayes_threshold`), and the theorem that makes rare things hard: `precision_at`. The
threshold is chosen on validation examples and judged on others. Scores come twice: made ones, Gaussian in each class,
of which every answer is known in closed form, and those of a simple model of real data.

Fawcett (2006), "An introduction to ROC analysis", sections 2 to 7; Elkan (2001), "The foundations of cost-sensitive
learning", sections 1 and 2.
"""

import math
from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots
from keras_course.base import require
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed, Share

import numpy as np
from matplotlib.ticker import NullFormatter
from scipy.special import expit, logit, ndtr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True)
class Settings:
    dataset: Literal["breast_cancer", "mnist", "fashion_mnist"] = "breast_cancer"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    positive: str = "malignant"  # the class that a simple model has to find
    kept: Share = 1.0  # of that class in validation and test: a smaller share makes it rarer
    real_costs: tuple[Positive, ...] = (0.1, 1.0, 10.0)  # of a miss on the real data, in false accusations
    examples: Count = 200_000  # made ones for validation, and again for test
    base_rate: Share = 0.001  # share of positives among the made examples
    separation: Positive = 3.0  # of the made classes' mean scores, in deviations
    costs: tuple[Positive, ...] = (0.1, 1.0, 1000.0)  # of a miss among the made examples, in false accusations
    beta: Positive = 2.0  # of the F score in the tables
    seed: Seed = 0


def binary(field, values):
    """`values` as whole numbers, (n,); InputError unless they are one axis of at least one 0, 1, False or True."""
    values = np.asarray(values)
    require(values.ndim == 1 and len(values) > 0, field, "one axis of at least one value", f"shape {values.shape}")
    others = values[(values != 0) & (values != 1)]
    require(not others.size, field, "0 or 1 for each example", others[:1].tolist())
    return values.astype(int)


def labelled(labels, scores):
    """Labels and scores as arrays (n,); InputError for labels other than 0 and 1, and scores that are not finite."""
    labels, scores = binary("labels", labels), np.asarray(scores, float)
    require(scores.shape == labels.shape, "scores", f"of shape {labels.shape}, as `labels` is", scores.shape)
    require(np.isfinite(scores).all(), "scores", "finite", scores[~np.isfinite(scores)][:1].tolist())
    return labels, scores


@blank(
    "foundations/metrics",
    hints=(
        "There are four kinds of example; the number 2 · label + decision tells them apart.",
        "`np.bincount` counts the numbers 0 to 3; with `minlength` a kind that never occurs has a 0.",
    ),
)
def confusion(labels, decisions):
    """How often each decision was taken for each truth: [[TN, FP], [FN, TP]], whole numbers, rows are the truth.

    labels, decisions: (n,), each 0 or 1. InputError for other values (`binary` has the check) or unequal lengths.
    """
    labels, decisions = binary("labels", labels), binary("decisions", decisions)
    require(labels.shape == decisions.shape, "decisions", f"of shape {labels.shape}", decisions.shape)
    return np.bincount(2 * labels + decisions, minlength=4).reshape(2, 2)


def ratio(part, whole):
    """part / whole, and 0 where `whole` is 0, as scikit-learn has it with `zero_division=0`."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)


@blank(
    "foundations/metrics",
    hints=(
        "Precision asks of those accused, TP / (TP + FP); recall of those guilty, TP / (TP + FN).",
        "F = (1 + β²) TP / ((1 + β²) TP + β² FN + FP): a miss weighs β² times a false accusation.",
        "`ratio` divides and gives 0 for a denominator of 0.",
    ),
)
def f_beta(labels, decisions, beta=1.0):
    """Precision, recall and their F score, three numbers, each 0 where its denominator is 0.

    labels, decisions: as of `confusion`. beta: recall counts β times as much as precision; InputError unless it is a
    finite number of at least 0.
    """
    require(0 <= beta < math.inf, "beta", "a number of at least 0", beta)
    (_, fp), (fn, tp) = confusion(labels, decisions)
    weight = beta**2
    f = ratio((1 + weight) * tp, (1 + weight) * tp + weight * fn + fp)
    return float(ratio(tp, tp + fp)), float(ratio(tp, tp + fn)), float(f)


@blank(
    "foundations/metrics",
    hints=(
        "Sort by score, highest first: a threshold accuses a beginning of that order, and sums along it count TP.",
        "Equal scores are accused together. A threshold is where the sorted score differs from its successor, or ends.",
        "Of the first k accused with t positives among them, k - t are false.",
    ),
)
def sweep(labels, scores):
    """False and true positives at every threshold that makes a difference; accused is who scores at least that much.

    labels: (n,), each 0 or 1. scores: (n,), finite; InputError else (`labelled`).
    Returns thresholds, false positives and true positives, three arrays: first infinity, which accuses nobody, then
    each score that occurs, once, from the highest down. No loop over examples.
    """
    labels, scores = labelled(labels, scores)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each group of equal scores
    true = np.cumsum(labels[order])[last]
    return np.append(np.inf, ranked[last]), np.append(0, last + 1 - true), np.append(0, true)


@blank(
    "foundations/metrics",
    hints=(
        "The last threshold accuses everybody: its counts are those of all negatives and all positives.",
        "A rate among none is no number: NaN, which `np.full` can write.",
    ),
)
def roc(labels, scores):
    """The ROC curve: false positive rate, true positive rate and threshold, three arrays, as `sweep` orders them.

    The rates of a class that has no example are NaN, as in scikit-learn.
    """
    thresholds, fp, tp = sweep(labels, scores)
    rates = [count / count[-1] if count[-1] else np.full(len(count), np.nan) for count in (fp, tp)]
    return *rates, thresholds


@blank(
    "foundations/metrics",
    hints=(
        "Going down the thresholds, recall rises in steps; weigh each step with the precision behind it.",
        "AP = Σ (Rₖ - Rₖ₋₁) Pₖ: no trapezia, which would claim a precision between two points that no threshold has.",
    ),
)
def average_precision(labels, scores):
    """The area below the precision-recall curve as a sum of steps, AP = Σ (Rₖ - Rₖ₋₁) Pₖ; 0 without positives.

    Davis and Goadrich (2006), "The relationship between precision-recall and ROC curves", say why no line joins points.
    """
    _, fp, tp = sweep(labels, scores)
    precision = ratio(tp, tp + fp)
    return float(ratio(np.sum(np.diff(tp) * precision[1:]), tp[-1]))


@blank(
    "foundations/metrics",
    hints=(
        "`sweep` has the counts at every threshold; misses are the positives that it does not accuse.",
        "Everything is an array over the thresholds: compute all costs, then take the least.",
    ),
)
def operating_point(labels, scores, cost_false_positive, cost_miss):
    """The threshold of least cost on these examples, and that cost, a mean over the examples.

    cost_false_positive, cost_miss: of one mistake of each kind, finite and above 0; InputError else. Accused is who
    scores at least the threshold. Of equal costs the highest threshold wins; infinity is to accuse nobody.
    """
    for field, cost in (("cost_false_positive", cost_false_positive), ("cost_miss", cost_miss)):
        require(0 < cost < math.inf, field, "a number above 0", cost)
    thresholds, fp, tp = sweep(labels, scores)
    costs = (cost_false_positive * fp + cost_miss * (tp[-1] - tp)) / len(labels)
    best = int(np.argmin(costs))
    return float(thresholds[best]), float(costs[best])


@blank(
    "foundations/metrics",
    hints=(
        "With probability p of being positive, an accusation costs (1 - p) c_FP and no accusation p c_miss.",
        "Set the two equal and solve for p.",
    ),
)
def bayes_threshold(cost_false_positive, cost_miss):
    """The probability of being positive from which on an accusation costs less than none, on average."""
    # accuse where (1 - p) c_FP ≤ p c_miss
    return cost_false_positive / (cost_false_positive + cost_miss)


@blank(
    "foundations/metrics",
    hints=(
        "Bayes: of all examples a share π TPR is accused and positive. Which share is accused and negative?",
        "`ratio` gives 0 where nobody is accused.",
    ),
)
def precision_at(base_rate, tpr, fpr):
    """The precision of a decision with these rates where a share `base_rate` of all examples is positive.

    Each a number or an array, from 0 to 1. 0 where nobody is accused.
    """
    # P(positive | accused) = π TPR / (π TPR + (1 - π) FPR)
    accused = base_rate * tpr
    return ratio(accused, accused + (1 - base_rate) * fpr)


def auc(labels, scores):
    """The area below the ROC curve, by trapezia: the chance that a positive outscores a negative, ties for one half."""
    fpr, tpr, _ = roc(labels, scores)
    return float(np.trapezoid(tpr, fpr))


def made(settings, rng):
    """Labels with exactly the base rate, and their true posteriors, of scores N(0, 1) and N(separation, 1)."""
    n, d = settings.examples, settings.separation
    labels = (np.arange(n) < round(n * settings.base_rate)).astype(int)
    require(0 < labels.sum() < n, "base_rate", f"one that leaves both classes among {n}", settings.base_rate)
    scores = rng.normal(size=n) + d * labels
    # log odds of the posterior = log odds of the prior + d s - d² / 2
    return labels, expit(logit(settings.base_rate) + d * scores - d**2 / 2)


def known(settings, threshold, cost_miss):
    """Rates and expected cost of accusing made examples from a posterior on: closed forms."""
    d, base = settings.separation, settings.base_rate
    score = d / 2 + (logit(threshold) - logit(base)) / d
    tpr, fpr = ndtr(d - score), ndtr(-score)
    return float(tpr), float(fpr), float((1 - base) * fpr + base * cost_miss * (1 - tpr))


def thin(y, kept, rng):
    """Rows of the examples without a share 1 - kept of the positives."""
    positives = np.flatnonzero(y == 1)
    dropped = rng.permutation(positives)[max(1, round(kept * len(positives))) :]
    return np.delete(np.arange(len(y)), dropped)


def real(splits, settings, rng):
    """Validation and test labels with the posteriors of a logistic regression that saw the training split only.

    Where positives were thinned out, the log odds move by the logarithm of what was kept (Elkan, section 2).
    """
    require(settings.positive in splits.classes, "positive", f"one of {splits.classes}", settings.positive)
    positive = splits.classes.index(settings.positive)
    flat = lambda part: part.x.reshape(len(part.x), -1).astype(float)  # noqa: E731
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300, tol=1e-3))
    model.fit(flat(splits.train), splits.train.y == positive)
    parts = []
    for part in (splits.validation, splits.test):
        y = (part.y == positive).astype(int)
        rows = thin(y, settings.kept, rng)
        log_odds = model.decision_function(flat(part)[rows])
        share = y[rows].sum() / y.sum()  # that the thinning really left
        parts.append((y[rows], expit(log_odds + np.log(share))))
    return parts


def judge(labels, decisions, cost_miss, beta):
    """One decision in numbers, as a row of a table."""
    (tn, fp), (fn, tp) = (map(int, row) for row in confusion(labels, decisions))
    precision, recall, f = f_beta(labels, decisions, beta)
    counts = {"TP": tp, "FP": fp, "FN": fn, "TN": tn}
    rates = {"precision": precision, "recall": recall, f"F{beta:g}": f, "accuracy": (tp + tn) / len(labels)}
    return counts | rates | {"cost per 1000": 1000 * (fp + cost_miss * fn) / len(labels)}


def operate(validation, test, costs, beta):
    """A row for each price of a miss: the threshold of least cost on validation, judged on test."""
    rows = []
    for cost in costs:
        threshold, _ = operating_point(*validation, 1.0, cost)
        formula = bayes_threshold(1.0, cost)
        by_formula = judge(test[0], test[1] >= formula, cost, beta)["cost per 1000"]
        row = {"a miss costs": cost, "threshold": threshold, "by formula": formula}
        rows.append(row | judge(test[0], test[1] >= threshold, cost, beta) | {"cost by formula": by_formula})
    return rows


def advice(validation, test, costs):
    """What becomes of "minimise FP and FN at once": each reading of it, chosen on validation, counted on test."""
    thresholds, fp, tp = sweep(*validation)
    fpr, tpr, _ = roc(*validation)
    chosen = {
        "claimed: the least FP": np.inf,
        "claimed: the least FN": thresholds[np.argmax(tp)],
        "claimed: the least FP + FN": thresholds[np.argmin(fp - tp)],
        "claimed: the least FPR + FNR": thresholds[np.argmin(fpr - tpr)],
    }
    chosen |= {f"so: the least cost, a miss for {cost:g}": operating_point(*validation, 1.0, cost)[0] for cost in costs}
    labels, scores = test
    rows = []
    for label, threshold in chosen.items():
        (_, false), (misses, _) = (map(int, row) for row in confusion(labels, scores >= threshold))
        each = {f"cost per 1000, a miss for {c:g}": 1000 * (false + c * misses) / len(labels) for c in costs}
        rows.append({"minimise": label, "FP": false, "FN": misses} | each)
    return rows


def curves_of(labels, scores, rows):
    """What the figures need of one set of scores: counts at all thresholds, thinned to those that a picture shows."""
    thresholds, fp, tp = sweep(labels, scores)
    # every threshold where a positive is, and a few thousand between
    shown = np.union1d(np.flatnonzero(np.diff(tp, prepend=0)), np.linspace(0, len(tp) - 1, 4000).astype(int))
    points = [{name: row[name] for name in ("a miss costs", "threshold", "TP", "FP", "FN", "TN")} for row in rows]
    return {"thresholds": thresholds[shown], "fp": fp[shown], "tp": tp[shown], "n": len(labels), "points": points}


def run(settings, log):
    rng = np.random.default_rng(settings.seed)
    validation, test = made(settings, rng), made(settings, rng)
    rows = operate(validation, test, settings.costs, settings.beta)
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    real_validation, real_test = real(splits, settings, rng)
    real_rows = operate(real_validation, real_test, settings.real_costs, settings.beta)
    claims = advice(validation, test, settings.costs)
    formulas = [known(settings, bayes_threshold(1.0, cost), cost) for cost in settings.costs]
    dear = f"cost per 1000, a miss for {settings.costs[-1]:g}"
    return Result(
        scores={
            "accuracy_of_never": 1 - float(np.mean(test[0])),
            "auc": auc(*test),
            "average_precision": average_precision(*test),
            "precision_when_a_miss_is_dear": rows[-1]["precision"],
            "cost_over_the_formula": float(np.mean([row["cost per 1000"] / row["cost by formula"] for row in rows])),
            "cost_of_counting_mistakes_alike": claims[2][dear] / rows[-1]["cost per 1000"],
            "auc_real": auc(*real_test),
            "average_precision_real": average_precision(*real_test),
        },
        arrays={
            "made": curves_of(*test, rows),
            "real": curves_of(*real_test, real_rows),
            "costs": settings.costs,
            "formulas": formulas,
            "base_rate": settings.base_rate,
            "positive": settings.positive,
        },
        tables={
            "Minimise false positives and false negatives at once?": claims,
            "Made scores: three prices, three decisions": rows,
            "The same in closed form": [
                {"a miss costs": cost, "posterior": bayes_threshold(1.0, cost), "TPR": tpr, "FPR": fpr}
                | {"precision": float(precision_at(settings.base_rate, tpr, fpr)), "cost per 1000": 1000 * least}
                for cost, (tpr, fpr, least) in zip(settings.costs, formulas, strict=True)
            ],
            f"Is it {settings.positive}? {np.mean(real_test[0]):.2%} are": real_rows,
        },
        data=(splits,),
        parameters={"logistic regression of the real data": splits.train.x[0].size + 1},
    )


def price(cost):
    return f"a miss costs {cost:g}"


def mark(axes, arrays, x, y):
    """The operating points on curves that have x(FP, TP) and y(FP, TP)."""
    for i, point in enumerate(arrays["points"]):
        at = point["FP"], point["TP"]
        axes.plot(
            x(*at), y(*at), "o", color=plots.COLOURS[i + 1], markersize=8, zorder=4, clip_on=False,
            label=price(point["a miss costs"]),
        )  # fmt: skip


def draw_curves(arrays, *, logarithmic, title):
    """ROC and precision-recall curve with the operating points."""
    fp, tp = arrays["fp"], arrays["tp"]
    negatives, positives = fp[-1], tp[-1]
    drawing, (left, right) = plots.panels(1, 2)
    lowest = 0.5 / negatives  # where a logarithmic axis shows "no false positive"
    fpr = lambda fp, tp: np.maximum(fp / negatives, lowest if logarithmic else 0)  # noqa: E731
    left.plot(fpr(fp, tp), tp / positives, drawstyle="steps-post", label="all thresholds")
    mark(left, arrays, fpr, lambda fp, tp: tp / positives)
    chance = np.geomspace(lowest, 1, 200)
    left.plot(chance, chance, ":", color="gray", label="chance")
    left.set(xlabel="false positive rate", ylabel="true positive rate (recall)", title=f"ROC, {title}")
    if logarithmic:
        left.set(xscale="log")
    right.plot(tp[1:] / positives, tp[1:] / (tp + fp)[1:], drawstyle="steps-pre")
    mark(right, arrays, lambda fp, tp: tp / positives, lambda fp, tp: ratio(tp, tp + fp))
    right.axhline(positives / arrays["n"], linestyle=":", color="gray")
    right.set(xlabel="recall", ylabel="precision", title=f"precision and recall, {title}", ylim=(-0.02, 1.04))
    left.legend(frameon=False, fontsize="small")
    return drawing


def draw_confusion(points):
    """The confusion table at each operating point; colours are shares of the truth's row."""
    drawing, grid = plots.panels(1, len(points), width=3.3, height=3.0)
    for axes, point in zip(grid, points, strict=True):
        table = np.array([[point["TN"], point["FP"]], [point["FN"], point["TP"]]])
        shares = table / table.sum(axis=1, keepdims=True)
        axes.grid(visible=False)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.2)
        for (i, j), name in zip(np.ndindex(2, 2), ("TN", "FP", "FN", "TP"), strict=True):
            ink = "white" if shares[i, j] > 0.7 else "black"
            axes.text(j, i, f"{name}\n{table[i, j]:,}\n{shares[i, j]:.3%}", ha="center", va="center", color=ink)
        axes.set_xticks((0, 1), ("let go", "accused"))
        axes.set_yticks((0, 1), ("negative", "positive"), rotation=90, va="center")
        axes.set(title=price(point["a miss costs"]), xlabel="decision")
    grid[0].set_ylabel("truth")
    return drawing


def draw_trade(arrays):
    """Misses against false positives at all thresholds: the corner that was asked for is on no curve."""
    drawing, axes = plots.figure(6.4, 4.2)
    axes.plot(arrays["fp"], arrays["tp"][-1] - arrays["tp"], drawstyle="steps-post", label="all thresholds")
    mark(axes, arrays, lambda fp, tp: fp, lambda fp, tp: arrays["tp"][-1] - tp)
    axes.plot(0, 0, "x", color="black", markersize=9, clip_on=False, label="asked for: the least of both")
    axes.set_xscale("symlog", linthresh=1)
    axes.set(xlabel="false positives", ylabel="false negatives (misses)", title="fewer of one, more of the other")
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.legend(frameon=False, fontsize="small")
    return drawing


def draw_costs(arrays, costs):
    """Cost against the threshold on the posterior, relative to that of the better of "never" and "always"."""
    drawing, axes = plots.figure(6.4, 4.0)
    fp, fn = arrays["fp"], arrays["tp"][-1] - arrays["tp"]
    inner = slice(1, None)  # the first threshold is infinity
    for i, cost in enumerate(costs):
        trivial = min(fp[-1], cost * fn[0])
        colour = plots.COLOURS[i + 1]
        axes.plot(arrays["thresholds"][inner], ((fp + cost * fn) / trivial)[inner], color=colour, label=price(cost))
        axes.axvline(bayes_threshold(1.0, cost), color=colour, linestyle=":", linewidth=1)
        axes.plot(
            arrays["points"][i]["threshold"],
            (arrays["points"][i]["FP"] + cost * arrays["points"][i]["FN"]) / trivial,
            "o",
            color=colour,
        )
    axes.set(xscale="logit", ylim=(0, 2), xlabel="threshold on P(positive)", ylabel="cost / cost of the lazy answer")
    axes.set(title="cost on test: dots chosen on validation, dotted lines by formula", xlim=(1e-5, 1 - 1e-2))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False, fontsize="small")
    return drawing


def draw_base_rates(arrays):
    """Precision against the base rate at the rates of each operating point."""
    drawing, axes = plots.figure()
    base = np.geomspace(1e-5, 0.5, 300)
    for i, (tpr, fpr, _) in enumerate(arrays["formulas"]):
        axes.plot(base, precision_at(base, tpr, fpr), color=plots.COLOURS[i + 1], label=f"TPR {tpr:.2f}, FPR {fpr:.2g}")
        point = arrays["made"]["points"][i]
        axes.plot(arrays["base_rate"], ratio(point["TP"], point["TP"] + point["FP"]), "o", color=plots.COLOURS[i + 1])
    axes.set(xscale="log", xlabel="base rate", ylabel="precision", ylim=(-0.02, 1.02))
    axes.set(title="the same decision where the class is rarer; dots measured")
    axes.legend(frameon=False, fontsize="small")
    return drawing


def figures(result):
    arrays = result.arrays
    return {
        "trade": draw_trade(arrays["made"]),
        "confusion": draw_confusion(arrays["made"]["points"]),
        "curves": draw_curves(arrays["made"], logarithmic=True, title="made scores"),
        "costs": draw_costs(arrays["made"], arrays["costs"]),
        "base_rates": draw_base_rates(arrays),
        "real_curves": draw_curves(arrays["real"], logarithmic=False, title=arrays["positive"]),
        "real_confusion": draw_confusion(arrays["real"]["points"]),
    }


EXERCISE = Exercise(
    source="S3: precision, recall and operating points at a tiny base rate",
    small=Settings(),
    full=Settings(
        dataset="mnist", source="full", positive="9", kept=0.1, real_costs=(0.1, 1.0, 100.0), examples=1_000_000
    ),
    quick=Settings(examples=20_000),
    run=run,
    figures=figures,
    expect={
        "accuracy_of_never": Band(0.999, 0.999),
        "auc": Band(0.96, 1.0),  # Φ(3 / √2) = .983
        "average_precision": Band(0.17, 0.57),  # the same scores: the base rate is what lowers it
        "precision_when_a_miss_is_dear": Band(0.003, 0.03),
        "cost_over_the_formula": Band(0.85, 1.2),
        "cost_of_counting_mistakes_alike": Band(2.0, 10.0),  # 1 when both mistakes cost the same
        "auc_real": Band(0.97, 1.0),
    },
)
