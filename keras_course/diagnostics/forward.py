"""Reads a traced training step: which units it has, what is the prediction, what the target, where the data come in.

A unit is an operation that joins data or a mixed value linearly with weights, and what follows up to the next one. The
boundary is where data enter the mixed part: who feeds it, and the weights, can run the forward pass again.
"""

import dataclasses
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any

from keras_course.diagnostics.graph import (
    ACTIVATIONS,
    ADDS,
    CONSTANT,
    DATA,
    FORMS,
    LINEAR,
    MIXED,
    RANDOM,
    WEIGHTS,
    ancestors,
    classes_of,
    constant,
    external,
    frame_of,
)
from keras_course.diagnostics.objective import Noted, Objective, fill
from keras_course.diagnostics.observation import Unit

import tensorflow as tf

GATES = ("Sigmoid", "Tanh")
JOINS = {"BatchMatMulV2", "BatchMatMulV3", "MatMul", "Einsum"}  # of two mixed values: attention, where a chain ends


@dataclasses.dataclass
class Found:
    """A unit with its tensors: what the linear operation takes and gives, and what leaves the unit."""

    unit: Unit
    operation: Any
    entering: Any
    linear: Any
    leaving: Any


@dataclasses.dataclass
class Forward(Objective):
    """One forward pass, as found in the graph of `loss`."""

    found: list[Found] = dataclasses.field(default_factory=list)
    boundary: list[Any] = dataclasses.field(default_factory=list)  # tensors through which data enter
    reads: dict[str, Any] = dataclasses.field(default_factory=dict)  # a tensor that reads a variable -> its handle
    noise: tuple[Any, Any] | None = None  # the signal and the sum where Gaussian noise is added to the inputs
    draws: bool = False  # the loss depends on random numbers: dropout, noise, sampling
    sampled: bool = False  # what the network gives is the deviation of Gaussian draws
    moving: bool = False  # batch normalisation takes its moving averages, as in evaluation

    def place(self, tensor: Any) -> int | None:
        """Where a tensor stands in the boundary, as it is or behind what changes its form or type alone."""
        for place, entering in enumerate(self.boundary if tensor is not None else ()):
            while entering.name != tensor.name and entering.op.type in FORMS and len(entering.op.inputs):
                entering = entering.op.inputs[0]
            if entering.name == tensor.name:
                return place
        return None


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
    result = Forward(loss, boundary=_boundary(loss, operations, kinds), reads=reads)
    followers = defaultdict(list)
    for op in operations:
        for tensor in op.inputs:
            followers[tensor.name].append(op)
    for op in operations:
        if (joined := _linear(op, kinds)) is not None:
            result.found.append(_unit(op, joined, kinds, followers, names, len(result.found)))
    _name_apart(result.found)
    fill(result, operations, kinds, noted, last=result.found[-1].leaving.name if result.found else "")
    if result.rescued and result.found and result.found[-1].unit.activation == "linear":
        result.found[-1].unit.activation = result.head
    result.draws = any(kind == RANDOM for kind in kinds.values())
    result.sampled = any(op.type == "Mul" and _gaussian(op, kinds, {RANDOM, MIXED}) for op in operations)
    result.noise = _noise(operations, kinds)
    moving = ("moving_mean", "moving_variance")
    result.moving = any(str(names.get(id(handle), "")).endswith(moving) for handle in reads.values())
    return result


def _boundary(loss: Any, operations: Sequence[Any], kinds: dict[str, int]) -> list[Any]:
    """Where data enter the mixed part; and roots that shapes and draws still come from when those are fed."""
    found = {
        tensor.name: tensor
        for op in operations
        if any(kinds[t.name] == MIXED for t in op.outputs)
        for entering in op.inputs
        for tensor in (entering.op.inputs if entering.op.type == "Pack" else [entering])  # labels beside row numbers
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
            if not activation and op.type in ("Mul", "SelectV2") and any(_passes(t, tensor) for t in op.inputs):
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


def _passes(mask: Any, tensor: Any) -> bool:
    """Whether a factor, or a condition, lets through what of a tensor is above a number, as a ReLU with a threshold."""
    order = mask.op.inputs[0].op if mask.op.type == "Cast" else mask.op
    above = order.type in ("Greater", "GreaterEqual") and order.inputs[0].name == tensor.name
    return above and constant(order.inputs[1]) is not None


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
