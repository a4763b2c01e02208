"""Classes that a script names by another order than the one they were numbered by, where it compares them, or by a
sorted list where the list itself numbers them.

`names[said] == true` with a list in another order is right about as often as by chance, whatever the network has
learned. The script's lines are read once more, with what its names stand for at its end; nothing of it is run again but
looking up, comparing with a number, the largest of several, and asking a model about an array.
"""

import ast
import operator
import re
from collections.abc import Callable, Container, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from keras_course.diagnostics.lines import called, scoped

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import linear_sum_assignment

ROWS = 50  # from which on shares of them say something
CLASSES = 100  # at most, that a list of names has
SCORES = {"accuracy_score", "balanced_accuracy_score", "f1_score", "classification_report", "cohen_kappa_score",
          "matthews_corrcoef", "equal", "not_equal"}  # fmt: skip
METHODS = {"argmax", "argmin", "astype", "numpy", "ravel", "flatten", "squeeze", "reshape", "tolist", "keys", "values"}
FUNCTIONS = {"array", "asarray", "argmax", "argmin", "ravel", "squeeze", "reshape", "unique", "cast", "take", "gather",
             "constant", "convert_to_tensor"}  # fmt: skip
FORMS = {"list": list, "sorted": sorted}
TYPES = {"int": int, "float": float, "str": str, "bool": bool}
NUMBERED = re.compile(  # by something that sorts names by itself
    r"LabelEncoder|OrdinalEncoder|StringLookup|return_inverse|factorize|\bCategorical\(|.category.\)|searchsorted"
)
ORDERS = {ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le}
SIGNS: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.Invert: operator.invert}


class Mixed(NamedTuple):
    """number: of the line. agree: the share of its rows that do. permuted: and by the best other order of the names."""

    number: int
    agree: float
    permuted: float


def decoded(
    source: str | bytes, names: Mapping[str, Any], functions: Mapping[int, Mapping[str, Any]] | None = None
) -> list[Mixed]:
    """The lines of a script that compare classes of which four fifths agree in another order of names, and at least two
    fifths fewer as they are.

    names: what the script's own names stand for at its end. functions: by the line that one begins on, what its names
    stood for at the end of its last call.

    Raises:
        SyntaxError: `source` is no Python.
    """
    tree, functions, found = ast.parse(source), functions or {}, []
    values = {begins: _Values(tree, {**names, **own}) for begins, own in {0: {}, **functions}.items()}
    for pair in _pairs(tree, functions):
        try:
            a, b = (_classes(values[pair.begins].of(side)) for side in (pair.first, pair.second))
        except Exception:  # a name that is gone, a row that is not there any more
            continue
        if a is not None and b is not None and len(a) == len(b):
            agree, permuted = agreement(a, b)
            if permuted > max(0.8, agree + 0.4):
                found.append(Mixed(pair.line, agree, permuted))
    return sorted(set(found))


