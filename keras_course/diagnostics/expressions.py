"""By which words the lines of a script name what they give a model."""

import ast
import functools
import itertools
import linecache
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

from keras_course.diagnostics.held_out import NOTHING, is_held_out

import numpy as np

COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def name_of(x: Any, frames: Sequence[Any]) -> tuple[str, dict[str, Any], np.ndarray | None]:
    """What the script calls `x`, or the array that it is a part of; the scope that has the name; and which rows of an
    array there it is, where these are taken by their numbers. "" without a name.

    Of several names the first that says something: `x_test` for what a function calls `x`. What has none that says it
    is held out goes by what a loop takes it from, as in `for images, labels in test_set`; what has none at all by the
    expression that the call is given: `rows[test]`, or `scaler.transform(x_test)`, which are called "test" and
    "x_test", and rows that are taken by their numbers under a name that does not say it "x[chosen]".
    """
    scopes = list(_scopes(frames))
    found = [
        (name, scope, place)
        for wanted in (x, x.base if isinstance(x, np.ndarray) else None)
        for scope, place in (scopes if wanted is not None else ())
        for name, value in list(scope.items())
        if value is wanted and not name.startswith("_")
    ]
    telling = next((one for one in found if not NOTHING.search(one[0])), None)
    if telling is None or not is_held_out(telling[0]):
        for name, scope, place in found:
            if place < len(frames) and (taken := next(filter(is_held_out, _taken_from(frames, place, name)), "")):
                return taken, scope, None
    if telling is None and (said := _given_in(frames)) is not None:
        names, place = said
        scope = frames[place].f_globals | scopes[place][0]
        numbers = {name: value for name in names if _are_numbers(value := scope.get(name))}
        if held := next(filter(is_held_out, names), ""):
            return held, scope, numbers.get(held)
        tables = [name for name in names if name not in numbers and isinstance(scope.get(name), np.ndarray)]
        array = bool(getattr(x, "shape", ()))  # and no pipeline
        pairs = [(name, rows) for name in tables for rows in numbers if array and _takes(scope[name], numbers[rows], x)]
        if pairs:
            table, chosen = pairs[0]
            passed = _passed(frames, place, chosen) or ()
            return f"{table}[{passed[0] if len(passed) == 1 else chosen}]", scope, numbers[chosen]
    name, scope, _ = telling or (found[0] if found else ("", scopes[0][0] if scopes else {}, 0))
    return name, scope, None


def _scopes(frames: Sequence[Any]) -> Iterator[tuple[dict[str, Any], int]]:
    """What the names of each frame stand for, with its place, and those of the file behind the last. A comprehension
    has its own frame, and all names of the function around it."""
    for place, frame in enumerate(frames):
        around = next((f for f in frames[place:] if f.f_code.co_name not in COMPREHENSIONS), frame)
        yield (frame.f_locals if around is frame else around.f_locals | frame.f_locals), place
    if frames:
        yield frames[0].f_globals, len(frames)


