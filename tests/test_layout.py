"""Who may import whom, that every file parses, and that every module has its tests."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {  # part of keras_course -> the parts it may use; everything may use `base`
    "base": set(),
    "settings": set(),
    "plots": set(),
    "losses": set(),
    "data": set(),
    "scratch": set(),  # NumPy alone: what a student reads to understand
    "arithmetic": {"layers"},  # to read a model file that holds the course's own layers
    "layers": set(),
    "models": {"layers"},
    "interpret": {"layers"},
    "training": {"losses", "settings"},
    "exercise": {"settings"},
    "runs": {"settings", "training"},  # training: the type of its checkpoints
    "records": {"exercise", "runs"},
    "report": {"records", "runs"},
    "board": set(),
    "diagnostics": {"data", "exercise", "plots", "runs", "scratch"},  # scratch: its optimisers, for steps on copies
    "tuning": {"data", "diagnostics", "exercise", "plots", "records", "report", "runs", "settings", "training"},
    "bench": {"records", "report", "runs"},
    "handout": set(),
    "check": {"handout"},
    "cli": {"*"},
    "__main__": {"cli"},
    "__init__": {"script"},
    "script": {"cli"},  # an assignment that is run as a script hands over to the command line
}


def imports(path):
    """The modules a file imports, wherever in the file: an import inside a function counts."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def sources(*folders):
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def named(path):
    return str(path.relative_to(ROOT))


def part_of(path):
    return path.relative_to(ROOT / "keras_course").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources("keras_course"), ids=named)
def test_library_imports_point_down(path):
    part = part_of(path)
    allowed = MAY_IMPORT[part] | {part, "base"}
    for name in imports(path):
        assert not name.startswith("assignments"), f"{name}: the library must not know the assignments"
        used = name.split(".")[1] if name.startswith("keras_course.") else part
        if used != "__version__" and "*" not in allowed:
            assert used in allowed, (
                f"{named(path)} imports {name}, and `{part}` may use only {', '.join(sorted(allowed))}. "
                "Move the shared code down, pass it as an argument, or change the table with a reason."
            )


def test_no_cycle_of_parts():
    graph = {part: {p for p in uses if p != "*"} for part, uses in MAY_IMPORT.items() if part != "script"}
    done = set()
    while left := graph.keys() - done:
        ready = {part for part in left if not (graph[part] & graph.keys()) - done}
        assert ready, f"these import each other in a circle: {sorted(left)}"
        done |= ready


@pytest.mark.parametrize("path", sources("assignments"), ids=named)
def test_assignments_do_not_import_each_other(path):
    for name in imports(path):
        assert not name.startswith("assignments"), f"{name}: what two assignments share belongs in keras_course"


@pytest.mark.parametrize("path", sources("keras_course/layers", "keras_course/models"), ids=named)
def test_layers_and_models_run_on_every_backend(path):
    for name in imports(path):
        assert name.split(".")[0] not in ("tensorflow", "jax", "torch"), f"{name}: use keras.ops"


def defines(path):
    """Whether a module has functions of its own, and not only tables, fields and texts."""
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(path.read_text())))


@pytest.mark.parametrize("path", list(filter(defines, sources("keras_course"))), ids=named)
def test_every_module_has_its_tests(path):
    inside = path.relative_to(ROOT / "keras_course")
    inside = inside.parent.with_suffix(".py") if inside.name == "__init__.py" else inside
    twin = ROOT / "tests" / inside.parent / f"test_{inside.name.lstrip('_')}"
    assert twin.exists(), f"no {named(twin)}"


@pytest.mark.parametrize("path", sources("assignments"), ids=named)
def test_every_assignment_has_its_tests(path):
    if path.name != "__init__.py":
        twin = ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{path.name}"
        assert twin.exists(), f"no {named(twin)}"


@pytest.mark.parametrize("path", sources("keras_course", "assignments", "tests"), ids=named)
def test_every_file_parses_and_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    if path.parts[-1] != "__init__.py" and "tests" not in path.relative_to(ROOT).parts:
        assert ast.get_docstring(tree), f"{named(path)} has no docstring"
