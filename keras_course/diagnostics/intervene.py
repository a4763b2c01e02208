"""Repairs as code: the first steps of a training once more, as they were and with the repair, side by side.

Each repair of `REPAIRS` maps a `Case` to what is changed: the optimiser, the first weights, the batches, an operation
of the graph, the loss. Both arms start from the same weights and see the same examples, and the loss of all of these
examples at the end decides: a repair is confirmed when it is a tenth lower and beyond the noise between batches.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from keras_course.base import summary_of
from keras_course.diagnostics.experiments import fresh_start, rate_of, replay_of, rule_of
from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.replay import Batch, Replay
from keras_course.diagnostics.seen import BINARY, DIFFERENCES, classes_seen
from keras_course.diagnostics.statistics import classes_of
from keras_course.diagnostics.trainings import Training

import numpy as np
import tensorflow as tf

STEPS = 60
BETTER = 0.9  # of the loss without the repair
SCALED = 0.6  # where inputs are scaled: any that are not of spread 1 were seen to gain a fifth
LUCK = 0.8  # where weights are drawn anew: another draw alone was seen to be 16 % better


@dataclasses.dataclass
class Case:
    """A training, what was seen of it, and its steps without a change."""

    training: Training
    seen: Observation
    replay: Replay
    rate: float


@dataclasses.dataclass(kw_only=True)
class Repair:
    """What is changed. None: as it was.

    rate: a factor. start: weights. batches: what is fed instead. given: what the arm without the repair is fed, where
    it is more than what can be run again. regrouped: the batches hold the same examples, so that both arms are judged
    by them, batch by batch. rewrite, loss: as in `Replay`; with a `loss` both arms are judged by it, or the arm without
    the repair by `as_it_is`, the loss of what is predicted. units: what the losses of the two arms are divided by.
    sign: of the steps without the repair. still: these stand still. everything: frozen weights are trained. alike: the
    arm without the repair has the changed rate too. better: see `Trial`.
    """

    rate: float = 1.0
    start: Callable[[Replay], dict[str, np.ndarray]] | None = None
    batches: list[Batch] | None = None
    given: list[Batch] | None = None
    regrouped: bool = False
    rewrite: Callable[[Any], None] | None = None
    loss: Callable[[Replay], Any] | None = None
    as_it_is: Callable[[Replay], Any] | None = None
    units: tuple[float, float] = (1.0, 1.0)
    sign: float = 1.0
    still: bool = False
    everything: bool = False
    alike: bool = False
    better: float = BETTER


@dataclasses.dataclass(kw_only=True)
class Trial:
    """The loss of the same examples behind the same number of steps: first, without and with the repair."""

    first: float
    without: float
    repaired: float
    noise: float
    better: float = BETTER

    @property
    def confirmed(self) -> bool:
        if not np.isfinite(self.repaired):
            return False
        if not np.isfinite(self.without):
            return self.repaired < self.first
        return self.repaired < min(self.better * self.without, self.without - 2 * self.noise)

    def __str__(self) -> str:
        return (
            f"{STEPS} steps from the same start end at {self.repaired:.3g} with the repair, "
            f"at {self.without:.3g} without it (first {self.first:.3g})"
        )


# Repairs


def slower(case: Case) -> list[Repair]:
    return [Repair(rate=0.1), Repair(rate=0.01), Repair(rate=0.001)]


def faster(case: Case) -> list[Repair]:
    return [Repair(rate=10.0**power) for power in (1, 2, 3, 4)]


def drawn_anew(case: Case) -> list[Repair]:
    start = lambda replay: fresh_start(replay, case.seen, case.training)  # noqa: E731
    return [Repair(start=start, better=LUCK)]


def woken(case: Case) -> list[Repair]:
    """Weights drawn anew, and biases that hold units down from the start at zero."""

    def start(replay: Replay) -> dict[str, np.ndarray]:
        drawn = fresh_start(replay, case.seen, case.training)
        return {name: np.maximum(v, 0) if v.ndim == 1 and v.max() < 0 else v for name, v in drawn.items()}

    return [Repair(start=start, better=LUCK)]


def rectified(case: Case) -> list[Repair]:
    """ReLU for sigmoid and tanh inside, with He's weights."""
    inside = {f.leaving.op.name for f in case.replay.forward.found[:-1] if f.unit.activation in ("sigmoid", "tanh")}

    def rewrite(definition: Any) -> None:
        for node in definition.node:
            if node.name in inside and node.op in ("Sigmoid", "Tanh"):
                node.op = "Relu"

    def start(replay: Replay) -> dict[str, np.ndarray]:
        units = [dataclasses.replace(u, activation="relu") for u in case.seen.units[:-1]]
        return fresh_start(replay, dataclasses.replace(case.seen, units=[*units, *case.seen.units[-1:]]), case.training)

    if not inside:
        return drawn_anew(case)
    rates = ((1.0, False), (10.0, True))
    changed = [Repair(rewrite=rewrite, start=start, better=LUCK, rate=rate, alike=alike) for rate, alike in rates]
    return [*changed, *drawn_anew(case)]


