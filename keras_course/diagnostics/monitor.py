"""Every training of a process, as the patches of `hooks` report it: what calls `tf.GradientTape.gradient` for variables
is one. `fit`, the loss functions, the optimizers and the models say what a graph cannot: data, plan, names."""

import contextlib
import numbers
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from keras_course.diagnostics.eager import Recording
from keras_course.diagnostics.feeds import Feeds
from keras_course.diagnostics.fits import Measured, facts_of
from keras_course.diagnostics.names import is_users
from keras_course.diagnostics.objective import Noted
from keras_course.diagnostics.probes import EVERY_LOOK, LOOKS, due
from keras_course.diagnostics.trainings import Training

import keras
import tensorflow as tf


class Context:
    """What happens between the entry of a tape and its gradient."""

    def __init__(self, recording: Recording | None) -> None:
        self.recording = recording
        self.noted: list[Noted] = []
        self.models: list[tuple[keras.Model, bool | None, Any]] = []  # with how each was called


class Monitor:
    """The trainings seen so far. While it is active, `Monitor.active` is it."""

    active: "Monitor | None" = None

    def __init__(self) -> None:
        self.trainings: list[Training] = []
        self.fits: list[dict[str, Any]] = []  # calls of `fit` that are running, innermost last
        self.local = threading.local()
        self.tapes: weakref.WeakKeyDictionary[Any, Context] = weakref.WeakKeyDictionary()
        self.sites: dict[tuple[str, int], int] = {}
        self.feeds = Feeds()
        self.measured: dict[int, Measured] = {}  # by the metrics that the script updates by itself
        self.datasets: list[Any] = []  # that the script has iterated over, newest last

    # Tapes

    def _add(self, training: Training) -> None:
        """One more training, which knows what those before it have changed."""
        training.earlier = {id(v.handle) for t in self.trainings for v in t.variables}
        self.feeds.trainings += 1
        training.feeds, training.number, training.measured = self.feeds, self.feeds.trainings, self.measured
        for older in self.trainings:
            if older.key != training.key:
                older.begins(training)
            older.later |= {id(v.handle) for v in training.variables}
            if older.key == training.key and older.until is None:
                older.until = training.number
        self.trainings.append(training)

    def enter(self, tape: Any) -> None:
        self.feeds.ticks += 1
        recording = None
        if tf.executing_eagerly() and not getattr(self.local, "recording", None):
            site = users_frame()
            count = self.sites.get(site, 0)
            self.sites[site] = count + 1
            if due(count, LOOKS, EVERY_LOOK):
                recording = self.local.recording = Recording()
                recording.start()
        self.tapes[tape] = Context(recording)
        self.stack.append(tape)

    def leave(self, tape: Any) -> None:
        if tape in self.stack:
            self.stack.remove(tape)
        self._stop(self.tapes.get(tape))

    def _stop(self, context: Context | None) -> None:
        recording = context.recording if context is not None else None
        if recording is not None and getattr(self.local, "recording", None) == recording:
            recording.stop()
            self.local.recording = None

    @property
    def stack(self) -> list[Any]:
        if not hasattr(self.local, "stack"):
            self.local.stack, self.local.functions = [], []
        return self.local.stack

    @property
    def contexts(self) -> list[Context]:
        return [self.tapes[tape] for tape in self.stack if tape in self.tapes]

    def gradient(self, original: Callable, tape: Any, target: Any, sources: Any, args: Any, kwargs: Any) -> Any:
        """The gradient as asked for, and one step of the training it belongs to."""
        variables = [variable_of(source) for source in tf.nest.flatten(sources)]
        trained = [v for v in variables if v is not None]
        context = self.tapes.get(tape) or Context(None)
        self._stop(context)
        loss = target[0] if isinstance(target, list | tuple) and len(target) else target
        if not trained or len(trained) < len(variables) or not tf.is_tensor(loss):
            return original(tape, target, sources, *args, **kwargs)
        training = self._training(trained, context)
        return training.step(original, tape, target, loss, sources, args, kwargs, context, self.jitted)

    @property
    def jitted(self) -> bool:
        return any(getattr(f, "_jit_compile", None) for f in getattr(self.local, "functions", []))

    def _training(self, variables: Sequence[tf.Variable], context: Context) -> Training:
        key = frozenset(map(id, variables))
        for training in reversed(self.trainings):
            if training.key == key and not training.closed:
                return training
        training = Training(variables, facts=self._facts(key), site=users_frame())
        older = next((t for t in self.trainings if t.key == key), None)
        if older:
            training.adopt(older)
        if not training.facts and self.datasets:
            training.dataset = self.datasets[-1]
        self._add(training)
        return training

    def _facts(self, key: frozenset[int]) -> dict[str, Any] | None:
        """Those of the running call of `fit`, when it trains these variables."""
        if not self.fits:
            return None
        facts = self.fits[-1]
        mine = {id(variable_of(v)) for v in facts["model"].trainable_variables}
        return facts if key <= mine else None

    # fit

    @contextmanager
    def fit(self, facts: dict[str, Any]) -> Iterator[None]:
        model = facts["model"]
        traced = getattr(model, "train_function", None) is not None
        facts["untaken"] = untaken(model) if traced else []
        if facts["untaken"]:  # the step that is there goes on with the weights that it was made for
            before = [t for t in self.trainings if t.facts and t.facts["model"] is model]
        else:
            key = frozenset(id(variable_of(v)) for v in model.trainable_variables)
            before = [t for t in self.trainings if t.key == key]
        older = next((t for t in reversed(before) if t.recorder), None)
        if older:
            older.close()
            training = Training(older.variables, facts=facts, site=facts["site"])
            training.adopt(older)
            self._add(training)
        elif traced and not facts["untaken"]:
            model.train_function = None  # it was traced before anybody watched
        self.fits.append(facts)
        try:
            yield
        finally:
            self.fits.pop()
            if not any(training.facts is facts for training in self.trainings):
                self._add(Training([], facts=facts, site=facts["site"]))
            for training in self.trainings:
                if training.facts is facts:
                    training.close()

    def on_batch(self, model: keras.Model, given: Callable[[], dict[str, Any]]) -> None:
        """A call of `train_on_batch` is known by its tape, unless nothing can be trained when its step is made."""
        fresh = model.built and getattr(model, "train_function", None) is None
        if fresh and model.variables and not model.trainable_variables:
            with contextlib.suppress(TypeError):  # of arguments that Keras will not take either, and says so
                facts = facts_of(model, given(), users_frame())
                self._add(Training([], facts=facts, site=facts["site"]))

    # What models are given

    def fed(self, note: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """Tells `feeds`, unless a model is being called already; what fails there is no mistake of the script's."""
        if not getattr(self.local, "busy", False):
            with contextlib.suppress(Exception), self.busy():
                note(*args, **kwargs)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While a model works: the calls that it makes itself are not the script's."""
        before, self.local.busy = getattr(self.local, "busy", False), True
        try:
            yield
        finally:
            self.local.busy = before

    # What loss functions, optimizers and models say

    def note(
        self,
        name: str,
        from_logits: bool | None,
        targets: Any,
        prediction: Any,
        delta: Any = None,
        *,
        weighed: bool = False,
    ) -> None:
        known = float(delta) if isinstance(delta, numbers.Real) else 1.0  # of a tensor nothing is told in a graph
        for context in self.contexts:
            context.noted.append(Noted(name, from_logits, targets, prediction, known, weighed))

    @contextmanager
    def refusals(self, name: str, targets: Any, prediction: Any) -> Iterator[None]:
        """While a loss works: what it does not take is told, once, as the script fails by it."""
        try:
            yield
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            told, self.local.refused = getattr(self.local, "refused", None) is error, error
            if not told and (refused := refusal(name, targets, prediction, str(error))):
                facts = self.fits[-1] if self.fits else None
                training = Training([], facts=facts, site=facts["site"] if facts else users_frame())
                training.refused = refused
                self._add(training)
            raise

    def optimizer(self, optimizer: Any, variables: Any) -> None:
        key = frozenset(id(variable_of(v)) for v in variables)
        for training in self.trainings:
            if training.key == key:
                training.apply(optimizer)

    def model(self, model: keras.Model, training: bool | None, given: Any) -> None:
        leaves = tf.nest.flatten(given)
        known = leaves and all(tf.is_tensor(leaf) and leaf.shape.rank for leaf in leaves)
        spec = lambda leaf: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype)  # noqa: E731 - one expression
        entering = tf.nest.map_structure(spec, given) if known else None
        for context in self.contexts:
            context.models.append((model, training, entering))


