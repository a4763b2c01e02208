"""Whether a training is harmed: how much of what a simple model learns from the same data it has learned."""

import dataclasses

from keras_course.diagnostics.losses import (
    ABSOLUTE,
    CROSS,
    SQUARED,
    baseline_of,
    class_weights,
    least_of,
    own_and_minimised,
    scale_of,
    weighed_by_example,
)
from keras_course.diagnostics.observation import Observation
from keras_course.diagnostics.references import reference_of
from keras_course.diagnostics.seen import takes_turns
from keras_course.diagnostics.statistics import classes_of

import numpy as np


@dataclasses.dataclass(kw_only=True)
class Harm:
    """degree: 0 when the training reaches what it can, 1 when it is no better than a constant, more when it is worse.

    sentence: the comparison in words. baseline: the loss of the best constant. reference: of a simple model.
    attained: where neither is known, the share of what a short training by Adam gains that this one has not gained.
    elsewhere: the degree by the validation loss, or by the loss that the last weights give the first batches, where it
    is larger: batches of one class are easy, one after the other.
    """

    degree: float
    sentence: str
    diverged: bool = False
    baseline: float | None = None
    reference: float | None = None
    end: float | None = None
    still_falling: bool = False
    elsewhere: float = 0.0
    attained: float | None = None

    def __bool__(self) -> bool:
        return self.degree > 0.5


def harm_of(seen: Observation) -> Harm:
    """The harm of one training, by its loss without a number that is always added, or by the negative of what it
    climbs."""
    harm = _harm(seen)
    if not seen.loss.climbed and not seen.loss.offset:
        return harm
    name = "the negative of what is climbed" if seen.loss.climbed else f"the loss less {seen.loss.offset:.3g}"
    return dataclasses.replace(harm, sentence=harm.sentence.replace("the loss", name, 1))


