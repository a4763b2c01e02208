"""Dropout in a script's own functions that is left on where nothing is trained, told from its calls."""

import ast
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from keras_course.diagnostics.kept import KEEPS, function_of

DROPS = re.compile(r"drop", re.IGNORECASE)
MODE = re.compile(r"^(is_?)?train(ing)?(_?(mode|phase))?$", re.IGNORECASE)
DRAWS = re.compile(r"drop|uniform|bernoulli", re.IGNORECASE)  # in the names of what is called
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Switch(NamedTuple):
    """A parameter of a function by which it drops: its place, its name and its default. place: None of one that is
    given by its name alone."""

    place: int | None
    name: str
    default: ast.expr | None


def left_on(source: str | bytes, names: Mapping[str, Any]) -> list[int]:
    """The lines outside of a tape that call a function of the script with the dropout on that it has in the steps.

    names: what the script's own names stand for. Nothing of functions that are elsewhere called with it off, of what
    is called again and again, as Monte Carlo dropout is, or of a call whose result nobody takes.

    Raises:
        SyntaxError: `source` is no Python.
    """
    tree = ast.parse(source)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}
    switches = {name: switch for name, node in functions.items() if (switch := _switch(node)) is not None}
    inside = _inside_of_tapes(tree, functions)
    idle = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    idle |= {id(node) for again in ast.walk(tree) if _repeats(again) for node in ast.walk(again)}
    found: dict[str, list[tuple[bool | None, int]]] = {}
    trained = set()
    for call in ast.walk(tree):
        name = function_of(call) if isinstance(call, ast.Call) else ""
        if not isinstance(call, ast.Call) or name not in switches:
            continue
        if id(call) in inside:
            trained.add(name)
        elif id(call) not in idle:
            found.setdefault(name, []).append((_on(call, switches[name], names), call.lineno))
    return sorted(
        line for name, calls in found.items() if name in trained and not any(on is False for on, _ in calls)
        for on, line in calls if on
    )  # fmt: skip


def _switch(function: Function) -> Switch | None:
    """The first parameter by which a function drops: its name says so, and it stands beside a draw."""
    own = function.args
    given = [*own.posonlyargs, *own.args]
    defaults = [None] * (len(given) - len(own.defaults)) + own.defaults
    switches = [Switch(*one) for one in zip(range(len(given)), (each.arg for each in given), defaults, strict=True)]
    switches += [Switch(None, each.arg, value) for each, value in zip(own.kwonlyargs, own.kw_defaults, strict=True)]
    for switch in switches:
        if not any(kind.search(switch.name) for kind in (DROPS, KEEPS, MODE)):
            continue
        if any(_uses(part, switch.name) and _draws(part) for part in function.body):
            return switch
    return None


def _uses(tree: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _draws(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Call) and DRAWS.search(function_of(node)) for node in ast.walk(tree))


def _inside_of_tapes(tree: ast.AST, functions: Mapping[str, Function]) -> set[int]:
    """All that runs under a GradientTape: what stands in its block, and in the functions that are called from there."""
    waiting: list[ast.AST] = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.With) and any("GradientTape" in ast.dump(item) for item in node.items)
    ]  # fmt: skip
    inside: set[int] = set()
    while waiting:
        for node in ast.walk(waiting.pop()):
            function = functions.get(function_of(node)) if isinstance(node, ast.Call) else None
            if function is not None and id(function) not in inside:
                waiting.append(function)
            inside.add(id(node))
    return inside


def _repeats(node: ast.AST) -> bool:
    """Whether what stands in a node is done again for nothing but the repetition."""
    if isinstance(node, ast.For):
        targets, body = [node.target], list[ast.AST](node.body)
    elif isinstance(node, ast.ListComp | ast.GeneratorExp):
        targets, body = [each.target for each in node.generators], [node.elt]
    else:
        return False
    counts = [target.id for target in targets if isinstance(target, ast.Name)]
    return any(not any(_uses(part, name) for part in body) for name in counts)


def _on(call: ast.Call, switch: Switch, names: Mapping[str, Any]) -> bool | None:
    """Whether a call has the dropout on; None where nobody knows."""
    word = next((word.value for word in call.keywords if word.arg == switch.name), None)
    placed = [] if switch.place is None else call.args[switch.place : switch.place + 1]
    given = word if word is not None else placed[0] if placed else switch.default
    value = given.value if isinstance(given, ast.Constant) else None
    if isinstance(given, ast.Name):
        value = names.get(given.id)
    if not isinstance(value, bool | int | float):
        return None
    if KEEPS.search(switch.name):
        return value < 1
    return bool(value)