def misnamed(source: str | bytes, names: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The lines of a script that name classes by a sorted list, as in `sorted(KINDS)[k]`, where KINDS is in another
    order and its own places number them, as in `enumerate(KINDS)`: each line with the name of the list.

    None where something else in the script numbers names, or where their sorted order is used for more than that.
    names, errors: as of `decoded`.
    """
    text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
    tree, found = ast.parse(source), []
    if NUMBERED.search(text):
        return []
    sorts = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n.func) in ("sorted", "unique") and n.args]
    taken = {id(n.value): n for n in ast.walk(tree) if isinstance(n, ast.Subscript) and not _fixed(n.slice)}
    for name in {n.args[0].id for n in sorts if isinstance(n.args[0], ast.Name)}:
        calls = [n for n in sorts if isinstance(n.args[0], ast.Name) and n.args[0].id == name]
        order = list(names[name]) if isinstance(names.get(name), list | tuple | dict | np.ndarray) else []
        words = bool(order) and all(isinstance(each, str) for each in order) and order != sorted(order)
        if words and all(id(n) in taken for n in calls) and _numbers(tree, name):
            found += [(n.lineno, name) for n in calls]
    return sorted(found)


def _fixed(index: ast.expr) -> bool:
    return isinstance(index, ast.Constant | ast.Slice)


def _numbers(tree: ast.AST, name: str) -> bool:
    """Whether places in a list are used as numbers: by `enumerate`, `index` or a number in brackets."""
    for node in ast.walk(tree):
        given = node.args[0] if isinstance(node, ast.Call) and node.args else None
        if isinstance(node, ast.Call) and called(node.func) == "enumerate" and getattr(given, "id", None) == name:
            return True
        taken = isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr == "index")
        if taken and getattr(getattr(node, "value", None), "id", None) == name:
            return True
    return False


def agreement(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The share of equal entries of two (n,), and that after the classes of one were given the names that fit best."""
    known, numbers = np.unique(np.concatenate([first, second]), return_inverse=True)
    counts = np.zeros((len(known), len(known)), int)
    np.add.at(counts, (numbers[: len(first)], numbers[len(first) :]), 1)
    rows, columns = linear_sum_assignment(-counts)
    return float(np.trace(counts) / len(first)), float(counts[rows, columns].sum() / len(first))


class _Pair(NamedTuple):
    """Two expressions that a line compares; begins: the line on which their function does, 0 outside of known ones."""

    line: int
    first: ast.expr
    second: ast.expr
    begins: int


def _pairs(tree: ast.AST, functions: Container[int]) -> Iterator[_Pair]:
    """What is compared for being equal."""
    for node, begins in scoped(tree, functions):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            yield _Pair(node.lineno, node.left, node.comparators[0], begins)
        elif isinstance(node, ast.Call) and len(node.args) >= 2 and called(node.func) in SCORES:
            yield _Pair(node.lineno, node.args[0], node.args[1], begins)


def _classes(value: Any) -> np.ndarray | None:
    """(n,) names or numbers of at least three classes, or names of two; None of anything else."""
    y = np.asarray(value)
    y = y.astype(str) if y.dtype == object and all(isinstance(each, str) for each in y.flat) else y
    if y.ndim != 1 or len(y) < ROWS or y.dtype.kind not in "iuUS":
        return None
    return y if (2 if y.dtype.kind in "US" else 3) <= len(np.unique(y)) <= CLASSES else None


class _Values:
    """What expressions stand for, by the names of a script at its end; what these lack, by the one line that sets it.

    `of` raises a LookupError for an expression that is not merely looked up.
    """

    def __init__(self, tree: ast.AST, names: Mapping[str, Any]) -> None:
        self.names, self.found = names, dict[str, Any]()
        self.set: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.set.setdefault(node.targets[0].id, []).append(node.value)

    def of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Subscript):
            return self.of(node.value)[self.of(node.slice)]
        if isinstance(node, ast.Slice):
            return slice(*(None if part is None else self.of(part) for part in (node.lower, node.upper, node.step)))
        if isinstance(node, ast.Tuple | ast.List):
            return (tuple if isinstance(node, ast.Tuple) else list)(self.of(part) for part in node.elts)
        if isinstance(node, ast.Attribute):
            owner = self.of(node.value)
            if node.attr == "values" or isinstance(owner, ModuleType):  # of a table; as tf.int64, or np.random
                return getattr(owner, node.attr)
        if isinstance(node, ast.UnaryOp) and type(node.op) in SIGNS:
            return SIGNS[type(node.op)](self.of(node.operand))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in ORDERS:
            return ORDERS[type(node.ops[0])](self.of(node.left), self.of(node.comparators[0]))
        if isinstance(node, ast.Call):
            given = [self.of(argument) for argument in node.args]
            words = {word.arg: self.of(word.value) for word in node.keywords if word.arg}
            return self._function(node.func)(*given, **words)
        raise LookupError(type(node).__name__)

    def _named(self, name: str) -> Any:
        if name in self.names:
            value = self.names[name]
            return value.numpy() if tf.is_tensor(value) else value
        if name in TYPES:
            return TYPES[name]
        if name not in self.found:
            (line,) = self.set.get(name, [])
            self.found[name] = self.of(line)
        return self.found[name]

    def _function(self, function: ast.expr) -> Any:
        """One that gives what it is given in another form, or asks a model."""
        if isinstance(function, ast.Name) and function.id in FORMS and function.id not in self.names:
            return FORMS[function.id]
        owner = self.of(function.value if isinstance(function, ast.Attribute) else function)
        if isinstance(owner, keras.Model) and called(function) in ("predict", getattr(function, "id", None)):
            return lambda x, **_: _answers(owner, x)
        allowed = FUNCTIONS if isinstance(owner, ModuleType) else METHODS
        if isinstance(function, ast.Attribute) and function.attr in allowed:
            return getattr(owner, function.attr)
        raise LookupError(called(function))


def _answers(model: keras.Model, x: Any) -> np.ndarray:
    """What a model says of an array.

    Raises:
        LookupError: `x` is something else, as a generator, which may have no end.
    """
    if not isinstance(x, np.ndarray):
        raise LookupError(type(x).__name__)
    return np.asarray(model.predict(x, verbose=0))
