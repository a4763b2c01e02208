"""Logistic or probit: which of the two has been fitted, and what changes when one is called the other?

Both give P(y = 1) from a weighted sum z = x·w, logistic regression as σ(z), probit regression as Φ(z), the cumulative
normal. The course's source fitted the second and called it the first. The run shows both. The boundaries nearly agree,
so no accuracy gives the mistake away. The weights do not: the probit's are smaller by a factor of about 1.6 to 1.9, so
whoever reads them as log odds understates every effect and every certainty, and the likelihood says so.

You write `logistic_nll` and `probit_nll`, each with gradient and Hessian and each exact at |z| of 1000; `newton`, which
never goes uphill and says when there is no minimum, since a plane parts the classes; and `sgd`, which needs neither
Hessian nor all examples, and hundreds of passes for what Newton does in ten.

Bishop (2006), "Pattern Recognition and Machine Learning", sections 4.3.2, 4.3.3 and 4.3.5; Albert and Anderson (1984),
"On the existence of maximum likelihood estimates in logistic regression models", for classes that a plane parts.
"""

import math
from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.base import InputError, require
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed

import numpy as np
from scipy.linalg import eigh
from scipy.special import erfcx, log_ndtr
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

# Columns of the table that come first, few and not copies of one another, as radius, perimeter and area nearly are.
FIRST = {0: "mean radius", 1: "mean texture", 4: "mean smoothness", 5: "mean compactness", 8: "mean symmetry"}


@dataclass(frozen=True)
class Settings:
    dataset: Literal["breast_cancer", "mnist", "fashion_mnist"] = "breast_cancer"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    classes: tuple[str, ...] = ("benign", "malignant")  # the two classes y = 0 and y = 1
    inputs: tuple[Count, ...] = (2, 3, 5, 30)  # how many inputs to try: columns of the table, else principal components
    epochs: Count = 100
    learning_rate: Positive = 1.0  # of SGD in its first epoch
    batch_size: Count = 16
    seed: Seed = 0


def signs(w, x, y):
    """-1 for class 0 and +1 for class 1, (n,).

    InputError for labels other than 0 and 1, and for shapes that do not match: w (inputs,), x (n, inputs), y (n,).
    """
    scratch.require_shape("w", w, x.shape[1:])
    scratch.require_shape("y", y, x.shape[:1])
    others = y[(y != 0) & (y != 1)]
    require(not others.size, "y", "0 or 1 for each example", others[:1].tolist())
    return 2.0 * y - 1


@blank(
    "foundations/logistic_regression",
    hints=(
        "With s = -1 or +1 both classes have one formula: P(right class) = σ(s z), since σ(-z) = 1 - σ(z).",
        "-log σ(t) = log(1 + exp(-t)): NumPy has a function that adds in the logarithm and never overflows.",
        "Gradient and Hessian are X'a and X' diag(b) X, divided by n: a is σ(z) - y, and b is σ(z) σ(-z).",
    ),
)
def logistic_nll(w, x, y):
    """The negative log-likelihood of logistic regression, P(y = 1) = σ(x·w), a mean over the examples, in nats.

    w: (inputs,). x: (n, inputs), with a column of ones where an intercept is wanted. y: (n,), each 0 or 1.
    Returns the value, its gradient (inputs,) and its Hessian (inputs, inputs), all right for |x·w| of 1000.
    InputError for other labels and for shapes that do not match: `signs` has the checks.
    """
    s = signs(w, x, y)
    z = x @ w  # (n,)
    p, q = scratch.sigmoid(z), scratch.sigmoid(-z)  # q = 1 - p, and not 0 where p rounds to 1
    # NLL = mean of log(1 + exp(-s z)), gradient: mean of (p - y) x, Hessian: mean of p q x x'
    value = np.logaddexp(0, -s * z).mean()
    return float(value), (p - y) @ x / len(x), (x.T * (p * q)) @ x / len(x)


