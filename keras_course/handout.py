"""The student's copy of the course: everything works but the functions that one assignment asks for.

The blanks are cut out of the source by line, so that all around them stays byte for byte as it was. Nothing that shows
the solution goes along: not its mutants in the tests, its record, its figures, nor a second copy of its lines.
"""

import ast
import contextlib
import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_course.base import ROOT, InputError, pick, require

FOLDERS = ("keras_course", "assignments", "tests")
FILES = ("README.md", "LICENSE", "Makefile", "pyproject.toml", "requirements.txt")
# A student's tree is code and text: what runs, editors and compilers leave behind can hold a copy of the solution.
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "*.bak", "*.orig", "*.rej", "*~", "logs", "tuner_runs")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Blank:
    """A function that the student writes."""

    function: str  # "DenseBlock.call"
    signature: str
    line: int  # of its `def`
    hints: tuple[str, ...]


def assignments(root: Path = ROOT) -> dict[str, Path]:
    """The file of each assignment, by its name "<folder>/<slug>"."""
    paths = sorted((root / "assignments").glob("*/*.py"))
    return {f"{path.parent.name}/{path.stem}": path for path in paths if path.stem != "__init__"}


def marks(node: ast.AST) -> list[ast.Call]:
    """The `@blank(...)` decorators of `node`."""
    calls = [d for d in getattr(node, "decorator_list", []) if isinstance(d, ast.Call)]
    return [call for call in calls if ast.unparse(call.func).split(".")[-1] == "blank"]


def names(mark: ast.Call, name: str) -> bool:
    """Whether a mark is one of the assignment `name`."""
    return bool(mark.args) and isinstance(mark.args[0], ast.Constant) and mark.args[0].value == name


