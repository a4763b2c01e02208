"""The report of a search: `report.md` with its figures, from the result and the plan beside it."""

import itertools
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_course import records
from keras_course.report import markdown
from keras_course.runs import write_atomically
from keras_course.tuning import figures
from keras_course.tuning.importance import FEWEST, HITS, ROUNDS, SKILL, Importance, importance
from keras_course.tuning.paste import code
from keras_course.tuning.plan import Folder
from keras_course.tuning.progress import duration
from keras_course.tuning.result import SearchResult, Trial
from keras_course.tuning.space import Space

COLOURED = 5  # trials whose curves have a colour
PANELS = 6  # parameters whose values are drawn against the score
SPREAD = 10  # choices of numbers that span so large a factor stand by their logarithm


def write(result: SearchResult) -> Path:
    """Writes `report.md` and `figures/*.png` into the folder of the search; returns the path of the report."""
    found = _importance(result)
    drawn = _drawn(result, found)
    paths = {name: result.folder / "figures" / f"{name}.png" for name in drawn}
    for name, drawing in drawn.items():
        paths[name].parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(paths[name], dpi=110)
    write_atomically(result.folder / "report.md", page(result, found, list(drawn)))
    return result.folder / "report.md"


def children(space: Space) -> dict[str, set[str]]:
    """By parameter those that exist for some of its values only, and theirs."""
    found: dict[str, set[str]] = {name: set() for name in space.parameters}
    for name, parameter in reversed(space.parameters.items()):  # the children of a child are known before it
        for parent in parameter.when:
            found[parent] |= {name} | found[name]
    return {name: names for name, names in found.items() if names}


def by_logarithm(space: Space) -> set[str]:
    """The parameters that stand by their logarithm: of a log scale, or choices that span a factor of ten."""
    found = {name for name, parameter in space.parameters.items() if parameter.scale == "log"}
    for name, parameter in space.parameters.items():
        numbers = [c for c in parameter.choices if isinstance(c, int | float) and not isinstance(c, bool)]
        if numbers and min(numbers) > 0 and max(numbers) >= SPREAD * min(numbers):
            found.add(name)
    return found


def reached(result: SearchResult, trial: Trial) -> int:
    """The epoch up to which a trial was trained, counted through those that it goes on from."""
    try:
        record = Folder(result.folder).record(trial.number)
    except ValueError:
        record = None
    return int(record["asked"]["last_epoch"]) if record else trial.epochs


def _compared(result: SearchResult) -> tuple[list[dict[str, Any]], list[float]]:
    """Values and scores of the trials, failed ones as the worst; of Hyperband's each configuration once."""
    worst = -math.inf if result.direction == "max" else math.inf
    trials = list(result.trials)
    if result.method == "hyperband":
        trials = list({str(trial.values): trial for trial in trials}.values())  # what goes on comes later
        rows = [{**trial.values, "epochs": reached(result, trial)} for trial in trials]
    else:
        rows = [dict(trial.values) for trial in trials]
    return rows, [trial.mean if trial.scores else worst for trial in trials]


def _importance(result: SearchResult) -> Importance | None:
    return importance(*_compared(result), children=children(result.space), seed=result.seed)


def _drawn(result: SearchResult, found: Importance | None) -> dict[str, Any]:
    """The figures, by name."""
    if not result.completed:
        return {}
    ranking = [one.trial for one in result.ranking()]
    curves = {f"trial {trial.number}": _mean_curve(result, trial) for trial in ranking}
    curves = {label: curve for label, curve in curves.items() if curve}
    look: dict[str, Any] = {
        "log": by_logarithm(result.space),
        "choices": {name: parameter.choices for name, parameter in result.space.parameters.items()},
        "metric": result.objective,
    }
    rows, scores = [dict(trial.values) for trial in ranking], [trial.mean for trial in ranking]
    names = [one.names[0] for one in found.singles] if found else list(result.space.parameters)
    names = [name for name in names if any(name in row for row in rows)][:PANELS]
    drawn: dict[str, Any] = {}
    if curves:
        drawn["curves"] = figures.learning_curves(curves, first=list(curves)[:COLOURED], metric=result.objective)
    if found:
        drawn["importance"] = figures.effects(found.singles, found.pairs[:PANELS])
    drawn["slices"] = figures.slices(rows, scores, names, **look)
    drawn["parallel"] = figures.parallel_coordinates(
        _ordered(rows, result.space), scores, maximise=result.direction == "max", **look
    )
    return drawn