def bent(case: Case) -> list[Repair]:
    """ReLU behind every hidden unit that has no activation."""
    flat = {f.leaving.name: f.leaving for f in case.replay.forward.found[:-1] if f.unit.activation == "linear"}

    def rewrite(definition: Any) -> None:
        for number, tensor in enumerate(flat.values()):
            own, new = tensor.op.name, f"bent_{number}"
            for node in definition.node:
                node.input[:] = [new if name in (own, f"{own}:0") else name for name in node.input]
            node = definition.node.add(name=new, op="Relu", input=[own])
            node.attr["T"].type = tensor.dtype.as_datatype_enum

    return [Repair(rewrite=rewrite), Repair(rewrite=rewrite, rate=10.0, alike=True)] if flat else []


def _changed(batches: Sequence[Batch], place: int, change: Callable[[np.ndarray], np.ndarray]) -> list[Batch]:
    """Batches with one of their arrays changed."""
    return [[change(a) if i == place else a for i, a in enumerate(batch)] for batch in batches]


def standard_inputs(case: Case) -> list[Repair]:
    """The columns of every input with the mean and spread of the first batches taken out."""
    forward, batches = case.replay.forward, case.replay.batches
    known = {forward.place(f.entering) for f in forward.found if f.unit.kind != "embedding"}
    places = [place for place in known if place is not None and batches[0][place].dtype.kind == "f"]
    if not places or forward.place(forward.targets) in places:  # of an autoencoder, whose targets would change too
        return []
    for place in places:
        batches = _standardised(batches, place)
    return [Repair(batches=batches, better=SCALED), Repair(batches=batches, rate=10.0, alike=True, better=SCALED)]


def _standardised(batches: Sequence[Batch], place: int) -> list[Batch]:
    rows = np.concatenate([b[place].reshape(-1, b[place].shape[-1]) for b in batches]).astype("float64")
    mean, spread = rows.mean(0), rows.std(0)
    spread = np.where(spread > 1e-6 * spread.max(), spread, spread.max() + 1e-12)
    return _changed(batches, place, lambda a: ((a - mean) / spread).astype(a.dtype))


def without_gaps(case: Case) -> list[Repair]:
    """Zero where a value is no number."""
    given = case.training.recorder.batches if case.training.recorder else []
    clean = [
        [np.nan_to_num(a, nan=0.0, posinf=0.0, neginf=0.0) if a.dtype.kind == "f" else a for a in batch]
        for batch in given
    ]
    return [Repair(batches=clean, given=given)] if clean else []


def standard_targets(case: Case) -> list[Repair]:
    place = case.replay.forward.place(case.replay.forward.targets)
    if place is None or case.replay.batches[0][place].dtype.kind != "f":
        return []
    rows = np.concatenate([b[place].reshape(-1) for b in case.replay.batches]).astype("float64")
    mean, spread = rows.mean(), max(float(rows.std()), 1e-12)
    name, delta = case.seen.loss.name, case.seen.loss.delta
    unit = spread if name == "mean_absolute_error" else spread**2
    if name == "huber" and spread > delta:  # beyond which it is no square
        unit = delta * spread
    changed = _changed(case.replay.batches, place, lambda a: ((a - mean) / spread).astype(a.dtype))
    return [Repair(batches=changed, units=(unit, 1.0))]


def mixed(case: Case) -> list[Repair]:
    """The same examples in a random order; none where the first batches lack a class, which no order brings there."""
    place, known = case.replay.forward.place(case.replay.forward.targets), classes_seen(case.seen)
    if place is not None and known is not None:
        labels = classes_of(np.concatenate([batch[place] for batch in case.replay.batches]))
        if labels is not None and not np.isin(known, labels).all():
            return []
    batches, rng = case.replay.batches, np.random.default_rng(0)
    whole = [b for b in batches if {a.shape[0] if a.ndim else 0 for a in b} == {batches[0][0].shape[0]}]
    if len(whole) < 2:
        return []
    columns = [np.concatenate(arrays) for arrays in zip(*whole, strict=True)]
    order = rng.permutation(len(columns[0]))
    cut = len(whole)
    parts = zip(*(np.array_split(c[order], cut) for c in columns), strict=True)
    return [Repair(batches=[list(part) for part in parts], regrouped=True)]


