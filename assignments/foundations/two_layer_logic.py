"""NOT((x₀ XOR x₁) AND x₂): what can two layers say that no single unit can?

Eight rows of three bits. No line parts the rows that are true from those that are false, which a linear program proves,
so one unit is wrong somewhere whatever its weights; hidden units solve it, the more of them the more surely. You write
the network: `forward`, and `gradients`, the chain rule by hand, averaged over the rows.

The course's source measured the "summed difference" between answers and truth, 1.119 for one unit; the protocol that
gives this number is the Euclidean distance behind 10,000 rounds, one row at a time, rate .5, no bias, and the run
repeats it.

Minsky and Papert (1969), "Perceptrons", for what a unit cannot do; Rumelhart, Hinton and Williams (1986) for what
hidden units can.
"""

import itertools
from dataclasses import dataclass

from keras_course import plots, scratch
from keras_course.exercise import Band, Exercise, Floor, Result, blank
from keras_course.settings import Count, Positive, Seed

import numpy as np
from scipy.optimize import linprog

ROWS = tuple(itertools.product((0, 1), repeat=3))


@dataclass(frozen=True)
class Settings:
    hidden: Count = 4  # units of the network whose answers are shown
    most_hidden: Count = 8  # the share of solved starts is measured for 1 to so many units
    starts: Count = 10  # random starts for each number of units
    rounds: Count = 3000  # steps of descent on all rows at once
    single_rounds: Count = 10000  # rounds of the single unit, one row at a time, as in the source
    learning_rate: Positive = 10.0  # of the networks; gradients are averaged, so it may be large
    seed: Seed = 0


def truth_table():
    """The eight rows, (8, 3), and NOT((x₀ XOR x₁) AND x₂), (8,)."""
    x = np.array(ROWS, float)
    return x, 1 - (x[:, 0] != x[:, 1]) * x[:, 2]


@blank(
    "foundations/two_layer_logic",
    hints=(
        "Two dense layers, each with a bias and a sigmoid; `scratch.sigmoid` is there.",
        "The hidden values are needed for the gradients: return them too.",
    ),
)
def forward(parameters, x):
    """The hidden values and the answers of the network, both behind a sigmoid.

    parameters: "w1" (inputs, hidden), "b1" (hidden,), "w2" (hidden,), "b2" (). x: (n, inputs).
    Returns (n, hidden) and (n,).
    """
    hidden = scratch.sigmoid(x @ parameters["w1"] + parameters["b1"])
    return hidden, scratch.sigmoid(hidden @ parameters["w2"] + parameters["b2"])


@blank(
    "foundations/two_layer_logic",
    hints=(
        "Begin at the answers: the derivative of the loss by the last pre-activation, one number for each row.",
        "Through w2 it reaches every hidden unit; each has its own σ' = h (1 - h).",
        "The loss is a mean over the rows: divide by their number once, at the start, and every gradient has it.",
    ),
)
def gradients(parameters, x, y):
    """The derivatives of L, the mean over the rows of ½ (answer - y)², by all parameters: same keys and shapes."""
    hidden, p = forward(parameters, x)
    # δ₂ = dL/dz₂ = (p - y) p (1 - p) / n and δ₁ = dL/dz₁ = δ₂ w₂ h (1 - h)
    delta2 = (p - y) * p * (1 - p) / len(x)  # (n,)
    delta1 = np.outer(delta2, parameters["w2"]) * hidden * (1 - hidden)  # (n, hidden)
    return {"w1": x.T @ delta1, "b1": delta1.sum(axis=0), "w2": hidden.T @ delta2, "b2": delta2.sum()}


@blank(
    "foundations/two_layer_logic",
    hints=(
        "A unit is right on a row when s (w·x + b) > 0, with s = +1 for true rows and -1 for false ones.",
        "The scale of w is free, so s (w·x + b) ≥ 1 asks the same. These are linear inequalities in w and b.",
        "`scipy.optimize.linprog` with a zero objective, A_ub = -s [x, 1], b_ub = -1 and bounds (None, None): status 0 "
        "means that there is such a unit, 2 that there is none.",
    ),
)
def separable(x, y):
    """Whether one unit can be right on all rows: a linear program. x: (n, inputs). y: (n,), each 0 or 1."""
    sign = np.where(y > 0.5, 1.0, -1.0)
    rows = np.hstack([x, np.ones((len(x), 1))]) * sign[:, None]
    found = linprog(np.zeros(rows.shape[1]), A_ub=-rows, b_ub=-np.ones(len(x)), bounds=(None, None))
    return found.status == 0


def start(inputs, hidden, rng):
    """Random parameters."""
    return {
        "w1": rng.normal(0, 1, (inputs, hidden)),
        "b1": rng.normal(0, 1, hidden),
        "w2": rng.normal(0, 1, hidden),
        "b2": np.zeros(()),
    }


