"""What is tried on copies when a training is judged: a few dozen of its own steps, with one thing changed.

Each number goes into `Observation.experiments`, so that the rules stay functions of what was seen. Losses are relative:
1 is the loss before the first step, and what diverges is infinite.
"""

import contextlib
import time
from typing import Any

from keras_course.base import summary_of
from keras_course.diagnostics.graph import LINEAR, ancestors
from keras_course.diagnostics.observation import Observation
from keras_course.diagnostics.references import loss_of_models
from keras_course.diagnostics.replay import Own, Replay, optimizer_of, plain
from keras_course.diagnostics.seen import badly_mixed
from keras_course.diagnostics.trainings import Training

import keras
import numpy as np

STEPS = 20
FACTORS = {"same": 1.0, "tenth": 0.1, "ten": 10.0, "hundred": 100.0, "hundredth": 0.01, "thousandth": 0.001,
           "millionth": 1e-6}  # fmt: skip
SECONDS = 8.0  # of the processor, after which no further experiment is begun: a busy machine changes no verdict


def replay_of(training: Training, **changes: Any) -> Replay | None:
    """The steps of a training, to be run again; None when they were not seen well enough."""
    recorder = training.recorder
    if training.forward is None or recorder is None or not recorder.batches or not training.initial:
        return None
    batches = [b for b in recorder.batches if all(np.all(np.isfinite(a)) for a in b if a.dtype.kind == "f")]
    trained = [id(v.handle) for v in training.variables]
    return Replay(training.forward, batches or recorder.batches, training.initial, trained, **changes)


def rule_of(training: Training, seen: Observation, rate: float) -> Any:
    """The optimiser of the training at another rate, as a rule on arrays."""
    own = training.optimizer
    if isinstance(own, keras.optimizers.Optimizer) and not plain(own):
        with contextlib.suppress(Exception):  # one of the script's own need not be made from its settings
            return Own(own, rate)
    return optimizer_of(seen.optimizer.name, rate, seen.optimizer.momentum)


def rate_of(seen: Observation) -> float | None:
    """The learning rate: the peak of a schedule; of updates by hand, update over gradient where they are parallel."""
    if seen.optimizer.schedule is not None:
        return float(np.max(seen.optimizer.schedule))
    if seen.optimizer.rate is not None:
        return seen.optimizer.rate
    steps = seen.steps
    if steps is None or not len(steps.index):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = steps.update / steps.gradient
        usable = np.isfinite(ratio) & (ratio > 0)
        for cosine in (0.999, 0.5):  # a tiny rate drowns in the rounding of the weights
            parallel = ratio[usable & (np.abs(steps.aligned) > cosine)]
            if parallel.size:
                return float(np.median(parallel))
    return None


def run(training: Training, seen: Observation, *, harmed: bool) -> dict[str, float]:
    """The experiments on one training; what cannot be tried is left out.

    Without harm only whether it is linear, and what was forgotten.
    """
    try:
        replay = replay_of(training)
    except Exception as error:
        seen.unseen.append(f"Its steps could not be run again: {summary_of(error)}")
        return {}
    if replay is None:
        return {}
    found: dict[str, float] = {}
    begun = time.process_time()
    chosen = (through_time, reach, rates, late_rates, fresh, superposition, outputs) if harmed else (superposition,)
    chosen = (*chosen, forgotten) if badly_mixed(seen) else chosen
    for experiment in chosen:
        if time.process_time() - begun < SECONDS:
            try:
                found |= experiment(replay, seen, training)
            except Exception as error:
                seen.unseen.append(f"`{experiment.__name__}` could not be tried: {summary_of(error)}")
    replay.close()
    if found.get("superposition", 1.0) < 1e-4:
        found |= bent_gain(seen)
    return found


