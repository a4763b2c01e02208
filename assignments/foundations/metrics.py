"""Metrics: which threshold, when an accusation and a miss do not cost the same and the guilty are one in a thousand?

TP, FP, TN, FN, precision, recall, F-beta, ROC and precision-recall curves by hand, and then the decision they serve.
The course's source advises to keep false positives and false negatives low at once. No threshold does both: along the
ROC curve one falls as the other rises, and which is worse is a matter of cost. With costs the best threshold is a
theorem: for calibrated probabilities accuse above c(FP) / (c(FP) + c(FN)).

You write `confusion`, `f_beta`, `roc`, `average_precision` and `operating_point`. The threshold is chosen on the
validation split and judged on the test split.

Fawcett (2006), "An introduction to ROC analysis"; Davis and Goadrich (2006) for precision and recall; Elkan (2001),
"The foundations of cost-sensitive learning", section 2, for the threshold.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots
from keras_course.base import require
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed, Share

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True)
class Settings:
    dataset: Literal["breast_cancer", "mnist", "fashion_mnist"] = "breast_cancer"  # the real scores
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    rare: int = 0  # the class to find among the others
    people: Count = 200_000  # of the made population, in each of its two halves
    base_rate: Share = 0.001  # of the guilty in the made population
    separation: Positive = 3.0  # between the mean scores of the guilty and the others, in standard deviations
    costs: tuple[Positive, ...] = (100.0, 1.0, 0.01)  # of a false accusation, where a miss costs 1
    seed: Seed = 0


@blank(
    "foundations/metrics",
    hints=(
        "Four sums of booleans: decided or not, and true or not.",
        "`labels` are 0 and 1; `~` turns booleans around, not whole numbers: make booleans of them first.",
    ),
)
def confusion(labels, decisions):
    """The counts {"tp", "fp", "tn", "fn"}. labels, decisions: (n,), each 0 or 1."""
    true, positive = np.asarray(labels, bool), np.asarray(decisions, bool)
    return {
        "tp": int(np.sum(true & positive)),
        "fp": int(np.sum(~true & positive)),
        "tn": int(np.sum(~true & ~positive)),
        "fn": int(np.sum(true & ~positive)),
    }


@blank(
    "foundations/metrics",
    hints=(
        "Precision asks of the accused how many are guilty, recall of the guilty how many are accused.",
        "Fβ = (1 + β²) TP / ((1 + β²) TP + β² FN + FP): one division, and one case for 0.",
    ),
)
def f_beta(counts, beta):
    """The weighted harmonic mean of precision and recall, recall β times as important; 0 where it would be 0 / 0."""
    # Fβ = (1 + β²) TP / ((1 + β²) TP + β² FN + FP)
    hits = (1 + beta**2) * counts["tp"]
    total = hits + beta**2 * counts["fn"] + counts["fp"]
    return hits / total if total else 0.0


@blank(
    "foundations/metrics",
    hints=(
        "Sort by score, highest first. Going down, each guilty one raises the hits, each other one the false alarms.",
        "Equal scores cannot be told apart by any threshold: only the last of each run of equals is a point.",
        "Two cumulative sums; `np.flatnonzero(np.diff(scores))` finds where a run of equals ends. Put (0, 0) in front.",
    ),
)
def roc(labels, scores):
    """False positive rate, true positive rate and threshold (accused are scores of at least it), from (0, 0) to (1, 1).

    labels: (n,), each 0 or 1, both of them there. scores: (n,). One point for each distinct score, highest first,
    behind (0, 0) at the threshold infinity. InputError where a class is missing (`require_both`).
    """
    require_both(labels)
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(labels[order])[ends]
    alarms = ends + 1 - hits
    front = np.zeros(1)
    return (
        np.concatenate([front, alarms / alarms[-1]]),
        np.concatenate([front, hits / hits[-1]]),
        np.concatenate([[np.inf], scores[order][ends]]),
    )


@blank(
    "foundations/metrics",
    hints=(
        "At each distinct score: precision, and by how much recall grew since the score above.",
        "With rates and the numbers of both classes: precision = TP / (TP + FP), AP = Σ precision · growth of recall.",
    ),
)
def average_precision(labels, scores):
    """Σ (recall_i - recall_{i-1}) · precision_i over the distinct scores, highest first; no line is drawn between."""
    alarm_rate, hit_rate, _ = roc(labels, scores)
    hits = hit_rate[1:] * np.sum(labels)
    alarms = alarm_rate[1:] * np.sum(1 - labels)
    return float(np.sum(np.diff(hit_rate) * hits / (hits + alarms)))


@blank(
    "foundations/metrics",
    hints=(
        "`roc` gives every threshold that makes a difference; each has its numbers of false alarms and of misses.",
        "The cost of a threshold is c(FP) · FP + c(FN) · FN: take the smallest.",
    ),
)
def operating_point(labels, scores, cost_false_positive, cost_miss):
    """The threshold of least total cost on these examples (accused are scores of at least it)."""
    alarm_rate, hit_rate, thresholds = roc(labels, scores)
    cost = cost_false_positive * alarm_rate * np.sum(1 - labels) + cost_miss * (1 - hit_rate) * np.sum(labels)
    return float(thresholds[np.argmin(cost)])


def require_both(labels):
    """InputError unless there are examples of both classes."""
    found = sorted(set(np.asarray(labels).tolist()))
    require(found == [0, 1], "labels", "0 and 1, with both of them there", found)


def area(alarm_rate, hit_rate):
    """The area under a ROC curve: the chance that a guilty one scores higher than another, equals counted half."""
    return float(np.trapezoid(hit_rate, alarm_rate))


def population(settings, seed):
    """Labels, scores and true P(guilty | score) of people: normal scores, that of the guilty `separation` higher."""
    rng = np.random.default_rng((settings.seed, seed))
    labels = (rng.random(settings.people) < settings.base_rate).astype(int)
    scores = rng.normal(size=settings.people) + settings.separation * labels
    return labels, scores, posterior(scores, settings)


def posterior(scores, settings):
    """P(guilty | score): log odds of the base rate, plus those of two normal densities."""
    prior = np.log(settings.base_rate / (1 - settings.base_rate))
    return expit(prior + settings.separation * (scores - settings.separation / 2))


def real_scores(splits, settings):
    """Labels and probabilities of a linear model for the rare class, of validation and test."""
    flat = [split.x.reshape(len(split.x), -1).astype(float) for split in (splits.train, splits.validation, splits.test)]
    mean, scale = flat[0].mean(axis=0), flat[0].std(axis=0)
    x = [(part - mean) / np.where(scale > 1e-9, scale, 1) for part in flat]
    y = [(split.y == settings.rare).astype(int) for split in (splits.train, splits.validation, splits.test)]
    model = LogisticRegression(C=0.1, max_iter=300, tol=1e-3).fit(x[0], y[0])
    return [(labels, model.predict_proba(part)[:, 1]) for part, labels in zip(x[1:], y[1:], strict=True)]


def judged(labels, scores, threshold):
    """The table of one operating point."""
    counts = confusion(labels, scores >= threshold)
    accused, guilty = counts["tp"] + counts["fp"], counts["tp"] + counts["fn"]
    return counts | {
        "precision": counts["tp"] / accused if accused else 0.0,
        "recall": counts["tp"] / guilty if guilty else 0.0,
        "F1": f_beta(counts, 1),
        "accuracy": (counts["tp"] + counts["tn"]) / len(labels),
    }


def run(settings, log):
    labels, _, p = population(settings, 0)
    test_labels, _, test_p = population(settings, 1)
    points = {c: operating_point(labels, p, c, 1.0) for c in settings.costs}
    rows = {c: judged(test_labels, test_p, threshold) for c, threshold in points.items()}
    theory = {c: c / (c + 1) for c in settings.costs}
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    (seen_labels, seen), (real_labels, real) = real_scores(splits, settings)
    chosen = operating_point(seen_labels, seen, 1.0, 10.0)
    alarm_rate, hit_rate, thresholds = roc(test_labels, test_p)
    never = confusion(test_labels, np.zeros(len(test_labels)))
    kept = np.unique(np.geomspace(1, len(thresholds), 400).astype(int)) - 1
    alarms, misses = alarm_rate * np.sum(1 - test_labels), (1 - hit_rate) * np.sum(test_labels)
    if log is not None:
        for step, (c, row) in enumerate(rows.items(), 1):
            log.scalars("operating_points", step, {"cost": c} | {k: float(v) for k, v in row.items()})
    return Result(
        scores={
            "accuracy_of_never": (never["tn"] + never["tp"]) / len(test_labels),
            "auc_made": area(alarm_rate, hit_rate),
            "cost_above_the_best": float(
                np.mean([excess(test_labels, test_p, points[c], theory[c], c) for c in settings.costs])
            ),
            "precision_at_equal_costs": judged(test_labels, test_p, 0.5)["precision"],
            "auc_real": area(*roc(real_labels, real)[:2]),
            "average_precision_real": average_precision(real_labels, real),
        },
        arrays={
            "roc": (alarm_rate[kept], hit_rate[kept]),
            "points": {c: (row["fp"] / (row["fp"] + row["tn"]), row["recall"]) for c, row in rows.items()},
            "rows": rows,
            "real": (real_labels, real),
            "trade": (thresholds[kept], alarms[kept], misses[kept]),
            "separation": settings.separation,
        },
        tables={
            "Three operating points on the test half of the made population": [
                {"a false accusation costs": f"{c:g} misses", "threshold": points[c], "in theory": theory[c]} | row
                for c, row in rows.items()
            ],
            "Both low at once?": [
                {
                    "advice": "the source (S3): minimise false positives and false negatives",
                    "what is so": "no threshold does: each point of least cost has more of the one or of the other",
                    "false positives": " / ".join(str(row["fp"]) for row in rows.values()),
                    "misses": " / ".join(str(row["fn"]) for row in rows.values()),
                }
            ],
            f"Real scores, a miss costs 10 accusations ({splits.name})": [
                {"threshold": chosen} | judged(real_labels, real, chosen),
                {"threshold": 0.5} | judged(real_labels, real, 0.5),
            ],
        },
        data=(splits,),
    )


def excess(labels, p, threshold, theory, cost):
    """By how much dearer a threshold is than the one of theory, as a share of the latter's cost."""
    costs = [cost * counts["fp"] + counts["fn"] for counts in (confusion(labels, p >= t) for t in (threshold, theory))]
    return costs[0] / costs[1] - 1


