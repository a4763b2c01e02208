"""What a person reads: a run's report, the table of all records, and the list of assignments in the README.

Every number comes from `metrics.json` or a record; nothing here is typed by hand.
"""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_course import records
from keras_course.base import ASSIGNMENTS, ROOT
from keras_course.runs import Run, plain, write_atomically

RESULTS = ASSIGNMENTS / "RESULTS.md"
README = ROOT / "README.md"
MARKS = ("<!-- assignments: written by `keras-course report` -->", "<!-- end of assignments -->")


def number(value: float) -> str:
    """Four significant digits, enough for any score here; counts in full."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def measured(score: Mapping[str, Any] | None) -> str:
    """A recorded score as mean, spread and number of seeds."""
    if score is None:
        return "–"
    spread = "" if score["sd"] is None else f" ± {score['sd']:.2g}"
    return f"{number(score['mean'])}{spread} (n={len(score['values'])})"


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; numbers stand right, and what a row has not is a dash."""
    head = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[row.get(key, "–") for key in head] for row in rows]
    numeric = [all(isinstance(cell, int | float) for cell in column) for column in zip(*cells, strict=True)]
    lines = [head, ["---:" if n else "---" for n in numeric]]
    lines += [[number(v) if isinstance(v, int | float) else str(v) for v in row] for row in cells]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def parity(exercise: Any, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per score of a run: its value, the record of the same preset, what is expected of it, and the verdict."""
    record = records.read(exercise.name).get(metrics["preset"], {}).get("scores", {})
    return [
        {
            "score": name,
            "this run": score,
            "record": measured(record.get(name)),
            "expected (small)": str(exercise.expect.get(name, "–")),
            "floor (full)": str(exercise.floors.get(name, "–")),
            "verdict": verdict(exercise, metrics, name),
        }
        for name, score in metrics["scores"].items()
    ]


def verdict(exercise: Any, metrics: Mapping[str, Any], score: str) -> str:
    """`small` is held to its bands and `full` to the published floors; other settings are not judged."""
    return judged(exercise, metrics["preset"], score, metrics["scores"][score], metrics["data"])


def judged(exercise: Any, preset: str | None, score: str, value: float, data: Sequence[Mapping[str, Any]]) -> str:
    """The verdict on one value of a score."""
    band, floor = exercise.expect.get(score), exercise.floors.get(score)
    if preset == "small" and band:
        return "ok" if band.holds(value) else "OUTSIDE"
    if preset == "full" and floor:
        if floor.holds(value):
            return "ok"
        return "BELOW" if comparable(floor, data) else f"not comparable: {floor.examples:,} examples there"
    return "–"


def data_line(data: Sequence[Mapping[str, Any]]) -> str:
    """Name, source, counts and licence of each set that a run used, in one line."""
    lines = []
    for each in data:
        counts = ", ".join(f"{split} {count:,}" for split, count in each["counts"].items())
        lines.append(f"{each['name']} ({each['source']}; {counts}; licence: {each['licence']})")
    return "; ".join(lines) or "none but what the run makes"


def describe_data(used: Iterable[Any]) -> list[dict[str, Any]]:
    """What `metrics.json` keeps of the `Splits` that a run used."""
    return [{key: getattr(splits, key) for key in ("name", "source", "counts", "licence")} for splits in used]


def names_of(data: Sequence[Mapping[str, Any]]) -> str:
    """The sets that a run used, by name."""
    return ", ".join(each["name"] for each in data) or "made"


def comparable(floor: Any, data: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a run was given at least as many examples, the test split aside, as the published figure.

    Of several data sets the smallest one counts.
    """
    given = [sum(count for split, count in one["counts"].items() if split != "test") for one in data]
    return min(given, default=0) >= floor.examples


def write(exercise: Any, run: Run, result: Any, seconds: float) -> dict[str, Any]:
    """Writes figures, TensorBoard's hyper-parameters, `metrics.json` and `report.md`; returns the metrics."""
    preset = exercise.preset_of(run.settings)
    metrics = {
        "name": exercise.name,
        "preset": preset,
        "settings": plain(run.settings),
        "scores": {name: float(score) for name, score in result.scores.items()},
        "data": describe_data(result.data),
        "parameters": result.parameters,
        "seconds": round(seconds, 1),
        "versions": records.versions() | {"python": platform.python_version()},
    }
    figures = {label: run.figure(label, figure) for label, figure in exercise.figures(result).items()}
    run.hyperparameters(metrics["scores"])
    text = page(exercise, metrics, result.tables, [f"figures/{path.name}" for path in figures.values()])
    write_atomically(run.folder / "report.md", text)
    write_atomically(run.folder / "metrics.json", json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")
    run.finish()
    return metrics


def page(
    exercise: Any, metrics: Mapping[str, Any], tables: Mapping[str, Sequence[Mapping[str, Any]]], figures: Iterable[str]
) -> str:
    """The report of one run, as Markdown."""
    title, _, task = exercise.text.partition("\n")
    parts = [
        f"# {title.rstrip('.')}",
        task.strip(),
        f"Assignment `{exercise.name}`, {exercise.source}. Preset: {metrics['preset'] or 'none (settings changed)'}.",
        "## Scores",
        markdown(parity(exercise, metrics)),
        *(f"Floor of `{name}`: {floor.source}." for name, floor in exercise.floors.items()),
    ]
    for label in figures:
        parts.append(f"![{Path(label).stem.replace('_', ' ')}]({label})")
    for heading, rows in tables.items():
        parts += [f"## {heading}", markdown(rows)]
    parts += ["## How it was run", f"Data: {data_line(metrics['data'])}.", markdown(_facts(metrics))]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _facts(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    facts = {
        **{f"setting `{key}`": str(value) for key, value in metrics["settings"].items()},
        **{f"parameters of {model}": f"{count:,}" for model, count in metrics["parameters"].items()},
        "seconds": str(metrics["seconds"]),
        **{f"version of {package}": text for package, text in metrics["versions"].items()},
    }
    return [{"what": key, "value": value} for key, value in facts.items()]


def results(exercises: Iterable[Any]) -> str:
    """The text of `assignments/RESULTS.md`: for each assignment its records with bands, floors and protocol."""
    parts = [
        "# Results",
        "Generated by `keras-course report` from `assignments/records`; mean ± standard deviation over n seeds.",
    ]
    for exercise in exercises:
        parts += [f"## {exercise.name}", exercise.title]
        for preset, record in records.read(exercise.name).items():
            parts += [f"**{preset}**: {protocol(record)}", markdown(_recorded(exercise, preset, record))]
        parts += [f"Floor of `{name}`: {floor.source}." for name, floor in exercise.floors.items()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def protocol(record: Mapping[str, Any]) -> str:
    """Under what conditions a record was measured, in one line."""
    settings = ", ".join(f"{key} {value}" for key, value in record["settings"].items())
    software = ", ".join(f"{package} {version}" for package, version in record["versions"].items())
    return (
        f"{data_line(record['data'])}. Settings: {settings}. Seeds {', '.join(map(str, record['seeds']))}; "
        f"{record['seconds']['mean']:.0f} s a seed; {software}; {record['date']}."
    )


def _recorded(exercise: Any, preset: str, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    rules = exercise.expect if preset == "small" else exercise.floors
    label = "expected" if preset == "small" else "floor"
    return [
        {
            "score": name,
            "measured": measured(score),
            label: str(rules.get(name, "–")),
            "verdict": judged(exercise, preset, name, score["mean"], record["data"]),
        }
        for name, score in record["scores"].items()
    ]


def assignments_table(exercises: Iterable[Any]) -> str:
    """The list of assignments for the README."""
    rows = []
    for exercise in exercises:
        record = records.read(exercise.name).get("small")
        rows.append(
            {
                "assignment": f"[`{exercise.name}`](assignments/{exercise.name}.py)",
                "question": exercise.title,
                "data (small)": names_of(record["data"]) if record else "–",
                "time (small)": f"{record['seconds']['mean']:.0f} s" if record else "–",
            }
        )
    return markdown(rows)


def between_marks(text: str, content: str) -> str:
    """`text` with what stands between the marks of the README replaced by `content`."""
    before, start, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    return f"{before}{start}\n\n{content}\n{end}{after}" if end else text


def generated(exercises: Sequence[Any]) -> dict[Path, str]:
    """Every generated text of the project, by file: what the files must hold."""
    return {
        RESULTS: results(exercises),
        README: between_marks(README.read_text(), assignments_table(exercises)),
    }
