"""What a script's own lines make of predictions whose form they mistake: (n, 1) beside labels (n,), so that each meets
all others, and the largest of a single one.

NumPy and TensorFlow take the two together to (n, n) without a word, and a share or a mean of these says nothing. No
array is touched for it: the script is read once more, with the shapes that its names have at its end.
"""

import ast
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
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


@dataclasses.dataclass
class _Scope:
    """passing: names of which what they stand for in the end says nothing up to a line."""

    known: dict[str, Known]
    passing: Mapping[str, float]


def compared(source: str | bytes, names: Mapping[str, Any]) -> list[Line]:
    """The lines of a script that take n predictions and n labels together to n × n numbers, each once, in their order.

    names: what the script's own names stand for at its end, or anything with the `shape` that it had.

    Raises:
        SyntaxError: `source` is no Python.
    """
    return sorted(set(_read(source, names).found))


def largest_of_one(source: str | bytes, names: Mapping[str, Any]) -> list[int]:
    """The lines of a script that take the place of the largest of what a model says, along an axis of a single output:
    it is 0 whatever was said. names, errors: as of `compared`."""
    return sorted(set(_read(source, names).single))


def softmax_of_one(source: str | bytes, names: Mapping[str, Any]) -> list[int]:
    """The lines of a script that take the softmax of what a model says, of a single output: it is 1 whatever was said.
    names, errors: as of `compared`."""
    return sorted(set(_read(source, names).ones))


def _read(source: str | bytes, names: Mapping[str, Any]) -> "_Reader":
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    reader = _Reader(names, functions, _networks(functions, names), _stored_again(tree.body))
    reader.body(tree.body, reader.outer)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in functions:
            reader.function(functions[call.func.id], call)
    return reader


def _stored_again(statements: Sequence[ast.stmt]) -> dict[str, float]:
    """Names that are assigned in several places, with the last line that does: what they stand for in the end, they
    need not before."""
    lines: dict[str, list[int]] = {}
    for node in _names_of(statements):
        if isinstance(node.ctx, ast.Store):
            lines.setdefault(node.id, []).append(node.lineno)
    return {name: max(stored) for name, stored in lines.items() if len(stored) > 1}


