"""Dropout in a script's own functions that is left on where nothing is trained, told from its calls."""

import ast
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from keras_course.diagnostics.kept import KEEPS, function_of, rate_in

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

    By a parameter that switches it, or always, by a rate that is a number of the script. names: what the script's own
    names stand for. Nothing of functions that are elsewhere called with it off, of what is called again and again, as
    Monte Carlo dropout is, or of a call whose result nobody takes.

    Raises:
        SyntaxError: `source` is no Python.
    """
    tree = ast.parse(source)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}
    switches = {name: switch for name, node in functions.items() if (switch := _switch(node)) is not None}
    always = {name for name, node in functions.items() if name not in switches and _drops_always(node, tree, names)}
    inside = _inside_of_tapes(tree, functions)
    idle = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    idle |= {id(node) for again in ast.walk(tree) if _repeats(again) for node in ast.walk(again)}
    found: dict[str, list[tuple[bool | None, int]]] = {}
    trained = set()
    for call in ast.walk(tree):
        name = function_of(call) if isinstance(call, ast.Call) else ""
        if not isinstance(call, ast.Call) or name not in {*switches, *always}:
            continue
        if id(call) in inside:
            trained.add(name)
        elif id(call) not in idle:
            found.setdefault(name, []).append((name in always or _on(call, switches[name], names), call.lineno))
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


def _drops_always(function: Function, tree: ast.Module, names: Mapping[str, Any]) -> bool:
    """Whether a function drops whatever it is given: under no condition, and by a rate that nothing ever changes."""
    asked = {
        id(node) for branch in ast.walk(function) if isinstance(branch, ast.If | ast.IfExp | ast.Lambda)
        for node in ast.walk(branch)
    }  # fmt: skip
    plain = [node for node in ast.walk(function) if isinstance(node, ast.Call) and id(node) not in asked]
    rates = [rate for call in plain if function_of(call) == "dropout" and (rate := rate_in(call, set())) is not None]
    return any(0 < (_number(rate, function, tree, names) or 0) < 1 for rate in rates)


def _number(node: ast.expr, function: Function, tree: ast.Module, names: Mapping[str, Any]) -> float | None:
    """What a number of the script stands for where a function takes it; None where it is given or may change."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int | float) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        left, right = (_number(side, function, tree, names) for side in (node.left, node.right))
        return None if left is None or right is None else left - right
    if isinstance(node, ast.Attribute):
        stored = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute) and each.attr == node.attr]
        values = {
            value for each in list(names.values()) if isinstance(value := _attributes(each).get(node.attr), float)
        }
        once = sum(isinstance(each.ctx, ast.Store) for each in stored) == 1
        return values.pop() if once and len(values) == 1 else None
    if not isinstance(node, ast.Name):
        return None
    own = function.args
    if node.id in {each.arg for each in [*own.posonlyargs, *own.args, *own.kwonlyargs]}:
        return None
    made = [each for each in ast.walk(function) if isinstance(each, ast.Assign) and _stores(each, node.id)]
    if made:
        return _number(made[0].value, function, tree, names) if len(made) == 1 else None
    again = sum(isinstance(each, ast.Name) and each.id == node.id and isinstance(each.ctx, ast.Store)
                for each in ast.walk(tree))  # fmt: skip
    value = names.get(node.id)
    return value if again == 1 and isinstance(value, int | float) else None


def _attributes(value: Any) -> Mapping[str, Any]:
    """The attributes that an object was given; none where it does not let itself be asked."""
    with suppress(Exception):
        return vars(value) if not isinstance(value, type) else {}
    return {}


def _stores(assignment: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in assignment.targets)


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
