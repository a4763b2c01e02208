"""Records the operations of a step that runs eagerly, in the form in which a graph would show them.

TensorFlow tells a callback of every operation. The classes here have as much of the interface of its graphs as
`keras_course.diagnostics.forward` reads; each tensor also has its value.
"""

import sys
from collections.abc import Sequence
from typing import Any

from keras_course.diagnostics.graph import LINEAR
from keras_course.diagnostics.names import is_users

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_callbacks  # as TensorFlow's own debugger uses it

# Their second input says how, not what: it is a literal even when it is no scalar.
LITERAL = {
    "Reshape",
    "Sum",
    "Mean",
    "Max",
    "Min",
    "Prod",
    "Transpose",
    "Tile",
    "ExpandDims",
    "StridedSlice",
    "Fill",
    "Pad",
}


class Tensor:
    def __init__(self, op: "Operation", index: int, value: Any) -> None:
        self.op, self.index, self.value = op, index, value
        self.graph, self.name = op.graph, f"{op.name}:{index}"
        self.dtype, self.shape = value.dtype, value.shape
        self.following: list[Operation] = []

    def consumers(self) -> list["Operation"]:
        return self.following


class Operation:
    def __init__(
        self, graph: "Recording", kind: str, inputs: Sequence[Tensor], values: Sequence[Any], attrs: Any
    ) -> None:
        self.graph, self.type, self.inputs, self.attrs = graph, kind, list(inputs), attrs
        self.name = f"op{len(graph.operations)}"
        self.outputs = [Tensor(self, i, value) for i, value in enumerate(values)]
        self.traceback = [_users_frame()] if kind in LINEAR else []
        for tensor in self.inputs:
            tensor.following.append(self)
        graph.operations.append(self)


class _Frame:
    def __init__(self, filename: str, lineno: int) -> None:
        self.filename, self.lineno = filename, lineno


def _users_frame() -> _Frame:
    frame = sys._getframe(1)
    while frame and not is_users(frame.f_code.co_filename):
        if frame.f_back is None:
            break
        frame = frame.f_back
    return _Frame(frame.f_code.co_filename, frame.f_lineno)


def _holds(op: Operation, variable: tf.Variable) -> bool:
    """Whether an operation is what was given from outside, and is what a variable is."""
    value = op.outputs[0].value
    alike = op.type == "Placeholder" and value.dtype == variable.dtype and value.shape == variable.shape
    return alike and bool(np.array_equal(value.numpy(), variable.numpy(), equal_nan=True))


class Recording:
    """The operations between `start` and `stop`, in order."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.captures: list[tuple[Any, Tensor]] = []
        self.known: dict[int, Tensor] = {}
        self.held: list[Any] = []  # so that no id is used twice

    def start(self) -> None:
        op_callbacks.add_op_callback(self._heard)

    def stop(self) -> None:
        op_callbacks.remove_op_callback(self._heard)

    def get_operations(self) -> list[Operation]:
        return self.operations

    def reads(self, variables: Sequence[tf.Variable]) -> None:
        """Makes reads of variables of what was taken for data: `tf.matmul` reads one that stands first by itself, and
        tells no callback of it. It has the value of the variable, which nothing else has read."""
        read = {id(value) for value, _ in self.captures}
        for variable in (v for v in variables if id(v.handle) not in read and v.shape.rank):
            for op in [op for op in self.operations if _holds(op, variable)]:
                source = Operation(self, "Placeholder", [], [variable.handle], ())
                self.operations.insert(self.operations.index(op), self.operations.pop())  # before what reads it
                self.captures.append((variable.handle, source.outputs[0]))
                op.type, op.inputs = "ReadVariableOp", [source.outputs[0]]
                op.attrs = ("dtype", variable.dtype.as_datatype_enum)
                source.outputs[0].following.append(op)

    def of(self, value: Any) -> Tensor | None:
        """The tensor that has this value, an EagerTensor of this recording."""
        return self.known.get(id(value))

    def _heard(
        self, op_type: Any, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        if graph is not None:
            return  # a function is being traced
        kind = op_type.decode() if isinstance(op_type, bytes) else op_type
        if any(value.dtype == tf.resource for value in outputs):  # a variable is made: from here on it is given
            for value in outputs:
                self._given(value, kind)
            return
        entering = [self.known.get(id(value)) or self._given(value, kind) for value in inputs]
        self._know(Operation(self, kind, entering, outputs, attrs))

    def _given(self, value: Any, kind: str) -> Tensor:
        """A tensor from outside: a variable's handle, a literal, or data."""
        if value.dtype == tf.resource:
            source = Operation(self, "Placeholder", [], [value], ())
            self.captures.append((value, source.outputs[0]))
        else:
            rank = value.shape.rank or 0
            literal = rank == 0 or (kind in LITERAL and rank == 1 and value.dtype in (tf.int32, tf.int64))
            literal = literal or kind.startswith(("Random", "Stateless"))
            source = Operation(self, "Const" if literal else "Placeholder", [], [value], ())
        self._know(source)
        return source.outputs[0]

    def _know(self, op: Operation) -> None:
        for tensor in op.outputs:
            self.known[id(tensor.value)] = tensor
            self.held.append(tensor.value)
