"""Runs cases in two processes, several cases in each: TensorFlow's import takes longer than most of them.

    python -m keras_course.diagnostics.corpus.workers module:function

Reads the names of cases, one a line, and answers each with a line of JSON: what `function(case, path)` returned. What
a script prints goes to standard error. A process that takes too long with a case is ended, and another goes on.
"""

import contextlib
import importlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_course.base import ROOT
from keras_course.diagnostics.corpus import PARTS, Case, cases

PROCESSES = 2
PATIENCE = 180.0  # seconds for a case, the import of TensorFlow included
TURNS = 40  # cases that a process does before another takes its place


class Worker:
    """A process that does cases one by one."""

    def __init__(self, function: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keras_course.diagnostics.corpus.workers", function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.answers: queue.Queue[str] = queue.Queue()
        self.done = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")

    def run(self, name: str) -> dict[str, Any]:
        """What the function found; {"error": ...} when the process ended or took too long."""
        assert self.process.stdin
        self.done += 1
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(name + "\n")
            self.process.stdin.flush()
        try:
            line = self.answers.get(timeout=PATIENCE)
        except queue.Empty:
            line = ""
        if not line:
            self.stop()
        return json.loads(line) if line else {"error": "the process ended or took too long", "score": None}

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def spent(self) -> bool:
        return self.done >= TURNS or self.process.poll() is not None


def spread(function: str, chosen: Sequence[Case]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and finding of each case, as they come. function: "module:function" of a case and its script's path."""
    todo: queue.Queue[str] = queue.Queue()
    found: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
    for case in chosen:
        todo.put(case.name)

    def work() -> None:
        worker = None
        with contextlib.suppress(queue.Empty):
            while True:
                name = todo.get_nowait()
                if worker is None or worker.spent:
                    if worker:
                        worker.stop()
                    worker = Worker(function)
                found.put((name, worker.run(name)))
        if worker:
            worker.stop()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(PROCESSES, len(chosen)))]
    for thread in threads:
        thread.start()
    for _ in chosen:
        yield found.get()


def serve(function: str) -> None:
    """Does the cases named on standard input."""
    module, name = function.split(":")
    work = getattr(importlib.import_module(module), name)
    known = {case.name: case for part in PARTS for case in cases(part)}
    channel = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            case = known[line.strip()]
            print(json.dumps(alone(work, case, Path(folder) / "train.py")), file=channel, flush=True)


def alone(work: Any, case: Case, path: Path) -> Any:
    """`work` on a case, with names of layers and random numbers as in a new process."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(case.seed)
    path.write_text(case.source)
    return work(case, path)


if __name__ == "__main__":
    serve(sys.argv[1])