def untaken(model: keras.Model) -> list[str]:
    """The weights that are trainable and that the optimizer was not built for: they were made so behind `compile`."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not optimizer.built:
        return []
    known = {id(variable_of(v)) for v in getattr(optimizer, "_trainable_variables", [])}
    found = [v.path for v in model.trainable_variables if id(variable_of(v)) not in known]
    return sorted(found, key=lambda path: (not path.endswith("kernel"), path))


def refusal(name: str, targets: Any, prediction: Any, error: str) -> dict[str, str]:
    """What the loss `name` said that it does not take, as in `Observation.refused`; empty where it is another error."""
    if found := re.search(r"label value of (\S+) which is outside the valid range of (\[[^)]*\))", error):
        return {"value": f"{name} does not take the label {found[1]}: they are in {found[2]}"}
    shapes = [tuple(each.shape) for each in (targets, prediction) if hasattr(each, "shape")]
    if len(shapes) < 2 or not re.search("shape|rank|ndim|size|broadcast", error):
        return {}
    return {"shape": f"{name} does not take labels of shape {shapes[0]} for outputs of shape {shapes[1]}"}


def variable_of(source: Any) -> tf.Variable | None:
    """The variable of TensorFlow behind a source of a gradient; None when it is none."""
    value = source.value if isinstance(source, keras.Variable) else source
    return value if isinstance(value, tf.Variable) else None


def users_frame() -> tuple[str, int]:
    """File and line of the script from which a patch was reached."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0
