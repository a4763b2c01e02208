"""Predictions (n, 1) that a script's own lines compare with labels (n,), so that each meets all others.

NumPy and TensorFlow take the two together to (n, n) without a word, and a share or a mean of these says nothing. No
array is touched for it: the script is read once more, with the shapes that its names have at its end.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from keras_course.diagnostics.feeds import SPOKEN

import keras
import tensorflow as tf

ALIKE = {"astype", "numpy", "copy", "round", "clip", "float", "cast", "rint", "abs", "square", "exp", "log", "sqrt",
         "sign", "asarray", "array", "floor", "sigmoid", "convert_to_tensor", "int", "where"}  # fmt: skip
PAIRED = {"subtract", "equal", "not_equal", "add", "multiply", "greater", "less", "square_difference"}


class Known(NamedTuple):
    """What is known of an expression: its shape, and whether a model has said it."""

    shape: tuple[int, ...] | None
    said: bool


NOTHING = Known(None, False)


class Line(NamedTuple):
    number: int
    rows: int


def compared(source: str, names: Mapping[str, Any]) -> list[Line]:
    """The lines of a script that take n predictions and n labels together to n × n numbers; names: at its end."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    reader = _Reader(names, _networks(functions, names))
    reader.body(tree.body, reader.outer)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        if function := functions.get(call.func.id):
            # without arguments too, as `main()`, whose names are those of the training
            given = [reader.of(argument, reader.outer) for argument in call.args]
            reader.body(function.body, dict(zip([a.arg for a in function.args.args], given, strict=False)))
    return sorted(set(reader.found))


def _networks(functions: Mapping[str, ast.FunctionDef], names: Mapping[str, Any]) -> set[str]:
    """The functions that give predictions: those that ask a model or take weights, or call others that do."""
    reads = {name: {n.id for n in ast.walk(f) if isinstance(n, ast.Name)} for name, f in functions.items()}
    found = {n for n, value in names.items() if any(isinstance(v, tf.Variable | keras.Model) for v in _flat(value))}
    while more := {name for name, read in reads.items() if read & found} - found:
        found |= more
    return found & set(functions)


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


class _Reader:
    """Follows shapes through assignments, from the first statement on. A size of -1 is not known."""

    def __init__(self, names: Mapping[str, Any], networks: set[str]) -> None:
        self.names, self.networks = names, networks
        self.outer: dict[str, Known] = {}
        self.found: list[Line] = []

    def body(self, statements: list[ast.stmt], scope: dict[str, Known]) -> None:
        for statement in statements:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
                continue
            for block in ("body", "orelse", "finalbody"):
                self.body(getattr(statement, block, []), scope)
            for expression in _own(statement):
                value = self.of(expression, scope)
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                for target in targets:
                    if isinstance(target, ast.Name):
                        scope[target.id] = value

    def of(self, node: ast.expr, scope: dict[str, Known]) -> Known:
        """What is known of an expression; what it compares on the way is noted."""
        inside = [self.of(child, scope) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        said = any(each.said for each in inside)
        if isinstance(node, ast.Name):
            shape = _shape(self.names.get(node.id)) if scope is self.outer or node.id not in scope else None
            known = scope.get(node.id, self.outer.get(node.id, NOTHING))
            said = known.said or (shape is not None and bool(SPOKEN.search(node.id)))
            return Known(known.shape if known.shape is not None else shape, said)
        if isinstance(node, ast.Constant):
            return Known((), False)
        if isinstance(node, ast.BinOp) or (isinstance(node, ast.Compare) and len(node.ops) == 1):
            return self._together(node, inside[0], inside[-1])
        if isinstance(node, ast.UnaryOp):
            return inside[0]
        if isinstance(node, ast.Call):
            return self._call(node, scope, said)
        return Known(None, said)

    def _call(self, node: ast.Call, scope: dict[str, Known], said: bool) -> Known:
        function, given = node.func, [self.of(argument, scope) for argument in node.args]
        owner = function.value if isinstance(function, ast.Attribute) else function
        name = getattr(function, "attr", getattr(function, "id", ""))
        value = self.names.get(owner.id) if isinstance(owner, ast.Name) else None
        if isinstance(value, keras.Model) and (name == "predict" or owner is function) and given:
            width = getattr(value, "output_shape", None)
            first = given[0].shape
            return Known((first[0], width[1]) if isinstance(width, tuple) and len(width) == 2 and first else None, True)
        rows = given[0].shape[:1] if given and given[0].shape else None
        if owner is function and name in self.networks:
            return Known((*rows, -1) if rows else None, True)
        if name == "argmax":
            inner = given[0] if given and given[0].shape else self.of(owner, scope)
            return Known(inner.shape[:1] if inner.shape and len(inner.shape) == 2 and _by_row(node) else None, said)
        module = isinstance(owner, ast.Name) and type(value).__name__ in ("module", "LazyLoader", "KerasLazyLoader")
        if name in PAIRED and module and len(given) >= 2:
            return self._together(node, given[0], given[1])
        if name in ALIKE and isinstance(function, ast.Attribute):
            return self.of(owner, scope) if not module else given[0] if given else NOTHING
        return Known(None, said)

    def _together(self, node: ast.expr, first: Known, second: Known) -> Known:
        shapes = {first.shape, second.shape}
        rows = max((shape[0] for shape in shapes if shape), default=0)
        if rows > 1 and shapes == {(rows, 1), (rows,)} and (first.said or second.said):
            self.found.append(Line(node.lineno, rows))
        longest = max((shape for shape in shapes if shape is not None), key=len, default=None)
        return Known(longest if None not in shapes else None, first.said or second.said)


def _by_row(call: ast.Call) -> bool:
    """Whether an argmax goes along the last of two axes."""
    axis = next((word.value for word in call.keywords if word.arg == "axis"), call.args[-1] if call.args else None)
    try:
        return ast.literal_eval(axis) in (1, -1) if axis is not None else False
    except ValueError:
        return False


def _own(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement itself, not those of the statements inside of it."""
    for _, field in ast.iter_fields(statement):
        for each in field if isinstance(field, list) else [field]:
            if isinstance(each, ast.expr) and not isinstance(getattr(each, "ctx", None), ast.Store):
                yield each


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of an array or tensor."""
    try:
        return tuple(int(size) for size in value.shape)
    except (AttributeError, TypeError, ValueError):
        return None