@blank(
    "foundations/logistic_regression",
    hints=(
        "As in the logistic model with Φ for σ: the value is the mean of -log Φ(t), t = s z. SciPy has log Φ.",
        "-log Φ(t) has the slope -λ(t) with λ = φ / Φ, the inverse Mills ratio, and the curvature λ (λ + t).",
        "φ / Φ is 0 / 0 at t = -1000; with Φ(t) = erfc(-t / √2) / 2 and `erfcx` it is √(2/π) / erfcx(-t / √2).",
    ),
)
def probit_nll(w, x, y):
    """The negative log-likelihood of probit regression, P(y = 1) = Φ(x·w), a mean over the examples, in nats.

    Arguments, returned values and errors are those of `logistic_nll`.
    """
    s = signs(w, x, y)
    t = s * (x @ w)  # (n,)
    # φ(t) / Φ(t), where both have lost a factor exp(-t² / 2)
    mills = np.sqrt(2 / np.pi) / erfcx(-t / np.sqrt(2))
    # NLL = mean of -log Φ(t), gradient: mean of -s λ x, Hessian: mean of λ (λ + t) x x'
    hessian = (x.T * (mills * (mills + t))) @ x / len(x)
    return -float(log_ndtr(t).mean()), -(s * mills) @ x / len(x), hessian


APART = "classes that no plane parts: these are separable and the likelihood has no maximum, so take fewer inputs"


def require_overlap(w, x, y):
    """InputError when the plane of `w` parts the classes: along it the likelihood grows without end."""
    parted = bool(np.all(signs(w, x, y) * (x @ w) > 0))
    require(not parted, "y", APART, f"a plane that parts all {len(y)} examples")


def require_curvature(hessian, x):
    """InputError when some direction has lost all curvature, where a plane parts the classes but for examples on it.

    There the weights stop growing only where rounding hides the slope. The curvature is compared with that of the
    inputs alone, so that their units do not matter.
    """
    left = eigh(hessian, x.T @ x / len(x), eigvals_only=True)[0]
    require(left > 1e-8, "y", APART, "a plane that parts all examples but those on it")


@blank(
    "foundations/logistic_regression",
    hints=(
        "The step solves Hessian · step = gradient and is subtracted; `np.linalg.solve` needs no inverse.",
        "A step may lead uphill where the curvature changes much on the way. Halve it until the value does not rise.",
        "Measure what is left by the change of x·w: it has no units, whatever the inputs have.",
    ),
)
def newton(nll, x, y, *, start=None, steps=50, tolerance=1e-8):
    """Minimises `nll`, a function as `logistic_nll` is, by Newton's method, halving steps that lead uphill.

    x: (n, inputs). y: (n,). start: the first weights, zeros when None. It ends behind the first step that changes no
    x·w by more than `tolerance`.
    Returns the weights from the start on, one more behind each step: (steps taken + 1, inputs).
    InputError for columns that depend on one another; behind a step that parts the classes (`require_overlap`); at
    an end without curvature (`require_curvature`, of the last Hessian); and when `steps` were not enough.
    """
    require(np.linalg.matrix_rank(x) == x.shape[1], "x", "of independent columns", f"rank {np.linalg.matrix_rank(x)}")
    path = [np.zeros(x.shape[1]) if start is None else start]
    for _ in range(steps):
        value, gradient, hessian = nll(path[-1], x, y)
        step = np.linalg.solve(hessian, gradient)
        while nll(path[-1] - step, x, y)[0] > value + 1e-12:  # rounding makes no hill
            step = step / 2
        path.append(path[-1] - step)
        require_overlap(path[-1], x, y)
        if np.abs(x @ step).max() <= tolerance:
            break
    require_curvature(hessian, x)
    require(np.abs(x @ step).max() <= tolerance, "steps", "enough to reach the minimum", steps)
    return np.array(path)


