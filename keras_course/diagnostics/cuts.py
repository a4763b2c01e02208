"""Numbers at which the lines of a script cut what a model says: one half for yes or no, which is right for a
probability and no middle of a logit."""

import ast
from collections.abc import Mapping
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
    tree, functions = ast.parse(source), functions or {}
    nodes = list(scoped(tree, functions))
    assigned: dict[tuple[int, str], list[ast.expr]] = {}
    for node, begins in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned.setdefault((begins, node.targets[0].id), []).append(node.value)

    def speaker(expression: ast.expr, begins: int, deep: int = 8) -> keras.Model | None:
        """The model that has said it, in any form."""
        if deep == 0:
            return None
        if isinstance(expression, ast.Subscript):
            return speaker(expression.value, begins, deep - 1)
        if isinstance(expression, ast.Name):
            origins = assigned.get((begins, expression.id), [])
            found = [speaker(origin, begins, deep - 1) for origin in origins]
            return found[0] if found and all(model is found[0] for model in found) else None
        if not isinstance(expression, ast.Call):
            return None
        name, function = called(expression.func), expression.func
        owner = function.value if isinstance(function, ast.Attribute) else None
        asked = owner if name in ("predict", "call") else function
        if isinstance(asked, ast.Name):
            value = functions.get(begins, {}).get(asked.id, names.get(asked.id))
            if isinstance(value, keras.Model):
                return value
        if name not in FORMS:
            return None
        inner = speaker(owner, begins, deep - 1) if owner is not None else None
        return inner or (speaker(expression.args[0], begins, deep - 1) if expression.args else None)

    found = []
    for node, begins in nodes:
        for side, level in _compared(node):
            if (model := speaker(side, begins)) is not None:
                found.append(Cut(node.lineno, level, model))  # type: ignore[attr-defined]
    return found


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