def _labels(replay: Replay) -> Any:
    return replay.feed_of(replay.forward.targets)


def logits_loss(case: Case) -> list[Repair]:
    """The cross-entropy of the prediction taken as logits, or of what entered its softmax or sigmoid."""
    name, targets = case.seen.loss.name, case.replay.forward.targets
    if case.replay.forward.place(targets) is None or case.replay.forward.prediction is None:
        return []

    def loss(replay: Replay) -> Any:
        logits, labels = replay.before_head(), _labels(replay)
        if name == "sparse_categorical_crossentropy":
            flat = tf.reshape(tf.cast(labels, tf.int32), (-1,))
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=flat, logits=tf.reshape(logits, (-1, logits.shape[-1]))
            )
        elif name == "binary_crossentropy":
            labels = tf.reshape(tf.cast(labels, logits.dtype), tf.shape(logits))
            each = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
        else:
            each = tf.nn.softmax_cross_entropy_with_logits(labels=tf.cast(labels, logits.dtype), logits=logits)
        return tf.reduce_mean(each)

    return [Repair(loss=loss)]


def one_sigmoid(case: Case) -> list[Repair]:
    """A sigmoid for the softmax of a single output; none of one among several or further in, or for any other loss.

    Keras's cross-entropy looks at the logits behind a softmax and may fall, while what is predicted is 1 for every
    input: the arm without the repair is judged by that.
    """

    def as_it_is(replay: Replay) -> Any:
        said = tf.clip_by_value(tf.reshape(replay.output, (-1,)), 1e-7, 1 - 1e-7)
        true = tf.reshape(tf.cast(_labels(replay), said.dtype), (-1,))
        return -tf.reduce_mean(true * tf.math.log(said) + (1 - true) * tf.math.log(1 - said))

    if case.seen.loss.name not in BINARY or case.seen.losses or case.seen.head != "softmax":
        return []
    return [dataclasses.replace(repair, as_it_is=as_it_is) for repair in logits_loss(case)]


def linear_output(case: Case) -> list[Repair]:
    """The squared error of what enters the output's activation, with a rate that its size asks for."""
    if case.replay.forward.place(case.replay.forward.targets) is None or case.replay.forward.prediction is None:
        return []

    def loss(replay: Replay) -> Any:
        output, labels = replay.before_head(), _labels(replay)
        return tf.reduce_mean(tf.square(tf.reshape(output, (-1,)) - tf.reshape(tf.cast(labels, output.dtype), (-1,))))

    return [Repair(loss=loss), Repair(loss=loss, rate=10.0), Repair(loss=loss, rate=100.0)]


def same_shape(case: Case) -> list[Repair]:
    """The squared error of prediction and target as vectors of one length; none where it is not what was meant."""
    return linear_output(case)[:1] if case.seen.loss.name in ("", *DIFFERENCES) else []


def thawed(case: Case) -> list[Repair]:
    """All weights are trained; none where all are, so that only the optimiser was not given them."""
    frozen = [v for v in case.seen.variables if not v.trainable and "moving_" not in v.name and "seed" not in v.name]
    return [Repair(everything=True)] if frozen else []


def downhill(case: Case) -> list[Repair]:
    """Steps against the gradient; none where the steps do go downhill, and it is the loss that is turned round."""
    steps = case.seen.steps
    return [Repair(sign=-1.0)] if steps is not None and np.median(steps.uphill) > 0 else []


REPAIRS: dict[str, Callable[[Case], list[Repair]]] = {
    "learning_rate_too_high": slower,
    "learning_rate_too_low": faster,
    "oscillation": slower,
    "exploding_gradient": slower,
    "init_scale": drawn_anew,
    "symmetric_or_zero_init": drawn_anew,
    "dead_units": woken,
    "saturated_units": rectified,
    "vanishing_gradient": rectified,
    "missing_nonlinearity": bent,
    "inputs_not_scaled": standard_inputs,
    "inputs_scaled_twice": standard_inputs,
    "targets_not_scaled": standard_targets,
    "nan_or_inf_in_data": without_gaps,
    "data_sorted": mixed,
    "shuffle_buffer_too_small": mixed,
    "pipeline_order": mixed,
    "softmax_on_single_unit": one_sigmoid,
    "logits_to_probability_loss": logits_loss,
    "probabilities_to_logits_loss": logits_loss,
    "output_range_cannot_reach_targets": linear_output,
    "loss_broadcast": same_shape,
    "gradient_sign_flipped": downhill,
    "optimiser_not_applied": lambda case: [Repair(still=True), Repair(still=True, rate=10.0)],
    "frozen_or_disconnected": thawed,
}


