"""Reads a traced training step: which units it has, what is the prediction, what the target, where the data come in.

Every value of the graph belongs to one of five classes, found in one pass from the inputs on:

    CONSTANT    shapes and literals         RANDOM    draws
    WEIGHTS     made of variables alone     DATA      made of what the step was fed
    MIXED       made of weights and data: the forward pass proper

Where a step is fed nothing, its data are literals: arrays of the script that the graph has taken in.

A unit is an operation that joins data or a mixed value linearly with weights, and what follows up to the next one. The
boundary is where data enter the mixed part: who feeds it, and the weights, can run the forward pass again.
"""

import dataclasses
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any

from keras_course.diagnostics.observation import Unit

import keras
import numpy as np
import tensorflow as tf

CONSTANT, RANDOM, WEIGHTS, DATA, MIXED = range(5)
LINEAR = {
    "MatMul": "dense",
    "BatchMatMulV2": "dense",
    "BatchMatMulV3": "dense",
    "Einsum": "dense",
    "Conv2D": "conv",
    "Conv3D": "conv",
    "DepthwiseConv2dNative": "conv",
    "Conv2DBackpropInput": "conv",
    "Conv3DBackpropInputV2": "conv",
    "ResourceGather": "embedding",
    "GatherV2": "embedding",
    "While": "recurrent",
    "StatelessWhile": "recurrent",
    "PartitionedCall": "recurrent",
    "StatefulPartitionedCall": "recurrent",
}
ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "Selu": "selu",
    "LeakyRelu": "leaky_relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Erf": "gelu",
    "Erfc": "gelu",
    "Sin": "sine",
}
FEW = 20  # rows from which on an array in the graph is data
GATES = ("Sigmoid", "Tanh")
RESHAPING = {"Identity", "Reshape", "Squeeze", "ExpandDims", "Cast", "StopGradient", "Transpose", "StridedSlice"}
FORMS = {"Cast", "ExpandDims", "Squeeze", "Reshape", "Identity"}  # of the same numbers
SHAPES = {"Shape", "ShapeN", "Size", "Rank", "Const", "ZerosLike", "OnesLike"}
JOINS = {"BatchMatMulV2", "BatchMatMulV3", "MatMul", "Einsum"}  # of two mixed values: attention, where a chain ends
ADDS = ("BiasAdd", "AddV2", "Add")
CLIPS = {"Minimum", "Maximum", "ClipByValue", "AddV2", "Add", "Identity"}  # between a prediction and its logarithm
DIFFERENCES = {"SquaredDifference": "mean_squared_error", "Square": "mean_squared_error", "Abs": "mean_absolute_error"}


@dataclasses.dataclass
class Found:
    """A unit with its tensors: what the linear operation takes and gives, and what leaves the unit."""

    unit: Unit
    operation: Any
    entering: Any
    linear: Any
    leaving: Any


@dataclasses.dataclass
class Noted:
    """A loss function that was called while the step was traced."""

    name: str
    from_logits: bool | None
    targets: Any
    prediction: Any


@dataclasses.dataclass
class Forward:
    """One forward pass, as found in the graph of `loss`."""

    loss: Any
    found: list[Found]
    boundary: list[Any]  # tensors through which data enter
    reads: dict[str, Any]  # name of a tensor that reads a variable -> the variable's handle
    targets: Any = None
    prediction: Any = None
    name: str = ""  # of the loss function
    from_logits: bool | None = None
    head: str = ""
    noise: tuple[Any, Any] | None = None  # the signal and the sum where Gaussian noise is added to the inputs
    broadcast: bool = False  # targets and predictions differ in rank and were broadcast against each other
    rescued: bool = False  # the loss is computed from the logits behind the prediction
    inner: str = ""  # the activation of what a cross-entropy on logits is really given
    draws: bool = False  # the loss depends on random numbers: dropout, noise, sampling
    sampled: bool = False  # what the network gives is the deviation of Gaussian draws
    moving: bool = False  # batch normalisation takes its moving averages, as in evaluation
    turned: bool = False  # logarithms of a softmax are minimised, whose negatives are what has a lower end

    def place(self, tensor: Any) -> int | None:
        """Where a tensor stands in the boundary, as it is or behind what changes its form or type alone."""
        for place, entering in enumerate(self.boundary if tensor is not None else ()):
            while entering.name != tensor.name and entering.op.type in FORMS and len(entering.op.inputs):
                entering = entering.op.inputs[0]
            if entering.name == tensor.name:
                return place
        return None


