"""Runs the scripts of the corpus without any diagnosis and keeps what they score: a fault that does no harm is none.

    python -m keras_course.diagnostics.corpus.measure [development|heldout] [text in the case's name]

Only cases whose source has changed since they were measured are run.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_course.base import summary_of
from keras_course.diagnostics.corpus import MEASURED, PARTS, Case, cases, measured
from keras_course.diagnostics.corpus.workers import spread
from keras_course.runs import write_atomically

import numpy as np

HARM = 0.25  # share of what the healthy program gains over a model that ignores the input


def fingerprint(case: Case) -> str:
    return hashlib.sha256(f"{case.source}{case.program.score}".encode()).hexdigest()[:12]


def run(case: Case, path: Path) -> dict[str, Any]:
    """Runs the script and scores it. A script that fails by itself scores None."""
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    start, error = time.perf_counter(), ""
    try:
        exec(compile(case.source, str(path), "exec"), names)
    except Exception as failure:
        error = summary_of(failure)
    seconds = time.perf_counter() - start
    score = None if error else float(eval(case.program.score, names))
    found = {"score": score if score is not None and np.isfinite(score) else None, "seconds": round(seconds, 1)}
    return found | ({"error": error} if error else {}) | {"source": fingerprint(case)}


def lost(case: Case, found: dict[str, Any], healthy: float) -> float:
    """The share of the healthy program's gain over `base` that the fault takes; 1 when nothing is left of it."""
    score = found["score"] if found["score"] is not None else case.program.base
    return min(1.0, (healthy - score) / (healthy - case.program.base))


def complaints(table: dict[str, dict[str, Any]], chosen: Iterable[Case]) -> list[str]:
    """What is wrong with the corpus: healthy programs below their bar, faults that do no harm, cases not measured."""
    wrong = []
    for case in chosen:
        found = table.get(case.name)
        if found is None or found["source"] != fingerprint(case):
            wrong.append(f"{case.name}: not measured")
        elif case.healthy and (found["score"] is None or found["score"] < case.program.bar):
            wrong.append(f"{case.name}: {found['score']} is below its bar {case.program.bar} {found.get('error', '')}")
        elif not case.healthy and not any(fault.certain for fault in case.faults):
            healthy = table.get(f"{case.program.name}/healthy-0", {}).get("score")
            if healthy is None or lost(case, found, healthy) < HARM:
                wrong.append(f"{case.name}: {found['score']} where the healthy program has {healthy}")
    return wrong


def main(argv: list[str]) -> int:
    parts = [word for word in argv if word in PARTS] or PARTS
    words = [word for word in argv if word not in PARTS]
    table = measured()
    known = [case for part in parts for case in cases(part)]
    chosen = [case for case in known if all(word in case.name for word in words)]
    stale = [case for case in chosen if table.get(case.name, {}).get("source") != fingerprint(case)]
    for name, found in spread("keras_course.diagnostics.corpus.measure:run", stale):
        table[name] = found
        print(f"{name:60} {found.get('score')} {found.get('seconds')} s {found.get('error', '')}", flush=True)
    everything = {case.name for part in PARTS for case in cases(part)}
    kept = {name: table[name] for name in sorted(table) if name in everything}
    lines = [f" {json.dumps(name)}: {json.dumps(found)}" for name, found in kept.items()]
    write_atomically(MEASURED, "{\n" + ",\n".join(lines) + "\n}\n")
    wrong = complaints(kept, chosen)
    print("\n".join(wrong) or "every healthy program reaches its bar, and every fault does harm")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
