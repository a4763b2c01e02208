"""Rules on the order in which examples come: rows 15 (a) to 18 of the table of causes, and splits that leak by order.

The labels of the first 32 batches are held against batches drawn at random from the labels of the data. The pipeline
then says why they are not mixed: no shuffle, a short one, or one at the wrong place.
"""

import dataclasses
from collections.abc import Sequence

from keras_course.diagnostics.harm import harm_of
from keras_course.diagnostics.observation import Finding, Observation, Stage
from keras_course.diagnostics.seen import RATIO, badly_mixed, flat, joined
from keras_course.diagnostics.statistics import Mixing, classes_of, run_z

import numpy as np

SHORT = 0.5  # of the examples: a longer buffer mixes well enough


def _text(found: Mixing) -> str:
    return f"labels vary within a batch by {found.ratio:.0%} of chance, below {RATIO:.0%} (z = {found.z:.0f})"


PURE = 0.2  # of the entropy that chance gives a batch: nearly one class each


def _sure(seen: Observation, found: tuple[Mixing, bool]) -> bool:
    """Whether batches of nearly one class each, trained on, leave more than a fifth of the training rows wrong."""
    return found[1] and found[0].ratio < PURE and seen.experiments.get("right_train", 1.0) < 0.8


def data_sorted(seen: Observation) -> list[Finding]:
    """Row 16: examples come sorted by label, and no shuffle is there to change that.

    Threshold: the entropy of the labels within the first batches is below 0.8 of that of batches drawn at random, and
    more than 5 standard deviations of chance below. On 1,797 sorted digits in batches of 32: no shuffle .04, a buffer
    of 10 .06, of 100 .32, of 500 .75, of 900 .90, a full shuffle 1.01. The harm may show in the validation loss, or in
    what the last weights make of the first batches; certain below 0.2 where a fifth of the training rows is wrong. A
    note for real targets unless they, or inputs of one number, only rise or only fall: series in order are meant so.
    Must stay silent: batches of one kind in turn, as adversarial training has them; `fit` on arrays, which shuffles.
    Source: row 16 of the taxonomy.
    """
    found = badly_mixed(seen)
    if found is None or _shuffles(seen):
        return []
    result, classes = found
    named = classes or _monotone(seen)
    return [
        Finding(
            cause="data_sorted",
            kind="named" if named else "note",
            confidence=0.93 if classes or result.ratio < 0.5 else 0.5,
            certain=_sure(seen, found),
            evidence=_text(result) + ", and nothing shuffles them",
            tag="labels/entropy",
        )
    ]


def _monotone(seen: Observation) -> bool:
    """Whether the targets only rise or only fall, or the inputs do where each is a single number."""
    x = joined([p.x for p in seen.probes if p.step < 32 and p.x is not None and np.ndim(p.x) and np.size(p.x[:1]) == 1])
    for values in (joined(seen.stream), x):
        steps = np.diff(values.reshape(-1)) if values is not None else np.zeros(1)
        if len(steps) > 20 and np.any(steps) and max(np.mean(steps >= 0), np.mean(steps <= 0)) > 0.98:
            return True
    return False


def _shuffles(seen: Observation) -> list[Stage]:
    """The shuffles of examples: not of the files that these are read from one after the other."""
    stages = flat(seen.pipeline)
    inner = max((i for i, stage in enumerate(stages) if stage.kind in ("interleave", "flat_map")), default=-1)
    return [stage for stage in stages[inner + 1 :] if stage.kind == "shuffle" and (stage.detail.get("buffer") or 0) > 1]


def shuffle_buffer_too_small(seen: Observation) -> list[Finding]:
    """Row 17: a shuffle that reaches over a small part of a sorted source.

    Threshold: a buffer of less than half of what enters it, and batches as badly mixed as in `data_sorted`; where no
    batch was seen, less than a tenth, and a source with more equal neighbours than chance has, by 5 standard
    deviations. Certain where batches are of nearly one class each: who shuffles did not mean that. A note where the
    source is in random order. Must stay silent: sources whose length is not known and whose batches
    are mixed; shuffles of batches, which are row 18. Source: row 17; `data_sorted` has what buffers do.
    """
    short = [
        stage.detail
        for stage in _shuffles(seen)
        if stage.detail.get("of") is None or stage.detail["buffer"] < SHORT * stage.detail["of"]
    ]
    if not short or _batched_before(seen):
        return []
    stage = min(short, key=lambda detail: detail["buffer"])
    of = stage.get("of") or (seen.train.n if seen.train is not None else None)
    if of is not None and stage["buffer"] >= SHORT * of:
        return []
    text = f"a buffer of {stage['buffer']} for {of if of else 'an unknown number of'} examples"
    if (found := badly_mixed(seen)) is not None:
        small = _small(f"{text}: {_text(found[0])}", "named" if found[1] else "note", 0.95)
        return [dataclasses.replace(small, certain=found[1] and found[0].ratio < PURE)]
    if of is None or stage["buffer"] >= 0.1 * of:
        return []
    if not seen.stream and _source_sorted(seen):
        return [_small(f"{text} of a sorted source", "named", 0.8)]
    return [_small(f"{text}, whose order is not sorted by label", "note", 0.3)] if seen.stream else []


def _small(text: str, kind: str, confidence: float) -> Finding:
    return Finding(
        cause="shuffle_buffer_too_small", kind=kind, confidence=confidence, evidence=text, tag="labels/entropy"
    )