def external(tensor: Any) -> Any:
    """What a captured tensor is outside of all graphs."""
    while hasattr(tensor, "graph") and hasattr(tensor.graph, "captures"):
        outer = next((outside for outside, inside in tensor.graph.captures if inside is tensor), None)
        if outer is None:
            return tensor
        tensor = outer
    return tensor


def ancestors(tensor: Any) -> list[Any]:
    """All operations that `tensor` is computed from, in the order in which they were made."""
    seen, waiting = {tensor.op.name: tensor.op}, [tensor.op]
    while waiting:
        for entering in waiting.pop().inputs:
            if entering.op.name not in seen:
                seen[entering.op.name] = entering.op
                waiting.append(entering.op)
    order = {op.name: i for i, op in enumerate(tensor.graph.get_operations())}
    return sorted(seen.values(), key=lambda op: order[op.name])


def classes_of(operations: Iterable[Any], *, literal: bool = False) -> dict[str, int]:
    """The class of each tensor, by name. literal: whether arrays in the graph are data."""
    found: dict[str, int] = {}
    for op in operations:
        kind = _class(op, {found[t.name] for t in op.inputs})
        if literal and op.type == "Const" and op.outputs[0].shape.rank and op.outputs[0].shape[0] >= FEW:
            kind = DATA
        found.update((t.name, kind) for t in op.outputs)
    return found


def _class(op: Any, entering: set[int]) -> int:
    if op.type in SHAPES:
        return CONSTANT
    if op.type == "ReadVariableOp" or (op.type == "Placeholder" and op.outputs[0].dtype == tf.resource):
        return WEIGHTS
    if "Random" in op.type or op.type in ("Multinomial", "TruncatedNormal", "StatelessTruncatedNormal"):
        return RANDOM
    if op.type == "ResourceGather":
        return MIXED
    if not op.inputs or op.type.startswith(("Iterator", "LookupTable")):  # numbers of words are as good as data
        return DATA
    if WEIGHTS in entering and {DATA, RANDOM} & entering:
        return MIXED
    return max(entering)


def frame_of(op: Any) -> tuple[str, int]:
    """The file and line of the script that made an operation; nothing when none of its frames is the user's."""
    for frame in reversed(list(op.traceback or ())):
        if is_users(frame.filename):
            return frame.filename, frame.lineno
    return "", 0


def is_users(filename: str) -> bool:
    """Whether a file is the user's: neither installed, nor Python's, nor of this package."""
    return not any(
        part in filename
        for part in (
            "site-packages",
            "dist-packages",
            "<",
            "autograph_generated",
            "keras_course/",
            f"{sys.base_prefix}/lib/",
        )
    )


def read(loss: Any, names: dict[int, str], noted: Sequence[Noted] = ()) -> Forward:
    """The forward pass behind `loss`, a scalar of a graph.

    names: id of a variable's handle -> its name. noted: the loss functions seen on the way; the first one that is part
    of this graph says what prediction and target are, else the operations do.
    """
    operations = ancestors(loss)
    kinds = classes_of(operations)
    if DATA not in kinds.values():
        kinds = classes_of(operations, literal=True)
    reads = {t.name: external(op.inputs[0]) for op in operations if op.type == "ReadVariableOp" for t in op.outputs}
    result = Forward(loss, [], _boundary(loss, operations, kinds), reads)
    followers = defaultdict(list)
    for op in operations:
        for tensor in op.inputs:
            followers[tensor.name].append(op)
    for op in operations:
        if (joined := _linear(op, kinds)) is not None:
            result.found.append(_unit(op, joined, kinds, followers, names, len(result.found)))
    _name_apart(result.found)
    _loss(result, operations, kinds, noted)
    result.draws = any(kind == RANDOM for kind in kinds.values())
    result.sampled = any(op.type == "Mul" and _gaussian(op, kinds, {RANDOM, MIXED}) for op in operations)
    result.noise = _noise(operations, kinds)
    result.turned = _turned(loss)
    moving = ("moving_mean", "moving_variance")
    result.moving = any(str(names.get(id(handle), "")).endswith(moving) for handle in reads.values())
    return result