@blank(
    "foundations/logistic_regression",
    hints=(
        "Each epoch draws a new order with `rng.permutation` and cuts it into batches; the last may be smaller.",
        "A batch is examples and their labels: index both by the same rows. Of what `nll` returns only one is needed.",
        "w ← w - rate · gradient makes a new array; with `-=` all rows of the path would be the same array.",
    ),
)
def sgd(nll, x, y, *, epochs, learning_rate, batch_size, rng):
    """Minimises `nll` by stochastic gradient descent from zeros, each example once an epoch, in an order from `rng`.

    The rate of the epoch e = 0, 1, … is learning_rate / √(1 + e), so that the noise of the batches dies out.
    Returns the weights from the start on, one more behind each batch: (batches + 1, inputs).
    """
    path = [np.zeros(x.shape[1])]
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for begin in range(0, len(x), batch_size):
            rows = order[begin : begin + batch_size]
            path.append(path[-1] - learning_rate / math.sqrt(1 + epoch) * nll(path[-1], x[rows], y[rows])[1])
    return np.array(path)


def with_intercept(x):
    """A column of ones in front: the weight of the intercept is the first."""
    return np.hstack([np.ones((len(x), 1)), x])


def prepare(splits, settings):
    """Of each split the two classes: inputs (n, 1 + most inputs), ones in front, and y (n,), 0 or 1.

    A table gives its columns, those of FIRST first, images their principal components. Mean, deviation and components
    are those of the training split, for all splits.
    """
    names, most = settings.classes, max(settings.inputs)
    require(len(names) == 2 and set(names) <= set(splits.classes), "classes", f"two of {splits.classes}", names)
    labels = [splits.classes.index(name) for name in names]
    parts = []
    for x, y in (splits.train, splits.validation, splits.test):
        rows = np.flatnonzero(np.isin(y, labels))
        parts.append((x[rows].reshape(len(rows), -1).astype(float), (y[rows] == labels[1]).astype(int)))
    train = parts[0][0]  # (n, columns)
    require(most <= min(train.shape), "inputs", f"at most {min(train.shape)}", settings.inputs)
    if splits.train.x.ndim > 2:  # images
        transform = PCA(most, whiten=True, svd_solver="covariance_eigh").fit(train).transform
    else:
        order = sorted(range(train.shape[1]), key=lambda i: i not in FIRST)[:most]
        mean, deviation = train.mean(axis=0)[order], train.std(axis=0)[order]
        transform = lambda x: (x[:, order] - mean) / deviation  # noqa: E731
    return [(with_intercept(transform(x)), y) for x, y in parts]


def names_of(splits, count):
    """The names of the intercept and of the first inputs."""
    known = list(FIRST.values()) if splits.train.x.ndim == 2 else []
    return ["intercept", *(known[i] if i < len(known) else f"input {i + 1}" for i in range(count))]


def candidates(settings, train, validation):
    """Both models with each number of inputs: rows for a table, and the number that has the least NLL on validation."""
    rows, best = [], {}
    for count in settings.inputs:
        (x, y), (held_x, held_y) = ((part[0][:, : count + 1], part[1]) for part in (train, validation))
        try:
            paths = [newton(nll, x, y) for nll in (logistic_nll, probit_nll)]
        except InputError:
            outcome, logistic, probit = "no maximum: a plane parts the training classes", "–", "–"
        else:
            outcome = f"{len(paths[0]) - 1} and {len(paths[1]) - 1} Newton steps"
            logistic, probit = (
                nll(path[-1], held_x, held_y)[0] for nll, path in zip((logistic_nll, probit_nll), paths, strict=True)
            )
            best[count] = logistic
        rows.append({"inputs": count, "outcome": outcome, "validation NLL, logistic": logistic, "probit": probit})
    require(best, "inputs", "few enough for classes that overlap", settings.inputs)
    return rows, min(best, key=best.get)


