"""Twins of a model, of the same settings and of other weights, that are trained on rows of the script.

One with wider hidden layers says whether these are what it lacks, one whose layers bend whether it lacks that; one that
is trained on what is held out, whether the labels of the training are those of its inputs.
"""

import time
from collections.abc import Set
from typing import Any

from keras_course.diagnostics.comparisons import drowned, label_drift, shift
from keras_course.diagnostics.harm import harm_of
from keras_course.diagnostics.held_out import classed, given, trained_on
from keras_course.diagnostics.inline import from_seed
from keras_course.diagnostics.losses import CROSS, HUBER
from keras_course.diagnostics.observation import Data, Observation
from keras_course.diagnostics.seen import BINARY, CATEGORICAL, TARGETS, widths_of
from keras_course.diagnostics.trainings import Training

import keras
import numpy as np

NARROW = 4  # units, up to which a hidden layer may be what keeps the network from learning
WIDE = 32
STEPS, BATCH, RATE = 200, 64, 0.003
ROWS = 2048
SECONDS = 8.0  # of the processor, for both twins
LOSSES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "mean_squared_error": keras.losses.MeanSquaredError,
    "mean_absolute_error": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
}


def wider(training: Training, seen: Observation) -> dict[str, float]:
    """What a twin of the model with narrow hidden layers, and one that has 32 units there, leave of the loss.

    `twin_own` and `twin_wider`: of rows that neither was trained on, behind the same 200 steps of Adam. Nothing of a
    model of a class of the script's own or that cannot be made from its settings, of several outputs, of targets of
    more than eight numbers, which may be the inputs again, or without a hidden layer of at most 4 units.
    """
    narrow = {name.split("/")[0] for name, width in widths_of(seen) if width <= NARROW}
    data, model = trained_on(seen, few=100), training.model
    if not narrow or data is None or data.y is None or seen.losses or seen.loss.name not in LOSSES:
        return {}
    if not _copied(model, data) or (data.y.ndim > 1 and data.y.shape[1] > TARGETS):
        return {}
    return _compared(model, data, seen, twin_own={}, twin_wider={"widen": narrow})


def bent(training: Training, seen: Observation) -> dict[str, float]:
    """What a twin of a model without any activation between its layers, and one with ReLU there, leave of the loss:
    `straight` and `bent`, as `wider` asks it."""
    between = [unit for unit in seen.units[:-1] if unit.kind != "embedding"]
    hidden = [unit for unit in between if unit.kind in ("dense", "conv") and unit.activation == "linear"]
    data, model = trained_on(seen, few=100), training.model
    if not hidden or len(hidden) < len(between):  # the cells of a recurrent layer bend inside
        return {}
    if data is None or data.y is None or seen.losses or seen.loss.name not in LOSSES or not _copied(model, data):
        return {}
    names = {unit.name.split("/")[0] for unit in hidden}
    return _compared(model, data, seen, straight={}, bent={"bend": names})


