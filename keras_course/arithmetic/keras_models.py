"""The same rows for a Keras model: layers, branches, and layers made of layers, which are opened."""

import math
from pathlib import Path
from typing import Any

from keras_course.arithmetic.stack import Row
from keras_course.base import InputError

import keras
from keras.src.ops.node import Node
from keras.src.ops.operation import Operation

CHEAP = {
    "Add",
    "Subtract",
    "Multiply",
    "Average",
    "Maximum",
    "Minimum",
    "Divide",
    "Sigmoid",
    "Tanh",
    "Relu",
    "Exp",
    "Sqrt",
}


def load(path: str | Path) -> keras.Model:
    """The model of a `.keras` file, the course's own layers known. InputError for a file that is none."""
    import keras_course.layers  # noqa: F401  registers them

    if not Path(path).is_file():
        raise InputError(f"`model` must be a file. Received: {path}, which is not there.")
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise InputError(f"`{path}` is no Keras model that can be read: {str(error).splitlines()[0]}.") from error


def rows_of(model: keras.Model) -> list[Row]:
    """A row for each layer, in the order in which they are run; the input first.

    Shapes are for one example; a size that the model leaves open counts as 1. `depth` of a row is the longest chain
    of operations from the input to its output; receptive fields are given where they are known along all branches.
    """
    if not model.built:
        raise InputError(f"`{model.name}` must be built: its shapes are not known yet.")
    graph = graph_of(model)
    if graph is None:
        return [Row(model.name, shape_of(model.output_shape), count(model.trainable_weights), flops=None)]
    return walk(graph)


def graph_of(model: keras.Model) -> Any:
    """The graph of layers of a Functional or Sequential model; None for a model that is neither."""
    if isinstance(model, keras.Sequential):
        return keras.Function(model.inputs, model.outputs)
    return model if hasattr(model, "_nodes_by_depth") else None


def walk(function: Any) -> list[Row]:
    """The rows of a Functional model or a Function."""
    depth: dict[int, int] = {}
    rows: list[Row] = []
    known: set[int] = set()
    for level in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[level]:
            operation = node.operation
            before = max((depth.get(id(t), 0) for t in node.arguments.keras_tensors), default=0)
            cost, own_depth = cost_of(operation, node)
            for tensor in node.outputs:
                depth[id(tensor)] = before + own_depth
            fresh = id(operation) not in known  # a layer that is used twice has its parameters once
            known.add(id(operation))
            weights = getattr(operation, "trainable_weights", []) if fresh else []
            fixed = getattr(operation, "non_trainable_weights", []) if fresh else []
            fixed = [w for w in fixed if "seed" not in w.path]
            label = f"{operation.name} ({type(operation).__name__})"
            shape = shape_of(node.outputs[0].shape)
            rows.append(Row(label, shape, count(weights), count(fixed), cost, depth=before + own_depth))
    return rows


def shape_of(shape: Any) -> tuple[int, ...]:
    """A shape without its batch, open sizes as 1."""
    if shape and isinstance(shape[0], tuple | list):
        shape = shape[0]
    return tuple(1 if size is None else size for size in shape[1:])


def count(weights: Any) -> int:
    return sum(math.prod(w.shape) for w in weights)


def cost_of(operation: Operation, node: Node) -> tuple[int | None, int]:
    """FLOPs of one example, None where they are not known, and the serial depth of the operation itself."""
    kind = type(operation).__name__
    out = shape_of(node.outputs[0].shape)
    inputs = [shape_of(t.shape) for t in node.arguments.keras_tensors]
    if kind == "InputLayer":
        return 0, 0
    if kind in ("Flatten", "Reshape", "Dropout", "Concatenate", "ZeroPadding2D", "Identity", "Embedding", "Permute"):
        return 0, 1 if kind == "Embedding" else 0
    if kind in ("Conv1D", "Conv2D", "Conv3D", "Dense", "DepthwiseConv2D"):
        kernel = count([operation.kernel])
        positions = math.prod(out[:-1])
        bias = math.prod(out) if operation.use_bias else 0
        return 2 * kernel * positions + bias, 1
    if kind == "SeparableConv2D":
        products = (count([operation.depthwise_kernel]) + count([operation.pointwise_kernel])) * math.prod(out[:-1])
        return 2 * products + (math.prod(out) if operation.use_bias else 0), 2
    if "GlobalAveragePooling" in kind or "GlobalMaxPooling" in kind:
        return math.prod(inputs[0]), 1
    if "Pooling" in kind:
        return math.prod(out) * math.prod(operation.pool_size), 1
    if kind == "BatchNormalization":
        return 2 * math.prod(out), 1
    if kind == "LayerNormalization":
        return 7 * math.prod(out), 1
    if kind in ("SimpleRNN", "GRU", "LSTM"):
        steps, units = inputs[0][0], operation.units
        products = count([operation.cell.kernel, operation.cell.recurrent_kernel])
        elementwise = {"SimpleRNN": 1, "GRU": 8, "LSTM": 9}[kind] * units
        biases = count([operation.cell.bias]) if operation.use_bias else 0
        return steps * (2 * products + biases + elementwise), steps
    if kind == "TimeDistributed":  # one layer for every step; no step waits for another
        cost, depth = summed(walk(keras.Function(s := whole(inputs[0][1:]), operation.layer(s))))
        return (None if cost is None else inputs[0][0] * cost), depth
    if kind == "Bidirectional":  # two layers beside each other
        ways = [operation.forward_layer, operation.backward_layer]
        costs, depths = zip(*(summed(walk(keras.Function(s := whole(inputs[0]), w(s)))) for w in ways), strict=True)
        return (None if None in costs else sum(costs)), max(depths)
    if kind in ("Activation", "ReLU", "LeakyReLU", "Softmax", "ELU", "PReLU", *CHEAP):
        return math.prod(out), 1
    return opened(operation, node)


def opened(operation: Operation, node: Node) -> tuple[int | None, int]:
    """The cost of a layer made of layers: its `call` is run on symbolic inputs and its graph is walked."""
    tensors = node.arguments.keras_tensors
    if isinstance(operation, keras.Model) and graph_of(operation) is not None:
        inside = walk(graph_of(operation))
    elif isinstance(operation, keras.layers.Layer):
        try:
            symbols = [keras.KerasTensor(t.shape, t.dtype) for t in tensors]
            packed = node.arguments.args and isinstance(node.arguments.args[0], list | tuple)
            outputs = operation.call(symbols) if packed else operation.call(*symbols)
            inside = walk(keras.Function(symbols, outputs))
        except Exception:  # whatever a layer's call does that symbols cannot: its cost stays unknown
            return None, 1
    else:
        return None, 1
    return summed(inside)


def whole(shape: tuple[int, ...]) -> keras.KerasTensor:
    """A symbol for a batch of examples of this shape."""
    return keras.KerasTensor((None, *shape))


def summed(rows: list[Row]) -> tuple[int | None, int]:
    """The FLOPs of these rows together, None where one is not known, and their serial depth."""
    known = all(row.flops is not None for row in rows)
    return (sum(row.flops or 0 for row in rows) if known else None), max((row.depth for row in rows), default=0)
