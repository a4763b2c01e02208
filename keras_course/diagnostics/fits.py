"""What a call of `fit` says before the first step: data, plan, loss; and what it logs behind each epoch."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras_course.base import summary_of
from keras_course.diagnostics.graph import ancestors, head_of
from keras_course.diagnostics.observation import EXACT_ACCURACY, OF_THE_BEST, Data, Plan, Steps
from keras_course.diagnostics.seen import ACCURACY

import keras
import numpy as np
import tensorflow as tf


class Epochs(keras.callbacks.Callback):
    """Keeps what `fit` logs behind each epoch."""

    def __init__(self, rows: list[dict[str, float]]) -> None:
        super().__init__()
        self.rows = rows

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.rows.append({name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0})


def facts_of(model: keras.Model, given: dict[str, Any], site: tuple[str, int]) -> dict[str, Any]:
    """The facts of a call of `fit` with the arguments `given`. Data are looked at, never iterated over.

    What cannot be read is said under "unseen": whatever the arguments are, the script must not notice.
    """
    epochs: list[dict[str, float]] = []
    unseen: list[str] = []

    def read(what: str, find: Callable[..., Any], *args: Any, otherwise: Any = None) -> Any:
        try:
            return find(*args)
        except Exception as error:
            unseen.append(f"The {what} of `fit` could not be read: {summary_of(error)}")
            return otherwise

    x, y, told = (
        read(name.replace("_", " "), as_arrays, given.get(name), otherwise=given.get(name))
        for name in ("x", "y", "validation_data")
    )
    callbacks = given.get("callbacks")
    ours = Epochs(epochs)
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks.append(ours)
    else:
        callbacks = [*(callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []), ours]
    split = read("validation split", float, given.get("validation_split") or 0.0, otherwise=0.0)
    weight = given.get("sample_weight")
    train, validation = read("data", data_of, x, y, split, weight, otherwise=(None, None))
    if told is not None:
        validation = read("validation data", validation_of, told, x)
    trains = next(base for base in type(model).__mro__ if "train_step" in vars(base)).__module__
    return {
        "model": model,
        "site": site,
        "interface": "fit" if trains.startswith("keras.") else "custom train_step",
        "plan": read("plan", _plan, model, given, callbacks, split, otherwise=Plan()),
        "train": train,
        "validation": validation,
        "pipeline": read("pipeline", _stages, x),
        "validation_pipeline": read("pipeline of the validation data", _stages, told),
        "noise": read("noise", noise_of, x),
        "loss": _loss_name(getattr(model, "loss", None)),
        "losses": {name: _loss_name(loss) for name, loss in _losses_of(model).items()},
        "logits": {name for name, loss in _losses_of(model).items() if _takes_logits(loss)},
        "unseen": unseen,
        "epochs": epochs,
        "callbacks": callbacks,
    }


def as_arrays(given: Any) -> Any:
    """Tables and columns of pandas as arrays, also inside of pairs and lists."""
    if isinstance(given, tuple | list):
        return type(given)(map(as_arrays, given)) if type(given) in (tuple, list) else given
    return given.to_numpy() if hasattr(given, "iloc") and hasattr(given, "to_numpy") else given


def _plan(model: keras.Model, given: dict[str, Any], callbacks: Any, split: float) -> Plan:
    x, size = given.get("x"), given.get("batch_size")
    steps = given.get("steps_per_epoch")
    if isinstance(x, tf.data.Dataset):
        steps = steps or _cardinality(x)
    elif _is_array(x):
        size = size or 32
        steps = steps or -(-int(len(_first(x)) * (1 - split)) // size)
    known = callbacks if isinstance(callbacks, list) else callbacks.callbacks
    keeping = ("restore_best_weights", "save_best_only")
    return Plan(
        epochs=given.get("epochs", 1),
        steps_per_epoch=steps,
        batch_size=size,
        shuffle=given.get("shuffle", True) if _is_array(x) else None,
        validation_split=split,
        class_weight=given.get("class_weight"),
        metrics=tuple(_metric_names(model)),
        monitored=tuple(name for c in known if (name := getattr(c, "monitor", ""))),
        keeps_best=any(
            getattr(c, name, False) and str(getattr(c, "monitor", "")).startswith("val_")
            for c in known
            for name in keeping
        ),
        stops_at_better=_turned_round(known, keras.callbacks.EarlyStopping),
        slows_at_better=_turned_round(known, keras.callbacks.ReduceLROnPlateau),
    )


SMALLER = re.compile(r"loss|error|entropy|(^|_)(r?m[as]e|mape|kl|nll|perplexity)(_|$)")  # is better
LARGER = re.compile(r"acc|(^|_)(auc|precision|recall|f1|iou|r2)(_|$)")


def _turned_round(callbacks: Any, kind: type) -> str:
    """What a callback of a kind monitors, where it is told that the worse is the better; "" without."""
    for callback in callbacks:
        name, mode = str(getattr(callback, "monitor", "")), getattr(callback, "mode", "")
        wrong = SMALLER if mode == "max" else LARGER if mode == "min" else None
        if isinstance(callback, kind) and wrong is not None and wrong.search(name):
            return name
    return ""


def _metric_names(model: keras.Model) -> Sequence[str]:
    given = getattr(getattr(model, "_compile_metrics", None), "_user_metrics", None)
    return [m if isinstance(m, str) else _metric_name(m) for m in _flat(given)]


def _metric_name(metric: Any) -> str:
    """The name of a metric, of an accuracy what it measures; with where it cuts, when that is not at one half."""
    if isinstance(metric, keras.metrics.Metric) and _kind_of(metric) in (*ACCURACY, EXACT_ACCURACY):
        return measure_of(metric)
    return getattr(metric, "name", "") + _cut(metric) if hasattr(metric, "name") else getattr(metric, "__name__", "")


class Measured(NamedTuple):
    """A metric that was updated, and how wide the predictions were. decided: they were class numbers. undecided: they
    were none, where the metric takes these. model: the one whose `fit` updated it, None for the script itself. swapped:
    it was given outputs in the place of labels, and labels in that of outputs."""

    metric: keras.metrics.Metric
    width: int | None
    decided: bool
    undecided: bool = False
    model: keras.Model | None = None
    swapped: bool = False

    @classmethod
    def of(cls, metric: keras.metrics.Metric, y_true: Any, y_pred: Any, model: keras.Model | None = None) -> "Measured":
        """What an update says of a metric."""
        shape, true = tuple(y_pred.shape), tuple(getattr(y_true, "shape", ()))
        numbers = shape[-1:] == (1,) or len(shape) == 1
        sparse = isinstance(metric, keras.metrics.SparseCategoricalAccuracy)
        alike = sparse and shape == true and len(shape) == 1  # of one example there is one label
        counts = type(metric) in (keras.metrics.IoU, keras.metrics.MeanIoU) and metric.sparse_y_pred
        return cls(
            metric,
            shape[-1] if shape else None,
            alike or (numbers and "int" in keras.backend.standardize_dtype(y_pred.dtype)),
            counts and _between_classes(y_pred),
            model,
            not isinstance(metric, EITHER_WAY) and _says(y_true) and not _says(y_pred),
        )


# Metrics that are the same when outputs and targets change places.
EITHER_WAY = (keras.metrics.MeanAbsoluteError, keras.metrics.MeanSquaredError, keras.metrics.LogCoshError,
              keras.metrics.CosineSimilarity)  # fmt: skip


def _says(values: Any) -> bool:
    """Whether these are outputs of a network and no labels: in a graph what hangs on weights, else what lies between
    whole numbers."""
    if hasattr(values, "op") and not hasattr(values, "numpy"):
        return any(op.type == "ReadVariableOp" for op in ancestors(values))
    return _between_classes(values)


def _between_classes(y_pred: Any) -> bool:
    """Whether predictions are no whole numbers: by what they are, or in a graph by the activation that made them."""
    if hasattr(y_pred, "op") and not hasattr(y_pred, "numpy"):
        return bool(head_of(y_pred))
    values = np.asarray(y_pred)
    return values.dtype.kind == "f" and bool(np.any(values != np.round(values)))


def measure_of(metric: keras.metrics.Metric) -> str:
    """What a metric measures, whatever the script calls it: "categorical_accuracy", "binary_accuracy at 0.0", "topk of
    the best 5"."""
    return _kind_of(metric) + _cut(metric)