def _names_of(statements: Sequence[ast.stmt]) -> Iterator[ast.Name]:
    """The names in statements, but for those inside of functions and classes."""
    for statement in statements:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for child in ast.iter_child_nodes(statement):
                if isinstance(child, ast.stmt):
                    yield from _names_of([child])
                else:
                    yield from (node for node in ast.walk(child) if isinstance(node, ast.Name))


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

    def __init__(
        self,
        names: Mapping[str, Any],
        functions: Mapping[str, ast.FunctionDef],
        networks: set[str],
        again: Mapping[str, float],
    ) -> None:
        self.names, self.functions, self.networks = names, functions, networks
        self.outer = _Scope({}, again)
        self.called = 0  # in which line, of the function that is followed
        self.found: list[Line] = []
        self.single: list[int] = []
        self.ones: list[int] = []

    def function(self, function: ast.FunctionDef, call: ast.Call) -> None:
        """What a function compares when it is called so; one without arguments, as `main`, has the names of the
        training."""
        arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        loops = [node.target for node in ast.walk(function) if isinstance(node, ast.For)]
        passing = {node.id for target in loops for node in ast.walk(target) if isinstance(node, ast.Name)}
        passing |= {*_stored_again(function.body), *arguments}
        if arguments:
            passing |= {node.id for node in _names_of(function.body) if isinstance(node.ctx, ast.Store)}
        self.called = call.lineno
        given = zip(arguments, [self.of(each, self.outer) for each in call.args], strict=False)
        words = [(word.arg, self.of(word.value, self.outer)) for word in call.keywords if word.arg in arguments]
        self.body(function.body, _Scope(dict([*given, *words]), dict.fromkeys(passing, math.inf)))

    def body(self, statements: Sequence[ast.stmt], scope: _Scope) -> None:
        for statement in statements:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
                continue
            for block in ("body", "orelse", "finalbody"):
                self.body(getattr(statement, block, []), scope)
            for expression in _own(statement):
                value = self.of(expression, scope)
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                scope.known |= {target.id: value for target in targets if isinstance(target, ast.Name)}

    def of(self, node: ast.expr, scope: _Scope) -> Known:
        """What is known of an expression; what it compares on the way is noted. Each part is looked at once."""
        if isinstance(node, ast.Name):
            return self._name(node, scope)
        if isinstance(node, ast.Constant):
            return Known((), False)
        if isinstance(node, ast.Call):
            return self._call(node, scope)
        if isinstance(node, ast.Lambda):  # whose names are given by whoever calls it
            return NOTHING
        if isinstance(node, ast.Subscript):
            taken = self.of(node.value, scope)
            self.of(node.slice, scope)
            return Known(_taken(taken.shape, node.slice), taken.said)
        inside = [self.of(child, scope) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if isinstance(node, ast.BinOp) or (isinstance(node, ast.Compare) and len(node.ops) == 1):
            return self._together(node, inside[0], inside[-1])
        return inside[0] if isinstance(node, ast.UnaryOp) else Known(None, any(each.said for each in inside))

    def _name(self, node: ast.Name, scope: _Scope) -> Known:
        name, outside = node.id, scope is not self.outer
        own = outside and name in scope.passing
        hidden = own or (self.called or node.lineno) <= self.outer.passing.get(name, 0)
        known = scope.known.get(name) or (NOTHING if own else self.outer.known.get(name, NOTHING))
        vague = known.shape is None or -1 in known.shape
        shape = (_shape(self.names.get(name)) if vague and not hidden else None) or known.shape
        return Known(shape, known.said or (shape is not None and bool(SPOKEN.search(name))))

    def _call(self, node: ast.Call, scope: _Scope) -> Known:
        method = node.func if isinstance(node.func, ast.Attribute) else None
        name = method.attr if method else getattr(node.func, "id", "")
        owner = self.of(method.value if method else node.func, scope)
        given = [self.of(argument, scope) for argument in node.args]
        words = [self.of(word.value, scope) for word in node.keywords]
        said = any(each.said for each in (owner, *given, *words))
        value = self._value(method.value if method else node.func)
        rows = given[0].shape[:1] if given and given[0].shape else None
        if isinstance(value, keras.Model) and (not method or name == "predict"):
            width = getattr(value, "output_shape", None)
            flat = width[1:] if isinstance(width, tuple) and len(width) == 2 else None
            return Known((*(rows or (-1,)), *flat) if flat else None, True)
        if not method:
            if name in self.networks:
                return Known((*rows, -1) if rows else None, True)
            return Known(self._returned(name, given), said)
        first = owner if not isinstance(value, ModuleType) else given[0] if given else NOTHING
        if name == "argmax":
            along = _along(node, len(first.shape) if first.shape else 0)
            if first.shape and along and first.shape[-1] == 1 and first.said:
                self.single.append(node.lineno)
            return Known(first.shape[:-1] if first.shape and along else None, said)
        if name == "softmax":
            last = len(node.args) == 1 and all(word.arg != "axis" for word in node.keywords)
            last = last or _along(node, len(first.shape) if first.shape else 0)
            if first.shape and len(first.shape) > 1 and last and first.shape[-1] == 1 and first.said:
                self.ones.append(node.lineno)
            return first
        if name in PAIRED and isinstance(value, ModuleType) and len(given) >= 2:
            return self._together(node, *given[:2])
        return first if name in ALIKE else Known(None, said)

    def _returned(self, name: str, given: Sequence[Known]) -> tuple[int, ...] | None:
        """The shape of what a function of the script gives that is one expression of its arguments, as a sigmoid."""
        function = self.functions.get(name)
        said = function.body[-1] if function is not None else None
        documented = function is not None and all(isinstance(each, ast.Expr) for each in function.body[:-1])
        if function is None or not isinstance(said, ast.Return) or said.value is None or not documented:
            return None
        arguments = dict(zip((argument.arg for argument in function.args.args), given, strict=False))
        others = {n: f for n, f in self.functions.items() if n != name}  # one that calls itself says nothing
        inner = _Reader(self.names, others, self.networks, {})
        return inner.of(said.value, _Scope(arguments, dict.fromkeys(arguments, math.inf))).shape

    def _value(self, node: ast.expr) -> Any:
        """What a name stands for, and of a chain of modules, as `tf.math`, the last one; None of anything else."""
        if isinstance(node, ast.Attribute):
            module = self._value(node.value)
            return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
        return self.names.get(node.id) if isinstance(node, ast.Name) else None

    def _together(self, node: ast.expr, first: Known, second: Known) -> Known:
        shapes = {first.shape, second.shape}
        rows = max((shape[0] for shape in shapes if shape), default=0)
        if rows > 1 and shapes == {(rows, 1), (rows,)} and (first.said or second.said):
            self.found.append(Line(node.lineno, rows))
        longest = max((shape for shape in shapes if shape is not None), key=len, default=None)
        return Known(longest if None not in shapes else None, first.said or second.said)


def _taken(shape: tuple[int, ...] | None, index: ast.expr) -> tuple[int, ...] | None:
    """What `a[:, ...]` leaves of a shape: whole axes, columns, new axes; None where the rows are not all taken."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    if shape is not None and len(parts) > 1 and isinstance(parts[0], ast.Constant) and parts[0].value is ...:
        parts = [ast.Slice()] * (len(shape) - sum(not _new_axis(part) for part in parts[1:])) + parts[1:]
    if shape is None or not parts or not _whole(parts[0]) or len(parts) > 4:
        return None
    left, rest = [shape[0]], list(shape[1:])
    for part in parts[1:]:
        if _new_axis(part):
            left.append(1)
        elif not rest:
            return None
        elif isinstance(part, ast.Slice):
            left.append(rest.pop(0) if _whole(part) else -1)
        elif isinstance(part, ast.Constant) and isinstance(part.value, int):
            rest.pop(0)
        else:
            return None
    return (*left, *rest)


def _new_axis(part: ast.expr) -> bool:
    return (isinstance(part, ast.Constant) and part.value is None) or getattr(part, "attr", "") == "newaxis"


def _whole(part: ast.expr) -> bool:
    return isinstance(part, ast.Slice) and part.lower is None and part.upper is None and part.step is None


def _along(call: ast.Call, rank: int) -> bool:
    """Whether an argmax or softmax is told to go along the last of at least two axes."""
    axis = next((word.value for word in call.keywords if word.arg == "axis"), call.args[-1] if call.args else None)
    try:
        return rank > 1 and axis is not None and ast.literal_eval(axis) in (rank - 1, -1)
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
