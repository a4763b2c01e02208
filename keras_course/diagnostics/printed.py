"""A verdict as a person reads it in a terminal, and as JSON for other programs."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_course.diagnostics.doctor import Report
from keras_course.diagnostics.observation import Finding

FIELDS = ("cause", "kind", "confidence", "confirmed", "layer", "step", "evidence", "repair", "file", "line")
ALIKE = 3  # trainings of one line with the same verdict that are all printed


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
    """The verdict of each run: healthy, or its causes with evidence, place and repair.

    Of more than three trainings of one line with the same verdict the one that does worst stands for all.
    """
    alike: dict[tuple, list[Report]] = {}
    for report in reports:
        seen = report.observation
        verdict = report.judged, report.healthy, *(f.cause for f in report.named)
        alike.setdefault((seen.file, seen.line, *verdict), []).append(report)
    lines: list[str] = []
    for group in alike.values():
        if len(group) <= ALIKE:
            lines += [line for report in group for line in _of_run(report)]
        else:
            lines += _of_run(max(group, key=lambda report: report.harm.degree))
            lines.append(f"   and so for {len(group) - 1} more trainings of line {group[0].observation.line}")
    return "\n".join(lines)


def _of_run(report: Report) -> list[str]:
    seen = report.observation
    count = seen.steps.count if seen.steps is not None else 0
    return [
        f"{seen.name} ({seen.interface}, {count} steps): " + _headline(report),
        *(line for number, finding in enumerate(report.named, 1) for line in _named(number, finding)),
        *(f"   note: {f.cause}: {f.said}" for f in report.findings if f.kind == "note"),
        *(f"   not watched: {sentence}" for sentence in seen.unseen),
    ]


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
