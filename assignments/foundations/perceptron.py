"""One unit: what can a single neuron learn, and why does the sample 000 stay at one half?

A sigmoid unit is trained by gradient descent on four samples, 110 → 1, 100 → 1, 010 → 0, 000 → 0, one at a time and
all at once. Its answer to 000 never leaves .5. The course's source blamed vanishing gradients. The cause is another:
the unit has no bias, so its input there is 0 whatever the weights are, and the gradient by every weight is 0, exactly
and from the first round on. With a bias all four samples come out right.

You write `gradient`, the derivative of the loss by the weights, and `perceptron_rule`, which learns from mistakes alone
and, where a line can part the classes, stops after a number of them that Novikoff's bound gives in advance.

Rosenblatt (1958), "The perceptron"; Novikoff (1962), "On convergence proofs on perceptrons".
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.base import require
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed

import numpy as np

CLAIMED = (0.952, 0.997, 0.060, 0.500)  # S2: the unit's answers to the four samples


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"  # two of its classes are told apart by the perceptron rule
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    rounds: Count = 1000  # passes over the four samples
    learning_rate: Positive = 0.5  # of the sigmoid unit
    passes: Count = 100  # most passes of the perceptron rule over its examples
    seed: Seed = 0


def samples(bias):
    """The four samples and their answers; with a bias each has a 1 in front."""
    x = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], float)
    return np.hstack([np.ones((4, 1)), x]) if bias else x, np.array([1.0, 1, 0, 0])


@blank(
    "foundations/perceptron",
    hints=(
        "Chain rule in three links: loss by output, output by z, z by weights.",
        "The derivative of the sigmoid is p (1 - p), with p its value: what does that make of x = 0?",
        "½ (p - y)² has the derivative (p - y) p (1 - p) x by the weights; take the mean over the samples.",
    ),
)
def gradient(weights, x, y):
    """dL/dw for L the mean of ½ (σ(x·w) - y)² over the samples.

    weights: (inputs,). x: (n, inputs). y: (n,), answers from 0 to 1. Returns shape (inputs,).
    """
    p = scratch.sigmoid(x @ weights)  # (n,)
    # dL/dw = mean of (p - y) p (1 - p) x
    return (p - y) * p * (1 - p) @ x / len(x)


@blank(
    "foundations/perceptron",
    hints=(
        "A sample is right when x·w has the sign of y; 0 is no answer and counts as a mistake.",
        "Only a mistake changes the weights: add y x. There is no learning rate, since the scale of w decides nothing.",
        "A pass without a mistake ends it. Keep the weights behind each mistake: they are the lines of the figure.",
    ),
)
def perceptron_rule(x, y, passes):
    """Goes over the samples in their order, again and again, and adds y x to the weights at each mistake.

    x: (n, inputs), with a column of ones where a bias is wanted. y: (n,), each -1 or 1. Weights start at 0.
    Returns the weights behind each mistake, shape (mistakes + 1, inputs), zeros first; it stops at the first pass
    without a mistake, or after `passes`.
    """
    history = [np.zeros(x.shape[1])]
    for _ in range(passes):
        before = len(history)
        for sample, sign in zip(x, y, strict=True):
            if sign * (sample @ history[-1]) <= 0:
                history.append(history[-1] + sign * sample)
        if len(history) == before:
            break
    return np.array(history)


def train(settings, *, bias, batch, seed):
    """The unit's answers to the four samples behind each round, (rounds, 4), and its last weights."""
    x, y = samples(bias)
    weights = np.random.default_rng(seed).uniform(-1, 1, x.shape[1])
    answers = []
    for _ in range(settings.rounds):
        for rows in [slice(None)] if batch else [slice(i, i + 1) for i in range(len(x))]:
            weights = weights - settings.learning_rate * gradient(weights, x[rows], y[rows])
        answers.append(scratch.sigmoid(x @ weights))
    return np.array(answers), weights


def novikoff(x, y, weights):
    """The most mistakes that the rule can make: (R / γ)², from the margin γ of a line that parts the classes.

    InputError when `weights` do not part them.
    """
    margin = float(np.min(y * (x @ weights)) / np.linalg.norm(weights))
    require(margin > 0, "weights", "a line that parts the classes", f"a margin of {margin:.3g}")
    return float(np.max(np.sum(x**2, axis=1)) / margin**2)


