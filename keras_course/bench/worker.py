"""The process of one variant: prepares the work, then does it once for each line that it is sent.

    python -m keras_course.bench.worker benchmarks/inputs_mnist.py ours

Each answer is one line of JSON. What the work itself prints goes to standard error.
"""

import contextlib
import importlib.util
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_course.base import reach_root, summary_of

import numpy as np


def load(path: Path) -> Any:
    """The workload of a file."""
    reach_root()  # it imports what the files beside it share
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WORKLOAD


def cpu_seconds() -> float:
    """CPU time of this process, all threads, and of the children that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def resident_bytes() -> int:
    """The most memory that this process ever held.

    Linux counts what the parent held before the fork into `ru_maxrss`; the peak in /proc begins anew with the program.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def timed(function: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What `function` returns, and what it took."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    value = function()
    return value, {"cpu": cpu_seconds() - cpu, "wall": time.perf_counter() - wall}


def plain(result: Any) -> dict[str, Any]:
    """A result as lists of numbers."""
    return {name: np.asarray(value, dtype=float).tolist() for name, value in result.items()}


def serve(path: Path, label: str, answer: Callable[[dict[str, Any]], None]) -> None:
    """Prepares, runs once to warm up, then once for each line of standard input."""
    variant = load(path).variants[label]
    if variant.peer and importlib.util.find_spec(variant.peer) is None:
        return answer({"missing": variant.peer})
    try:
        before = resident_bytes()
        work, prepared = timed(variant.prepare)
        result, first = timed(work)
        answer({"result": plain(result), "prepare": prepared["wall"], "first": first["wall"]})
        for _ in sys.stdin:
            result, taken = timed(work)
            answer(taken | {"memory": resident_bytes() - before, "result": plain(result)})
    except Exception as error:
        answer({"error": summary_of(error)})


def main() -> None:
    channel = sys.stdout

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=channel, flush=True)

    with contextlib.redirect_stdout(sys.stderr):
        serve(Path(sys.argv[1]), sys.argv[2], answer)


if __name__ == "__main__":
    main()
