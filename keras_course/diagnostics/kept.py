"""Dropout that a script gives the share to keep, as TensorFlow 1 took it, in the place of the share to drop."""

import ast
import re
from collections.abc import Mapping
from typing import Any

KEEPS = re.compile(r"keep|retain", re.IGNORECASE)


def kept(source: str | bytes, names: Mapping[str, Any]) -> list[int]:
    """The lines that give a dropout of Keras or TensorFlow a rate whose name says that it is kept.

    names: what the script's own names stand for; one half is both, and no matter.

    Raises:
        SyntaxError: `source` is no Python.
    """
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    rates = [(call.lineno, _called(rate)) for call in calls if (rate := rate_in(call, own)) is not None]
    half = {name for name, value in names.items() if isinstance(value, float) and value == 0.5}
    return sorted({line for line, name in rates if KEEPS.search(name) and name not in half})


def function_of(call: ast.Call) -> str:
    """The last word of what is called: of `tf.nn.dropout(h)` dropout."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def rate_in(call: ast.Call, own: set[str]) -> ast.expr | None:
    """The rate that a call of a dropout gives: a layer takes it first, a function behind what it drops from."""
    name = function_of(call)
    if "dropout" not in name.lower() or name in own:
        return None
    place = 0 if name[0].isupper() else 1
    word = next((word.value for word in call.keywords if word.arg == "rate"), None)
    return word if word is not None else call.args[place] if len(call.args) > place else None


def _called(node: ast.expr) -> str:
    """The name of a value: of a variable, an attribute, or an entry by its word."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
