"""The best configuration as code to paste, by what was searched: an assignment, a builder, or a hyper-model."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keras_course import exercise
from keras_course.settings import flag
from keras_course.tuning.space import Space, Value

WIDTH = 100
CLASSES = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}


def code(plan: Mapping[str, Any], space: Space, values: Mapping[str, Value]) -> str:
    """Markdown with the code that builds the configuration `values` of the search `plan` describes.

    `plan` is what `search.json` holds. Values are written in full, so that what is pasted is what was trained.
    """
    if plan["what"] in exercise.names():
        return _assignment(plan, space.arguments(values))
    if "optimizer" in plan.get("settings", {}):
        return _builder(plan, space.arguments(values))
    return _hyper_model(plan, values)


def _fence(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def call(target: str, *given: str, **named: Any) -> str:
    """A call as text, on one line if it fits, else one line for each argument."""
    arguments = [*given, *(f"{name}={value}" for name, value in named.items())]
    line = f"{target}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return line
    return f"{target}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _reprs(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items()}


def _assignment(plan: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The command that runs the assignment so, and the model alone."""
    small = exercise.peek(plan["what"]).small
    kept = {k: tuple(v) if isinstance(v, list) else v for k, v in plan.get("settings", {}).items()}
    changed = {k: v for k, v in kept.items() if v != getattr(small, k, v)} | dict(values)
    return "\n\n".join(
        [
            _fence("", f"keras-course run {plan['what']} {' '.join(map(_flag, changed, changed.values()))}"),
            _fence(
                "python",
                "import dataclasses",
                "",
                "from keras_course import data, exercise, training",
                "",
                f'item = exercise.load("{plan["what"]}")',
                f"settings = {call('dataclasses.replace', 'item.small', **_reprs(changed))}",
                "splits = item.tune.data(settings)",
                "model = item.tune.build(settings, splits.train.x.shape[1:], len(splits.classes))",
                "batches = data.Batches(*splits.train, batch_size=settings.batch_size, seed=settings.seed)",
                "optimizer = item.tune.optimizer(settings, settings.epochs * len(batches))",
                call(
                    "training.fit",
                    "model",
                    "training.classification",
                    "batches",
                    epochs="settings.epochs",
                    optimizer="optimizer",
                ),
            ),
        ]
    )


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return flag(name) if value else flag(f"no_{name}")
    return f"{flag(name)} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"


def _found(what: str) -> tuple[Any, list[str]]:
    """The object of a dotted name with the lines that import it; None and a remark where it cannot be imported."""
    module, _, name = what.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name), [f"from {module} import {name}"]
    except (ImportError, AttributeError, ValueError):
        return None, [f"# {name}: what the search was called with"]


def _parameters(function: Callable[..., Any] | None) -> list[str]:
    return list(inspect.signature(function).parameters) if callable(function) else []


def _builder(plan: Mapping[str, Any], values: dict[str, Any]) -> str:
    """The model, its optimizer and its batches; `splits` stands for the data of the search."""
    import keras

    target, imported = _found(plan["what"])
    name = plan["what"].rpartition(".")[2]
    takes = _parameters(target)
    batch_size = int(values.pop("batch_size", plan["batch_size"]))
    chosen = str(values.pop("optimizer", plan["settings"]["optimizer"]))
    optimizer = CLASSES.get(chosen, chosen)
    theirs = set(_parameters(getattr(keras.optimizers, optimizer, None))) - set(takes)
    known = {"input_shape": "splits.train.x.shape[1:]", "classes": "len(splits.classes)"}
    given = {k: v for k, v in known.items() if k in takes}
    given |= _reprs({k: v for k, v in values.items() if k not in theirs})
    rates = _reprs({k: v for k, v in values.items() if k in theirs})
    class_ = f"keras.optimizers.{optimizer}" if hasattr(keras.optimizers, optimizer) else optimizer
    return _fence(
        "python",
        *imported,
        "from keras_course import data",
        "",
        "import keras",
        "",
        f"model = {call(name, **given)}",
        f"optimizer = {call(class_, **rates)}",
        f"batches = {call('data.Batches', '*splits.train', batch_size=batch_size)}",
    )


def _hyper_model(plan: Mapping[str, Any], values: Mapping[str, Value]) -> str:
    """The values given to Keras Tuner's `HyperParameters`, and the model built from these."""
    target, imported = _found(plan["what"])
    name = plan["what"].rpartition(".")[2]
    entries = [f"    {key!r}: {value!r}," for key, value in values.items()]
    return _fence(
        "python",
        *imported,
        "",
        "import keras_tuner",
        "",
        "hp = keras_tuner.HyperParameters()",
        "hp.values = {",
        *entries,
        "}",
        f"model = {name}().build(hp)" if inspect.isclass(target) else f"model = {name}(hp)",
    )
