"""The patches by which a `Monitor` sees what a script does. They stand only while it watches, and what they pass on is
what they were given."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keras_course.diagnostics import drawn
from keras_course.diagnostics.fits import Measured, facts_of
from keras_course.diagnostics.inline import can_be_inlined, inlined
from keras_course.diagnostics.monitor import Monitor, users_frame

import keras
import tensorflow as tf
from tensorflow.python.eager import backprop
from tensorflow.python.eager.polymorphic_function import polymorphic_function

FUNCTIONAL = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "hinge",
    "kl_divergence",
    "poisson",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
)
# Two modules of the same functions, of which one has further names for them: (module, its name, that of the loss).
LOSSES = [
    (module, own, name)
    for module in (keras.losses, tf.keras.losses)
    for own, function in vars(module).items()
    for name in FUNCTIONAL
    if function is getattr(keras.losses, name)
]
NN = {
    "sparse_softmax_cross_entropy_with_logits": "sparse_categorical_crossentropy",
    "softmax_cross_entropy_with_logits": "categorical_crossentropy",
    "sigmoid_cross_entropy_with_logits": "binary_crossentropy",
    "weighted_cross_entropy_with_logits": "binary_crossentropy",  # whose weight is one of classes
}


def _patched(monitor: Monitor) -> Iterator[tuple[Any, str, Callable[[Callable], Callable]]]:
    """(owner, name, what makes the replacement of the original) of every patch."""
    quiet = tf.autograph.experimental.do_not_convert

    def enter(original: Callable) -> Callable:
        def entered(tape: Any) -> Any:
            result = original(tape)
            monitor.enter(tape)
            return result

        return quiet(entered)

    def leave(original: Callable) -> Callable:
        def left(tape: Any, *error: Any) -> Any:
            monitor.leave(tape)
            return original(tape, *error)

        return quiet(left)

    def gradient(original: Callable) -> Callable:
        def gradient(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
            return monitor.gradient(original, tape, target, sources, args, kwargs)

        return quiet(gradient)

    def call_function(original: Callable) -> Callable:
        def called(function: Any, *args: Any, **kwargs: Any) -> Any:
            inside = bool(monitor.stack)
            if inside and can_be_inlined(function, (args, kwargs)):
                with contextlib.suppress(Exception):  # as of a function that autograph cannot read
                    return inlined(function, args, kwargs)
            monitor.local.functions.append(function)
            monitor.feeds.ticks += 1
            try:
                return original(function, *args, **kwargs)
            finally:
                monitor.local.functions.pop()
                if id(function) in monitor.feeds.marks:
                    monitor.fed(monitor.feeds.function, function, args, kwargs)

        return quiet(called)

    def call_layer(original: Callable) -> Callable:
        def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(layer, keras.Model):
                return original(layer, *args, **kwargs)
            training, given = kwargs.get("training"), args[0] if args else None
            if monitor.stack:
                monitor.model(layer, training, given)
            functions = monitor.local.functions
            monitor.fed(monitor.feeds.call, layer, given, training, inside=bool(monitor.stack), functions=functions)
            with monitor.busy():
                return original(layer, *args, **kwargs)

        return quiet(called)

    def call_loss(original: Callable) -> Callable:
        def called(loss: Any, y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            function, own = getattr(loss, "fn", None), getattr(loss, "_fn_kwargs", {})
            name = getattr(function, "__name__", "")
            if name and not isinstance(y_true, list | tuple | dict):
                monitor.note(name, own.get("from_logits", False), y_true, y_pred, own.get("delta"))
            with monitor.refusals(name, y_true, y_pred):
                return original(loss, y_true, y_pred, *args, **kwargs)

        return quiet(called)

    def function_loss(name: str, original: Callable) -> Callable:
        signature = inspect.signature(original)

        def loss(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            given = kwargs
            with contextlib.suppress(TypeError):  # which the function itself will say
                given = signature.bind(y_true, y_pred, *args, **kwargs).arguments
            monitor.note(name, given.get("from_logits", False), y_true, y_pred, given.get("delta"))
            with monitor.refusals(name, y_true, y_pred):
                return original(y_true, y_pred, *args, **kwargs)

        loss.__name__, loss.__doc__ = original.__name__, original.__doc__
        return quiet(loss)

    def nn_loss(name: str, original: Callable) -> Callable:
        signature = inspect.signature(original)

        def loss(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            weighed = given.get("pos_weight") is not None
            monitor.note(name, True, given.get("labels"), given.get("logits"), weighed=weighed)
            with monitor.refusals(name, given.get("labels"), given.get("logits")):
                return original(*args, **kwargs)

        return quiet(loss)

    def apply(original: Callable) -> Callable:
        def apply(optimizer: Any, grads: Any, trainable_variables: Any = None) -> Any:
            variables = trainable_variables
            if variables is None:
                variables = getattr(optimizer, "_trainable_variables", [])
            monitor.optimizer(optimizer, variables)
            return original(optimizer, grads, trainable_variables)

        return quiet(apply)

    def iterate(original: Callable) -> Callable:
        def iterated(dataset: Any) -> Any:
            monitor.datasets[:] = [*monitor.datasets[-3:], dataset]
            return original(dataset)

        return quiet(iterated)

    def evaluate(original: Callable) -> Callable:
        signature = inspect.signature(original)

        def evaluate(model: Any, *args: Any, **kwargs: Any) -> Any:
            if kwargs.get("_use_cached_eval_dataset"):  # `fit` asks, which says what it validates on
                return original(model, *args, **kwargs)
            given = signature.bind(model, *args, **kwargs).arguments
            x, y = given.get("x"), given.get("y")
            monitor.fed(monitor.feeds.evaluated, model, x, y, predicts=original.__name__ == "predict")
            with monitor.busy():
                return original(model, *args, **kwargs)

        evaluate.__doc__ = original.__doc__
        return quiet(evaluate)

    def fit(original: Callable) -> Callable:
        signature = inspect.signature(original)

        def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
            given = signature.bind(model, *args, **kwargs)
            facts = facts_of(model, given.arguments, users_frame())
            given.arguments["callbacks"] = facts["callbacks"]
            sources = given.arguments.get("x"), given.arguments.get("validation_data")
            with monitor.fit(facts), drawn.watching(facts, *sources):
                return original(*given.args, **given.kwargs)

        fit.__doc__ = original.__doc__
        return quiet(fit)

    def train_on_batch(original: Callable) -> Callable:
        signature = inspect.signature(original)

        def train_on_batch(model: Any, *args: Any, **kwargs: Any) -> Any:
            monitor.on_batch(model, lambda: dict(signature.bind(model, *args, **kwargs).arguments))
            return original(model, *args, **kwargs)

        train_on_batch.__doc__ = original.__doc__
        return quiet(train_on_batch)

    def update(original: Callable) -> Callable:
        def update(metric: Any, y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            with contextlib.suppress(Exception):
                if id(metric) not in monitor.measured:  # which keeps it, so that no other one has its id
                    model = monitor.fits[-1]["model"] if monitor.fits else None
                    monitor.measured[id(metric)] = Measured.of(metric, y_true, y_pred, model)
            return original(metric, y_true, y_pred, *args, **kwargs)

        return quiet(update)

    yield backprop.GradientTape, "__enter__", enter
    yield backprop.GradientTape, "__exit__", leave
    yield backprop.GradientTape, "gradient", gradient
    yield polymorphic_function.Function, "__call__", call_function
    yield keras.Layer, "__call__", call_layer
    yield keras.losses.Loss, "__call__", call_loss
    yield keras.metrics.MeanMetricWrapper, "update_state", update
    yield keras.metrics.IoU.__mro__[_owner(keras.metrics.IoU, "update_state")], "update_state", update
    yield from ((module, own, functools.partial(function_loss, name)) for module, own, name in LOSSES)
    yield from ((tf.nn, own, functools.partial(nn_loss, name)) for own, name in NN.items())
    yield keras.optimizers.Optimizer.__mro__[_owner(keras.optimizers.Optimizer, "apply")], "apply", apply
    yield tf.data.Dataset, "__iter__", iterate
    for name in ("evaluate", "predict"):
        yield keras.Model.__mro__[_owner(keras.Model, name)], name, evaluate
    for name, watched in (("fit", fit), ("train_on_batch", train_on_batch)):
        yield keras.Model.__mro__[_owner(keras.Model, name)], name, watched


def _owner(kind: type, name: str) -> int:
    """Which class of the order of `kind` defines the method."""
    return next(i for i, base in enumerate(kind.__mro__) if name in vars(base))


@contextmanager
def watching() -> Iterator[Monitor]:
    """Patches while the block runs; what the block is given has seen every training in it."""
    monitor, placed = Monitor(), []
    for owner, name, make in _patched(monitor):
        original = vars(owner)[name] if name in vars(owner) else getattr(owner, name)
        placed.append((owner, name, original))
        setattr(owner, name, make(original))
    outer, Monitor.active = Monitor.active, monitor
    try:
        yield monitor
    finally:
        Monitor.active = outer
        for owner, name, original in reversed(placed):
            setattr(owner, name, original)
