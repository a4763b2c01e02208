"""A verdict in words: as JSON for the tab "Diagnosis", and as Markdown for TensorBoard's text tab."""

import html
import json
import math
from pathlib import Path
from typing import Any

from keras_course.diagnostics import points
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.observation import Finding, Observation

PLUGIN = "keras_course"  # the name under which TensorBoard knows the tab's data


def as_json(seen: Observation, findings: list[Finding], *, finished: bool) -> str:
    """What the tab shows beside the scalars: the run, its units, and the findings with causes first.

    Keys: name, interface, file, line, finished, step, steps_per_epoch, optimizer, rate, units (tag, kind, activation,
    file, line), and findings (cause, what, kind, confidence, ..., repair) by falling confidence.
    """
    about = {
        "name": seen.name,
        "interface": seen.interface,
        "file": seen.file,
        "line": seen.line,
        "finished": finished,
        "step": seen.steps.count if seen.steps is not None else 0,
        "steps_per_epoch": _steps_per_epoch(seen, finished),
        "optimizer": seen.optimizer.name,
        "rate": _finite(seen.optimizer.rate),
        "units": _units(seen),
        "findings": [_finding(finding) for finding in ranked(findings)],
        "unseen": seen.unseen,
    }
    return json.dumps(about, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def as_markdown(seen: Observation, findings: list[Finding], *, finished: bool) -> str:
    """The verdict as a sentence and a table of the findings; what came from the script stays text."""
    steps = seen.steps.count if seen.steps is not None else 0
    named = [finding for finding in findings if finding.kind == "named"]
    verdict = f"{len(named)} cause{'s' * (len(named) != 1)} found" if named else "No cause found"
    if not (named or finished):
        verdict = "No cause found so far"
    lines = [f"**{verdict}** after {steps} steps{'' if finished else ', still running'}.", ""]
    if findings:
        lines += ["| confidence | cause | where | evidence | repair |", "| --- | --- | --- | --- | --- |"]
    for finding in ranked(findings):
        cells = [f"{finding.confidence:.2f}", _cause(finding), _where(finding), finding.said, _repair(finding)]
        lines.append("| " + " | ".join(_plain(cell) for cell in cells) + " |")
    return "\n".join(lines)


def ranked(findings: list[Finding]) -> list[Finding]:
    """Causes before notes, each by its rank."""
    return sorted(findings, key=lambda finding: (finding.kind != "named", finding.rank))


def _units(seen: Observation) -> list[dict[str, Any]]:
    tags = list(points.groups(seen))
    known = [
        {"tag": tag, "kind": unit.kind, "activation": unit.activation, "file": unit.file, "line": unit.line}
        for tag, unit in zip(tags, seen.units, strict=False)
    ]
    rest = [{"tag": tag, "kind": "other", "activation": "", "file": "", "line": 0} for tag in tags[len(known) :]]
    return known + rest


def _finding(finding: Finding) -> dict[str, Any]:
    cause = CAUSES.get(finding.cause)
    return {
        "cause": finding.cause,
        "what": cause.what if cause else "",
        "kind": finding.kind,
        "confidence": _finite(finding.confidence),
        "evidence": finding.said,
        "layer": finding.layer,
        "step": finding.step,
        "tag": finding.tag,
        "repair": _repair(finding),
        "file": finding.file,
        "line": finding.line,
        "confirmed": finding.confirmed,
    }


def _steps_per_epoch(seen: Observation, finished: bool) -> int | None:
    if seen.plan.steps_per_epoch or not (finished and seen.epochs and seen.steps is not None):
        return seen.plan.steps_per_epoch
    return seen.steps.count // len(seen.epochs)


def _repair(finding: Finding) -> str:
    cause = CAUSES.get(finding.cause)
    return finding.repair or (cause.repair if cause else "")


def _cause(finding: Finding) -> str:
    return ("" if finding.kind == "named" else "note: ") + finding.cause


def _where(finding: Finding) -> str:
    file = Path(finding.file).name
    place = f"{file}:{finding.line}" if finding.line else file
    step = "" if finding.step is None else f"step {finding.step}"
    return ", ".join(part for part in (finding.layer, step, place) if part)


def _plain(text: str) -> str:
    """`text` as one cell of a Markdown table: no markup, no HTML."""
    for mark in "\\`*_[]|":
        text = text.replace(mark, "\\" + mark)
    return html.escape(" ".join(text.split()), quote=False)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