def _boundary(loss: Any, operations: Sequence[Any], kinds: dict[str, int]) -> list[Any]:
    """Where data enter the mixed part; and roots that shapes and draws still come from when those are fed."""
    found = {
        tensor.name: tensor
        for op in operations
        if any(kinds[t.name] == MIXED for t in op.outputs)
        for tensor in op.inputs
        if kinds[tensor.name] == DATA and tensor.dtype not in (tf.resource, tf.variant)
    }
    waiting, seen = [loss], {loss.name}
    while waiting:
        tensor = waiting.pop()
        if tensor.name in found:
            continue
        if not tensor.op.inputs and kinds[tensor.name] == DATA and tensor.dtype not in (tf.resource, tf.variant):
            found[tensor.name] = tensor
        for entering in tensor.op.inputs:
            if entering.name not in seen:
                seen.add(entering.name)
                waiting.append(entering)
    return list(found.values())


def _linear(op: Any, kinds: dict[str, int]) -> Any:
    """What enters `op` beside weights, when it is the linear operation of a unit."""
    if op.type not in LINEAR:
        return None
    entering = [t for t in op.inputs if t.dtype != tf.resource]
    if op.type == "ResourceGather":
        return entering[0]
    weights = [t for t in op.inputs if kinds[t.name] == WEIGHTS]
    values = [t for t in entering if kinds[t.name] in (DATA, MIXED)]
    if not weights or not values or not any(kinds[t.name] == MIXED for t in op.outputs):
        return None
    if op.type == "GatherV2" and kinds[op.inputs[0].name] != WEIGHTS:
        return None
    return max(values, key=lambda t: (t.dtype.is_floating, t.dtype != tf.variant))


def _unit(op: Any, entering: Any, kinds: dict[str, int], followers: dict, names: dict[int, str], number: int) -> Found:
    output = max(op.outputs, key=lambda t: (t.dtype.is_floating, t.shape.rank or 0))
    activation, leaving, normalised = _activation(output, kinds, followers)
    own = [_variables(o, kinds, names) for o in (op, *(f for f in followers[output.name] if f.type in ADDS))]
    variables = tuple(dict.fromkeys(name for each in own for name in each))
    file, line = frame_of(op)
    return Found(
        Unit(
            name=_unit_name(variables, op, number),
            kind=LINEAR[op.type],
            activation=activation,
            normalised=normalised,
            variables=variables,
            file=file,
            line=line,
        ),
        op,
        entering,
        output,
        leaving,
    )


def _variables(op: Any, kinds: dict[str, int], names: dict[int, str]) -> Iterable[str]:
    """The variables that enter `op` on paths of weights alone."""
    waiting = [t for t in op.inputs if kinds[t.name] == WEIGHTS]
    while waiting:
        tensor = waiting.pop()
        if tensor.dtype == tf.resource:
            name = names.get(id(external(tensor)))
            if name:
                yield name
        waiting.extend(t for t in tensor.op.inputs if kinds[t.name] == WEIGHTS)


def _unit_name(variables: Sequence[str], op: Any, number: int) -> str:
    """The Keras layer that owns the variables; else the variable; else the operation and its number."""
    kernels = [name for name in variables if "/" in name] or [v for v in variables if not v.startswith("Variable")]
    if kernels:
        return kernels[0].rsplit("/", 1)[0] if "/" in kernels[0] else kernels[0]
    return variables[0] if variables else f"{op.type.lower()}_{number}"