def _compared(model: Any, data: Data, seen: Observation, **changes: dict[str, set[str]]) -> dict[str, float]:
    """What twins with these changes leave of the loss of a quarter of the rows, behind the same steps on the others."""
    order = np.random.default_rng(0).permutation(len(data.x))[:ROWS]
    some, rest = data.take(order[len(order) // 4 :]), data.take(order[: len(order) // 4])
    with from_seed(0):
        twins = {name: _twin(model, seen, **change) for name, change in changes.items()}
        _trained(twins, some)
        left = {name: float(twin.evaluate(given(rest), rest.y, verbose=0)) for name, twin in twins.items()}
    return {name: loss for name, loss in left.items() if np.isfinite(loss)}


LEFT = 0.3  # of harm, from which on labels are asked about
DRIFT = 0.15  # of the shares of the classes: with others a twin names others
TEACHING = 150  # rows, of which a twin may learn what classes are


def taught_elsewhere(training: Training, seen: Observation) -> dict[str, float]:
    """How many labels of what is held out, and of the training, a twin tells that has learned from what is held out.

    Of the part of which it tells most: `taught_held`, the share of labels of a quarter that it was not trained on, and
    `taught_chance`, what naming the most frequent class gives there; `taught_train`, the share of labels of the
    training, `taught_dealt`, what it would be were these dealt out at random, and `taught_error`, the standard error of
    that. Nothing of a model that is no plain one of Keras, of losses that know no classes, of few rows, of inputs of
    another scale or with noise, of classes that have other shares there, or where seven tenths of what there is were
    learned.
    """
    model = training.model
    if seen.loss.name not in LOSSES or seen.loss.name not in CATEGORICAL + BINARY or seen.losses:
        return {}
    if harm_of(seen).degree < LEFT:
        return {}
    found: list[dict[str, float]] = []
    for train, other, _, a, b in classed(seen)[:2]:
        if not _copied(model, train) or not _copied(model, other) or len(other.x) < TEACHING:
            continue
        if label_drift(a, b).distance > DRIFT or _apart(train, other):
            continue
        order, some = (np.random.default_rng(0).permutation(len(part.x))[:ROWS] for part in (other, train))
        rest, learned = order[: len(order) // 4], order[len(order) // 4 :]
        with from_seed(0):
            twin = _twin(model, seen)
            _trained({"": twin}, other.take(learned))
        held, said = _decided(twin, other.take(rest), seen), _decided(twin, train.take(some), seen)
        names, counts = np.unique(a[some], return_counts=True)
        dealt = float(sum(np.mean(said == name) * count / len(some) for name, count in zip(names, counts, strict=True)))
        found.append(
            {
                "taught_held": float(np.mean(held == b[rest])),
                "taught_chance": float(np.unique(b, return_counts=True)[1].max() / len(b)),
                "taught_train": float(np.mean(said == a[some])),
                "taught_dealt": dealt,
                "taught_error": float(np.sqrt(dealt * (1 - dealt) / len(some))),
            }
        )
    return max(found, key=lambda one: one["taught_held"] - one["taught_chance"], default={})


def _apart(train: Data, other: Data) -> bool:
    """Whether the inputs themselves differ, by their scale or by noise."""
    measured = train.x.dtype.kind == "f"
    return measured and (shift(train.x, other.x).share > 0.2 or drowned(train.x, other.x) > 0)


def _decided(twin: keras.Model, part: Data, seen: Observation) -> np.ndarray:
    """The class that a twin names of each row."""
    said = np.asarray(twin.predict(given(part), verbose=0))
    middle = 0.0 if seen.loss.from_logits else 0.5
    return (said.reshape(-1) > middle).astype(int) if said.shape[-1] == 1 else said.argmax(-1)


def _copied(model: keras.Model | None, data: Data) -> bool:
    """Whether a model can be made again from its settings, and the rows are all that it is given."""
    if model is None or not type(model).__module__.startswith("keras.") or not hasattr(model, "inputs"):
        return False  # whose steps or calls are the script's own
    return len(model.inputs or ()) == 1 + len(data.further)


def _trained(twins: dict[str, keras.Model], some: Data) -> None:
    """The same steps on some rows."""
    begun = time.process_time()
    for step in range(STEPS):
        if time.process_time() - begun > SECONDS:
            break
        rows = np.random.default_rng(step).integers(0, len(some.x), min(BATCH, len(some.x)))
        for twin in twins.values():
            batch = some.take(rows)
            twin.train_on_batch(given(batch), batch.y)


def _twin(
    model: keras.Model, seen: Observation, *, widen: Set[str] = frozenset(), bend: Set[str] = frozenset()
) -> keras.Model:
    """A model of the same settings and of other weights, but for layers without any that are trained; with more units
    in the layers to widen, and ReLU behind those to bend."""
    config = model.get_config()
    for layer in config["layers"]:
        own = layer["config"]
        layer.pop("build_config", None)  # the widths of what enters it
        for key in ("units", "filters"):
            if own.get("name") in widen and own.get(key, WIDE) <= NARROW:
                own[key] = WIDE
        if own.get("name") in bend:
            own["activation"] = "relu"
    twin = type(model).from_config(config)  # but for layers of the script's own, which nobody else may call
    for layer, old in zip(twin.layers, model.layers, strict=True):
        if old.weights and not old.trainable_weights:
            layer.set_weights(old.get_weights())
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()  # which reads them
    crossed = seen.loss.name in CROSS and seen.loss.from_logits is not None
    own = {"from_logits": seen.loss.from_logits} if crossed else {}
    own |= {"delta": seen.loss.delta} if seen.loss.name == HUBER else {}
    twin.compile(optimizer=keras.optimizers.Adam(RATE), loss=LOSSES[seen.loss.name](**own))
    return twin
