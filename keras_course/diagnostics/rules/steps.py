"""Rules on how a step is written: rows 27 to 29 of the taxonomy."""

from keras_course.diagnostics.harm import impossible
from keras_course.diagnostics.losses import targets_of_training
from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.seen import BINARY, CATEGORICAL, DIFFERENCES

import numpy as np

KNOWN = (*CATEGORICAL, *BINARY, *DIFFERENCES, "poisson")


def not_applied(seen: Observation) -> list[Finding]:
    """Gradients are there and no weight ever changes.

    Threshold: the change of every variable is exactly 0 over at least 3 kept steps with a gradient above 0.
    Must not trigger: gradients summed up over several steps (some step changes something).
    Source: taxonomy row 27.
    """
    steps = seen.steps
    if steps is None:
        return []
    rows = np.all(np.isfinite(steps.update), axis=1) & np.any(np.nan_to_num(steps.gradient) > 0, axis=1)
    if rows.sum() < 3 or np.any(steps.update[rows] > 0):
        return []
    rate = seen.optimizer.rate
    return [
        Finding(
            cause="learning_rate_too_low" if rate == 0 else "optimiser_not_applied",
            confidence=1.0,
            certain=True,
            step=int(steps.index[rows][0]),
            tag="update_ratio",
            evidence=f"no weight changed by anything in {rows.sum()} measured steps, though gradients were up to "
            f"{np.nanmax(steps.gradient[rows]):.3g}" + (" and the learning rate is 0" if rate == 0 else ""),
            file=seen.file,
            line=seen.line,
        )
    ]


def sign_flipped(seen: Observation) -> list[Finding]:
    """The steps go along the gradient instead of against it.

    Threshold: change and gradient point the same way, by a cosine above 0.5 in all of two steps or more; or in at least
    9 of 10 of the first 50 kept steps, at least 8 of them (binomial p < .02 for each variable, and all together must
    agree); momentum and Adam lag, hence the first steps, of which the first two count by themselves, and the sum over
    variables. Steps count until their numbers end. Certain: a loss that cannot be below 0 is; logarithms of a softmax
    are minimised, by sums and positive factors alone; squares and the like that all enter with a minus go down without
    end, to ten times what they were; a score, by its name, equals the loss after every epoch and falls with it; a loss
    of the script's own falls by half while its predictions, from 0 to 1, come to be the larger the smaller their labels
    of 0 and 1 are. Must not trigger: a momentum that overshoots now and then; what climbs a likelihood on purpose.
    Source: taxonomy row 28.
    """
    steps = seen.steps
    if steps is None:
        return []
    least = float(np.min(steps.all_losses, initial=np.inf, where=np.isfinite(steps.all_losses)))
    if impossible(seen) and not _beyond_one(seen):
        text = f"the loss goes down to {least:.3g}, and {seen.loss.name} is never below 0: its negative is minimised"
        return [
            Finding(cause="gradient_sign_flipped", confidence=0.97, certain=True, step=0, tag="loss", evidence=text)
        ]
    if seen.experiments.get("turned") and least < 0:
        text = f"the logarithms of a softmax are minimised, down to {least:.3g}, and not "
        text += "their negatives: the right answers become the least likely ones"
        return [
            Finding(cause="gradient_sign_flipped", confidence=0.97, certain=True, step=0, tag="loss", evidence=text)
        ]
    first = float(steps.all_losses[0]) if len(steps.all_losses) else 0.0
    if seen.experiments.get("capped") and not seen.loss.climbed and least < -10 * max(abs(first), 1.0):
        text = f"what has an upper end, as a logarithm of a likelihood, is minimised: it goes from {first:.3g} down to "
        text += f"{least:.3g}"
        return [
            Finding(cause="gradient_sign_flipped", confidence=0.97, certain=True, step=0, tag="loss", evidence=text)
        ]
    if score := _minimised_score(seen) or _against_the_labels(seen):
        cause = "gradient_sign_flipped"
        return [Finding(cause=cause, confidence=0.95, certain=True, tag="epoch/loss", evidence=score)]
    product = steps.uphill[:50]
    size = np.nansum(steps.update * steps.gradient, axis=1)[:50]
    use = np.isfinite(product) & np.isfinite(size) & (size > 0)
    few = use.sum() >= 2 and np.all(product[use] / size[use] > 0.5)  # uphill the numbers soon end
    first = product[use][:2] > 0  # a rate beyond use overshoots from the third step on
    if not few and (use.sum() < 8 or not first.all() or np.mean(product[use] / size[use] > 0.02) < 0.9):
        return []
    return [
        Finding(
            cause="gradient_sign_flipped",
            confidence=0.97,
            step=int(steps.index[0]),
            tag="loss",
            evidence=f"{np.mean(product[use] > 0):.0%} of the first {use.sum()} steps went uphill, with a mean "
            f"cosine of "
            f"{np.mean(product[use] / size[use]):.2f} to the gradient (downhill is negative)",
            file=seen.file,
            line=seen.line,
        )
    ]


