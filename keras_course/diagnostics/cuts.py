"""Numbers at which the lines of a script cut what a model says: one half for yes or no, which is right for a
probability and no middle of a logit."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from keras_course.diagnostics.lines import called, scoped

import keras

ORDERS = (ast.Gt, ast.GtE, ast.Lt, ast.LtE)
COMPARISONS = {"greater", "greater_equal", "less", "less_equal"}
ROUNDS = {"round", "rint"}
# What leaves each number as it is.
FORMS = {"numpy", "ravel", "flatten", "squeeze", "reshape", "asarray", "array", "copy", "convert_to_tensor", "tolist"}


class Cut(NamedTuple):
    """line: of the script. level: where it cuts. model: whose outputs."""

    line: int
    level: float
    model: keras.Model


def cuts(
    source: str | bytes, names: Mapping[str, Any], functions: Mapping[int, Mapping[str, Any]] | None = None
) -> list[Cut]:
    """Where a script compares what a model has said with a number, or rounds it.

    names: what the script's own names stand for. functions: by the line that one begins on, what its names stood for at
    the end of its last call. What goes through any other function, as a sigmoid, is not what the model has said.

    Raises:
        SyntaxError: `source` is no Python.
    """
    functions = functions or {}
    nodes = list(scoped(ast.parse(source), functions))
    speakers = _Speakers(nodes, names, functions)
    found = [(node, level, speakers.of(side, begins)) for node, begins in nodes for side, level in _compared(node)]
    return [Cut(node.lineno, level, model) for node, level, model in found if model is not None]  # type: ignore[attr-defined]


class _Speakers:
    """Which model has said what an expression stands for."""

    def __init__(
        self, nodes: Sequence[tuple[ast.AST, int]], names: Mapping[str, Any], functions: Mapping[int, Mapping[str, Any]]
    ) -> None:
        self.names, self.functions = names, functions
        self.known: dict[tuple[int, str], keras.Model | None] = {}
        self.assigned: dict[tuple[int, str], list[ast.expr]] = {}
        for node, begins in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.assigned.setdefault((begins, node.targets[0].id), []).append(node.value)

    def of(self, expression: ast.expr, begins: int) -> keras.Model | None:
        """The model that has said it, in any form; begins: the line on which the function around it does."""
        if isinstance(expression, ast.Subscript):
            return self.of(expression.value, begins)
        if isinstance(expression, ast.Name):
            return self._named(expression.id, begins)
        if not isinstance(expression, ast.Call):
            return None
        name, function = called(expression.func), expression.func
        owner = function.value if isinstance(function, ast.Attribute) else None
        asked = owner if name in ("predict", "call") else function
        if isinstance(asked, ast.Name):
            value = self.functions.get(begins, {}).get(asked.id, self.names.get(asked.id))
            if isinstance(value, keras.Model):
                return value
        inner = [side for side in (owner, *expression.args[:1]) if side is not None] if name in FORMS else []
        return next((model for side in inner if (model := self.of(side, begins)) is not None), None)

    def _named(self, name: str, begins: int) -> keras.Model | None:
        """The one model that has said all that is assigned to a name."""
        if (begins, name) not in self.known:
            self.known[begins, name] = None  # while it is looked for: what is made of itself alone is of nobody
            found = [self.of(value, begins) for value in self.assigned.get((begins, name), [])]
            if found and all(model is found[0] for model in found):
                self.known[begins, name] = found[0]
        return self.known[begins, name]


def _compared(node: ast.AST) -> list[tuple[ast.expr, float]]:
    """The expressions that a comparison or a rounding cuts, each with the number."""
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ORDERS):
        pairs = [(node.left, node.comparators[0])]
    elif isinstance(node, ast.Call) and called(node.func) in COMPARISONS and len(node.args) == 2:
        pairs = [(node.args[0], node.args[1])]
    elif isinstance(node, ast.Call) and called(node.func) in ROUNDS:
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return [(side, 0.5) for side in (*node.args[:1], *owner)]
    return [
        (side, float(number.value))
        for both in pairs
        for side, number in (both, both[::-1])
        if isinstance(number, ast.Constant) and isinstance(number.value, int | float)
    ]
