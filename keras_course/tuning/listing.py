"""Which searches there are, how far they are and what they found: `keras-course tune --list`. Needs no TensorFlow."""

from pathlib import Path
from typing import Any

from keras_course.base import InputError, closest
from keras_course.tuning.plan import RUNS, Folder, names, searches
from keras_course.tuning.result import SearchResult


def newest(name: str, runs: Path | str = RUNS) -> Folder:
    """The newest finished search of a name; an InputError gives the nearest name, or says that none is finished."""
    found, runs = searches(name, Path(runs)), Path(runs)
    if not found:
        known = names(runs)
        raise InputError(
            f"No search named {name!r} in {runs}.{closest(name, known)} There are: {', '.join(known) or 'none'}."
        )
    finished = [folder for folder in found if folder.finished]
    if not finished:
        raise InputError(f"The search {name} in {found[-1].path} was broken off: `--resume` ends it.")
    return finished[-1]


def rows(runs: Path | str = RUNS) -> list[dict[str, Any]]:
    """A row for each search, oldest first within its name."""
    return [_row(folder, Path(runs)) for name in names(Path(runs)) for folder in searches(name, Path(runs))]


def _row(folder: Folder, runs: Path) -> dict[str, Any]:
    plan, trials = folder.plan() or {}, folder.trials()
    failed = sum(trial.status == "failed" for trial in trials)
    best = _best(folder) if folder.finished else "–"
    return {
        "search": str(folder.path.relative_to(runs)),
        "method": plan.get("method", "damaged"),
        "seed": plan.get("seed", "–"),
        "trials": f"{len(trials)} of {plan.get('trials', '?')}" + (f", {failed} failed" if failed else ""),
        "state": "finished" if folder.finished else "broken off or running",
        "best": best,
    }


def _best(folder: Folder) -> str:
    """What a finished search found."""
    try:
        result = SearchResult.read(folder.path)
    except InputError:
        return "damaged"
    return f"{result.objective} {result.best.mean:.4f}" if result.completed else "no trial was completed"
