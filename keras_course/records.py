"""Measured results, committed as JSON; every table that shows a figure is generated from them.

`assignments/records/<folder>/<slug>.json` maps a preset ("small", "full") to one record: the settings, the seeds, for
each score its values, mean and standard deviation, the seconds, the data with its counts, the versions, and a
fingerprint of the code that measured it.
"""

import ast
import contextlib
import hashlib
import json
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from keras_course.base import LOGS, RECORDS, ROOT, InputError
from keras_course.runs import plain, write_atomically

PACKAGES = ("tensorflow", "keras", "numpy")
KEPT = LOGS / ".fingerprints"


def versions() -> dict[str, str]:
    """The versions of the packages that decide the numbers, without importing them."""
    from importlib.metadata import PackageNotFoundError, version  # `list` reads records, and needs neither this …

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


# Keywords that judge or explain a run and change no number; the presets are compared as settings.
BESIDE = {"Exercise": {"source", "expect", "floors", "small", "full", "quick", "tune"}, "blank": {"hints"}}
ASIDE = {"Target"}  # imported for such a keyword alone


def normal_form(node: Any) -> Any:
    """A syntax tree as nested lists; fields that are empty are left out, since Python's versions differ in them."""
    if isinstance(node, ast.AST):
        fields = [[name, normal_form(value)] for name, value in ast.iter_fields(node) if name not in ("ctx", "kind")]
        return [type(node).__name__, *(field for field in fields if field[1] not in (None, []))]
    return [normal_form(part) for part in node] if isinstance(node, list) else repr(node)


@cache
def analysed(path: Path) -> tuple[str, frozenset[str]]:
    """The fingerprint of a file, and the parts of `keras_course` that it imports, the frame aside.

    Both are kept by the file's content: reading the trees of the whole library takes a second.
    """
    content = path.read_bytes()
    name = hashlib.sha256(Path(__file__).read_bytes() + content).hexdigest()
    kept = KEPT / name[:2] / name
    with contextlib.suppress(OSError, ValueError):
        code, *parts = json.loads(kept.read_text())
        return code, frozenset(parts)
    tree, parts = ast.parse(content), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BESIDE:
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in BESIDE[node.func.id]]
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_course"):
            parts |= {f"{node.module}.{alias.name}".split(".")[1] for alias in node.names} - FRAME
            node.names = [alias for alias in node.names if alias.name not in ASIDE]
    code = hashlib.sha256(json.dumps(normal_form(tree)).encode()).hexdigest()[:12]
    with contextlib.suppress(InputError, OSError):  # where nothing can be written, nothing is kept
        write_atomically(kept, json.dumps([code, *sorted(parts)]))
    return code, frozenset(parts)


def fingerprint(path: Path) -> str:
    """Twelve letters that change with the code of a file, and not with comments, docstrings, layout, bands or hints."""
    return analysed(path)[0]


# What runs and shows an assignment, and does not decide its numbers.
FRAME = {
    "base",
    "board",
    "check",
    "cli",
    "exercise",
    "handout",
    "plots",
    "records",
    "report",
    "runs",
    "script",
    "settings",
    "tuning",
}


@cache
def files_of(part: str) -> frozenset[Path]:
    """The files of a part of `keras_course`: a module, or all modules of a package."""
    library = ROOT / "keras_course"
    return frozenset(library.glob(f"{part}/**/*.py")) | frozenset(library.glob(f"{part}.py"))


@cache
def reached(parts: frozenset[str]) -> frozenset[str]:
    """The parts of `keras_course`, the frame aside, that these import, directly or through others, and they."""
    direct = frozenset(part for name in parts for file in files_of(name) for part in analysed(file)[1])
    return parts if direct <= parts else reached(parts | direct)


def library_of(path: Path) -> frozenset[Path]:
    """The files of the parts of `keras_course`, the frame aside, that `path` imports, directly or through others."""
    return frozenset(file for part in reached(analysed(path)[1]) for file in files_of(part))


@cache
def _fingerprint_of(files: frozenset[Path]) -> str:
    return hashlib.sha256("".join(map(fingerprint, sorted(files))).encode()).hexdigest()[:12]


def library_fingerprint(path: Path) -> str:
    """One fingerprint of the library code that the assignment `path` stands on."""
    return _fingerprint_of(library_of(path))


def path_of(name: str) -> Path:
    return RECORDS / f"{name}.json"


def read(name: str) -> dict[str, Any]:
    """The records of the assignment `name` by preset; empty when there are none."""
    return json.loads(path_of(name).read_text()) if path_of(name).exists() else {}


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Values, mean and sample standard deviation (over n-1); one value has no deviation."""
    import statistics  # … nor this: together a tenth of its time

    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "sd": deviation, "values": list(values)}


def write(exercise: Any, preset: str, runs: Sequence[dict[str, Any]]) -> Path:
    """Keeps the runs of one preset, one for each seed (the contents of their `metrics.json`), as its record."""
    first = runs[0]
    record = {
        "settings": {k: v for k, v in first["settings"].items() if k != "seed"},
        "seeds": [run["settings"]["seed"] for run in runs],
        "scores": {score: summary([run["scores"][score] for run in runs]) for score in first["scores"]},
        "seconds": summary([run["seconds"] for run in runs]),
        "data": first["data"],
        "parameters": first["parameters"],
        "versions": versions(),
        "date": date.today().isoformat(),
        "code": fingerprint(exercise.path),
        "library": library_fingerprint(exercise.path),
    }
    content = read(exercise.name) | {preset: record}
    write_atomically(path_of(exercise.name), json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path_of(exercise.name)


def state(exercise: Any, preset: str = "small") -> str:
    """How the record of a preset stands to today's code: "none", "stale: …", "current" or "current, older library"."""
    record = read(exercise.name).get(preset)
    if record is None:
        return "none"
    settings = {k: v for k, v in plain(getattr(exercise, preset)).items() if k != "seed"}
    if record["settings"] != settings:
        return "stale: settings changed"
    if record["code"] != fingerprint(exercise.path):
        return "stale: code changed"
    return "current" if record["library"] == library_fingerprint(exercise.path) else "current, older library"
