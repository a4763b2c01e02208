"""What the graph of a traced step is made of: which values are data, weights or both, and which line made them.

Every value of the graph belongs to one of five classes, found in one pass from the inputs on:

    CONSTANT    shapes and literals         RANDOM    draws
    WEIGHTS     made of variables alone     DATA      made of what the step was fed
    MIXED       made of weights and data: the forward pass proper

Where a step is fed nothing, its data are literals: arrays of the script that the graph has taken in.
"""

from collections.abc import Iterable
from typing import Any

from keras_course.diagnostics.names import is_users

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
RESHAPING = {"Identity", "Reshape", "Squeeze", "ExpandDims", "Cast", "StopGradient", "Transpose", "StridedSlice"}
FORMS = {"Cast", "ExpandDims", "Squeeze", "Reshape", "Identity"}  # of the same numbers
SHAPES = {"Shape", "ShapeN", "Size", "Rank", "Const", "ZerosLike", "OnesLike"}
ADDS = ("BiasAdd", "AddV2", "Add")


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


NUMBERS = {"Neg": np.negative, "Log": np.log, "Exp": np.exp, "Sqrt": np.sqrt, "Square": np.square, "AddV2": np.add,
           "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.divide, "Pow": np.power}  # fmt: skip


def constant(tensor: Any) -> float | None:
    """A number that stands in the program, or is made of such, as tf.math.log(2.0 * np.pi); None for all else."""
    value = getattr(tensor, "value", None)  # of an operation that was run
    if value is None:
        value = tf.get_static_value(tensor)
        if value is None and tensor.shape.rank == 0 and tensor.op.type in NUMBERS:
            return _number(tensor.op)
    elif np.ndim(value) or any(op.type == "Placeholder" or "Random" in op.type for op in ancestors(tensor)):
        return None  # a number that hangs on data, on weights or on a draw
    return float(value) if value is not None and np.ndim(value) == 0 else None


def _number(op: Any) -> float | None:
    """What an operation of a graph makes of numbers; None as soon as one of what it takes is none."""
    given = []
    for tensor in op.inputs:
        if (number := constant(tensor)) is None:
            return None
        given.append(number)
    return float(NUMBERS[op.type](*given))


def head_of(prediction: Any) -> str:
    """The activation that made a prediction, in whatever form and times whatever number; "" when something else did."""
    op = prediction.op
    while op.type in RESHAPING or (op.type == "Mul" and "Const" in (t.op.type for t in op.inputs)):
        op = next((t.op for t in op.inputs if t.op.type != "Const"), op.inputs[0].op)
    if op.type in ACTIVATIONS:
        return ACTIVATIONS[op.type]
    return "linear" if op.type in (*ADDS, *LINEAR) else ""