def _name_apart(found: Sequence[Found]) -> None:
    """Two units of one layer, or of one variable, get numbers."""
    counts: dict[str, int] = {}
    for each in found:
        name = each.unit.name
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > 1:
            each.unit.name = f"{name}_{counts[name]}"


def _activation(output: Any, kinds: dict[str, int], followers: dict) -> tuple[str, Any, bool]:
    """The nearest activation behind a linear operation, the tensor that leaves the unit, whether it is normalised."""
    waiting, seen, normalised, leaving, activation = deque([output]), {output.name}, False, output, ""
    while waiting:
        tensor = waiting.popleft()
        for op in followers[tensor.name]:
            mixed = [t for t in op.inputs if kinds[t.name] == MIXED]
            if op.type in LINEAR and (op.type not in JOINS or len(mixed) > 1 or _linear(op, kinds) is not None):
                continue
            normalised = normalised or op.type in ("FusedBatchNormV3", "Rsqrt")
            if not activation and op.type == "Maximum" and any(kinds[t.name] == CONSTANT for t in op.inputs):
                activation, leaving = "relu", op.outputs[0]
            if not activation and op.type in ACTIVATIONS:
                activation, leaving = _gated(op, followers, kinds)
            if op.type in ADDS and tensor is leaving and len(mixed) == 1:
                leaving = op.outputs[0]
            for following in op.outputs:
                if following.dtype.is_floating and following.name not in seen and kinds[following.name] == MIXED:
                    seen.add(following.name)
                    waiting.append(following)
    return activation or "linear", leaving, normalised


def _gated(op: Any, followers: dict, kinds: dict[str, int]) -> tuple[str, Any]:
    """An activation whose value multiplies another one is a gate, or swish when that other one is its own input."""
    products = [f for f in followers[op.outputs[0].name] if f.type == "Mul"] if op.type in GATES else []
    for product in products:
        others = [t for t in product.inputs if t.name != op.outputs[0].name and kinds[t.name] == MIXED]
        if others:
            # by name: tensors of a graph cannot be compared
            mine = {t.name for t in op.inputs} | {t.name for entering in op.inputs for t in entering.op.inputs}
            own = others[0].name in mine
            return ("swish" if own else "gate"), product.outputs[0]
    return ACTIVATIONS[op.type], op.outputs[0]


def _loss(result: Forward, operations: Sequence[Any], kinds: dict[str, int], noted: Sequence[Noted]) -> None:
    """Fills in what the loss is computed from."""
    mine = {t.name for op in operations for t in op.outputs}

    def part_of_it(each: Noted) -> bool:
        if not hasattr(each.prediction, "op") or each.prediction.graph is not result.loss.graph:
            return False
        # Keras takes the logits behind a softmax or sigmoid, so that the prediction itself may be no part of the loss.
        return each.prediction.name in mine or (hasattr(each.targets, "op") and each.targets.name in mine)

    parts = [each for each in noted if part_of_it(each)]
    if parts:  # a function of the script may call one of Keras, which says more
        each = next((each for each in parts if hasattr(keras.losses, each.name)), parts[0])
        result.rescued = each.prediction.name not in mine
        result.name, result.from_logits = each.name, each.from_logits
        result.targets, result.prediction = each.targets if hasattr(each.targets, "op") else None, each.prediction
    for op in operations:
        _loss_by_operation(op, result, kinds)
    if result.prediction is None:
        _overlap(operations, result, kinds)
    if result.prediction is not None:
        result.head = _head(result.prediction)
        if result.rescued and result.found and result.found[-1].unit.activation == "linear":
            result.found[-1].unit.activation = result.head