def _are_numbers(value: Any) -> bool:
    """Whether a value may be the numbers of rows, or a yes or no for each."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "iub" and value.ndim == 1


def _takes(table: np.ndarray, rows: np.ndarray, x: Any) -> bool:
    """Whether `x` is made of these rows of a table, by the first and the last of them."""
    places, said = np.flatnonzero(rows) if rows.dtype.kind == "b" else rows, np.asarray(x)
    fits = len(rows) == len(table) if rows.dtype.kind == "b" else places.max(initial=0) < len(table)
    if not fits or not 0 < len(places) == len(said) or table.shape[1:] != said.shape[1:]:
        return False
    both = [(table[places[i]], said[i]) for i in (0, -1)]
    numbers = table.dtype.kind in "iufb" and said.dtype.kind in "iufb"
    return all(np.allclose(a, b, rtol=1e-5, equal_nan=True) if numbers else np.array_equal(a, b) for a, b in both)


def _given_in(frames: Sequence[Any]) -> tuple[Sequence[str], int] | None:
    """The names in the expression that a model is called with, and the place of the frame that makes it; what a
    function passes on is what it was given itself."""
    given, _ = _arguments(frames[0].f_code, frames[0].f_lasti) if frames else ((), {})
    if not given:
        return None
    names: Sequence[str] = given[0]
    place = 0
    while len(names) == 1 and (passed := _passed(frames, place, names[0])) is not None:
        names, place = passed, place + 1
    return names, place


def _passed(frames: Sequence[Any], place: int, name: str) -> Sequence[str] | None:
    """The names in the expression that the function of a frame was given as its argument `name`, by the frame behind
    it; None where it is no argument, or its call cannot be read."""
    code = frames[place].f_code
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if name not in own or place + 1 >= len(frames):
        return None
    given, named = _arguments(frames[place + 1].f_code, frames[place + 1].f_lasti)
    number = own.index(name) - (own[0] == "self")
    return named.get(name, given[number] if 0 <= number < len(given) else None)


def _taken_from(frames: Sequence[Any], place: int, name: str) -> Iterator[str]:
    """The words in the expression that the innermost loop around the running line of a frame takes `name` from, and in
    those that a function was given there."""
    code, line = frames[place].f_code, frames[place].f_lineno
    around = [loop for loop in _loops(code) if loop.first <= line <= loop.last and name in loop.binds]
    words = max(around, key=lambda loop: loop.first).words if around else None
    while words:
        yield from words
        words, place = next((p for word in words if (p := _passed(frames, place, word)) is not None), None), place + 1


@functools.lru_cache(maxsize=1000)
def _arguments(
    code: CodeType, instruction: int
) -> tuple[Sequence[tuple[str, ...]], Mapping[str | None, tuple[str, ...]]]:
    """The names in each argument of the call that a frame is in, by place and by name; nothing where its source cannot
    be read."""
    first, last, begin, end = next(itertools.islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    if first is None or last is None:
        return (), {}
    lines = [line.encode() for line in _source(code)[first - 1 : last]]
    if not lines:
        return (), {}
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    try:
        call = ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return (), {}
    if not isinstance(call, ast.Call):
        return (), {}
    return [_names(argument) for argument in call.args], {word.arg: _names(word.value) for word in call.keywords}


def _names(expression: ast.AST) -> tuple[str, ...]:
    return tuple(node.id for node in ast.walk(expression) if isinstance(node, ast.Name))


class _Loop(NamedTuple):
    """A loop of a file: its first and last line, the names that it binds, and the words that it takes them from."""

    first: int
    last: int
    binds: Sequence[str]
    words: Sequence[str]


@functools.lru_cache(maxsize=1000)
def _loops(code: CodeType) -> Sequence[_Loop]:
    """The loops of the file that some code stands in. Words are names, attributes and keys."""
    try:
        nodes = list(ast.walk(ast.parse("".join(_source(code)))))
    except (SyntaxError, ValueError):
        return ()
    made = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    loops: list[tuple[Any, Any]] = [(node, node) for node in nodes if isinstance(node, ast.For)]
    loops += [(node, one) for node in nodes if isinstance(node, made) for one in node.generators]
    return [
        _Loop(node.lineno, node.end_lineno, _bound(node, one), tuple(filter(None, map(_word, ast.walk(one.iter)))))
        for node, one in loops
    ]


def _bound(loop: Any, taken: Any) -> Sequence[str]:
    """The names that a loop binds, and those that its own lines make of them, as `x = prepare(row)`."""
    found = list(_names(taken.target))
    for line in loop.body if isinstance(loop, ast.For) else ():
        if isinstance(line, ast.Assign) and set(_names(line.value)) & set(found):
            found += [name for target in line.targets for name in _names(target)]
    return found


def _source(code: CodeType) -> Sequence[str]:
    """The lines of the file that some code stands in, as it is now."""
    linecache.checkcache(code.co_filename)
    return linecache.getlines(code.co_filename)


def _word(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
