"""The student's copy of the course: everything works but the functions that one assignment asks for.

Nothing that shows the solution goes along: not its mutants in the tests, its record, its figures, nor a second copy of
its lines.
"""

import ast
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from keras_course.base import ROOT, InputError, assignments, pick, require
from keras_course.handout.blanks import Blank, blanks, strip, strip_mutants

FOLDERS = ("keras_course", "assignments", "tests")
FILES = ("README.md", "LICENSE", "Makefile", "pyproject.toml", "requirements.txt")
# What runs, editors and compilers leave behind can hold a copy of the solution.
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "*.bak", "*.orig", "*.rej", "*~", "logs", "tuner_runs")
TELLING = 30  # characters; shorter passages of code repeat by chance

TASK = """# {title}
{text}

## Yours to write

{rows}

## Run and check

    python -m assignments.{module}
    python -m pytest {test}
    python -m keras_course check {name}

Stuck? `hints/` has a folder for each function; its first file gives away the least.
"""


def path_of_tests(name: str, root: Path = ROOT) -> Path:
    """The file with the tests of the assignment `name`."""
    folder, slug = name.split("/")
    return root / "tests" / "assignments" / folder / f"test_{slug}.py"


def copy(tree: Path, root: Path) -> None:
    """Copies what a student gets of the course, the solution still in it."""
    for folder in FOLDERS:
        if (root / folder).is_dir():
            shutil.copytree(root / folder, tree / folder, ignore=LEFT_OUT)
    for file in FILES:
        if (root / file).is_file():
            shutil.copy(root / file, tree / file)


def empty_blanks(name: str, tree: Path) -> dict[str, list[Blank]]:
    """Cuts the solutions out of `tree` and returns, for each file that had some, its blanks as they were."""
    found = {}
    for path in sorted(p for folder in ("keras_course", "assignments") for p in (tree / folder).rglob("*.py")):
        source = path.read_bytes()
        if here := blanks(source, name):
            found[path.relative_to(tree).as_posix()] = here
            path.write_bytes(strip(source, name))
    return found


def remove_results(name: str, tree: Path) -> None:
    """Removes what the solution scored: its record and its figures, and the table of all results."""
    (tree / "assignments" / "records" / f"{name}.json").unlink(missing_ok=True)
    shutil.rmtree(tree / "assignments" / "figures" / name, ignore_errors=True)
    (tree / "assignments" / "RESULTS.md").unlink(missing_ok=True)


def bare(text: str) -> list[str]:
    """The lines of `text` that hold something, free of spaces, quotes and comment marks."""
    return [kept for line in text.splitlines() if (kept := re.sub(r"[\s\"'#]", "", line))]


def passages(text: str, lines: int) -> set[str]:
    """The runs of so many neighbouring `lines` in `text`, which are `bare`.

    Headers alone, as a loop over layers and a condition on their kind, do nothing yet, and tell nothing.
    """
    return _runs(bare(text), lines)


def _runs(kept: Sequence[str], lines: int) -> set[str]:
    runs = [kept[i : i + lines] for i in range(len(kept) - lines + 1)]
    telling = {"\n".join(run) for run in runs if not all(line.endswith(":") for line in run)}
    return {run for run in telling if len(run) >= TELLING}


@functools.lru_cache(maxsize=2000)  # who hands out every assignment reads the same thousand files for each
def layouts(text: str, *, code: bool) -> list[list[str]]:
    """The `bare` lines of a text, as laid out, and of code in one layout too."""
    return [bare(text), bare(ast.unparse(ast.parse(text)))] if code else [bare(text)]


def refuse_leaks(tree: Path, solutions: list[Blank]) -> None:
    """InputError when two neighbouring lines of a solution, or its only one, stand anywhere in `tree`."""
    secrets = []
    for blank in solutions:
        size = min(2, len(blank.solution.splitlines()))
        secrets.append((blank.function, size, passages(blank.solution, size)))
    begins = {passage.split("\n")[0] for _, _, told in secrets for passage in told}
    for path in sorted(p for p in tree.rglob("*") if p.is_file()):
        for kept in layouts(path.read_text(errors="replace"), code=path.suffix == ".py"):
            if begins.isdisjoint(kept):
                continue
            found = {lines: _runs(kept, lines) for lines in (1, 2)}
            for function, size, told in secrets:
                if size and found[size] & told:
                    where = path.relative_to(tree)
                    raise InputError(f"{where} repeats the solution of {function}: let it call the function instead.")


def write_hints(folder: Path, found: list[Blank]) -> None:
    """One file for each hint, so that each is opened on purpose."""
    for blank in found:
        for number, hint in enumerate(blank.hints, 1):
            path = folder / blank.function / f"{number}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(hint + "\n")


def write_task(name: str, tree: Path, files: list[str]) -> None:
    """TASK.md: the task, where to write, how to run and how to check."""
    doc = ast.get_docstring(ast.parse(assignments(tree)[name].read_bytes())) or name
    title, _, text = doc.partition("\n")
    rows = [
        f"- `{blank.function}` in {file}, line {blank.line}: `def {blank.signature}`"
        for file in files
        for blank in blanks((tree / file).read_bytes(), name)
    ]
    test = path_of_tests(name, tree).relative_to(tree)
    page = TASK.format(
        title=title, text=text.rstrip(), rows="\n".join(rows), module=name.replace("/", "."), test=test, name=name
    )
    (tree / "TASK.md").write_text(page)


def build(name: str, tree: Path, root: Path) -> None:
    """The whole of a handout, in the folder `tree`."""
    copy(tree, root)
    found = empty_blanks(name, tree)
    require(found, "name", "an assignment with functions marked `@blank`", name)
    for path in (tree / "tests").rglob("test_*.py"):
        path.write_bytes(strip_mutants(path.read_bytes()))
    remove_results(name, tree)
    every = [blank for here in found.values() for blank in here]
    refuse_leaks(tree, every)
    write_hints(tree / "hints", every)  # these may come near the solution
    write_task(name, tree, list(found))


def write(name: str, target: Path, *, root: Path = ROOT) -> Path:
    """Writes the student's tree of the assignment `name` into `target`, a new or an empty folder, and returns it.

    All or nothing: the tree is built beside `target` and then renamed. InputError for an unknown assignment, one that
    has no blanks, a folder that is not empty, and a solution that would show elsewhere in the tree.
    """
    pick(assignments(root), name, "assignment")
    target, root = Path(target).resolve(), Path(root).resolve()
    free = not target.exists() or (target.is_dir() and not any(target.iterdir()))
    require(free, "target", "a new or an empty folder", str(target))
    outside = not any(target.is_relative_to(root / folder) for folder in FOLDERS)
    require(outside, "target", "a folder outside the course's own", str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".handout-") as beside:
            build(name, Path(beside) / "tree", root)
            os.replace(Path(beside) / "tree", target)
    except OSError as error:
        raise InputError(f"Cannot write the handout to {target}: {error.strerror or error}.") from None
    return target