def figures(result):
    arrays = result.arrays
    drawing, axes = plots.panels(1, 3, width=3.4, height=3.2)
    for axis, (cost, row) in zip(axes, arrays["rows"].items(), strict=False):
        table = np.array([[row["tp"], row["fn"]], [row["fp"], row["tn"]]])
        axis.imshow(np.log10(1 + table), cmap="Blues", vmin=0, vmax=6)
        for i, j in np.ndindex(2, 2):
            dark = np.log10(1 + table[i, j]) > 3.5
            axis.text(j, i, f"{table[i, j]:,}", ha="center", va="center", color="white" if dark else "black")
        axis.set_xticks([0, 1], ["accused", "left alone"])
        axis.set_yticks([0, 1], ["guilty", "not guilty"], rotation=90, va="center")
        axis.set_title(f"an accusation in error\ncosts {cost:g} misses", fontsize="medium")
        axis.grid(visible=False)
    curve, (left, right) = plots.panels(1, 2)
    left.plot(*arrays["roc"], color="black", linewidth=1)
    for cost, point in arrays["points"].items():
        left.plot(max(point[0], 1e-6), point[1], marker="o", linestyle="none", label=f"costs {cost:g} misses")
    left.set(xlabel="false positive rate", ylabel="true positive rate", xscale="log", title="ROC, made population")
    left.legend(frameon=False, fontsize="small")
    threshold, alarms, misses = arrays["trade"]
    right.plot(threshold[1:], np.maximum(alarms[1:], 0.5), label="false accusations")
    right.plot(threshold[1:], np.maximum(misses[1:], 0.5), label="misses")
    right.set(
        xscale="log", yscale="log", xlabel="threshold on P(guilty)", ylabel="people", title="one falls, one rises"
    )
    right.legend(frameon=False, fontsize="small")
    rates = np.geomspace(1e-5, 0.5, 60)
    # precision = π TPR / (π TPR + (1 - π) FPR) at rates of hits and alarms that stay
    precision = {
        f"TPR {hit:.2f}, FPR {alarm:.1e}": rates * hit / (rates * hit + (1 - rates) * alarm)
        for alarm, hit in arrays["points"].values()
        if alarm > 0
    }
    return {
        "confusion": drawing,
        "roc": curve,
        "base_rate": logarithmic(
            plots.curves(
                precision,
                x=rates,
                xlabel="share of the guilty",
                ylabel="precision",
                title="the same test, other populations",
            )
        ),
    }


def logarithmic(drawing):
    """The figure with a logarithmic x axis."""
    drawing.axes[0].set_xscale("log")
    return drawing


EXERCISE = Exercise(
    source="S3: evaluation metrics where mistakes have consequences",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", rare=9, people=1_000_000),
    quick=Settings(people=20_000, base_rate=0.01),
    run=run,
    figures=figures,
    expect={
        "accuracy_of_never": Band(0.9985, 0.9994),
        "auc_made": Band(0.95, 0.999),
        "cost_above_the_best": Band(-0.1, 0.15),
        "auc_real": Band(0.95, 1.0),
    },
)
