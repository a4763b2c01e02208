"""A verdict as a person reads it in a terminal, and as JSON for other programs."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_course.diagnostics.doctor import Report
from keras_course.diagnostics.observation import Finding

FIELDS = ("cause", "kind", "confidence", "confirmed", "layer", "step", "evidence", "repair", "file", "line")


def plain(finding: Finding) -> dict[str, Any]:
    """A finding with the fields that JSON shows; empty ones are null, and a line without a file is none."""
    values = dataclasses.asdict(finding) | {"evidence": finding.said, "line": finding.line or None}
    return {name: None if values[name] == "" else values[name] for name in FIELDS}


def as_dict(reports: Sequence[Report]) -> dict[str, Any]:
    """All runs; the first level has the findings of the run that is worst off, in their order.

    `healthy` is null where no step was finished.
    """
    runs = [
        {
            "name": report.observation.name,
            "healthy": report.healthy if report.judged else None,
            "harm": round(report.harm.degree, 3),
            "steps": report.observation.steps.count if report.observation.steps is not None else 0,
            "findings": [plain(f) for f in report.findings],
            "not_watched": report.observation.unseen,
        }
        for report in reports
    ]
    sound = all(report.healthy for report in reports)
    named = sorted((f for r in reports for f in r.named), key=lambda f: f.rank)
    notes = [f for r in reports for f in r.findings if f.kind == "note"]
    return {
        "healthy": None if sound and not all(report.judged for report in reports) else sound,
        "findings": [plain(f) for f in [*named, *notes]],
        "runs": runs,
    }


def as_text(reports: Sequence[Report]) -> str:
    """The verdict of each run: healthy, or its causes with evidence, place and repair."""
    lines: list[str] = []
    for report in reports:
        seen = report.observation
        count = seen.steps.count if seen.steps is not None else 0
        lines.append(f"{seen.name} ({seen.interface}, {count} steps): " + _headline(report))
        for number, finding in enumerate(report.named, 1):
            lines += _named(number, finding)
        lines += [f"   note: {f.cause}: {f.said}" for f in report.findings if f.kind == "note"]
        lines += [f"   not watched: {sentence}" for sentence in seen.unseen]
    return "\n".join(lines)


def _headline(report: Report) -> str:
    if not report.judged:
        return "not judged; no step was finished"
    if report.healthy:
        return f"healthy; {report.harm.sentence}"
    if report.unexplained:
        return f"it does not learn, and no rule says why; {report.harm.sentence}"
    return f"{len(report.named)} cause{'s' if len(report.named) > 1 else ''}; {report.harm.sentence}"


def _named(number: int, finding: Finding) -> list[str]:
    where = f"{finding.file}:{finding.line}" if finding.file else ""
    place = ", ".join(
        x for x in (finding.layer, f"step {finding.step}" if finding.step is not None else "", where) if x
    )
    confirmed = {True: "confirmed", False: "not confirmed", None: ""}[finding.confirmed]
    sure = ", ".join(x for x in (f"{finding.confidence:.0%}", confirmed) if x)
    lines = [f"{number}. {finding.cause} ({sure})" + (f"  {place}" if place else "")]
    return [*lines, f"   seen:   {finding.said}", f"   repair: {finding.repair}"]