def _kind_of(metric: keras.metrics.Metric) -> str:
    """As Keras would call a metric of its class: "categorical_accuracy"."""
    exact = type(metric) is keras.metrics.Accuracy
    return EXACT_ACCURACY if exact else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(metric).__name__).lower()


def _cut(metric: Any) -> str:
    told = getattr(metric, "_fn_kwargs", None) or {}
    if "k" in told:
        return f"{OF_THE_BEST}{told['k']}"
    return "" if told.get("threshold", 0.5) == 0.5 else f" at {told['threshold']}"


def _flat(nested: Any) -> list[Any]:
    return [m for m in tf.nest.flatten(nested) if m is not None] if nested is not None else []


def _loss_name(loss: Any) -> str:
    if isinstance(loss, str):
        return {"mse": "mean_squared_error", "mae": "mean_absolute_error"}.get(loss, loss)
    function = getattr(loss, "fn", loss)
    return getattr(function, "__name__", "") if loss is not None and not isinstance(loss, list | dict) else ""


def _takes_logits(loss: Any) -> bool:
    """Whether a loss is told that it takes logits, or is a function of the script's own, of which nobody knows."""
    own = getattr(loss, "_fn_kwargs", None)
    return bool(own.get("from_logits", False)) if own is not None else not isinstance(loss, str)