# Trials


def try_repair(case: Case, repair: Repair) -> Trial:
    """Both arms of one repair."""
    build = {"rewrite": repair.rewrite, "loss": repair.loss, "everything": repair.everything}
    changed = any(build.values())
    repaired = replay_of(case.training, **build) if changed else case.replay
    assert repaired is not None
    believed = replay_of(case.training, loss=repair.as_it_is) if repair.as_it_is else None
    judge = believed or (repaired if repair.loss else case.replay)
    fed = repair.batches or case.replay.batches
    with_repair = repaired.train(
        rule_of(case.training, case.seen, case.rate * repair.rate),
        steps=STEPS,
        batches=fed,
        start=repair.start(repaired) if repair.start else None,
    ).weights
    without = _without(case, repair)
    before = judge.losses(case.replay.start, case.replay.batches) / repair.units[0]
    last = judge.losses(without, fed if repair.regrouped else case.replay.batches) / repair.units[0]
    mended = repaired.losses(with_repair, fed) / repair.units[1]
    if changed:
        repaired.close()
    if believed is not None:
        believed.close()
    with np.errstate(invalid="ignore"):  # of what has diverged
        noise = float(np.std(last - mended[: len(last)]) / np.sqrt(len(last))) if len(last) == len(mended) else 0.0
    values = [float(np.mean(v)) if np.all(np.isfinite(v)) else float("inf") for v in (before, last, mended)]
    return Trial(
        first=values[0],
        without=values[1],
        repaired=values[2],
        noise=noise if np.isfinite(noise) else 0.0,
        better=repair.better,
    )


def _without(case: Case, repair: Repair) -> dict[str, np.ndarray]:
    """The weights behind the steps as they were."""
    if repair.still:
        return case.replay.start
    rate = case.rate * (repair.rate if repair.alike else 1.0)
    rule = rule_of(case.training, case.seen, rate)
    curve = case.replay.train(rule, steps=STEPS, batches=repair.given, sign=repair.sign)
    if repair.given and not np.isfinite(curve.losses[-1]):  # the step that would follow makes all weights so
        return {name: np.full_like(value, np.nan) for name, value in curve.weights.items()}
    return curve.weights


def confirmed(training: Training, seen: Observation, finding: Finding) -> Finding:
    """The finding with what the trial of its repair showed; unchanged where there is none to try."""
    make = REPAIRS.get(finding.cause)
    if make is None:
        return finding
    try:
        replay = replay_of(training)
        if replay is None:
            return finding
        case = Case(training, seen, replay, abs(rate_of(seen) or 0.0) or 0.01)
        trials = [try_repair(case, repair) for repair in make(case)]
        replay.close()
    except Exception as error:
        seen.unseen.append(f"The repair of {finding.cause} could not be tried: {summary_of(error)}")
        return finding
    if not trials:
        return finding
    best = min(trials, key=lambda t: (not t.confirmed, t.repaired))
    sure = min(1.0, finding.confidence + 0.05) if best.confirmed else max(0.05, finding.confidence - 0.3)
    if finding.certain:
        sure = finding.confidence
    return dataclasses.replace(
        finding, confirmed=best.confirmed, confidence=sure, evidence=f"{finding.evidence}; {best}"
    )


def verified(training: Training, report: Any) -> Any:
    """The report with the repair of each named cause tried, most confident first.

    What a trial did not confirm cannot explain others away: those of its symptoms are named whose own repair helps, or
    that are still surer than it is.
    Where there is little harm it is a note itself.
    """
    tried = [confirmed(training, report.observation, f) if f.kind == "named" else f for f in report.findings]
    failed = {f.cause: f for f in tried if f.kind == "named" and f.confirmed is False and not f.certain}
    tried = [_promoted(training, report.observation, f, failed.get(f.follows)) for f in tried]
    slight = report.harm.degree < 0.5 and not report.harm.diverged
    tried = [dataclasses.replace(f, kind="note") if slight and f.cause in failed else f for f in tried]
    named = sorted((f for f in tried if f.kind == "named"), key=lambda f: f.rank)
    return dataclasses.replace(report, findings=[*named, *(f for f in tried if f.kind != "named")])


def _promoted(training: Training, seen: Observation, finding: Finding, above: Finding | None) -> Finding:
    """A symptom as a cause, where its own repair helps, or where it is surer than `above`, which did not help."""
    if above is None:
        return finding
    tried = confirmed(training, seen, finding)
    named = tried.confirmed or (tried.confirmed is False and tried.confidence > above.confidence)
    return dataclasses.replace(tried, kind="named", follows="") if named else finding