def cloud(seed, n=60):
    """Points (n, 3), a 1 in front, on two sides of a line with room between, and their signs."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (4 * n, 2))
    distance = points @ [0.8, 0.6] - 0.2
    kept = np.flatnonzero(np.abs(distance) > 0.08)[:n]
    return np.hstack([np.ones((n, 1)), points[kept]]), np.sign(distance[kept])


def zero_or_one(split):
    """The images of 0 and 1 as vectors with a 1 in front, and their signs."""
    rows = np.flatnonzero(split.y < 2)
    x = split.x[rows].reshape(len(rows), -1).astype(float)
    return np.hstack([np.ones((len(rows), 1)), x]), np.where(split.y[rows] == 1, 1.0, -1.0)


def run(settings, log):
    runs = {
        "no bias, one at a time": train(settings, bias=False, batch=False, seed=settings.seed),
        "no bias, all at once": train(settings, bias=False, batch=True, seed=settings.seed),
        "bias, one at a time": train(settings, bias=True, batch=False, seed=settings.seed),
        "bias, all at once": train(settings, bias=True, batch=True, seed=settings.seed),
    }
    x, y = samples(bias=False)
    fourth = gradient(runs["no bias, one at a time"][1], x[3:], y[3:])
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    images, signs = zero_or_one(splits.train)
    lines = perceptron_rule(images, signs, settings.passes)
    held_out, truth = zero_or_one(splits.test)
    points, sides = cloud(settings.seed)
    moves = perceptron_rule(points, sides, 1000)
    plain = runs["no bias, one at a time"][0][-1]
    return Result(
        scores={
            "answer_to_000": float(plain[3]),
            "answer_to_000_with_bias": float(runs["bias, one at a time"][0][-1][3]),
            "gradient_of_000": float(np.abs(fourth).max()),
            "distance_from_the_source": float(np.abs(plain - CLAIMED).max()),
            "mistakes_within_the_bound": (len(moves) - 1) / novikoff(points, sides, moves[-1]),
            "test_accuracy_0_or_1": float(np.mean(np.sign(held_out @ lines[-1]) == truth)),
        },
        arrays={"answers": {k: a for k, (a, _) in runs.items()}, "points": points, "sides": sides, "moves": moves},
        tables={
            f"Answers behind {settings.rounds} rounds": [
                {"sample": name, "wanted": want, "source (S2)": claim}
                | {label: float(a[-1][i]) for label, (a, _) in runs.items()}
                for i, (name, want, claim) in enumerate(zip(("110", "100", "010", "000"), y, CLAIMED, strict=True))
            ],
            "Why 000 stays at .5": [
                {
                    "explanation": "the source: its gradient vanishes",
                    "what that would mean": "small, and smaller with time",
                },
                {
                    "explanation": "so: there is no bias",
                    "what that would mean": f"exactly 0 at every round; measured {np.abs(fourth).max():g}",
                },
            ],
        },
        data=(splits,),
        parameters={"unit": 3, "unit with bias": 4},
    )


def figures(result):
    arrays = result.arrays
    drawing, grid = plots.panels(1, 2)
    for axes, label in zip(grid, ("no bias, one at a time", "bias, one at a time"), strict=True):
        for i, name in enumerate(("110 → 1", "100 → 1", "010 → 0", "000 → 0")):
            axes.plot(range(1, len(arrays["answers"][label]) + 1), arrays["answers"][label][:, i], label=name)
        axes.set(xlabel="round", ylabel="answer", title=label, xscale="log", ylim=(-0.02, 1.02))
    grid[1].legend(frameon=False, fontsize="small")
    lines, axes = plots.figure(5.2, 4.6)
    points, sides, moves = arrays["points"], arrays["sides"], arrays["moves"]
    for side, marker in ((1, "o"), (-1, "s")):
        axes.scatter(*points[sides == side, 1:].T, marker=marker, s=16, label=f"class {side:+d}")
    across = np.array([-1.2, 1.2])
    for step, (w0, w1, w2) in enumerate(moves[1:], 1):
        if abs(w2) > 1e-12:
            last = step == len(moves) - 1
            axes.plot(
                across,
                -(w0 + w1 * across) / w2,
                color="black",
                alpha=1.0 if last else 0.08 + 0.4 * step / len(moves),
                linewidth=2 if last else 1,
                label=f"behind all {step} mistakes" if last else None,
            )
    axes.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xlabel="x₁", ylabel="x₂", title="the line, moved by each mistake")
    axes.legend(frameon=True, fontsize="small", loc="upper right")
    return {"answers": drawing, "boundary": lines}


EXERCISE = Exercise(
    source="S2: the perceptron on four samples",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", passes=30),
    quick=Settings(rounds=50, passes=5),
    run=run,
    figures=figures,
    expect={
        "answer_to_000": Band(0.5, 0.5),
        "answer_to_000_with_bias": Band(0.0, 0.2),
        "gradient_of_000": Band(0, 0),
        "distance_from_the_source": Band(0, 0.002),
        "mistakes_within_the_bound": Band(0, 1),
        "test_accuracy_0_or_1": Band(0.97, 1.0),
    },
)
