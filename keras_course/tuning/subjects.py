"""What can be searched: a builder with a space, a Keras `HyperModel`, or an assignment with a `Target`.

Each is a subject: it has a `space`, the `hp` that Keras Tuner draws from, a `source` of examples, and `prepare`, which
makes from the values of a trial all that its training needs.
"""

import dataclasses
import inspect
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from keras_course import exercise, training
from keras_course.base import InputError, closest, pick, require
from keras_course.runs import plain
from keras_course.settings import check, describe, obeys, types_of
from keras_course.tuning.oracles import hyperparameters
from keras_course.tuning.source import Pipeline, Source
from keras_course.tuning.space import Space, Value

import keras
import keras_tuner

OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


@dataclasses.dataclass
class Prepared:
    """What a training needs; `task` is the objective of our loop: (model, batch, training) -> loss and metrics."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    train: Pipeline
    validation: Pipeline
    task: Any


class Subject(Protocol):
    """What a search searches."""

    what: str
    space: Space
    hp: keras_tuner.HyperParameters
    source: Source
    fixed: dict[str, Any]  # other fields that the scores depend on

    def prepare(self, values: Mapping[str, Value], *, seed: int, epochs: int) -> Prepared: ...


def _keywords(function: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """The parameters that can be given by name, and whether any name will do."""
    parameters = inspect.signature(function).parameters.values()
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


class Built:
    """A builder of the package, or any function of keywords, with a space.

    The space's `optimizer` and what an optimizer takes (`learning_rate`, `momentum`, …) go to the optimizer,
    `batch_size` to the pipeline, all else to the builder; its parameters `input_shape` and `classes` come from arrays.
    """

    def __init__(
        self,
        build: Any,
        space: Space,
        source: Source,
        *,
        optimizer: Any,
        batch_size: int,
        task: Any,
    ) -> None:
        self.build, self.space, self.source, self.task = build, space, source, task
        self.optimizer, self.batch_size = optimizer, batch_size
        self.fixed: dict[str, Any] = {"optimizer": getattr(optimizer, "__name__", str(optimizer))}
        self.hp = hyperparameters(space)
        target = getattr(build, "func", build)  # functools.partial
        if target is not build:
            given = [*map(repr, build.args), *(f"{key}={value!r}" for key, value in build.keywords.items())]
            self.fixed["given"] = ", ".join(given)
        self.what = f"{getattr(target, '__module__', '')}.{getattr(target, '__qualname__', type(target).__name__)}"
        self._check()

    def _optimizers(self) -> list[Any]:
        searched = self.space.parameters.get("optimizer")
        names: list[Any] = list(searched.choices) if searched else [self.optimizer]
        return [pick(OPTIMIZERS, name, "optimizer") if isinstance(name, str) else name for name in names]

    def _check(self) -> None:
        """Refuses a parameter that nobody takes."""
        takes, anything = _keywords(self.build)
        self._for_optimizer = {"optimizer"}.union(*(_keywords(each)[0] for each in self._optimizers())) - takes.keys()
        if not self.source.arrays and "batch_size" in self.space.parameters:
            raise InputError("`space` must leave out batch_size with a pipeline, which has its own; arrays would do.")
        known = {*takes, *self._for_optimizer, "batch_size"}
        for name in self.space.parameters:
            if name not in known and not anything:
                raise InputError(
                    f"No parameter {name!r} of {self.what} or of the optimizer.{closest(name, known)} "
                    f"There are: {', '.join(takes)}."
                )

    def prepare(self, values: Mapping[str, Value], *, seed: int, epochs: int) -> Prepared:
        given = self.space.arguments(values)
        batch_size = int(given.pop("batch_size", self.batch_size))
        for_optimizer = {name: given.pop(name) for name in list(given) if name in self._for_optimizer}
        takes, _ = _keywords(self.build)
        known = {"input_shape": self.source.input_shape, "classes": self.source.classes}
        model = self.build(**{k: v for k, v in known.items() if k in takes and v is not None}, **given)
        chosen = for_optimizer.pop("optimizer", self.optimizer)
        optimizer = getattr(model, "optimizer", None)
        if optimizer is None:
            make = pick(OPTIMIZERS, chosen, "optimizer") if isinstance(chosen, str) else chosen
            optimizer = make(**for_optimizer)
        return Prepared(model, optimizer, *self.source.batches(batch_size, seed), self.task)


class Hyper:
    """A Keras `HyperModel`, or a function of its `hp` alone that returns a model."""

    def __init__(self, build: Any, source: Source, *, batch_size: int, task: Any) -> None:
        self.source, self.batch_size, self.task = source, batch_size, task
        self.fixed: dict[str, Any] = {}
        self.build = build.build if isinstance(build, keras_tuner.HyperModel) else build
        kind = type(build) if isinstance(build, keras_tuner.HyperModel) else build
        self.what = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"
        with tempfile.TemporaryDirectory() as folder:  # Keras Tuner builds until every condition was met once
            oracle = keras_tuner.oracles.RandomSearchOracle(objective=keras_tuner.Objective("val_loss", "min"))
            keras_tuner.Tuner(oracle, hypermodel=build, directory=folder, project_name="space")
        self.hp = explored(self.build, oracle.get_space())
        self.space = space_of(self.hp)

    def prepare(self, values: Mapping[str, Value], *, seed: int, epochs: int) -> Prepared:
        hp = self.hp.copy()
        hp.values = dict(values)
        model = self.build(hp)
        optimizer = getattr(model, "optimizer", None) or keras.optimizers.Adam()
        return Prepared(model, optimizer, *self.source.batches(self.batch_size, seed), self.task)


def explored(build: Callable[..., Any], hp: keras_tuner.HyperParameters) -> keras_tuner.HyperParameters:
    """`hp` with what a build declares only where another parameter has a value other than its default."""
    known = 0
    while known < len(hp.space):
        known = len(hp.space)
        for each in list(hp.space):
            values = (each.min_value, each.max_value) if hasattr(each, "min_value") else getattr(each, "values", ())
            for value in values or (True, False):
                trial = hp.copy()
                trial.values[each.name] = value
                trial.ensure_active_values()
                build(trial)
                hp.merge([new for new in trial.space if not hp._exists(new.name, new.conditions)])
    return hp


def space_of(hp: keras_tuner.HyperParameters) -> Space:
    """What a hyper-model has declared, as a space: checked like any other."""
    entries: dict[str, Any] = {}
    for each in hp.space:
        if hasattr(each, "min_value"):
            entry: dict[str, Any] = {"low": each.min_value, "high": each.max_value}
            if each.step and not (isinstance(each.min_value, int) and each.step == 1):
                entry["step"] = each.step
            if each.sampling in ("log", "reverse_log"):
                entry["scale"] = "log"
            if "step" in entry and "scale" in entry:  # Keras Tuner multiplies by the step
                entry = {"choices": list(each.values)}
        else:
            entry = {"choices": list(getattr(each, "values", (True, False)))}
        if len(entry.get("choices", (1, 2))) < 2 or each.name in entries:
            continue  # Fixed, or the same name under another condition
        when = {
            c.name: list(c.values) for c in each.conditions if c.name in entries and not _always(entries[c.name], c)
        }
        entries[each.name] = entry | ({"when": when} if when else {})
    return Space(entries)


def _always(parent: dict[str, Any], condition: Any) -> bool:
    """Whether a condition names every value of its parent, and so says nothing."""
    return set(condition.values) >= set(Space({"parent": parent}).parameters["parent"].values or ())


class Assigned:
    """An assignment: the fields of its `Settings` that its `Target` names are searched, the others stand as given.

    Args:
        name: of an assignment whose Exercise has `tune`. settings: the preset, or what the flags made of it.
    """

    def __init__(self, name: str, settings: Any) -> None:
        item = exercise.load(name)
        if item.tune is None:
            raise InputError(f"`{name}` must have a `tune` in its Exercise to be searched.")
        settings = type(item.small)(**vars(settings))  # those that were read before TensorFlow are of another class
        self.target, self.settings, self.what = item.tune, settings, name
        self.fixed, self.space = plain(settings), Space(item.tune.space)
        self.hp = hyperparameters(self.space)
        _check_fields(self.space, settings)
        self.source = Source(item.tune.data(settings))

    def __reduce__(self) -> Any:  # a worker loads the assignment and its data itself
        return Assigned, (self.what, self.settings)

    def prepare(self, values: Mapping[str, Value], *, seed: int, epochs: int) -> Prepared:
        settings = check(dataclasses.replace(self.settings, **self.space.arguments(values)))
        train, validation = self.source.batches(settings.batch_size, seed)
        shape, classes = self.source.input_shape, self.source.classes
        model = self.target.build(settings, shape or (), classes or 0)
        optimizer = self.target.optimizer(settings, epochs * len(train))
        return Prepared(model, optimizer, train, validation, training.classification)


def _check_fields(space: Space, settings: Any) -> None:
    """Refuses a field that there is not, and an end or a choice that breaks the field's rule."""
    kinds = types_of(settings)
    for name, parameter in space.parameters.items():
        kind = pick(kinds, name, "field of the settings")
        ends = parameter.arguments or (parameter.low, parameter.high)
        for value in ends:
            require(obeys(kind, value), f"space[{name!r}]", f"of values that are {describe(kind)}", value)