def _losses_of(model: keras.Model) -> dict[str, Any]:
    """The loss of each output by name, where there are several."""
    given = getattr(model, "loss", None)
    if isinstance(given, list | tuple):
        given = dict(zip(getattr(model, "output_names", None) or [], given, strict=False))
    if not isinstance(given, dict) or len(given) < 2:
        return {}
    return given


def _is_array(x: Any) -> bool:
    first = _first(x)
    return hasattr(first, "shape") and hasattr(first, "dtype") and len(getattr(first, "shape", ())) >= 1


def _first(x: Any) -> Any:
    several = _several(x)
    return x if several is None else several[0] if several else None


def _several(x: Any) -> list[Any] | None:
    """The first of several inputs and those others that are arrays; None for one input."""
    if not isinstance(x, dict) and not (isinstance(x, list | tuple) and len(x)):
        return None
    inputs = list(x.values()) if isinstance(x, dict) else list(x)
    # ragged and sparse ones have no rows to be compared, numbers alone are no rows
    return inputs[:1] + [a for a in inputs[1:] if hasattr(a, "__array__") and getattr(a, "shape", None)]


def rows_of(x: Any, y: Any, weight: Any = None) -> Data | None:
    """At most `Data.ROWS` rows of arrays, evenly spread, in their order."""
    if not _is_array(x):
        return None
    first, target = _first(x), _first(y) if y is not None else None
    n = int(first.shape[0])
    chosen = np.unique(np.linspace(0, n - 1, min(n, Data.ROWS)).astype(int)) if n else np.arange(0)

    def pick(array: Any) -> np.ndarray:
        return np.asarray(tf.gather(array, chosen)) if tf.is_tensor(array) else np.asarray(array)[chosen]

    def beside(array: Any) -> np.ndarray | None:
        return pick(array) if getattr(array, "shape", None) and array.shape[0] == n else None

    further, others = ([a for a in (_several(each) or [])[1:] if a.shape[0] == n] for each in (x, y))
    return Data(
        x=pick(first),
        y=beside(target),
        n=n,
        further=tuple(map(pick, further)),
        names=tuple(x) if isinstance(x, dict) and len(x) == len(further) + 1 else (),
        weight=beside(weight),
        others=tuple(map(pick, others)),
    )