def _loss_by_operation(op: Any, result: Forward, kinds: dict[str, int]) -> None:
    """Recognises cross-entropy on logits and differences of prediction and target."""
    known = result.prediction is not None and hasattr(keras.losses, result.name)  # not by a function of the script
    if op.type.endswith("SoftmaxCrossEntropyWithLogits"):
        result.inner = _head(op.inputs[0])
        if not known:
            sparse = "sparse_" if op.type.startswith("Sparse") else ""
            result.name, result.from_logits = f"{sparse}categorical_crossentropy", True
            result.prediction = op.inputs[0]
        if result.targets is None:
            result.targets = op.inputs[1]
    sides = _sides(op)
    if sides and {kinds[t.name] for t in sides} == {DATA, MIXED}:
        mixed, data = sorted(sides, key=lambda t: kinds[t.name] != MIXED)
        ranks = mixed.shape.rank, data.shape.rank
        apart = None not in ranks and ranks[0] != ranks[1] and 0 not in ranks
        one = 1 in (mixed.shape[-1:].as_list() + data.shape[-1:].as_list()) if apart else False
        result.broadcast = result.broadcast or bool(apart and one)
        if not known:
            names = [_of_difference(o) for o in (op, *op.outputs[0].consumers())]
            if name := next(filter(None, names), ""):
                result.name, result.prediction, result.targets = name, mixed, data
        elif result.targets is None and result.name in DIFFERENCES.values():
            result.targets = data
    if op.type == "Mul" and {kinds[t.name] for t in op.inputs} == {DATA, MIXED}:
        mixed, data = sorted(op.inputs, key=lambda t: kinds[t.name] != MIXED)
        result.broadcast = result.broadcast or _columns_by_rows(mixed.shape, data.shape)
    if not known:
        _cross_entropy_by_hand(op, result, kinds)


# Each goes up with what enters it.
SUMS = {"Mean", "Sum", "MatrixDiagPartV3", "DiagPart", "GatherV2", "GatherNd", "Identity", "Reshape", "Squeeze",
        "StridedSlice", "AddV2", "Add"}  # fmt: skip


def _turned(loss: Any) -> bool:
    """Whether the logarithm of a softmax enters the loss with its own sign, by sums and positive factors alone.

    Nothing is known of one that is multiplied by data, as by the advantages of a policy.
    """
    waiting, seen = [(loss, 1)], set()
    while waiting:
        tensor, sign = waiting.pop()
        kind = tensor.op.type
        first, second = [*list(tensor.op.inputs), None, None][:2]
        if kind == "LogSoftmax":
            if sign > 0:
                return True
        elif (tensor.name, sign) not in seen:
            seen.add((tensor.name, sign))
            if kind == "Neg":
                waiting.append((first, -sign))
            elif kind in SUMS:
                waiting += [(first, sign), (second, sign)][: 1 + (kind in ADDS)]
            elif kind in ("Mul", "RealDiv"):
                if kind == "Mul" and _constant(first) is not None:
                    first, second = second, first
                waiting += [(first, sign * int(np.sign(f))) for f in [_constant(second)] if f]
    return False


def _columns_by_rows(one: tf.TensorShape, other: tf.TensorShape) -> bool:
    """Whether a number for each example (n,) meets another for each, (n, 1), as an advantage or a weight may."""
    if {one.rank, other.rank} != {1, 2}:
        return False
    row, column = sorted((one.as_list(), other.as_list()), key=len)
    return column == [*row, 1] and row != [1]


def _of_difference(op: Any) -> str:
    """The loss that an operation makes of differences: their squares, also as a power or a product, or their size."""
    squared = op.type == "Pow" and _constant(op.inputs[1]) == 2
    squared = squared or (op.type == "Mul" and op.inputs[0].name == op.inputs[1].name)
    return "mean_squared_error" if squared else DIFFERENCES.get(op.type, "")


def _constant(tensor: Any) -> float | None:
    """A number that stands in the program; None for all else."""
    value = getattr(tensor, "value", None)  # of an operation that was run
    if value is None:
        value = tf.get_static_value(tensor)
    return float(value) if value is not None and np.ndim(value) == 0 else None