def _beyond_one(seen: Observation) -> bool:
    """Whether targets leave [0, 1], for which a binary cross-entropy has no lower end."""
    if seen.loss.name != "binary_crossentropy":
        return False
    targets = targets_of_training(seen)
    return targets is None or bool(targets.max() > 1 or targets.min() < 0)


SCORES = ("acc", "dice", "iou", "jaccard", "f1", "auc", "precision", "recall", "r2")  # in names: more of it is better


def _minimised_score(seen: Observation) -> str:
    """In words, a score that is the loss, up to a constant, at the end of each epoch and falls with it; "" without."""
    rows = [row for row in seen.epochs if np.isfinite(row.get("loss", np.nan))]
    for name in rows[0] if len(rows) >= 2 else ():
        if any(word in name.lower() for word in SCORES) and "loss" not in name and not name.startswith("val_"):
            values, losses = (np.array([row.get(key, np.nan) for row in rows]) for key in (name, "loss"))
            apart, fall = float(np.median(losses - values)), values[0] - values[-1]
            equal = np.all(np.abs(values - losses) < 1e-3 + 0.02 * np.abs(losses))
            moves = len(rows) > 2 and fall > 1e-3 and np.all(np.abs(losses - values - apart) < 0.02 * fall)
            if (equal or moves) and values.min() >= 0 and fall > 0:
                return (
                    f"{name}, of which more is better, is what is minimised: it falls from {values[0]:.3g} to "
                    f"{values[-1]:.3g} and " + ("equals the loss" if equal else f"is the loss less {apart:.3g}")
                )
    return ""


def _against_the_labels(seen: Observation) -> str:
    """In words, that a loss nobody knows falls while what is predicted moves away from labels of 0 and 1."""
    if seen.loss.name in KNOWN or seen.steps is None or seen.head not in ("sigmoid", "softmax"):
        return ""
    looks = [(p.output, p.y) for p in seen.probes if p.output is not None and p.y is not None]
    looks = [(o.reshape(-1), y.reshape(-1)) for o, y in looks if o.size == y.size > 1]
    looks = [(o, y) for o, y in looks if np.isin(y, (0, 1)).all() and np.ptp(y) > 0 and np.ptp(o) > 0]
    losses = seen.steps.all_losses[np.isfinite(seen.steps.all_losses)]
    tenth = max(len(losses) // 10, 1)
    if len(looks) < 6 or not 0 < np.mean(losses[-tenth:]) < 0.5 * np.mean(losses[:tenth]):
        return ""
    last = [float(np.corrcoef(o, y)[0, 1]) for o, y in looks[-3:]]
    if max(last) > -0.2:
        return ""
    return (
        f"the loss falls from {np.mean(losses[:tenth]):.3g} to {np.mean(losses[-tenth:]):.3g}, and what is predicted "
        f"comes to be correlated with the labels by {np.mean(last):.2f}: it is driven away from them"
    )


def loss_broadcast(seen: Observation) -> list[Finding]:
    """Predictions (n, 1) and targets (n,) were subtracted into n × n differences, or weights multiplied so.

    Certain: the shapes are in the graph. Source: taxonomy row 29.
    """
    if not seen.experiments.get("broadcast"):
        return []
    return [
        Finding(
            cause="loss_broadcast",
            confidence=1.0,
            certain=True,
            tag="loss",
            step=0,
            evidence="the loss takes tensors whose ranks differ, (n, 1) and (n,), together to n × n numbers",
            file=seen.file,
            line=seen.line,
        )
    ]


RULES = {
    "optimiser_not_applied": not_applied,
    "gradient_sign_flipped": sign_flipped,
    "loss_broadcast": loss_broadcast,
}
