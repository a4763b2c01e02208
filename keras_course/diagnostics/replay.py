"""Runs the first steps of a training again, on copies, with something changed.

The graph of the step is cut at the boundary where data enter and at the variables, and stands in a session of its own.
Batches and first weights are those of the training, so the steps without a change are its steps again; nothing of the
script is touched. What can be changed: the learning rate, the first weights, the batches, an operation, the loss.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from keras_course.base import without_advice
from keras_course.diagnostics.eager import Recording
from keras_course.diagnostics.forward import Forward
from keras_course.diagnostics.graph import ACTIVATIONS, RESHAPING, ancestors, external
from keras_course.scratch import optimizers

import keras
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
Batch = list[np.ndarray]
Rewrite = Callable[[Any], None]  # changes a GraphDef in place


def without_own_gradients(definition: Any) -> None:
    """Lets TensorFlow differentiate what has a gradient of its own: that of swish looks at tensors of its old graph."""
    for node in [*definition.node, *(node for function in definition.library.function for node in function.node_def)]:
        node.attr.pop("_gradient_op_type", None)


class Replay:
    """The forward pass of a training, ready to be run with other weights and batches.

    batches: of the first steps, each with one array per tensor of `forward.boundary`. initial: id of a variable's
    handle -> its first value. trained: id of the handles of trained variables. rewrite: changes the graph before it is
    used. also: finds a tensor whose gradient is wanted too, which is `also` then, or None.
    """

    def __init__(
        self,
        forward: Forward,
        batches: Sequence[Batch],
        initial: dict[int, np.ndarray],
        trained: Sequence[int],
        rewrite: Rewrite | None = None,
        loss: Callable[["Replay"], Any] | None = None,
        everything: bool = False,
        also: Callable[["Replay"], Any] | None = None,
    ) -> None:
        self.forward, self.batches, self.initial = forward, list(batches), initial
        definition, captures = graph_of(forward)
        if rewrite:
            rewrite(definition)
        kept = None if everything else trained
        try:
            self._build(definition, captures, kept, loss, also)
        except ValueError as error:
            if "same graph" not in str(error):
                raise
            without_own_gradients(definition)
            self._build(definition, captures, kept, loss, also)
        self.start = {name: v for name, v in self.first.items() if name in self.gradients}

    def _build(
        self,
        definition: Any,
        captures: dict[str, Any],
        trained: Sequence[int] | None,
        loss: Callable | None,
        also: Callable | None,
    ) -> None:
        """The graph of the definition, cut, with its gradients and a session."""
        forward = self.forward
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.variables, handles = self._variables(captures, trained)
            self.feeds = [v1.placeholder(t.dtype, _any_batch(t.shape)) for t in forward.boundary]
            cut = {t.name: feed for t, feed in zip(forward.boundary, self.feeds, strict=True)}
            v1.import_graph_def(definition, input_map=handles | cut, name="")
            self.output = self._tensor(forward.prediction)
            sign = -1.0 if forward.climbed else 1.0
            self.loss = loss(self) if loss else sign * v1.reduce_mean(self._tensor(forward.loss)) - forward.offset
            more = [also(self)] if also else []
            found = tf.gradients(self.loss, [*self.variables.values(), *more])  # a loop bears this only once
            self.also = found.pop() if more else None
            self.gradients = {
                k: tf.convert_to_tensor(g) for k, g in zip(self.variables, found, strict=True) if g is not None
            }
            self.values = {name: v1.placeholder(v.dtype, v.shape) for name, v in self.variables.items()}
            self.assign = [v1.assign(v, self.values[name]) for name, v in self.variables.items()]
            self.session = v1.Session(graph=self.graph)
            self.session.run(v1.global_variables_initializer())

    def close(self) -> None:
        self.session.close()

    def _variables(
        self, captures: dict[str, Any], trained: Sequence[int] | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A variable for each handle that the graph captures, and where it is put in."""
        variables: dict[str, Any] = {}
        handles, made = {}, {}
        self.first: dict[str, np.ndarray] = {}
        self.owners: dict[str, int] = {}  # name -> id of the variable's handle
        for name, handle in captures.items():
            value = self.initial.get(id(handle))
            if value is None:
                raise ValueError(f"the first value of {name} is not known")
            if id(handle) not in made:
                made[id(handle)] = v1.Variable(value, use_resource=True, trainable=False, name="replayed")
            variable = made[id(handle)]
            handles[name] = variable.handle
            mine = id(handle) in trained if trained is not None else value.dtype.kind == "f" and value.ndim >= 1
            if mine and id(handle) not in self.owners.values():
                variables[name], self.first[name] = variable, value
                self.owners[name] = id(handle)
        return variables, handles

    def feed_of(self, tensor: Any) -> Any:
        """Where a tensor of the boundary is fed."""
        place = self.forward.place(tensor)
        assert place is not None
        return self.feeds[place]

    def before_head(self) -> Any:
        """What enters the output's softmax, sigmoid or other activation; the prediction itself where there is none."""
        op = self.output.op
        while op.type in RESHAPING:
            op = op.inputs[0].op
        return op.inputs[0] if op.type in ACTIVATIONS else self.output

    def _tensor(self, tensor: Any) -> Any:
        return None if tensor is None else self.graph.get_tensor_by_name(tensor.name)

    def _feed(self, batch: Batch) -> dict[Any, np.ndarray]:
        return dict(zip(self.feeds, batch, strict=True))

    def put(self, weights: dict[str, np.ndarray]) -> None:
        self.session.run(self.assign, {self.values[k]: {**self.first, **weights}[k] for k in self.values})

    def losses(self, weights: dict[str, np.ndarray], batches: Sequence[Batch]) -> np.ndarray:
        """The loss of each batch."""
        self.put(weights)
        return np.array([self.session.run(self.loss, self._feed(batch)) for batch in batches])

    def outputs(self, weights: dict[str, np.ndarray], batch: Batch) -> np.ndarray:
        self.put(weights)
        return self.session.run(self.output, self._feed(batch))

    def gradient(self, weights: dict[str, np.ndarray], batch: Batch) -> np.ndarray:
        """Of the loss by the tensor that `also` found."""
        self.put(weights)
        return self.session.run(self.also, self._feed(batch))

    def train(
        self,
        optimizer: optimizers.Optimizer,
        *,
        steps: int,
        batches: Sequence[Batch] | None = None,
        start: dict[str, np.ndarray] | None = None,
        probe: Batch | None = None,
        sign: float = 1.0,
    ) -> "Curve":
        """Trains copies of the first weights; stops at the first loss that is not finite.

        batches: taken in turn; those of the training when there are none given. probe: its loss is measured too.
        sign: -1 goes uphill.
        """
        weights = {name: value.copy() for name, value in (start or self.start).items()}
        batches = self.batches if batches is None else batches
        losses, probed = [], []
        for step in range(steps):
            self.put(weights)
            fetches = [self.loss, {k: self.gradients[k] for k in weights}]
            loss, gradients = self.session.run(fetches, self._feed(batches[step % len(batches)]))
            losses.append(float(loss))
            if not np.isfinite(loss):
                break
            optimizer.step(weights, {name: sign * g for name, g in gradients.items()})
            if probe is not None:
                self.put(weights)
                probed.append(float(self.session.run(self.loss, self._feed(probe))))
        return Curve(np.array(losses), np.array(probed), weights)