def train(settings, hidden, seed):
    """Trains one network; returns its parameters and the distance of its answers from the truth at every round."""
    x, y = truth_table()
    parameters, distances = start(x.shape[1], hidden, np.random.default_rng((settings.seed, hidden, seed))), []
    for _ in range(settings.rounds):
        found = gradients(parameters, x, y)
        parameters = {name: w - settings.learning_rate * found[name] for name, w in parameters.items()}
        distances.append(float(np.linalg.norm(forward(parameters, x)[1] - y)))
    return parameters, distances


def single_unit(settings):
    """The answers of one unit without a bias, trained as the source did, one row at a time."""
    x, y = truth_table()
    weights = np.random.default_rng(settings.seed).uniform(-1, 1, 3)
    for _ in range(settings.single_rounds):
        for row, target in zip(x, y, strict=True):
            p = scratch.sigmoid(row @ weights)
            weights = weights - 0.5 * (p - target) * p * (1 - p) * row
    return scratch.sigmoid(x @ weights)


def most_right(x, y):
    """The most rows on which any single unit is right: the largest part of them that a line can part."""
    for wrong in range(len(x) + 1):
        for left_out in itertools.combinations(range(len(x)), wrong):
            kept = [i for i in range(len(x)) if i not in left_out]
            if separable(x[kept], y[kept]):
                return len(kept)
    return 0


def run(settings, log):
    x, y = truth_table()
    one = single_unit(settings)
    runs = {h: [train(settings, h, s) for s in range(settings.starts)] for h in range(1, settings.most_hidden + 1)}
    solved = {h: float(np.mean([d[-1] <= 0.15 for _, d in found])) for h, found in runs.items()}
    shown = min(runs[min(settings.hidden, settings.most_hidden)], key=lambda pair: pair[1][-1])
    answers = forward(shown[0], x)[1]
    labelings = sum(separable(x, np.array(bits)) for bits in itertools.product((0, 1), repeat=8))
    if log is not None:
        for step, distance in enumerate(shown[1], 1):
            if step % 100 == 0:
                log.scalars("network", step, {"distance": distance})
    return Result(
        scores={
            "distance_one_unit": float(np.linalg.norm(one - y)),
            "distance_hidden": float(np.linalg.norm(answers - y)),
            "rows_right_at_most_one_unit": most_right(x, y),
            "labelings_a_unit_can_learn": labelings,
            "share_solved": solved[min(settings.hidden, settings.most_hidden)],
        },
        arrays={"solved": solved, "distances": {h: [d for _, d in found] for h, found in runs.items()}},
        tables={
            "Answers": [
                {
                    "x₀ x₁ x₂": " ".join(map(str, row)),
                    "truth": int(target),
                    "one unit": float(a),
                    f"{settings.hidden} hidden units": float(b),
                }
                for row, target, a, b in zip(ROWS, y, one, answers, strict=True)
            ],
            "Summed difference, which is the Euclidean distance": [
                {"network": "one unit", "source (S2)": 1.119, "measured": float(np.linalg.norm(one - y))},
                {
                    "network": f"{settings.hidden} hidden units, the best of {settings.starts} starts",
                    "source (S2)": 0.15,
                    "measured": float(np.linalg.norm(answers - y)),
                },
            ],
        },
        parameters={f"{settings.hidden} hidden units": sum(w.size for w in shown[0].values())},
    )


def figures(result):
    arrays = result.arrays
    steps = slice(None, None, 20)
    kept = [h for h in (1, 2, 4, 8) if h in arrays["distances"]]
    return {
        "solved": plots.bars(
            {str(h): share for h, share in arrays["solved"].items()},
            ylabel="share of the starts that end within .15",
            title="hidden units",
        ),
        "distance": plots.band(
            {f"{h} hidden": np.array(arrays["distances"][h])[:, steps] for h in kept},
            x=np.arange(1, len(arrays["distances"][1][0]) + 1)[steps],
            xlabel="round",
            ylabel="distance from the truth",
            title="mean and range over the starts",
        ),
    }


EXERCISE = Exercise(
    source="S2: a logic function with one unit and with hidden units",
    small=Settings(),
    full=Settings(starts=50, rounds=6000),
    quick=Settings(most_hidden=2, hidden=2, starts=2, rounds=20, single_rounds=20),
    run=run,
    figures=figures,
    expect={
        "distance_one_unit": Band(1.117, 1.121),
        "distance_hidden": Band(0, 0.15),
        "rows_right_at_most_one_unit": Band(7, 7),
        "labelings_a_unit_can_learn": Band(104, 104),
        "share_solved": Band(0.4, 1.0),
    },
    floors={"distance_hidden": Floor(0.15, "S2, four hidden units", at_most=True)},
)