def data_of(x: Any, y: Any, split: float, weight: Any = None) -> tuple[Data | None, Data | None]:
    """The training rows, and those that `validation_split` takes from the end."""
    if isinstance(x, tf.data.Dataset):
        return _source(x), None
    if not _is_array(x):
        return None, None
    if not split:
        return rows_of(x, y, weight), None
    cut = int(len(_first(x)) * (1 - split))
    early, late = (None if y is None else _sliced(y, part) for part in (slice(cut), slice(cut, None)))
    counts = weight[:cut] if hasattr(weight, "shape") else None
    return rows_of(_sliced(x, slice(cut)), early, counts), rows_of(_sliced(x, slice(cut, None)), late)


def _sliced(x: Any, rows: slice) -> Any:
    """Some rows of each input."""
    if isinstance(x, dict):
        return {name: a[rows] for name, a in x.items() if getattr(a, "shape", None)}
    return [a[rows] for a in _several(x) or [x]]


def validation_of(given: Any, x: Any = None) -> Data | None:
    """The rows of `validation_data`; inputs with names in the order of those of training, `x`."""
    if isinstance(given, tf.data.Dataset):
        return _source(given)
    if isinstance(given, list | tuple) and len(given) >= 2:
        inputs = given[0]
        if isinstance(x, dict) and isinstance(inputs, dict) and x.keys() == inputs.keys():
            inputs = {name: inputs[name] for name in x}
        return rows_of(inputs, given[1])
    return None


def noise_of(dataset: Any) -> float | None:
    """The spread of what the maps of a pipeline draw anew for the same rows, against that of the rows; None without."""
    from keras_course.diagnostics import pipeline

    found = pipeline.source_rows(dataset, times=2)  # a second pipeline would draw the same, where seeds are set
    if found is None or found.x.dtype.kind != "f":
        return None
    once, again = np.split(found.x, 2)
    difference = float(np.std(once - again)) / np.sqrt(2)
    signal = float(np.sqrt(max(np.var((once + again) / 2) - difference**2 / 2, 0.0)))
    return difference / max(signal, 1e-12) if difference > 0 else None


def rows_of_loop(dataset: Any, like: np.ndarray | None) -> Data | None:
    """The rows of what a loop goes over; like: the targets that its loss saw."""
    from keras_course.diagnostics import pipeline

    return None if dataset is None else pipeline.source_rows(dataset, like=like)


def plan_of_loop(dataset: Any) -> Plan:
    return Plan() if dataset is None else Plan(steps_per_epoch=_cardinality(dataset))


def _cardinality(dataset: Any) -> int | None:
    count = int(dataset.cardinality())
    return count if count >= 0 else None


def _source(dataset: Any) -> Data | None:
    from keras_course.diagnostics import pipeline

    return pipeline.source_rows(dataset)


def _stages(dataset: Any) -> Any:
    from keras_course.diagnostics import pipeline

    return pipeline.stages(dataset) if isinstance(dataset, tf.data.Dataset) else None


def assigned(steps: Steps) -> np.ndarray | None:
    """The learning rate at each step made, at most 2,000 of them evenly spread; None where it stayed the same."""
    if steps.rate is None:
        return None
    index, rates = (values[np.isfinite(steps.rate)] for values in (steps.index, steps.rate.astype("float64")))
    if not len(rates) or np.ptp(rates) <= 1e-6 * np.max(np.abs(rates)):
        return None
    at = np.unique(np.linspace(0, steps.count - 1, min(steps.count, 2000)).astype(int))
    return rates[np.maximum(np.searchsorted(index, at, side="right") - 1, 0)]


def schedule_of(optimizer: Any, plan: Plan, made: int = 0) -> tuple[np.ndarray | None, float]:
    """The learning rate at each planned step, at most 2,000 of them evenly spread, and the highest one behind them.

    made: the steps of a loop, whose plan nobody knows. (None, 0) without a schedule.
    """
    schedule = getattr(optimizer, "_learning_rate", None)
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return None, 0.0
    steps = (plan.epochs or 0) * (plan.steps_per_epoch or 0) or made or 1000
    at = np.unique(np.linspace(0, steps - 1, min(steps, 2000)).astype(int))
    later = max(float(schedule(steps * factor)) for factor in (2, 5, 10, 100, 1000))
    return np.array([float(schedule(int(step))) for step in at]), later