def rates(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """The first steps at the rate itself, at a tenth (where it is not enough, less), ten and a hundred times of it."""
    rate = rate_of(seen)
    if not rate:
        return {}
    probe = replay.batches[-1]
    first = float(np.mean(replay.losses(replay.start, replay.batches[:4])))
    at_start = float(replay.losses(replay.start, [probe])[0])
    found = {"rate": rate, "first_loss": first, "probe_start": at_start}
    for name, factor in FACTORS.items():
        if name in ("hundredth", "thousandth") and found["end_tenth"] < found["end_same"]:
            continue
        if name == "millionth" and np.isfinite(found.get("end_thousandth", 0.0)):
            continue
        optimizer = rule_of(training, seen, rate * factor)
        curve = replay.train(optimizer, steps=STEPS, probe=probe)
        found[f"end_{name}"] = curve.end
        whole = len(curve.probed) == STEPS and np.all(np.isfinite(curve.probed))
        found[f"probe_{name}"] = float(np.mean(curve.probed[-3:])) if whole else float("inf")
        if name == "same":
            found["probe_worst"] = float(np.max(curve.probed)) if whole else float("inf")
    return found


def last_weights(replay: Replay, training: Training) -> dict[str, np.ndarray]:
    """The weights behind the last step; what was not trained as it was."""
    final = {id(v.handle): v.numpy() for v in training.variables}
    return {name: final.get(replay.owners[name], first) for name, first in replay.start.items()}


def late_rates(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """Twenty further steps from the last weights, at the rate itself, ten, a hundred and a thousand times of it.

    `late_start` and `late_after` are of the same batches, before and behind the steps at the rate itself; the other
    numbers are of the last of these steps and can be compared among themselves.
    """
    rate, weights = rate_of(seen), last_weights(replay, training)
    if not rate or not all(np.all(np.isfinite(w)) for w in weights.values()):
        return {}
    found = {"late_start": float(np.mean(replay.losses(weights, replay.batches[:4])))}
    for name, factor in (("same", 1.0), ("ten", 10.0), ("hundred", 100.0), ("thousand", 1000.0)):
        optimizer = rule_of(training, seen, rate * factor)
        curve = replay.train(optimizer, steps=STEPS, start=weights)
        found[f"late_{name}"] = curve.end
        if name == "same" and np.isfinite(curve.end):
            found["late_after"] = float(np.mean(replay.losses(curve.weights, replay.batches[:4])))
    return found


def through_time(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """By what factor the gradient shrinks from each place of a sequence to the one before it, at the first weights.

    By what enters the first recurrent layer, from the last quarter of the places to the first. Nothing of sequences of
    fewer than 8 places. Source: Bengio et al. (1994), section 3.
    """
    entering = [f.entering for f in replay.forward.found if f.unit.kind == "recurrent"]
    if not entering or entering[0].op.type != "TensorListFromTensor":
        return {}
    sequence = entering[0].op.inputs[0].name  # (places, batch, features)
    copy = replay_of(training, also=lambda it: it.graph.get_tensor_by_name(sequence))
    if copy is None or copy.also is None:
        return {}
    gradient = copy.gradient(copy.start, copy.batches[0]).astype("float64")
    copy.close()
    if gradient.ndim != 3 or len(gradient) < 8 or not np.isfinite(gradient).all():
        return {}
    size, quarter = np.sqrt(np.mean(gradient**2, axis=(1, 2))), len(gradient) // 4
    late = float(np.mean(size[-quarter:]))
    ratio = max(float(np.mean(size[:quarter])), 1e-300) / late if late > 0 else 1.0
    return {"time_factor": ratio ** (1 / (len(gradient) - quarter)), "time_ratio": ratio}


def forgotten(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """The loss of the first batches with the last weights."""
    losses = replay.losses(last_weights(replay, training), replay.batches)
    return {"forgotten": float(np.mean(losses))}


def fresh_start(replay: Replay, seen: Observation, training: Training) -> dict[str, np.ndarray]:
    """The first weights drawn anew: He's where a rectifier follows, Glorot's elsewhere; vectors as they were."""
    rng = np.random.default_rng(0)
    rectified = {
        name: unit.activation in ("relu", "relu6", "leaky_relu", "elu", "gelu", "swish")
        for unit in seen.units
        for name in unit.variables
    }
    names = {id(v.handle): name for v, name in training.names.items()}
    start = {}
    for name, value in replay.start.items():
        start[name] = value
        if value.ndim >= 2 and names.get(replay.owners[name]) in rectified:  # a state is no weight
            fan_in, fan_out = np.prod(value.shape[:-1]), np.prod(value.shape[:-2]) * value.shape[-1]
            he = rectified[names[replay.owners[name]]]
            spread = np.sqrt(2 / fan_in) if he else np.sqrt(2 / (fan_in + fan_out))
            start[name] = (rng.normal(size=value.shape) * spread).astype(value.dtype)
    return start


def fresh(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """The first steps from weights drawn anew, at the same rate."""
    rate = rate_of(seen)
    if not rate:
        return {}
    optimizer = rule_of(training, seen, rate)
    curve = replay.train(optimizer, steps=STEPS, start=fresh_start(replay, seen, training))
    return {"end_fresh": curve.end}


TRIED = 150  # steps, of each arm of `attainable`
ATTAINING = 4.0  # seconds of the processor, after which none of its arms is begun


def attainable(training: Training, seen: Observation) -> dict[str, float]:
    """What a short training of all weights by Adam reaches, for a loss of which nobody knows what is a good one.

    The first half of the batches that were kept is trained on, the loss is that of the second half: `attained_own` from
    the first weights of the script, `attained_fresh` from such as are drawn anew, each at the better of two rates;
    `attained_from` before any step, at the better of the two; `attained_last` with the last weights of the script.
    """
    replay = replay_of(training, everything=True)
    if replay is None:
        return {}
    with contextlib.closing(replay):
        half = max(len(replay.batches) // 2, 1)
        some, others = replay.batches[:half], replay.batches[half:] or replay.batches
        mean = lambda weights: float(np.mean(replay.losses(weights, others)))  # noqa: E731 - one expression
        starts = {"fresh": fresh_start(replay, seen, training), "own": replay.start}
        found = {"attained_from": min(map(mean, starts.values()))}
        found["attained_last"] = mean(last_weights(replay, training))
        begun = time.process_time()
        for rate in (0.01, 0.003):
            for name, start in starts.items():
                if time.process_time() - begun < ATTAINING:
                    curve = replay.train(optimizer_of("Adam", rate), steps=TRIED, batches=some, start=start)
                    reached, key = mean(curve.weights), f"attained_{name}"
                    found[key] = min(found.get(key, np.inf), reached if np.isfinite(reached) else np.inf)
    return found


def exchanged(training: Training, seen: Observation) -> dict[str, float]:
    """By how much the last weights lose more where inputs of a batch stand beside what belongs to its other rows.

    `exchanged_gain`: the mean over the batches that were kept; `exchanged_error`, its standard error; `exchanged_loss`,
    the loss behind the exchange. Nothing where no input enters the network alone, as that of an autoencoder, which is
    its target too.
    """
    replay = replay_of(training)
    if replay is None:
        return {}
    with contextlib.closing(replay):
        place = _alone_in_front(replay)
        batches = [] if place is None else [batch for batch in replay.batches if _differ(batch[place])]
        if len(batches) < 4:
            return {}
        weights = last_weights(replay, training)
        own = replay.losses(weights, batches)
        moved = [[np.roll(a, 1, axis=0) if i == place else a for i, a in enumerate(batch)] for batch in batches]
        other = replay.losses(weights, moved)
    more = other - own
    if not np.all(np.isfinite(more)):
        return {}
    error = float(np.std(more, ddof=1) / np.sqrt(len(more)))
    return {"exchanged_gain": float(np.mean(more)), "exchanged_error": error, "exchanged_loss": float(np.mean(other))}


def _alone_in_front(replay: Replay) -> int | None:
    """The place in the boundary of an input that enters units and nothing behind the last one of them."""
    forward = replay.forward
    if not forward.found or len(forward.boundary) < 2:
        return None
    inside = {op.name for op in ancestors(forward.found[-1].linear)}
    behind = {op.name for op in ancestors(forward.loss)} - inside  # nor is the way back asked
    for found in forward.found:
        place = forward.place(found.entering)
        if place is None:
            continue
        if not any(op.name in behind and op.type not in LINEAR for op in forward.boundary[place].consumers()):
            return place
    return None


def _differ(rows: np.ndarray) -> bool:
    """Whether there are eight rows at least, and not all alike."""
    return rows.ndim > 0 and len(rows) >= 8 and bool(np.any(rows != rows[:1]))


def reach(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """Whether the network can learn eight examples by heart, four in smaller batches: the loss that 100 steps of Adam
    leave of them."""
    n = next((n for n in (8, 4) if few(replay.batches[0], n) is not None), 0)
    batch = few(replay.batches[0], n)
    if not n or batch is None:
        return {}
    with contextlib.suppress(Exception):  # of a graph that is made for batches of one size
        alone = [array[:n] for array in batch]
        replay.losses(replay.start, [alone])
        batch = alone  # of a thousand rows a hundred steps take too long
    before = float(replay.losses(replay.start, [batch])[0])
    curve = replay.train(optimizer_of("Adam", 0.01), steps=100, batches=[batch])
    return {"few": float(n), "few_start": before, "few_end": curve.end}


def bent_gain(seen: Observation) -> dict[str, float]:
    """How much better a forest does than a linear model on the same rows: 1 less the ratio of their losses."""
    linear, bent = loss_of_models(seen, bent=False), loss_of_models(seen, bent=True)
    return {"bent_gain": 1 - bent / linear} if linear and bent is not None else {}


def few(batch: list[np.ndarray], n: int) -> list[np.ndarray] | None:
    """The first rows of a batch, repeated to its size; None when its arrays have no common first axis."""
    sizes = {a.shape[0] if a.ndim else 0 for a in batch}
    size = max(sizes)
    return [np.resize(a[:n], a.shape) for a in batch] if len(sizes) == 1 and size >= n else None


def superposition(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """|f(a + b) - f(a) - f(b) + f(0)| / |f(a + b) - f(0)| of what enters the head: rounding only when all of it is
    linear.

    a, b: two batches; where each is the whole data its rows, and their negatives at the place of another. Nothing of a
    head that stands behind no other unit, as each of two outputs beside each other.
    """
    forward = replay.forward
    if len(forward.found) < 2 or len(replay.batches) < 2:
        return {}
    before = {op.name for op in ancestors(forward.found[-1].entering)}
    if not any(found.linear.op.name in before for found in forward.found[:-1]):
        return {}
    names = [tensor.name for tensor in forward.boundary]
    entering = forward.found[0].entering.name
    where = names.index(entering) if entering in names else -1
    if where < 0 or replay.batches[0][where].dtype.kind != "f" or replay.batches[0][where].ndim < 2:
        return {}
    if replay.batches[0][where].shape != replay.batches[1][where].shape:
        return {}
    fetch = replay.graph.get_tensor_by_name(forward.found[-1].linear.name)
    drawn = [t for op in ancestors(fetch) if "Random" in op.type for t in op.outputs if t.dtype.is_floating]
    a, b = (np.asarray(replay.batches[i][where], "float32") for i in (0, 1))
    b = -np.roll(b, 1, axis=0) if np.array_equal(a, b) else b
    replay.put(replay.start)
    # the units that a dropout drops are the same ones each time
    draws = dict(zip(drawn, replay.session.run(drawn, replay._feed(replay.batches[0])), strict=True))

    def f(x: np.ndarray) -> np.ndarray:
        batch = list(replay.batches[0])
        batch[where] = x
        return replay.session.run(fetch, replay._feed(batch) | draws).astype("float64")

    both, one, other = f(a + b), f(a), f(b)
    if np.linalg.norm(one - other) <= 1e-6 * np.linalg.norm(both):  # the head hangs on another input
        return {}
    nothing = f(0 * a)
    rest, moved = np.linalg.norm(both - one - other + nothing), np.linalg.norm(both - nothing)
    return {"superposition": float(rest / max(float(moved), 1e-30))}


def outputs(replay: Replay, seen: Observation, training: Training) -> dict[str, float]:
    """How much the prediction of the trained network varies over the inputs, against its size."""
    weights = last_weights(replay, training)
    values = replay.outputs(weights, replay.batches[0]) if replay.output is not None else np.zeros(0)
    if values.ndim < 1 or len(values) < 2:
        return {}
    spread = float(np.max(np.std(values, axis=0))) / max(float(np.max(np.abs(values))), 1e-30)
    return {"output_spread": float(spread)} if np.isfinite(spread) else {}