def _ordered(rows: Sequence[Mapping[str, Any]], space: Space) -> list[dict[str, Any]]:
    """The rows with every parameter in the order of the space; None for what a trial has not."""
    there = [name for name in space.parameters if any(name in row for row in rows)]
    return [{name: row.get(name) for name in there} for row in rows]


def _mean_curve(result: SearchResult, trial: Trial) -> list[float]:
    """The mean of the executions, as long as all have the epoch; NaN for epochs of the trial that it goes on from."""
    curves = [curve[result.objective] for curve in trial.curves if result.objective in curve]
    means = [math.fsum(each) / len(each) for each in zip(*curves, strict=False)]
    before = reached(result, trial) - len(means) if result.method == "hyperband" else 0
    return [math.nan] * before + means if means else []


def page(result: SearchResult, found: Importance | None, drawn: Sequence[str]) -> str:
    """The text of the report."""
    plan = Folder(result.folder).plan()
    picture = {name: f"![{name}](figures/{name}.png)" for name in drawn}
    parts = [f"# Search `{result.name}`", _summary(result)]
    if result.completed:
        parts += [_verdict(result)]
        parts += ["## Best configuration", code(plan, result.space, result.best.values)] if plan else []
        parts += ["## Trials, best first", _noise(result), markdown(_rows(result))]
    parts += _failures(result)
    if "curves" in picture:
        parts += ["## Learning curves", _curves_text(result), picture["curves"]]
    if result.completed:
        parts += ["## What matters", *_matters(result, found), picture.get("importance", ""), picture["slices"]]
        parts += ["## All trials at once", picture["parallel"]]
    parts += ["## How it was searched", *_how(result, plan or {})]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _summary(result: SearchResult) -> str:
    count = len(result.trials)
    epochs, seconds = sum(t.epochs for t in result.trials), sum(t.seconds for t in result.trials)
    counts = {"completed": len(result.completed), "failed": count - len(result.completed)}
    words = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return (
        f"{result.method.capitalize()} search from seed {result.seed}: {count} trials, {words}; "
        f"{epochs} epochs in {duration(seconds)} of training. The objective is `{result.objective}`, "
        f"{'more' if result.direction == 'max' else 'less'} is better."
    )


def _verdict(result: SearchResult) -> str:
    """The best trial, and which others nobody can tell from it."""
    best = result.best
    spread = "" if best.deviation is None else f" ± {best.deviation:.2g} ({len(best.scores)} executions)"
    text = f"**Best: trial {best.number} with {result.objective} {best.mean:.4f}{spread}.**"
    if result.noise is None:
        return f"{text} With one execution of each trial nobody can say which distances are noise: more would."
    ties = [str(one.trial.number) for one in result.ranking()[1:] if result.tied(best, one.trial)]
    if not ties:
        return f"{text} It is ahead of all others by more than the noise."
    return f"{text} Inside its noise {'is trial' if len(ties) == 1 else 'are trials'} {', '.join(ties)}."


def _noise(result: SearchResult) -> str:
    if result.noise is None:
        return ""
    return (
        f"One execution scatters by {result.noise:.2g} (standard deviation, pooled over the trials). “Tied” means: the "
        "distance to the trial above is at most two standard errors."
    )


