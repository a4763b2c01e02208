"""Runs the variants of a workload in turns and compares what they took."""

import contextlib
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_course.base import ROOT, pick, require
from keras_course.bench import Goal, Least, Limit, Workload, variants_of
from keras_course.bench.worker import cpu_seconds, load

import numpy as np

BENCHMARKS = ROOT / "benchmarks"
PATIENCE = 600.0  # seconds in which a variant must prepare, or do its work once


def workloads(folder: Path = BENCHMARKS) -> dict[str, Path]:
    """The file of each workload by name: the folder is the registry."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


class Worker:
    """A variant in a process of its own."""

    def __init__(self, path: Path, label: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keras_course.bench.worker", str(path), label],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        )
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")  # it has ended

    def hear(self) -> dict[str, Any]:
        """The next answer; an answer with "error" when the process ended or took too long."""
        try:
            line = self.answers.get(timeout=PATIENCE)
        except queue.Empty:
            return {"error": f"no answer in {PATIENCE:g} s"}
        return json.loads(line) if line else {"error": f"its process ended with status {self.process.wait()}"}

    def run(self) -> dict[str, Any]:
        """Does the work once."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return self.hear()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def _workers(path: Path, workload: Workload, labels: Sequence[str]) -> Iterator[dict[str, Worker]]:
    started: dict[str, Worker] = {}
    try:
        for label in labels:
            started[label] = Worker(path, label, dict(workload.variants[label].environment))
        yield started
    finally:
        for worker in started.values():
            worker.stop()


def measure(path: Path, *, rounds: int = 5, peers: bool = True) -> dict[str, Any]:
    """Measures the workload of the file `path`: `rounds` rounds, in each of which every variant works once.

    Nothing is timed before every result has been compared with that of the first variant. A variant that is not
    installed, fails or comes to another result keeps its row, which says so, and is not timed.
    """
    require(rounds >= 1, "rounds", "at least 1", rounds)
    workload = load(path)
    labels = [label for label, variant in workload.variants.items() if peers or not variant.peer]
    before = clocks()
    with _workers(path, workload, labels) as workers:
        begun = {label: worker.hear() for label, worker in workers.items()}
        states = {label: _state(workload, label, begun) for label in labels}
        taken: dict[str, list[dict[str, Any]]] = {label: [] for label in labels}
        for _ in range(rounds):
            for label in [label for label in labels if not states[label]]:
                answer = workers[label].run()
                if "error" in answer:
                    states[label] = answer["error"]
                else:
                    taken[label].append(answer)
    return {
        "name": path.stem,
        "title": workload.title,
        "note": workload.note,
        "rounds": rounds,
        "others": others(before, clocks()),
        "variants": [_row(label, states[label], begun[label], taken[label], taken[labels[0]]) for label in labels],
        "goals": [_reached(goal, taken, labels[0]) for goal in workload.goals if variants_of(goal) <= taken.keys()],
    }


def clocks(stat: Path = Path("/proc/stat")) -> tuple[float, float, float] | None:
    """Seconds: of all processors of this machine at work, of our processes that have ended and this one, of the clock.

    None where the system does not tell.
    """
    try:
        ticks = [int(field) for field in stat.read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    idle = ticks[3] + ticks[4]  # and waiting for a disk
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), cpu_seconds(), time.perf_counter()


def others(before: tuple[float, ...] | None, after: tuple[float, ...] | None) -> float | None:
    """How many processors the programs of others kept busy between two calls of `clocks`, in the mean."""
    if before is None or after is None:
        return None
    all_of_us, ours, clock = np.subtract(after, before)
    return float(max(0.0, all_of_us - ours) / clock)


def _state(workload: Workload, label: str, begun: dict[str, dict[str, Any]]) -> str:
    """What keeps a variant from being timed; nothing when all is well."""
    first, answer = begun[next(iter(begun))], begun[label]
    if "missing" in answer:
        return f"not installed: {answer['missing']}"
    if "error" in answer:
        return answer["error"]
    if workload.variants[label].same and "result" in first:
        received, expected = (
            {name: value for name, value in each["result"].items() if name not in workload.qualities}
            for each in (answer, first)
        )
        return difference(received, expected, workload.tolerance)
    return ""


def difference(received: dict[str, Any], expected: dict[str, Any], tolerance: float) -> str:
    """The first thing in which two results differ, in words, or nothing."""
    if received.keys() != expected.keys():
        return f"another result: {', '.join(received)} for {', '.join(expected)}"
    for name, value in expected.items():
        a, b = np.asarray(received[name]), np.asarray(value)
        if a.shape != b.shape:
            return f"another result: {name} of shape {a.shape} for {b.shape}"
        if not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=False):
            worst = np.unravel_index(np.argmax(np.nan_to_num(np.abs(a - b), nan=np.inf)), a.shape)
            return f"another result: {name} {a[worst]:.6g} for {b[worst]:.6g}"
    return ""


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median, least and most."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)} if values else None


def ratios(taken: Sequence[dict[str, float]], ours: Sequence[dict[str, float]], kind: str) -> dict[str, float] | None:
    """How many times as dear as ours, round by round."""
    pairs = zip(taken, ours, strict=False)  # a variant that failed on the way has fewer rounds
    return spread([theirs[kind] / mine[kind] for theirs, mine in pairs if mine[kind] > 0])


def _row(
    label: str, state: str, begun: dict[str, Any], taken: Sequence[dict[str, float]], ours: Sequence[dict[str, float]]
) -> dict[str, Any]:
    return {
        "variant": label,
        "state": state,
        "cpu": spread([each["cpu"] for each in taken]),
        "wall": spread([each["wall"] for each in taken]),
        "cpu_ratio": ratios(taken, ours, "cpu"),
        "wall_ratio": ratios(taken, ours, "wall"),
        "first": begun.get("first"),
        "memory": max((each["memory"] for each in taken), default=None),
    }


def _reached(goal: Goal | Least | Limit, taken: dict[str, list[dict[str, Any]]], first: str) -> dict[str, Any]:
    """A goal in words, what was measured of it, and whether that reaches it."""
    if isinstance(goal, Goal):
        of, kind = goal.of or first, "wall" if goal.wall else "cpu"
        words = f"{goal.against} ≥ {goal.at_least:.3g} × {of} ({'wall' if goal.wall else 'CPU'})"
        found, bound = ratios(taken[goal.against], taken[of], kind), goal.at_least
    elif isinstance(goal, Least):
        words = f"{goal.quantity} of {first} ≥ {goal.at_least:.3g}"
        found, bound = spread([each["result"][goal.quantity] for each in taken[first]]), goal.at_least
    else:
        words = f"{goal.of} ≤ {goal.at_most:.3g} s of CPU"
        found, bound = spread([each["cpu"] for each in taken[goal.of]]), goal.at_most
    reached = found and (found["median"] <= bound if isinstance(goal, Limit) else found["median"] >= bound)
    return {"goal": words, "measured": found, "reached": reached}


def find(name: str, folder: Path = BENCHMARKS) -> Path:
    """The file of the workload `name`, or an InputError that gives the nearest."""
    return pick(workloads(folder), name, "workload")
