"""k nearest neighbours: what does a larger k buy, what does it cost, and why is a perfect training score worth nothing?

No training at all: an answer is the vote of the k examples that lie nearest. You write `squared_distances` as one
matrix product, `votes` for every k at once, and `bias_and_variance`.

With k = 1 every training example is its own nearest neighbour, so the training error is 0 on any data, labels drawn
from a hat among them. The run makes some labels wrong and scores every k in three ways: on what was stored, on the same
examples each left out of its own vote, and on new ones. k is chosen on the validation split.

A regression on fixed places shows why the error has a valley. The variance of a mean of k answers is σ²/k exactly, and
what is averaged lies further and further away, which is the bias; both are measured by drawing the noise anew.

Cover and Hart (1967), "Nearest neighbor pattern classification"; Hastie, Tibshirani and Friedman (2009), "The elements
of statistical learning", sections 2.3 and 7.3 (equation 7.10).
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots
from keras_course.base import require
from keras_course.exercise import Band, Exercise, Floor, Result, blank
from keras_course.settings import Count, Positive, Seed, Several, Share

import numpy as np
from sklearn.datasets import make_moons


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist", "fashion_mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    most: Count = 60  # the largest k that is tried on the images
    wrong_labels: Share = 0.2  # of the training labels, drawn anew in the second half of the table
    scored: Count = 5000  # at most so many training images are scored by what was stored
    places: Several = 100  # of the regression; its largest k
    noise: Positive = 0.5  # σ, the standard deviation of its answers
    draws: Several = 400  # of the noise, on each of its designs
    designs: Count = 5  # sets of places, for the bands
    seed: Seed = 0


@blank(
    "foundations/knn",
    hints=(
        "|a - b|² = |a|² - 2 a·b + |b|²: which of the three terms is a matrix product?",
        "Rounding of large squares swamps a small difference: take the mean of the points off both sides first.",
        "The product of (m, d) with (d, n) is (m, n); |a|² is a column beside it and |b|² a row.",
    ),
)
def squared_distances(queries, points):
    """|q - p|² for every query (m, d) and point (n, d): (m, n), by one matrix product, never below 0.

    Exact to rounding wherever the points lie: moving both far from the origin together changes nothing.
    """
    centre = points.mean(axis=0)
    queries, points = queries - centre, points - centre
    # |q - p|² = |q|² - 2 q·p + |p|²
    product = queries @ points.T  # (m, n)
    squares = np.sum(queries**2, axis=1)[:, None] - 2 * product + np.sum(points**2, axis=1)
    return np.maximum(squares, 0)


def nearest(queries, points, k, block=1000):
    """Indices of the k points nearest to each query, nearest first: (m, k). Queries go by blocks, to save memory."""
    require(1 <= k <= len(points), "k", f"at least 1 and at most the size of the training set, {len(points)}", k)
    found = np.empty((len(queries), k), int)
    for start in range(0, len(queries), block):
        squares = squared_distances(queries[start : start + block], points)
        some = np.argpartition(squares, k - 1, axis=1)[:, :k]  # the k nearest, in no order
        order = np.argsort(np.take_along_axis(squares, some, axis=1), axis=1, kind="stable")
        found[start : start + block] = np.take_along_axis(some, order, axis=1)
    return found


@blank(
    "foundations/knn",
    hints=(
        "One-hot labels, added up along the neighbours, are the votes for every k at once: `np.cumsum`.",
        "`argmax` takes the first of several largest entries: that is the rule for ties.",
    ),
)
def votes(labels, classes):
    """The answer of the k nearest for k = 1, 2, …, K: (m, K). Ties go to the smallest class.

    labels: (m, K), whole numbers from 0 to classes - 1, of the neighbours, nearest first.
    """
    ballots = np.eye(classes, dtype=np.int32)[labels]  # (m, K, classes)
    return ballots.cumsum(axis=1).argmax(axis=2)


@blank(
    "foundations/knn",
    hints=(
        "The variance is that over the draws at each place, with draws - 1 below the line; then the mean over places.",
        "The mean over a few draws still wobbles: its square is too large by variance / draws. Take that off.",
    ),
)
def bias_and_variance(predictions, truth):
    """Unbiased estimates of the squared bias and the variance, both the mean over the places.

    predictions: (draws, places), of models that saw the same places with new noise. truth: (places,), without noise.
    """
    variance = predictions.var(axis=0, ddof=1).mean()
    # E[(mean - truth)²] = bias² + variance / draws
    squared_bias = np.mean((predictions.mean(axis=0) - truth) ** 2) - variance / len(predictions)
    return float(squared_bias), float(variance)


def truth_at(x):
    """The function without noise that the regression is to find."""
    return np.sin(2 * np.pi * x**2)


def regression(settings, rng):
    """Squared bias and variance for every k on one set of places, measured, and the bias by its closed form."""
    x = np.sort(rng.random(settings.places))[:, None]
    truth = truth_at(x[:, 0])
    found = nearest(x, x, settings.places)  # (places, places)
    answers = truth + settings.noise * rng.normal(size=(settings.draws, settings.places))
    ks = np.arange(1, settings.places + 1)
    means = answers[:, found].cumsum(axis=2) / ks  # (draws, places, k)
    measured = np.array([bias_and_variance(means[..., i], truth) for i in range(len(ks))])
    exact = np.mean((truth[found].cumsum(axis=1) / ks - truth[:, None]) ** 2, axis=0)
    return measured[:, 0], measured[:, 1], exact


def errors(splits, labels, settings):
    """The error for every k on training images, on these each without its own vote, on validation and on test."""
    points = splits.train.x.reshape(len(labels), -1)
    classes, most = len(splits.classes), settings.most

    def wrong(found, truth):
        return np.mean(votes(labels[found], classes) != truth[:, None], axis=0)

    scored = min(settings.scored, len(labels) - 1)
    stored = nearest(points[:scored], points, most + 1)
    own = stored == np.arange(scored)[:, None]
    own[:, -1] |= ~own.any(axis=1)  # one of many equal points need not be among its own nearest
    others = stored[~own].reshape(scored, most)
    return {
        "training": wrong(stored[:, :most], labels[:scored]),
        "training, each left out": wrong(others, labels[:scored]),
        **{
            name: wrong(nearest(split.x.reshape(len(split.x), -1), points, most), split.y)
            for name, split in {"validation": splits.validation, "test": splits.test}.items()
        },
    }


def boundaries(ks, rng):
    """Two moons: the points, their classes, and what each k answers on a grid."""
    x, y = make_moons(240, noise=0.3, random_state=int(rng.integers(2**31)))
    across, up = np.linspace(-1.8, 2.8, 120), np.linspace(-1.5, 2.0, 90)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    answers = votes(y[nearest(grid, x, max(ks))], 2)
    return {
        "x": x,
        "y": y,
        "across": across,
        "up": up,
        "answers": {k: answers[:, k - 1].reshape(len(up), len(across)) for k in ks},
    }


def run(settings, log):
    rng = np.random.default_rng(settings.seed)
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    labels = splits.train.y
    drawn = rng.random(len(labels)) < settings.wrong_labels
    spoiled = np.where(drawn, rng.integers(len(splits.classes), size=len(labels)), labels)
    hat = f"{settings.wrong_labels:.0%} of them drawn from a hat"
    found = {"labels as they are": errors(splits, labels, settings), hat: errors(splits, spoiled, settings)}
    chosen = {name: int(np.argmin(curves["validation"])) + 1 for name, curves in found.items()}
    measured = [regression(settings, rng) for _ in range(settings.designs)]
    squared_bias, variance, exact = (np.array(part) for part in zip(*measured, strict=True))  # (designs, k)
    if log is not None:
        for name, curves in found.items():
            for k in range(1, settings.most + 1):
                log.scalars(name, k, {f"error, {split}": float(values[k - 1]) for split, values in curves.items()})
    clean, noisy = found.values()
    ks = np.arange(1, settings.places + 1)
    return Result(
        scores={
            "test_accuracy": float(1 - clean["test"][chosen["labels as they are"] - 1]),
            "chosen_k": chosen["labels as they are"],
            "training_error_of_one": float(noisy["training"][0]),
            "test_error_of_one": float(noisy["test"][0]),
            "test_error_of_chosen": float(noisy["test"][chosen[hat] - 1]),
            "variance_times_k": float(np.mean(variance * ks) / settings.noise**2),
            "bias_from_closed_form": float(np.max(np.abs(squared_bias.mean(0) - exact.mean(0)))),
            "best_k_of_regression": int(np.argmin((squared_bias + variance).mean(0))) + 1,
        },
        arrays={
            "errors": found,
            "bias": squared_bias,
            "variance": variance,
            "exact": exact.mean(0),
            "noise": settings.noise,
            "boundaries": boundaries((1, 15, 101), rng),
        },
        tables={
            "What a score of 1 is worth": [
                {
                    "training labels": name,
                    "k": k,
                    **{f"error, {split}": float(values[k - 1]) for split, values in curves.items()},
                }
                for name, curves in found.items()
                for k in sorted({1, chosen[name], settings.most})
            ]
        },
        data=(splits,),
        parameters={"k nearest neighbours": 0},
    )


def draw_errors(found):
    drawing, grid = plots.panels(1, 2, width=4.0)
    for axes, (name, curves) in zip(grid, found.items(), strict=True):
        for label, values in curves.items():
            axes.plot(range(1, len(values) + 1), values, label=label, linestyle="--" if "training" in label else "-")
        axes.set(xlabel="k", ylabel="error", title=name, ylim=(0, None))
    grid[-1].legend(frameon=False, fontsize="small")
    return drawing


def draw_bias_and_variance(arrays):
    ks = np.arange(1, arrays["bias"].shape[1] + 1)
    parts = {"squared bias": arrays["bias"], "variance": arrays["variance"]}
    parts["their sum"] = parts["squared bias"] + parts["variance"]
    drawing = plots.band(
        parts, x=ks, xlabel="k", ylabel="squared error over the noise", title="mean and range over the designs"
    )
    (axes,) = drawing.axes
    axes.plot(ks, arrays["noise"] ** 2 / ks, "k:", linewidth=1, label="σ²/k")
    axes.plot(ks, arrays["exact"], "k--", linewidth=1, label="bias by its closed form")
    axes.set_xscale("log")
    axes.legend(frameon=False, fontsize="small")
    return drawing


def draw_boundaries(found):
    drawing, grid = plots.panels(1, len(found["answers"]), width=3.2, height=2.8)
    for axes, (k, answers) in zip(grid, found["answers"].items(), strict=True):
        axes.contourf(
            found["across"], found["up"], answers, levels=[-0.5, 0.5, 1.5], colors=plots.COLOURS[:2], alpha=0.25
        )
        for c in (0, 1):
            axes.scatter(*found["x"][found["y"] == c].T, s=6, color=plots.COLOURS[c])
        axes.set(title=f"k = {k}", xticks=[], yticks=[])
        axes.grid(visible=False)
    return drawing


def figures(result):
    arrays = result.arrays
    return {
        "errors": draw_errors(arrays["errors"]),
        "bias_and_variance": draw_bias_and_variance(arrays),
        "boundaries": draw_boundaries(arrays["boundaries"]),
    }


EXERCISE = Exercise(
    source="S3: k nearest neighbours from scratch",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", designs=20),
    quick=Settings(most=3, places=10, draws=20, designs=2),
    run=run,
    figures=figures,
    expect={
        "test_accuracy": Band(0.96, 1.0),
        "training_error_of_one": Band(0, 0),  # on labels of which one in five was drawn from a hat
        "test_error_of_one": Band(0.1, 0.3),
        "test_error_of_chosen": Band(0.0, 0.08),
        "variance_times_k": Band(0.9, 1.1),  # σ²/k, measured on 2,000 draws: ± √(2/2,000) for the largest k
        "bias_from_closed_form": Band(0, 0.02),
    },
    floors={"test_accuracy": Floor(0.95, "LeCun et al. (1998), K-NN, Euclidean (L2)")},
)