def _rows(result: SearchResult) -> list[dict[str, Any]]:
    """A row for each completed trial."""
    rows = []
    for one in result.ranking():
        trial = one.trial
        row: dict[str, Any] = {"place": one.place, "trial": trial.number, result.objective: f"{trial.mean:.4f}"}
        if result.noise is not None:
            row["±"] = "–" if trial.deviation is None else f"{trial.deviation:.2g}"
            row["tied"] = "yes" if one.tied else ""
        row |= {name: _cell(trial.values.get(name)) for name in result.space.parameters}
        row["epochs"] = trial.epochs
        if result.method == "hyperband":
            row["up to epoch"] = reached(result, trial)
        rows.append(row | {"time": duration(trial.seconds)})
    return rows


def _cell(value: Any) -> str:
    return "–" if value is None else figures.shown(value)


def _failures(result: SearchResult) -> list[str]:
    others = [trial for trial in result.trials if trial.status != "completed"]
    if not others:
        return []
    rows = [
        {"trial": trial.number, "what": trial.status, "reason": trial.reason or "–"}
        | {name: _cell(trial.values.get(name)) for name in result.space.parameters}
        for trial in others
    ]
    return ["## Trials without a score", markdown(rows)]


def _curves_text(result: SearchResult) -> str:
    several = any(len(trial.scores) > 1 for trial in result.completed)
    first = min(COLOURED, len(result.completed))
    means = ", each line the mean of a trial's executions" if several else ""
    return f"At the left all trials, at the right the {first} best alone{means}."


def _matters(result: SearchResult, found: Importance | None) -> list[str]:
    """What can be said about parameters, with how far it can be believed."""
    if found is None:
        return [
            f"Nothing can be said of importance: that takes at least {FEWEST} trials with different scores. "
            f"There are {len(_compared(result)[0])}."
        ]
    skill = (
        f"A forest grown on {found.trials} trials explains {max(0.0, found.skill):.0%} of the ranking of trials that "
        "it has not seen."
    )
    if not found.believable:
        return [f"{skill} That is below {SKILL:.0%}: which parameter matters, these trials do not tell."]
    clear = [one.names[0] for one in found.singles if one.clear]
    together = [" with ".join(one.names) for one in found.pairs if one.clear]
    words = f"What clearly matters: {', '.join(f'`{name}`' for name in clear) or 'nothing'}."
    words += f" What acts together: {'; '.join(together)}." if together else ""
    top = itertools.chain(found.singles, (one for one in found.pairs if one.clear))
    rows = [
        {
            "parameter": " × ".join(one.names),
            "share of the ranking": f"{one.share:.2f} ± {one.error:.2f}",
            "clear": "yes" if one.clear else "",
        }
        for one in top
    ]
    return [f"{skill} {words}", markdown(rows), CAVEATS.format(hits=HITS, rounds=ROUNDS)]


CAVEATS = """How to read it: the share is how much of the variance of the ranks the forest loses on unseen trials when \
the values of this parameter come from other trials; interactions count for both of their parameters, so shares need \
not sum to 1. Clear is what stands above 0 by two standard errors and, in {hits} of \
{rounds} rounds, above every parameter whose values were shuffled. Not clear is not unimportant: from 20 trials only \
large effects show, and hardly ever a pair. All of it is about the ranges that were searched and where the trials lie \
in them: bayesian and hyperband gather theirs near the best, so that what ruins a training looks smaller than it is. \
Failed trials count as the last."""


def _how(result: SearchResult, plan: Mapping[str, Any]) -> list[str]:
    """Terms, space, what was set aside, versions."""
    rows = [{"parameter": name, "searched": str(p)} for name, p in result.space.parameters.items()]
    parts = [markdown(rows)]
    parts += [" ".join(result.space.warnings)] if result.space.warnings else []
    if result.set_aside:
        parts += ["Files that were damaged:", "\n".join(f"- {sentence}" for sentence in result.set_aside)]
    terms = {k: v for k, v in plan.items() if k not in ("space", "settings")} | plan.get("settings", {})
    terms |= records.versions() | {"python": platform.python_version()}
    parts += [markdown([{"what": name, "value": str(value)} for name, value in terms.items()])]
    parts += [f"On TensorBoard, with every trial on the HParams page: `keras-course board --search {result.name}`."]
    return parts