def _source_sorted(seen: Observation) -> bool:
    y = classes_of(seen.train.y) if seen.train is not None and seen.train.y is not None else None
    return y is not None and run_z(y) > 5


def _batched_before(seen: Observation) -> bool:
    """Whether batches are shuffled that were made in the order of the source."""
    kinds = [stage.kind for stage in flat(seen.pipeline)]
    before = kinds[: kinds.index("shuffle")] if "shuffle" in kinds else []
    return "batch" in before and "unbatch" not in before


def pipeline_order(seen: Observation) -> list[Finding]:
    """Row 18: stages in an order that spoils the shuffle or the augmentation.

    Batches that are shuffled instead of examples: named with batches as badly mixed as in `data_sorted`, certain with
    batches of nearly one class each, named last where nothing at all was learned, a note otherwise. A random map before
    a cache gives each example one random version for good: named when there is harm. Notes: repeat before shuffle,
    which blends epochs; an order that is the same each epoch. Must stay silent: cache before a random map; shuffle
    before batch before another shuffle; repeat of the one array that windows are cut of. Source: row 18; TensorFlow
    guide "tf.data".
    """
    kinds = [stage.kind for stage in flat(seen.pipeline)]
    found = []
    if _batched_before(seen):
        bad = badly_mixed(seen)
        text = "batch stands before shuffle: the same examples meet in every epoch"
        useless = harm_of(seen).degree > 0.9  # of what nobody knows whether it was sorted, as of measurements
        order = _order(f"{text}; {_text(bad[0])}" if bad else text, bool(bad) or useless, 0.95 if bad else 0.4)
        found.append(dataclasses.replace(order, certain=bad is not None and bad[1] and bad[0].ratio < PURE))
    stages = flat(seen.pipeline)
    random = [i for i, stage in enumerate(stages) if stage.kind == "map" and stage.detail.get("random")]
    if random and "cache" in kinds[random[0] :]:
        found.append(_order("a random map stands before cache: each example is changed once, for good", True, 0.7))
    before = stages[: kinds.index("shuffle")] if "shuffle" in kinds else []
    if any(stage.kind == "repeat" and stage.detail.get("of") != 1 for stage in before):
        found.append(_order("repeat stands before shuffle: an epoch holds some examples twice", False, 0.3))
    fixed = [s for s in stages if s.kind == "shuffle" and s.detail.get("reshuffle") is False]
    if fixed and not {"take", "skip", "cache"} & set(kinds):
        found.append(_order("reshuffle_each_iteration=False: every epoch has the same order", False, 0.3))
    return found


def _order(text: str, named: bool, confidence: float) -> Finding:
    kind = "named" if named else "note"
    return Finding(cause="pipeline_order", kind=kind, confidence=confidence, evidence=text, tag="labels/entropy")


def labels_from_another_leg(seen: Observation) -> list[Finding]:
    """Row 15 (a): a `zip` of inputs and labels, or of several inputs and one number, of which one leg is shuffled
    otherwise than the other.

    Certain, since no data are needed. Must stay silent: legs with one seed and one buffer; pictures of two domains,
    which are alike and are no input and target of a loss of `fit`; pairs zipped with pairs; counters and seeds.
    `pipeline.stages` decides that. Source: row 15 of the taxonomy.
    """
    paired = seen.interface == "fit" and bool(seen.loss.name)
    zips = [stage.detail for stage in flat(seen.pipeline) if stage.kind == "zip"]
    if not any(detail.get("apart") and (paired or not detail.get("alike")) for detail in zips):
        return []
    text = "the pipeline zips inputs and labels after one of them was shuffled by itself"
    return [Finding(cause="labels_shuffled_apart", confidence=1.0, certain=True, evidence=text, tag="inputs/images")]


def split_below_a_shuffle(seen: Observation) -> list[Finding]:
    """Row 21: `take` and `skip` cut a data set whose order is drawn anew for each of them and in each epoch.

    Certain when both training and validation have a part of a source behind a shuffle with reshuffle_each_iteration:
    each epoch draws its own parts, so that validation rows are trained on. Must stay silent: the cut before the
    shuffle; reshuffle_each_iteration=False with a seed. Source: TensorFlow's documentation of `shuffle`.
    """
    if not _cut_of_shuffle(seen.pipeline) or not _cut_of_shuffle(seen.validation_pipeline):
        return []
    text = "take and skip stand behind a shuffle that draws a new order each time: every epoch has other parts"
    return [Finding(cause="leakage_duplicates", confidence=0.95, certain=True, evidence=text, tag="epoch/val_loss")]


def _cut_of_shuffle(pipeline: Sequence[Stage] | None) -> bool:
    moving = False
    for stage in flat(pipeline):
        moving |= stage.kind == "shuffle" and stage.detail.get("reshuffle") is not False
        moving &= stage.kind != "cache"  # the order of the first time is kept
        if moving and stage.kind in ("take", "skip") and (stage.detail.get("count") or 0) > 0:
            return True
    return False


RULES = {
    "data_sorted": data_sorted,
    "shuffle_buffer_too_small": shuffle_buffer_too_small,
    "pipeline_order": pipeline_order,
    "labels_from_another_leg": labels_from_another_leg,
    "split_below_a_shuffle": split_below_a_shuffle,
}