def readings(w, v, train, test):
    """What was claimed and what is so: `v`, the weights of the probit fit, under two names, and the logistic `w`."""
    strongest = 1 + int(np.abs(w[1:]).argmax())
    models = {
        "claimed: the probit's weights in a logistic model": (logistic_nll, v),
        "so: the probit's weights in a probit model": (probit_nll, v),
        "logistic regression": (logistic_nll, w),
    }
    return [
        {
            "model": label,
            "training NLL": nll(weights, *train)[0],
            "test NLL": nll(weights, *test)[0],
            "test accuracy": float(np.mean((test[0] @ weights > 0) == test[1])),
            "largest slope of its NLL": float(np.abs(nll(weights, *train)[1]).max()),
            "largest |weight| as odds": float(np.exp(abs(weights[strongest]))) if nll is logistic_nll else "no odds",
        }
        for label, (nll, weights) in models.items()
    ]


def factors():
    """What the factor between the weights is where the two curves are made to agree: closed forms."""
    return [
        {"where": "equal slopes at P = ½: √(8/π)", "factor": math.sqrt(8 / math.pi)},
        {"where": "equal deviations: π/√3", "factor": math.pi / math.sqrt(3)},
    ]


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    parts = prepare(splits, settings)
    rows, count = candidates(settings, *parts[:2])
    (x, y), _, test = train, _, test = [(x[:, : count + 1], y) for x, y in parts]
    logistic, probit = newton(logistic_nll, x, y), newton(probit_nll, x, y)
    w, v = logistic[-1], probit[-1]
    choice = {name: getattr(settings, name) for name in ("epochs", "learning_rate", "batch_size")}
    walk = sgd(logistic_nll, x, y, rng=np.random.default_rng(settings.seed), **choice)
    least, batches = logistic_nll(w, x, y)[0], (len(walk) - 1) // settings.epochs
    plane = x[:, :3]  # the picture: two inputs
    ratio, names = float(w[1:] @ v[1:] / (v[1:] @ v[1:])), names_of(splits, count)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x[:, 1:], y)
    table = readings(w, v, train, test)
    excess = {
        "Newton": [logistic_nll(at, x, y)[0] - least for at in logistic],
        "SGD": [logistic_nll(at, x, y)[0] - least for at in walk[::batches]],
    }
    return Result(
        scores={
            "test_accuracy": table[2]["test accuracy"],
            "test_nll": table[2]["test NLL"],
            "coefficient_ratio": ratio,
            "same_decisions": float(np.mean((test[0] @ w > 0) == (test[0] @ v > 0))),
            "cost_of_the_wrong_name": table[0]["training NLL"] - table[2]["training NLL"],
            "distance_from_scikit_learn": float(np.abs(w[1:] - peer.coef_[0]).max() / np.abs(w).max()),
            "newton_steps": len(logistic) - 1,
            "sgd_above_the_minimum": excess["SGD"][-1],
        },
        arrays={
            "points": plane[:, 1:],
            "y": y,
            "names": names_of(splits, 2)[1:],
            "classes": settings.classes,
            "lines": {
                "SGD": sgd(logistic_nll, plane, y, rng=np.random.default_rng(settings.seed), **choice),
                "logistic": newton(logistic_nll, plane, y)[-1],
                "probit": newton(probit_nll, plane, y)[-1],
            },
            "excess": excess,
            "ratio": ratio,
        },
        tables={
            "What was claimed and what is so": table,
            "Inputs, chosen on validation": rows,
            "The largest weights of two models of the same data": [
                {"input": names[i], "logistic": float(w[i]), "probit": float(v[i]), "ratio": float(w[i] / v[i])}
                for i in np.argsort(-np.abs(w))[:6]
            ],
            "The factor between the weights": [*factors(), {"where": "measured, all inputs", "factor": ratio}],
        },
        data=(splits,),
        parameters={"logistic": len(w), "probit": len(v)},
    )