def functions(node: ast.AST, name: str, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """The functions below `node` that are blanks of the assignment `name`, with their qualified names, top down."""
    for child in ast.iter_child_nodes(node):
        path = prefix + getattr(child, "name", "")
        if any(names(mark, name) for mark in marks(child)):
            require(isinstance(child, Function), "blank", "a mark on a function or a method", path)
            yield path, child  # type: ignore[misc]
        else:
            yield from functions(child, name, path + "." if isinstance(child, ast.ClassDef) else prefix)


def hints(function: Function) -> tuple[str, ...]:
    """All hints of a blank; InputError where they are not written out as text."""
    values = [keyword.value for mark in marks(function) for keyword in mark.keywords if keyword.arg == "hints"]
    try:
        return tuple(hint for value in values for hint in ast.literal_eval(value))
    except ValueError:
        raise InputError(f"`hints` of {function.name} must be a tuple of texts, written out. Received: code.") from None


def blanks(source: bytes, name: str) -> list[Blank]:
    """The blanks of the assignment `name` in the source of one file."""
    return [
        Blank(path, f"{node.name}({ast.unparse(node.args)})", node.lineno, hints(node))
        for path, node in functions(ast.parse(source), name)
    ]


def cut(lines: list[bytes], first: ast.stmt, last: ast.stmt, put: bytes) -> None:
    """Puts `put` in place of the statements from `first` to `last`, and of the comments that belong to them."""
    start, end = first.lineno - 1, last.end_lineno or last.lineno
    before = lines[start][: first.col_offset]
    if not before.strip():  # not so in `def f(x): return x`
        while start and (not lines[start - 1].strip() or lines[start - 1].lstrip().startswith(b"#")):
            start -= 1
    for ahead in range(end, len(lines)):
        text = lines[ahead].lstrip()
        indented = len(lines[ahead]) - len(text) >= first.col_offset > 0
        if text.startswith(b"#") and indented:
            end = ahead + 1
        elif text:
            break
    gap = [line for line in lines[start : first.lineno - 1] if not line.strip()][:1]
    lines[start:end] = gap + [before + put] if put else gap


def code(function: Function) -> list[ast.stmt]:
    """The statements of a function behind its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def refusal(path: str) -> str:
    return f'raise NotImplementedError("{path} is yours to write")'


def strip(source: bytes, name: str) -> bytes:
    """`source` with the blanks of `name` reduced to signature, docstring and a NotImplementedError, without hints."""
    lines = source.splitlines(keepends=True)
    for path, function in reversed(list(functions(ast.parse(source), name))):  # from below: line numbers stay right
        body = code(function)
        require(body, "blank", "a function with a body to write", path)
        cut(lines, body[0], body[-1], refusal(path).encode() + b"\n")
        for mark in reversed([mark for mark in marks(function) if mark.keywords]):
            start, end = mark.lineno - 1, mark.end_lineno or mark.lineno
            before, after = lines[start][: mark.col_offset], lines[end - 1][mark.end_col_offset :]
            lines[start:end] = [before + f"{ast.unparse(mark.func)}({ast.unparse(mark.args[0])})".encode() + after]
    return b"".join(lines)


def strip_mutants(source: bytes) -> bytes:
    """The source of a test file without its list of MUTANTS: they quote the solution."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(getattr(target, "id", "") == "MUTANTS" for target in targets):
            cut(lines, node, node, b"")
    return b"".join(lines)


def secrets(source: bytes, name: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of code of each blank's body, without indentation, docstring and comments."""
    for path, function in functions(ast.parse(source), name):
        lines = [line for statement in code(function) for line in ast.unparse(statement).splitlines()]
        lines = [line.strip() for line in lines]
        if lines != [ast.unparse(ast.parse(refusal(path)))]:
            yield path, lines


def refuse_leak(folder: Path, solution: list[tuple[str, list[str]]]) -> None:
    """InputError when two neighbouring lines of a solution, or its only one, stand anywhere in `folder`."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        text = path.read_text(errors="replace")
        with contextlib.suppress(SyntaxError, ValueError):  # text that is no code is compared as it stands
            text = ast.unparse(ast.parse(text))
        lines = [line.strip() for line in text.splitlines()]
        pairs = set(zip(lines, lines[1:], strict=False))
        for function, secret in solution:
            known = set(zip(secret, secret[1:], strict=False)) if len(secret) > 1 else set(secret)
            if known & (pairs if len(secret) > 1 else set(lines)):
                raise InputError(
                    f"{path.relative_to(folder)} repeats lines of the solution of {function}: call it instead."
                )


def write(name: str, target: Path, *, root: Path = ROOT) -> Path:
    """Writes the student's tree of the assignment `name` into `target`, a new or an empty folder, and returns it.

    All or nothing: the tree is built beside `target` and then renamed. InputError for an unknown assignment, one that
    has no blanks, a folder that is not empty, and a solution that would show elsewhere in the tree.
    """
    pick(assignments(root), name, "assignment")
    target = Path(target).absolute()
    require(not target.exists() or (target.is_dir() and not any(target.iterdir())),
            "target", "a new or an empty folder", str(target))
    require(not any(target.is_relative_to(root / folder) for folder in FOLDERS),
            "target", "a folder outside the course", str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".handout-") as beside:
            build(name, Path(beside) / "tree", root)
            os.replace(Path(beside) / "tree", target)
    except OSError as error:
        raise InputError(f"Cannot write the handout to {target}: {error.strerror}.") from None
    return target


def build(name: str, tree: Path, root: Path) -> None:
    """The whole of a handout, in the folder `tree`."""
    copy(tree, root)
    found: dict[str, list[Blank]] = {}
    solution: list[tuple[str, list[str]]] = []
    for path in sorted(p for folder in ("keras_course", "assignments") for p in (tree / folder).rglob("*.py")):
        source = path.read_bytes()
        if b"blank" in source and blanks(source, name):
            solution += secrets(source, name)
            path.write_bytes(strip(source, name))
            file = path.relative_to(tree).as_posix()
            found[file] = blanks(path.read_bytes(), name)
            write_hints(tree / "hints", blanks(source, name))
    require(found, "name", "an assignment with blanks", name)
    for path in (tree / "tests").rglob("test_*.py"):
        path.write_bytes(strip_mutants(path.read_bytes()))
    remove_results(name, tree)
    refuse_leak(tree, solution)
    (tree / "TASK.md").write_text(task(name, ast.get_docstring(ast.parse(assignments(tree)[name].read_text())), found))


def copy(tree: Path, root: Path) -> None:
    for folder in FOLDERS:
        if (root / folder).is_dir():
            shutil.copytree(root / folder, tree / folder, ignore=LEFT_OUT)
    for file in FILES:
        if (root / file).is_file():
            shutil.copy(root / file, tree / file)


def write_hints(folder: Path, found: list[Blank]) -> None:
    """One file for each hint, so that each is opened on purpose."""
    for blank in found:
        for i, hint in enumerate(blank.hints, 1):
            path = folder / blank.function / f"{i}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(hint + "\n")


def remove_results(name: str, tree: Path) -> None:
    """Removes what the solution scored: its record, its figures, and its lines in the table of results."""
    (tree / "assignments" / "records" / f"{name}.json").unlink(missing_ok=True)
    shutil.rmtree(tree / "assignments" / "figures" / name, ignore_errors=True)
    table = tree / "assignments" / "RESULTS.md"
    if table.is_file():
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if not re.search(rf"\b{re.escape(name)}\b", line)))


def task(name: str, doc: str | None, found: dict[str, list[Blank]]) -> str:
    """TASK.md: the task, where to write, how to run and how to check."""
    title, _, text = (doc or name).partition("\n")
    rows = [
        f"- `{blank.function}` in {file}, line {blank.line}: `def {blank.signature}`"
        + (f"; {len(blank.hints)} hints" if blank.hints else "")
        for file, some in found.items()
        for blank in some
    ]
    module = name.replace("/", ".")
    test = "tests/assignments/" + name.replace("/", "/test_") + ".py"
    return "\n".join(
        [f"# {title}", text.rstrip(), "", "## Yours to write", "", *rows, "",
         "Hints, should you want one, stand in `hints/<function>/`: the first is the gentlest.", "",
         "## Run and check", "", "```", f"python -m assignments.{module}", f"python -m pytest {test}",
         f"python -m keras_course check {name}", "```", ""]
    )
