"""Logistic and probit regression: which curve is it, and which way down its likelihood?

Two models for a yes or no: P(1 | x) = σ(w·x), logistic regression, and P(1 | x) = Φ(w·x), probit regression, with the
normal distribution in place of the logistic. The course's source fitted the second and called it by the name of the
first. You write both negative log-likelihoods with gradient and Hessian, exact for |w·x| of a thousand, and `newton`,
which needs a handful of steps where plain descent needs thousands.

The two curves are nearly the same but for their scale, so the boundaries agree and the coefficients do not: the table
shows it. Where a line parts the classes there is no best w at all, and `newton` says so.

Bishop (2006), "Pattern Recognition and Machine Learning", sections 4.3.2 to 4.3.5.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots
from keras_course.base import InputError, require
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed, Several

import numpy as np
from scipy.special import expit, log_ndtr, ndtr


@dataclass(frozen=True)
class Settings:
    dataset: Literal["breast_cancer", "mnist", "fashion_mnist"] = "breast_cancer"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    negative: Count = 4  # the class that is 0, of a set with more than two
    positive: Count = 9  # the class that is 1
    features: Several = 5  # directions of largest variance that the models are given
    steps: Count = 2000  # of stochastic gradient descent
    learning_rate: Positive = 0.3  # of its first step; it falls with 1 / √step
    batch_size: Count = 32
    seed: Seed = 0


@blank(
    "foundations/logistic_regression",
    hints=(
        "-log σ(z) = log(1 + exp(-z)), and `np.logaddexp(0, z)` is log(1 + exp(z)) without overflow.",
        "The gradient by z is σ(z) - y, and its derivative σ(z) (1 - σ(z)); `scipy.special.expit` is σ.",
        "By w each gets x once more: the gradient is a product with x, the Hessian xᵀ diag(…) x, both means over n.",
    ),
)
def logistic_nll(w, x, y):
    """The mean negative log-likelihood of y under P(1 | x) = σ(x·w), its gradient and its Hessian.

    w: (features,). x: (n, features), with a column of ones where an intercept is wanted. y: (n,), each 0 or 1.
    Returns a number, (features,) and (features, features).
    """
    z = x @ w
    p = expit(z)
    # -log P(y | z) = log(1 + exp(z)) - y z
    value = np.mean(np.logaddexp(0, z) - y * z)
    curvature = p * (1 - p)
    return float(value), x.T @ (p - y) / len(y), (x.T * curvature) @ x / len(y)


@blank(
    "foundations/logistic_regression",
    hints=(
        "With s = 2 y - 1 the likelihood of an example is Φ(s z), since Φ(-z) = 1 - Φ(z).",
        "`scipy.special.log_ndtr` is log Φ, exact far down; the derivative of log Φ(u) is r(u) = φ(u) / Φ(u).",
        "Take r as an exponential of a difference of logarithms: φ and Φ are both 0 far down. The second derivative of "
        "-log Φ(u) is r (u + r).",
    ),
)
def probit_nll(w, x, y):
    """The mean negative log-likelihood of y under P(1 | x) = Φ(x·w), its gradient and Hessian; as `logistic_nll`."""
    sign = 2.0 * y - 1
    u = sign * (x @ w)
    # r(u) = φ(u) / Φ(u) = exp(-u²/2 - log √2π - log Φ(u))
    r = np.exp(-0.5 * u**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(u))
    return -float(np.mean(log_ndtr(u))), -x.T @ (sign * r) / len(y), (x.T * (r * (u + r))) @ x / len(y)


@blank(
    "foundations/logistic_regression",
    hints=(
        "Solve Hessian · step = gradient and go w - step. Stop when the gradient is as small as `tolerance`.",
        "Far from the optimum a whole step may overshoot: halve it until the value falls.",
        "Where a line parts the classes the likelihood has no maximum: w grows without end. The sign of it is that all "
        "examples are on their right side: call `refuse_separable` at each step.",
    ),
)
def newton(nll, x, y, steps=50, tolerance=1e-10):
    """Minimises a convex `nll(w, x, y)` -> (value, gradient, Hessian) by Newton's method from w = 0.

    Returns the weights behind each step, (steps taken + 1, features), zeros first.
    InputError for labels other than 0 and 1 (`require_binary`), and where a line parts the classes.
    """
    require_binary(y)
    history = [np.zeros(x.shape[1])]
    for _ in range(steps):
        value, gradient, hessian = nll(history[-1], x, y)
        if np.abs(gradient).max() <= tolerance:
            break
        refuse_separable(history[-1], x, y)
        step = np.linalg.solve(hessian, gradient)
        for _ in range(40):
            if nll(history[-1] - step, x, y)[0] <= value:
                break
            step = step / 2
        history.append(history[-1] - step)
    return np.array(history)


def require_binary(y):
    """InputError for labels other than 0 and 1."""
    outside = np.setdiff1d(y, [0, 1]).tolist()
    require(not outside, "y", "0 or 1", outside)


def refuse_separable(w, x, y):
    """InputError when w parts the classes, so that longer and longer w have ever higher likelihood."""
    if np.all((2 * y - 1) * (x @ w) > 0):
        raise InputError(
            "`x` must not be separable: a line parts the classes, so the likelihood has no maximum and the weights "
            "grow without end; a penalty or fewer features would do."
        )


def descend(nll, x, y, settings):
    """Stochastic gradient descent from w = 0; returns the weights behind each step."""
    rng, history = np.random.default_rng(settings.seed), [np.zeros(x.shape[1])]
    for step in range(1, settings.steps + 1):
        rows = rng.integers(0, len(y), settings.batch_size)
        _, gradient, _ = nll(history[-1], x[rows], y[rows])
        history.append(history[-1] - settings.learning_rate / np.sqrt(step) * gradient)
    return np.array(history)


def prepare(splits, settings):
    """Features and labels of training, validation and test: directions of largest variance of the training examples.

    Means, directions and scales are those of the training split.
    """
    chosen = (0, 1) if len(splits.classes) == 2 else (settings.negative, settings.positive)
    parts = []
    for split in (splits.train, splits.validation, splits.test):
        rows = np.isin(split.y, chosen)
        parts.append((split.x[rows].reshape(rows.sum(), -1).astype(float), (split.y[rows] == chosen[1]).astype(float)))
    train = parts[0][0]
    mean, scale = train.mean(axis=0), train.std(axis=0)
    standard = [(x - mean) / np.where(scale > 1e-9, scale, 1) for x, _ in parts]
    directions = np.linalg.svd(standard[0], full_matrices=False)[2][: settings.features].T
    spread = (standard[0] @ directions).std(axis=0)
    return [(ones(x @ directions / spread), y) for x, (_, y) in zip(standard, parts, strict=True)]


def ones(x):
    """x with a column of ones in front."""
    return np.hstack([np.ones((len(x), 1)), x])


def right(w, x, y):
    """The share of examples on their side of ½: of the sign of x·w, for both models."""
    return float(np.mean((x @ w > 0) == (y == 1)))


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    (x, y), _, (test_x, test_y) = prepare(splits, settings)
    models = {"logistic": logistic_nll, "probit": probit_nll}
    paths = {name: newton(nll, x, y) for name, nll in models.items()}
    walks = {name: descend(nll, x, y, settings) for name, nll in models.items()}
    best = {name: path[-1] for name, path in paths.items()}
    low = {name: nll(best[name], x, y)[0] for name, nll in models.items()}
    logistic, probit = best["logistic"], best["probit"]
    flat = [path[-1] for path in (newton(nll, x[:, :3], y) for nll in models.values())]  # the plane of the picture
    plane_walk = descend(logistic_nll, x[:, :3], y, settings)
    if log is not None:
        for step, w in enumerate(paths["logistic"]):
            log.scalars("newton", step, {"nll": logistic_nll(w, x, y)[0]})
    marks = np.unique(np.geomspace(1, settings.steps, 60).astype(int))
    return Result(
        scores={
            "test_accuracy": right(logistic, test_x, test_y),
            "test_accuracy_probit": right(probit, test_x, test_y),
            "ratio_of_coefficients": float(np.linalg.norm(logistic) / np.linalg.norm(probit)),
            "angle_in_degrees": float(
                np.degrees(np.arccos(logistic @ probit / np.linalg.norm(logistic) / np.linalg.norm(probit)))
            ),
            "newton_steps": len(paths["logistic"]) - 1,
            "left_to_descend": logistic_nll(walks["logistic"][-1], x, y)[0] - low["logistic"],
        },
        arrays={
            "marks": marks,
            "descent": {
                name: [nll(walks[name][m], x, y)[0] - low[name] for m in marks] for name, nll in models.items()
            },
            "newton": {name: [nll(w, x, y)[0] - low[name] for w in paths[name]] for name, nll in models.items()},
            "plane": (x[:, 1:3], y, flat, [plane_walk[m] for m in (5, 20, 100, settings.steps) if m <= settings.steps]),
            "scale": float(np.linalg.norm(logistic) / np.linalg.norm(probit)),
        },
        tables={
            "What the source called logistic regression": [
                {
                    "model": name,
                    "P(1 | x)": curve,
                    "called by the source (S3)": called,
                    "negative log-likelihood": low[name],
                    "test accuracy": right(best[name], test_x, test_y),
                }
                | {f"w{i}": float(w) for i, w in enumerate(best[name])}
                for name, curve, called in (("logistic", "σ(w·x)", "–"), ("probit", "Φ(w·x)", "logistic"))
            ]
        },
        data=(splits,),
        parameters={"each model": x.shape[1]},
    )


def line(axes, w, **style):
    """Draws where w₀ + w₁ a + w₂ b = 0."""
    across = np.array(axes.get_xlim())
    axes.plot(across, -(w[0] + w[1] * across) / w[2], **style)


def figures(result):
    arrays = result.arrays
    points, y, (logistic, probit), walk = arrays["plane"]
    boundary, axes = plots.figure(5.6, 4.6)
    shown = np.random.default_rng(0).permutation(len(y))[:400]
    for label in (0, 1):
        axes.scatter(*points[shown][y[shown] == label].T, s=8, alpha=0.5, label=f"class {label}")
    axes.set(xlim=np.quantile(points[:, 0], (0.005, 0.995)), ylim=np.quantile(points[:, 1], (0.005, 0.995)))
    axes.set_autoscale_on(False)
    for i, w in enumerate(walk):
        line(axes, w, color="gray", linewidth=1, alpha=0.4 + 0.15 * i, label="on the way down" if i == 0 else None)
    line(axes, logistic, color="black", linewidth=2, label="logistic")
    line(axes, probit, color=plots.COLOURS[1], linewidth=2, linestyle="--", label="probit")
    axes.set(xlabel="first direction", ylabel="second direction", title="boundaries of models of two features")
    axes.legend(frameon=True, fontsize="small")
    pace, pace_axes = plots.figure()
    for name, colour in zip(arrays["newton"], plots.COLOURS, strict=False):
        descent = np.maximum(arrays["descent"][name], 1e-16)
        steps = np.maximum(arrays["newton"][name], 1e-16)
        pace_axes.plot(arrays["marks"], descent, color=colour, label=f"{name}, stochastic descent")
        pace_axes.plot(
            range(1, len(steps) + 1), steps, color=colour, marker="o", linestyle="--", label=f"{name}, Newton"
        )
    pace_axes.set(xscale="log", yscale="log", xlabel="step", ylabel="above the minimum (nats)", title="two ways down")
    pace_axes.legend(frameon=False, fontsize="small")
    z = np.linspace(-6, 6, 201)
    scale = arrays["scale"]
    return {
        "boundary": boundary,
        "pace": pace,
        "curves": plots.curves(
            {"σ(z), logistic": expit(z), "Φ(z), probit": ndtr(z), f"Φ(z / {scale:.2f})": ndtr(z / scale)},
            x=z,
            xlabel="z",
            ylabel="P(1)",
            title="two curves, nearly one but for their scale",
        ),
    }


EXERCISE = Exercise(
    source="S3: logistic regression, which was probit regression",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", features=20),
    quick=Settings(features=2, steps=20),
    run=run,
    figures=figures,
    expect={
        "test_accuracy": Band(0.9, 1.0),
        "ratio_of_coefficients": Band(1.5, 2.8),
        "angle_in_degrees": Band(0, 12),
        "newton_steps": Band(5, 15),
        "left_to_descend": Band(0, 0.3),
    },
)