def _any_batch(shape: tf.TensorShape) -> tf.TensorShape:
    """The shape, for batches of any size."""
    return shape if not shape.rank else tf.TensorShape([None, *shape.as_list()[1:]])


class Curve:
    """losses: of each step before its update. probed: of the probe behind it. weights: the last ones."""

    def __init__(self, losses: np.ndarray, probed: np.ndarray, weights: dict[str, np.ndarray]) -> None:
        self.losses, self.probed, self.weights = losses, probed, weights

    @property
    def end(self) -> float:
        """The mean loss of the last quarter; infinite when it diverged."""
        if not len(self.losses) or not np.isfinite(self.losses[-1]):
            return float("inf")
        return float(np.mean(self.losses[-max(len(self.losses) // 4, 1) :]))


LEAST = 1e-30  # of a rate: 0 is none


def optimizer_of(name: str, rate: float, momentum: float = 0.0) -> optimizers.Optimizer:
    """The rule of an optimiser by its Keras name; of those that we do not have, the nearest."""
    rate = max(float(rate), LEAST)
    if name == "SGD" or not name:
        return optimizers.SGD(rate, min(momentum, 0.999))
    return optimizers.RMSprop(rate) if name == "RMSprop" else optimizers.Adam(rate)


GATHERED = 20  # steps, that the shortest experiment has


class Own(optimizers.Optimizer):
    """A Keras optimiser of the script as a rule on arrays, with all its settings but the rate; gradients that it
    gathers over more steps than are tried here it takes one by one."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, rate: float) -> None:
        super().__init__(max(float(rate), LEAST))
        own = settings(optimizer) | {"learning_rate": self.learning_rate}
        if (own.get("gradient_accumulation_steps") or 0) > GATHERED:
            own["gradient_accumulation_steps"] = None
        self.optimizer = type(optimizer).from_config(own)
        self.variables: dict[str, keras.Variable] = {}

    def step(self, parameters: optimizers.Arrays, gradients: optimizers.Arrays) -> None:
        if not self.variables:
            self.variables = {name: keras.Variable(w) for name, w in parameters.items()}
        self.optimizer.apply([tf.constant(gradients[name]) for name in self.variables], list(self.variables.values()))
        for name, variable in self.variables.items():
            parameters[name][...] = variable.numpy()


def settings(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """The arguments that make an optimiser again; where its schedule cannot be written down, with the rate of now."""
    try:
        return optimizer.get_config()
    except NotImplementedError:  # of a schedule of the script's own
        names = inspect.signature(type(optimizer)).parameters
        return {name: getattr(optimizer, name) for name in names if hasattr(optimizer, name)}


def plain(optimizer: Any) -> bool:
    """Whether `optimizer_of` has the rule of a Keras optimiser, for its class and settings; quicker than `Own`."""
    known = (keras.optimizers.SGD, keras.optimizers.RMSprop, keras.optimizers.Adam)
    if type(optimizer) not in known:
        return False
    free = {"name", "learning_rate", *(("momentum",) if isinstance(optimizer, keras.optimizers.SGD) else ())}
    own, usual = settings(optimizer), type(optimizer)().get_config()
    return all(own[key] == value for key, value in usual.items() if key not in free)


def graph_of(forward: Forward) -> tuple[Any, dict[str, Any]]:
    """The definition of the forward graph, and name of a tensor -> the variable's handle that it captures."""
    graph = forward.loss.graph
    if isinstance(graph, Recording):
        return _rebuilt(forward)
    targets = [t.op.name for t in (forward.loss, forward.prediction) if t is not None]
    definition = graph.as_graph_def()
    for node in definition.node:  # the order of side effects is of no concern here
        node.input[:] = [name for name in node.input if not name.startswith("^")]
    with without_advice():
        definition = v1.graph_util.extract_sub_graph(definition, targets)
    used = {node.name for node in definition.node}
    # what comes out of a table is fed, so that the table itself is not needed
    used -= {node.input[0].split(":")[0] for node in definition.node if node.op.startswith("LookupTable")}
    captures = {inside.name: external(outside) for outside, inside in graph.captures if inside.dtype == tf.resource}
    return definition, {name: handle for name, handle in captures.items() if name.split(":")[0] in used}


def _rebuilt(forward: Forward) -> tuple[Any, dict[str, Any]]:
    """The graph of a step that was recorded while it ran eagerly."""
    graph, made, captures = tf.Graph(), {}, {}
    inside = {id(tensor): handle for handle, tensor in forward.loss.graph.captures}
    operations = {op.name: op for t in (forward.loss, forward.prediction) if t is not None for op in ancestors(t)}
    order = {op.name: place for place, op in enumerate(forward.loss.graph.get_operations())}
    boundary = {t.name for t in forward.boundary}
    with graph.as_default():
        for op in sorted(operations.values(), key=lambda op: order[op.name]):
            if op.type in ("Placeholder", "Const") and not op.inputs:
                given = op.outputs[0]
                if id(given) in inside:
                    made[given.name] = v1.placeholder(tf.resource, (), name=op.name)
                    captures[made[given.name].name] = inside[id(given)]
                elif given.name not in boundary:
                    made[given.name] = tf.constant(given.value.numpy(), dtype=given.dtype, name=op.name)
                else:
                    made[given.name] = v1.placeholder(given.dtype, _any_batch(given.shape), name=op.name)
            else:
                outputs = _apply(op, [made[t.name] for t in op.inputs])
                made.update((t.name, o) for t, o in zip(op.outputs, outputs, strict=True))
    return graph.as_graph_def(), captures


def _apply(op: Any, inputs: list[Any]) -> list[Any]:
    """The operation of a recording in the default graph, under the same name."""
    from tensorflow.python.framework import op_def_library, op_def_registry

    definition = op_def_registry.get(op.type)
    attrs = dict(zip(op.attrs[::2], op.attrs[1::2], strict=True)) if op.attrs else {}
    rest, keywords, inferred = list(inputs), {}, set()
    for arg in definition.input_arg:
        inferred |= {arg.type_attr, arg.number_attr, arg.type_list_attr}
        if arg.number_attr:
            count = int(attrs[arg.number_attr])
            keywords[arg.name], rest = rest[:count], rest[count:]
        elif arg.type_list_attr:
            keywords[arg.name], rest = rest, []
        else:
            keywords[arg.name], rest = rest[0], rest[1:]
    own = {a.name for a in definition.attr}
    keywords |= {k: v for k, v in attrs.items() if k in own and k not in inferred and not k.startswith("_")}
    result = op_def_library.apply_op(op.type, name=op.name, **keywords)
    if isinstance(result, tf.Operation):
        return []
    return list(result) if isinstance(result, list | tuple) else [result]
