"""Diagnoses the scripts of a part of the corpus and says how often the verdict is right.

    keras-course bench diagnostics        # the held-out part; writes benchmarks/DIAGNOSTICS.md and its record

Thresholds are set on the development part. A case counts as detected when it is not called healthy; a cause is right
when it is the planted one or one that is as right; a label that is false of the script must not be named.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_course.base import ROOT
from keras_course.diagnostics.corpus import Case, cases
from keras_course.diagnostics.corpus.workers import spread
from keras_course.runs import write_atomically

import numpy as np

RECORD = ROOT / "benchmarks" / "diagnostics.json"
TABLE = ROOT / "benchmarks" / "DIAGNOSTICS.md"
WITHIN = 300  # steps in which a fault that shows by then is to be named


def run(case: Case, path: Path) -> dict[str, Any]:
    """The verdict on the script of a case, with the trial of each repair."""
    from keras_course.diagnostics import script

    outcome = script.diagnose(path, verify=True)
    named = sorted((f for r in outcome.reports for f in r.named), key=lambda f: f.rank)
    steps = [r.observation.steps.count for r in outcome.reports if r.observation.steps is not None]
    return {
        "healthy": all(r.healthy for r in outcome.reports),
        "named": [[f.cause, round(f.confidence, 2), f.layer, f.confirmed, f.line] for f in named],
        "steps": max(steps, default=0),
        "seconds": [round(taken, 2) for taken in outcome.seconds],
    }


def interval(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, Clopper and Pearson (1934)."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0


def share(hits: int, n: int) -> str:
    """A share as it stands in the table."""
    if not n:
        return "–"
    low, high = interval(hits, n)
    return f"{hits} of {n} = {hits / n:.3f} ({low:.3f}–{high:.3f})"


def counts(known: Sequence[Case], found: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """(hits, cases) of each question."""
    sick = [(case, found[case.name]) for case in known if not case.healthy and "healthy" in found[case.name]]
    well = [found[case.name] for case in known if case.healthy and "healthy" in found[case.name]]

    def causes(row: Mapping[str, Any]) -> list[str]:
        return [name for name, *_ in row["named"]]

    def right(case: Case, labels: Sequence[str]) -> bool:
        return any(label in accepted for label in labels for accepted in case.right)

    first = [(case, row) for case, row in sick if right(case, causes(row)[:1])]
    placed = [(case, row) for case, row in first if case.layers]
    tried = [row["named"][0][3] for _, row in first if row["named"][0][3] is not None]
    wrong = [n[3] for case, row in sick for n in row["named"] if n[0] in case.never and n[3] is not None]
    return {
        "faults detected": (sum(not row["healthy"] for _, row in sick), len(sick)),
        "cause right at rank 1": (len(first), len(sick)),
        "cause right in the first 3": (sum(right(case, causes(row)[:3]) for case, row in sick), len(sick)),
        "a cause that must not be named is named": (
            sum(bool(case.never & set(causes(row))) for case, row in sick),
            len(sick),
        ),
        "layer right, of right causes that have one": (
            sum(row["named"][0][2] in case.layers for case, row in placed),
            len(placed),
        ),
        f"right at rank 1 within {WITHIN} steps": (sum(row["steps"] <= WITHIN for _, row in first), len(first)),
        "--verify confirms a right cause": (sum(tried), len(tried)),
        "--verify confirms a wrong cause": (sum(wrong), len(wrong)),
        "false alarms on healthy runs": (sum(not row["healthy"] for row in well), len(well)),
    }


def costs(known: Sequence[Case], found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The time of the verdict, and of the trials where there were any, against that of the watched script."""
    rows = [(case.healthy, *found[case.name]["seconds"]) for case in known if "seconds" in found[case.name]]
    asked = {
        "the verdict on a healthy script, in times of the script": [v / s for well, s, v, _ in rows if well and s],
        "the verdict on a script with a fault": [v / s for well, s, v, _ in rows if not well and s],
        "the trials of --verify, where a repair was tried": [t / s for _, s, _, t in rows if t and s],
    }
    return {
        name: f"{np.median(shares):.2f} (nine of ten below {np.quantile(shares, 0.9):.2f})"
        for name, shares in asked.items()
        if shares
    }


def markdown(part: str, known: Sequence[Case], found: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of `benchmarks/DIAGNOSTICS.md`."""
    sick = [case for case in known if not case.healthy]
    lines = [
        "# How often the diagnosis is right",
        "",
        f"Generated by `keras-course bench diagnostics` on the {part} part of the corpus: {len(sick)} scripts with "
        f"planted faults and {len(known) - len(sick)} healthy ones, of {len({c.program.name for c in known})} programs "
        "none of which is in the part that thresholds were set on. Exact 95 % intervals. Each fault was measured to do "
        "harm, or is certain; each healthy program reaches its score: `keras_course/diagnostics/corpus/measured.json`.",
        "",
        "| question | answer |",
        "| --- | --- |",
        *(f"| {name} | {share(*pair)} |" for name, pair in counts(known, found).items()),
        *(f"| {name} | {text} |" for name, text in costs(known, found).items()),
        "",
        "| planted | scripts | detected | rank 1 | first 3 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for cause in sorted({fault.cause for case in sick for fault in case.faults}):
        mine = [case for case in sick if cause in {fault.cause for fault in case.faults}]
        table = counts(mine, found)
        cells = [str(table[name][0]) for name in list(table)[:3]]
        lines.append(f"| {cause} | {len(mine)} | {' | '.join(cells)} |")
    lines += ["", "What was named otherwise:", ""]
    for case in sick:
        labels = [name for name, *_ in found[case.name].get("named", [])]
        if not labels or not any(labels[0] in accepted for accepted in case.right):
            lines.append(f"- `{case.name}`: {', '.join(labels) or 'nothing'}")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] = ()) -> int:
    """Judges a part, the held-out one when none is named, and writes record and table of that one."""
    part = argv[0] if argv else "heldout"
    known = list(cases(part))
    found: dict[str, Any] = {}
    for name, row in spread(f"{__name__}:run", known):
        found[name] = row
        print(f"{len(found):4} of {len(known)}  {name:60} {[n for n, *_ in row.get('named', [])]}", file=sys.stderr)
    text = markdown(part, known, found)
    if part == "heldout":
        rows = [f" {json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found)]
        write_atomically(RECORD, "{\n" + ",\n".join(rows) + "\n}\n")
        write_atomically(TABLE, text)
    print(text)
    return 0