def _cross_entropy_by_hand(op: Any, result: Forward, kinds: dict[str, int]) -> None:
    """Targets times the logarithm of a prediction; or times logits whose softplus is taken, in one of its two forms."""
    if op.type == "Mul" and {kinds[t.name] for t in op.inputs} == {DATA, MIXED}:
        logits, targets = sorted(op.inputs, key=lambda t: kinds[t.name] != MIXED)
        besides = {o.type for o in logits.consumers()}
        if targets.shape.rank and ("Softplus" in besides or ("Abs" in besides and {"Relu", "Maximum"} & besides)):
            result.name, result.from_logits = "binary_crossentropy", True
            result.prediction, result.targets, result.inner = logits, targets, _head(logits)
            return
    logs = [t for t in op.inputs if t.op.type == "Log" and kinds[t.name] == MIXED] if op.type == "Mul" else []
    others = [t for t in op.inputs if kinds[t.name] == DATA and t.shape.rank]
    if len(logs) != 1 or len(others) != 1:
        return
    prediction = logs[0].op.inputs[0]
    while prediction.op.type in CLIPS:
        prediction = next((t for t in prediction.op.inputs if kinds[t.name] == MIXED), prediction.op.inputs[0])
    if _head(prediction) in ("softmax", "sigmoid", "linear", "relu"):
        one = _head(prediction) == "sigmoid" or prediction.shape[-1:].as_list() == [1]
        result.name = "binary_crossentropy" if one else "categorical_crossentropy"
        result.from_logits, result.prediction, result.targets = False, prediction, others[0]


def _overlap(operations: Sequence[Any], result: Forward, kinds: dict[str, int]) -> None:
    """The sum of what a sigmoid or softmax behind the last unit says times targets of its form, as of Dice's loss."""
    last = result.found[-1].leaving.name if result.found else ""
    for op in operations:
        if op.type != "Mul" or {kinds[t.name] for t in op.inputs} != {DATA, MIXED}:
            continue
        prediction, targets = sorted(op.inputs, key=lambda t: kinds[t.name] != MIXED)
        said = prediction
        while said.name != last and said.op.type in RESHAPING:
            said = said.op.inputs[0]
        summed = any(consumer.type == "Sum" for consumer in op.outputs[0].consumers())
        alike = (targets.shape.rank or 0) >= 2 and targets.shape.is_compatible_with(prediction.shape)
        if summed and alike and said.name == last and _head(prediction) in ("sigmoid", "softmax"):
            result.name, result.prediction, result.targets = "overlap", prediction, targets
            return


def _sides(op: Any) -> list[Any]:
    return list(op.inputs) if op.type in ("SquaredDifference", "Sub") and len(op.inputs) == 2 else []


def _head(prediction: Any) -> str:
    """The activation that made a prediction; "" when something else did."""
    op = prediction.op
    while op.type in RESHAPING or (op.type == "Mul" and op.inputs[1].op.type == "Const"):
        op = op.inputs[0].op
    if op.type in ACTIVATIONS:
        return ACTIVATIONS[op.type]
    return "linear" if op.type in (*ADDS, *LINEAR) else ""


def _noise(operations: Sequence[Any], kinds: dict[str, int]) -> tuple[Any, Any] | None:
    """Where Gaussian draws are added to data that then enter the forward pass: (data alone, data with noise)."""
    for op in operations:
        if op.type in ("AddV2", "Add") and (both := _gaussian(op, kinds, {DATA, RANDOM})):
            return both[DATA], op.outputs[0]
    return None


def _gaussian(op: Any, kinds: dict[str, int], wanted: set[int]) -> dict[int, Any]:
    """The two inputs of an operation by their class, where these are the ones wanted and one is of Gaussian draws."""
    both = {kinds[t.name]: t for t in op.inputs} if len(op.inputs) == 2 else {}
    return both if set(both) == wanted and any("Normal" in o.type for o in ancestors(both[RANDOM])) else {}