def draw_boundaries(arrays):
    """The line of SGD behind 1, 4, 16, … batches, and the lines of both models at their minimum."""
    drawing, axes = plots.figure(6.4, 5.0)
    points, y = arrays["points"], arrays["y"]
    for label, marker in ((0, "o"), (1, "^")):
        shown = points[y == label][:600]  # more would only cover one another
        axes.scatter(*shown.T, s=12, marker=marker, alpha=0.45, linewidth=0, label=arrays["classes"][label])
    low, high = np.percentile(points, 0.5, axis=0) - 0.4, np.percentile(points, 99.5, axis=0) + 0.4
    across = np.array([low[0], high[0]])

    def draw(w, **options):
        if abs(w[2]) > 1e-12:
            axes.plot(across, -(w[0] + w[1] * across) / w[2], **options)

    walk = arrays["lines"]["SGD"]
    at = [step for step in 4 ** np.arange(12) if step < len(walk)]
    for i, step in enumerate(at):
        label = f"SGD, batch {step}" if i in (0, len(at) - 1) else None
        draw(walk[step], color=str(0.75 - 0.6 * i / len(at)), linewidth=1, label=label)
    draw(arrays["lines"]["logistic"], color="black", linewidth=2.2, label="logistic, minimum")
    draw(arrays["lines"]["probit"], color=plots.COLOURS[3], linewidth=1.6, linestyle="--", label="probit, minimum")
    axes.set(xlim=across, ylim=(low[1], high[1]), title="P = ½ on two inputs: SGD moves it, Newton's is black")
    axes.set(xlabel=f"{arrays['names'][0]} (deviations)", ylabel=f"{arrays['names'][1]} (deviations)")
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawing


def draw_links(ratio):
    """Both probabilities where their weights have been fitted to one data set, and what each makes of an outlier."""
    z = np.linspace(-7, 7, 281)  # of the logistic model
    curves = {
        "logistic: σ(z)": (np.logaddexp(0, -z), "-"),
        f"probit, fitted: Φ(z / {ratio:.2f})": (-log_ndtr(z / ratio), "-"),
        f"claimed: σ(z / {ratio:.2f})": (np.logaddexp(0, -z / ratio), "--"),
    }
    drawing, (left, right) = plots.panels(1, 2)
    for label, (nll, style) in curves.items():
        left.plot(z, np.exp(-nll), style, label=label)
        right.plot(z, nll, style)
    left.set(xlabel="z of the logistic model", ylabel="P(y = 1)", title="nearly one curve, and the claimed one")
    right.set(xlabel="z of the logistic model", ylabel="−log P(y = 1), nats", title="the price of an outlier")
    left.legend(frameon=False, fontsize="small")
    return drawing


def draw_descent(excess):
    """How far above the minimum each method is behind each pass over the examples."""
    drawing, axes = plots.figure()
    for label, values in excess.items():
        shown = [value if value > 1e-14 else np.nan for value in values]  # 0, or rounding
        axes.plot(range(len(shown)), shown, label=label, marker="o" if len(shown) < 30 else None, markersize=3.5)
    axes.set(xlabel="passes over the examples", ylabel="NLL above the minimum (nats)", yscale="log")
    axes.set(title="Newton doubles its digits, SGD does not", xscale="symlog", xlim=(0, None))
    axes.legend(frameon=False, fontsize="small")
    return drawing


def figures(result):
    arrays = result.arrays
    return {
        "boundary": draw_boundaries(arrays),
        "links": draw_links(arrays["ratio"]),
        "descent": draw_descent(arrays["excess"]),
    }


EXERCISE = Exercise(
    source="S3: logistic regression by its negative log-likelihood, which was a probit model",
    small=Settings(),
    full=Settings(
        dataset="fashion_mnist",
        source="full",
        classes=("T-shirt/top", "shirt"),
        inputs=(2, 10, 50, 200),
        epochs=20,
        learning_rate=0.1,
        batch_size=64,
    ),
    quick=Settings(inputs=(2, 3), epochs=3),
    run=run,
    figures=figures,
    expect={
        "test_accuracy": Band(0.85, 1.0),
        "coefficient_ratio": Band(1.78, 1.9),
        "same_decisions": Band(0.95, 1.0),
        "cost_of_the_wrong_name": Band(0.018, 0.042),  # 0 when the two models are one
        "distance_from_scikit_learn": Band(0, 1e-4),
        "newton_steps": Band(6, 13),
        "sgd_above_the_minimum": Band(0, 0.003),
    },
)
