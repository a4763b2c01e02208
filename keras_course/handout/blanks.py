"""The functions that students write, found in the source by their `@blank` marks, and cut out of it.

The cut goes by line numbers, so that all around a blank stays byte for byte as it was.
"""

import ast
import dataclasses
from collections.abc import Iterator

from keras_course.base import InputError, require

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Blank:
    """A function that the student writes."""

    function: str  # "DenseBlock.call"
    signature: str
    line: int  # of its `def`
    hints: tuple[str, ...]
    solution: str  # empty where it has been cut out


def marks(node: ast.AST) -> list[ast.Call]:
    """The `@blank(...)` decorators of `node`."""
    calls = [call for call in getattr(node, "decorator_list", []) if isinstance(call, ast.Call)]
    return [call for call in calls if ast.unparse(call.func).split(".")[-1] == "blank"]


def marked(node: ast.AST, name: str) -> bool:
    """Whether `node` is a blank of the assignment `name`."""
    return any(ast.unparse(mark.args[0]) == repr(name) for mark in marks(node) if mark.args)


def functions(node: ast.AST, name: str, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """The blanks of the assignment `name` below `node`, with their qualified names, from top to bottom."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # no expression holds a definition, and most nodes are in one
        path = prefix + (getattr(child, "name", None) or "")
        if marked(child, name):
            require(isinstance(child, Function), "blank", "a mark on a function or a method", path)
            yield path, child  # type: ignore[misc]
        else:
            yield from functions(child, name, path + "." if isinstance(child, ast.ClassDef) else prefix)


def body(function: Function) -> list[ast.stmt]:
    """The statements of `function` behind its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def refusal(path: str) -> str:
    """What stands in place of a solution."""
    return f"raise NotImplementedError('{path} is yours to write')"


def hints(function: Function) -> tuple[str, ...]:
    """All hints of a blank; InputError where they are not written out as text."""
    values = [keyword.value for mark in marks(function) for keyword in mark.keywords if keyword.arg == "hints"]
    try:
        return tuple(hint for value in values for hint in ast.literal_eval(value))
    except ValueError:
        raise InputError(f"`hints` must be a tuple of texts written out. Received: code, at {function.name}.") from None


def blanks(source: bytes, name: str) -> list[Blank]:
    """The blanks of the assignment `name` in the source of one file."""
    found: list[Blank] = []
    if name.encode() not in source:  # most files, and parsing takes long
        return found
    for path, function in functions(ast.parse(source), name):
        solution = "\n".join(map(ast.unparse, body(function)))
        written = "" if solution == refusal(path) else solution
        signature = f"{function.name}({ast.unparse(function.args)})"
        found.append(Blank(path, signature, function.lineno, hints(function), written))
    return found


def is_comment(line: bytes) -> bool:
    return line.lstrip().startswith(b"#")


def cut(lines: list[bytes], statements: list[ast.stmt], put: str, *, above: int) -> None:
    """Puts `put` in place of `statements` and of the comments around them, but for those in the lines `above`."""
    first, last = statements[0], statements[-1]
    start, end = first.lineno - 1, last.end_lineno or last.lineno
    before = lines[start][: first.col_offset]
    while start > above and is_comment(lines[start - 1]):
        start -= 1
    for ahead in range(end, len(lines)):
        if is_comment(lines[ahead]) and len(lines[ahead]) - len(lines[ahead].lstrip()) >= first.col_offset > 0:
            end = ahead + 1
        elif lines[ahead].strip():
            break
    ending = lines[end - 1][len(lines[end - 1].rstrip()) :]
    lines[start:end] = [before + put.encode() + ending] if put else []


def drop_hints(lines: list[bytes], mark: ast.Call) -> None:
    """Rewrites the decorator `mark` with the assignment's name only."""
    start, end = mark.lineno - 1, mark.end_lineno or mark.lineno
    before, after = lines[start][: mark.col_offset], lines[end - 1][mark.end_col_offset :]
    name = ast.get_source_segment(b"".join(lines).decode(), mark.args[0]) or ""
    lines[start:end] = [before + f"{ast.unparse(mark.func)}({name})".encode() + after]


def strip(source: bytes, name: str) -> bytes:
    """`source` with the blanks of `name` reduced to signature, docstring and a NotImplementedError, without hints."""
    lines = source.splitlines(keepends=True)
    for path, function in reversed(list(functions(ast.parse(source), name))):  # from below: line numbers stay right
        statements = body(function)
        require(statements, "blank", "a mark on a function with a body to write", path)
        doc = function.body[0] if statements != function.body else None
        put = refusal(path).replace("'", '"')
        cut(lines, statements, put, above=doc.end_lineno if doc and doc.end_lineno else function.lineno)
        for mark in reversed([mark for mark in marks(function) if mark.keywords]):
            drop_hints(lines, mark)
    return b"".join(lines)


def strip_mutants(source: bytes) -> bytes:
    """The source of a test file without its list of MUTANTS: they quote the solution."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(getattr(target, "id", "") == "MUTANTS" for target in targets):
            cut(lines, [node], "", above=0)
    return b"".join(lines)