def _harm(seen: Observation) -> Harm:
    steps = seen.steps
    if steps is None or not len(steps.all_losses):
        return Harm(degree=0.0, sentence="no step was seen")
    losses = steps.all_losses
    if not np.all(np.isfinite(losses)):
        first = int(np.flatnonzero(~np.isfinite(losses))[0]) + max(steps.count - len(losses), 0)
        return Harm(
            degree=2.0, sentence=f"the loss is {losses[~np.isfinite(losses)][0]} at step {first}", diverged=True
        )
    tail = losses[-max(len(losses) // 10, min(10, len(losses))) :]
    end, error = float(np.mean(tail)), float(np.std(tail) / np.sqrt(len(tail)))
    start = float(np.mean(losses[: max(min(5, len(losses) // 4), 1)]))
    falling = _falling(losses)
    if impossible(seen):
        return Harm(degree=2.0, sentence=f"the loss ends at {end:.3g}, and {seen.loss.name} is never below 0", end=end)
    made = made_by_the_program(seen)
    if made and not seen.alone:
        words = f"the loss ends at {end:.3g} in a game of two, whose balance is no failure"
        return Harm(degree=0.0, sentence=words, end=end)
    best, reference, scale = baseline_of(seen), None, scale_of(seen)
    least = scale * least_of(seen)
    # A loss that is below 0, and not impossible, is not the one of its name.
    odd = (float(np.min(losses)) < -1e-3 and seen.loss.name in CROSS) or weighed_by_example(seen)
    if best is not None and scale * best - least > 1e-3 and not odd:
        best *= scale
        # of examples that all count alike, and whose targets are not made by the program
        reference = None if class_weights(seen) or made else reference_of(seen)
        reference = None if reference is None else scale * reference
        low = min(max(reference if reference is not None else least, least), best - 0.1 * (best - least))
        key = f"val_{next(iter(seen.losses))}_loss" if len(seen.losses) > 1 else "val_loss"
        values = [row[key] for row in seen.epochs if np.isfinite(row.get(key, np.nan))]
        # dropout makes the training loss the larger one; so do weights of classes, which validation does not have
        drawn = seen.experiments.get("draws") and not class_weights(seen)
        known, total = np.array(own_and_minimised(seen)).reshape(-1, 2)[-5:].T
        known, several = scale * known, len(seen.losses) > 1  # without what is added
        beside = seen.interface == "loop" and len(known) == 5 and bool(np.all(known < ALONE * total))
        beside = beside and not class_weights(seen)  # which are no second thing that is minimised
        own = [float(np.mean(known))] if len(known) and (scale != 1 or several or beside) else []
        if own and several:
            end = own[0]  # of several outputs, of which the constant is that of the first
        judged_by = [end, *own, *(values[-1:] if drawn else [])]
        degree = (min(judged_by) - low) / (best - low)
        judged = values[-1] if values else 2 * end
        nothing = best - 0.05 * (best - least)
        if reference is not None and min(reference, judged) > nothing:
            degree = max(degree, 0.5)  # what can be learned by heart is not what was to be learned
        if made and end < 0.97 * best:  # pairs inside of a batch: how many can be told apart nobody knows
            degree = 0.0
        other = [loss for loss in (*values[-1:], seen.experiments.get("forgotten", np.nan)) if np.isfinite(loss)]
        words = f"the loss ends at {end:.3g}, the best constant gives {best:.3g}"
        if reference is not None:
            words += f", a simple model {reference:.3g}"
        return Harm(
            degree=float(np.clip(degree, 0, 5)),
            sentence=words,
            diverged=end > 3 * max(best, 1e-12) and end > 1.5 * start,
            baseline=best,
            reference=reference,
            end=end,
            still_falling=falling,
            elsewhere=max(((loss - low) / (best - low) for loss in other), default=0.0),
        )
    # Without a known target only progress can be judged: none at all, or uphill, is harm.
    moved = (start - end) / max(abs(start), 1e-12)
    grew = end > start + 3 * error and moved < -0.2
    diverged = (grew and end > 10 * abs(start)) or end < -1e4 * max(abs(start), 1.0)  # or down without end
    grew = grew and (seen.alone or diverged)  # what another network makes may be the harder the better that one gets
    blind, chance = blind_at_the_end(seen), accuracy_of_chance(seen)
    words = f"the loss goes from {start:.3g} to {end:.3g}" + ", and the prediction is constant" * blind
    if untold := not blind and tells_nothing(seen):
        words += ", and what belongs to other inputs costs no more"
    lost = grew or abs(moved) < 0.01 or blind or chance or untold
    short, reached = shortfall(seen, end), attained(seen)
    if short > ENOUGH:
        words += f", where a short training by Adam reaches {reached:.3g}"
    return Harm(
        degree=max(
            1.0 if lost else STALLED if seen.alone and _stalled(losses) else 0.0,
            min(2 * short, 1.0) if short > ENOUGH else 0.0,  # to lack half of what so short a training gains is all
        ),
        sentence=f"{words}, {chance}" if chance else words,
        diverged=diverged,
        end=end,
        still_falling=falling,
        attained=short if short > ENOUGH else None,
    )


LITTLE = 0.03  # of the loss


def tells_nothing(seen: Observation) -> bool:
    """Whether the last weights lose no more, by three standard errors, or by 3 % of the loss, where inputs of a batch
    stand beside what belongs to other rows of it. Nothing of losses of both signs, as those of a policy, which are 0 in
    the mean."""
    e = seen.experiments
    losses = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    if "exchanged_gain" not in e or not seen.alone or min(np.mean(losses > 0), np.mean(losses < 0)) > 0.1:
        return False
    return bool(e["exchanged_gain"] < max(3 * e["exchanged_error"], LITTLE * abs(e["exchanged_loss"])))


ALONE = 0.8  # of what is minimised, below which in all of the last looks something else is minimised beside the loss

ENOUGH = (
    0.2  # of what a short training by Adam gains: of 18 healthy runs with such a loss none was further from it than .09
)


def attained(seen: Observation) -> float | None:
    """The loss that a short training by Adam reaches, from the better of two starts; None where it says nothing.

    Nothing of a loss that goes below 0, as that of a policy, which gains by any step and has no end; nor where there is
    next to nothing to gain, less than a twentieth of the loss before any step.
    """
    e = seen.experiments
    best = min(e.get("attained_own", np.inf), e.get("attained_fresh", np.inf))
    return best if np.isfinite(best) and 0 <= best < 0.95 * e["attained_from"] else None


def shortfall(seen: Observation, end: float) -> float:
    """The share of what a short training by Adam gains that the script has not gained: 0 where it reaches as much.

    By the lower of the loss that its last weights give the same batches, and that of its last steps: batches of the
    beginning may be of another time.
    """
    best = attained(seen)
    if best is None:
        return 0.0
    last = min(loss for loss in (seen.experiments["attained_last"], end) if np.isfinite(loss))
    return max((last - best) / (seen.experiments["attained_from"] - best), 0.0)


STALLED = 0.45  # of harm: a mechanism may be named, a curve may not


def _stalled(losses: np.ndarray) -> bool:
    """Whether the last tenth of the steps is not significantly below the first, by three standard errors; or not below
    the first loss of all, from which it jumped."""
    n = len(losses) // 10
    if n < 5:
        return False
    if np.max(losses[:n]) > 100 * losses[0] > 0:
        return bool(np.mean(losses[-n:]) > 0.8 * losses[0])
    first, last = losses[:n], losses[-n:]
    error = np.sqrt((np.var(first) + np.var(last)) / n)
    return bool(np.mean(last) > np.mean(first) - 3 * error and np.mean(last) > 0.8 * np.mean(first) > 0)


def impossible(seen: Observation) -> bool:
    """Whether the loss is below 0, where it has a name whose loss cannot be.

    Not where the loss of the batches by its definition is none of it: one that is weighted by an advantage may be
    anything. Its negative is what is minimised when the two move against each other.
    """
    losses = seen.steps.all_losses if seen.steps is not None else np.zeros(0)
    losses = losses[np.isfinite(losses)]  # downwards without end it is soon no number
    if not len(losses) or seen.loss.name not in (*CROSS, SQUARED, ABSOLUTE) or not float(np.min(losses)) < -1e-3:
        return False
    known = np.array(own_and_minimised(seen)).reshape(-1, 2)
    if len(known) < 4 or seen.interface == "fit":
        return not seen.losses  # a sum of several has no name
    own, total = known.T
    return own.min() < -1e-3 or (np.std(own) > 0 and bool(np.corrcoef(own, total)[0, 1] < -0.9))


def made_by_the_program(seen: Observation) -> bool:
    """Whether other inputs have the same labels in the same order each time: the ones and zeros of a game of two; or
    batches of ones take turns with batches of zeros, beside another network that is trained."""
    looks = [(p.x, p.y) for p in seen.probes if p.x is not None and p.y is not None and np.ndim(p.y)]
    looks = [(x, y) for x, y in looks if len(y) == len(looks[0][1])]  # the last batch of an epoch is shorter
    if len(looks) < 4 or len(looks[0][1]) < 8:
        return False
    if not seen.alone and takes_turns([y.reshape(-1) for _, y in looks if y.dtype.kind in "iufb"]):
        return True
    (x, y), *others = looks
    if seen.alone and np.all(y == y[:1]):
        return False  # there is nobody to play against, and nothing to be told apart
    return all(np.array_equal(b, y) for _, b in others) and not any(np.array_equal(a, x) for a, _ in others)


def _falling(losses: np.ndarray) -> bool:
    """Whether the last third lies significantly below the third before it."""
    third = len(losses) // 3
    if third < 5:
        return False
    before, last = losses[-2 * third : -third], losses[-third:]
    error = np.sqrt(np.var(before) / third + np.var(last) / third)
    return bool(
        np.mean(before) - np.mean(last) > 3 * error and np.mean(before) - np.mean(last) > 0.02 * np.mean(before)
    )


def spread_over_inputs(output: np.ndarray) -> float:
    """How much a prediction varies over its batch, against its size."""
    out = output.astype("float64")
    return float(np.max(np.std(out, axis=0))) / max(float(np.max(np.abs(out))), 1e-30)


def blind_at_the_end(seen: Observation) -> bool:
    """Whether the prediction was the same for all inputs, which differed, in each of the last three closer looks."""
    looks = [(p.x, p.output) for p in seen.probes if p.x is not None and p.output is not None][-3:]
    if len(looks) < 3 or any(min(np.ndim(x), np.ndim(output)) < 1 or len(output) < 2 for x, output in looks):
        return False
    return all(np.any(x != x[:1]) and spread_over_inputs(output) <= 1e-6 for x, output in looks)


def accuracy_of_chance(seen: Observation) -> str:
    """In words, an accuracy of the last epoch that is no better than naming the most frequent class; "" otherwise."""
    y = seen.train.y if seen.train is not None else None
    labels = classes_of(y) if y is not None else None
    if labels is None or len(labels) < 100 or not seen.epochs:
        return ""
    common = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    error = np.sqrt(common * (1 - common) / len(labels))
    for name, value in seen.epochs[-1].items():
        if name in ("acc", "accuracy") and 0 < value < common + 3 * error and common < 0.9:
            return f"the {name} ends at {value:.2f}, the most frequent class has {common:.2f} of the rows"
    return ""
