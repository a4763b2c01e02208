"""Whether a wider network learns more of the same rows: two twins of a model, of which one has wider hidden layers."""

import time

from keras_course.diagnostics.held_out import given, trained_on
from keras_course.diagnostics.inline import from_seed
from keras_course.diagnostics.observation import Data, Observation
from keras_course.diagnostics.seen import widths_of
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
    eight or more numbers, which may be the inputs again, or without a hidden layer of at most 4 units.
    """
    narrow = {name.split("/")[0] for name, width in widths_of(seen) if width <= NARROW}
    data, model = trained_on(seen, few=100), training.model
    if not narrow or data is None or data.y is None or seen.losses or seen.loss.name not in LOSSES:
        return {}
    if model is None or not type(model).__module__.startswith("keras.") or not hasattr(model, "inputs"):
        return {}  # whose steps or calls are the script's own
    if len(model.inputs or ()) != 1 + len(data.further) or (data.y.ndim > 1 and data.y.shape[1] >= 8):
        return {}
    order = np.random.default_rng(0).permutation(len(data.x))[:ROWS]
    some, rest = data.take(order[len(order) // 4 :]), data.take(order[: len(order) // 4])
    with from_seed(0):
        twins = {"twin_own": _twin(model, set(), seen), "twin_wider": _twin(model, narrow, seen)}
        left = _trained(twins, some, rest)
    return {name: loss for name, loss in left.items() if np.isfinite(loss)}


def _trained(twins: dict[str, keras.Model], some: Data, rest: Data) -> dict[str, float]:
    """The loss of the rest behind the same steps on some rows."""
    begun = time.process_time()
    for step in range(STEPS):
        if time.process_time() - begun > SECONDS:
            break
        rows = np.random.default_rng(step).integers(0, len(some.x), min(BATCH, len(some.x)))
        for twin in twins.values():
            batch = some.take(rows)
            twin.train_on_batch(given(batch), batch.y)
    return {name: float(twin.evaluate(given(rest), rest.y, verbose=0)) for name, twin in twins.items()}


def _twin(model: keras.Model, widen: set[str], seen: Observation) -> keras.Model:
    """A model of the same settings and of other weights, but for layers without any that are trained."""
    config = model.get_config()
    for layer in config["layers"]:
        own = layer["config"]
        layer.pop("build_config", None)  # the widths of what enters it
        for key in ("units", "filters"):
            if own.get("name") in widen and own.get(key, WIDE) <= NARROW:
                own[key] = WIDE
    twin = type(model).from_config(config)
    for layer, old in zip(twin.layers, model.layers, strict=True):
        if old.weights and not old.trainable_weights:
            layer.set_weights(old.get_weights())
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()  # which reads them
    logits = {} if seen.loss.from_logits is None else {"from_logits": seen.loss.from_logits}
    twin.compile(optimizer=keras.optimizers.Adam(RATE), loss=LOSSES[seen.loss.name](**logits))
    return twin
