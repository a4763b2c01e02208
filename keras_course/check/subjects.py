"""What the `subject` of a property is: here, in this process; or remote, in a process of the student's own."""

import contextlib
import inspect
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from keras_course.base import require
from keras_course.check import child

Subject = Callable[..., Any]
ENDED = "ended the process before it returned"


def describe_driver(driver: Callable[..., Any]) -> dict[str, Any]:
    """The source of `driver`, for `child.load`."""
    lines, line = inspect.getsourcelines(driver)
    file = inspect.getsourcefile(driver) or ""
    return {"source": textwrap.dedent("".join(lines)), "name": driver.__name__, "file": file, "line": line}


def local(driver: Callable[..., Any], /, **inputs: Any) -> Any:
    """`driver(**inputs)` in this process, by the same road as in a check.

    The driver sees its own imports only, gets copies of the inputs, and returns plain values.
    """
    copies = child.decode(child.encode(inputs))
    return child.decode(child.encode(child.load(**describe_driver(driver))(**copies)))


class Zygote:
    """A process with TensorFlow imported that forks a worker for each property; it serves any number of folders.

    A worker gets at most `memory` bytes more than the libraries take. The zygote starts with the first worker, and
    starts anew when a student's code has ended it.
    """

    def __init__(self, *, memory: int = 4 * 2**30) -> None:
        self.memory = memory
        self.process: subprocess.Popen[bytes] | None = None
        self.busy = False

    def __enter__(self) -> "Zygote":
        require(hasattr(os, "fork"), "system", "one that can fork a process, on Windows that is WSL", sys.platform)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        self.control, theirs = socket.socketpair()
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", child.__file__, str(theirs.fileno())],  # -P: this folder stays out of sys.path
            pass_fds=[theirs.fileno()],
            env=os.environ | quiet,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        ready = child.receive(self.control, time.monotonic() + 300)
        problem = child.decode(ready) if ready else "it ended at once"
        if problem:
            raise RuntimeError(f"the process for the check did not start: {problem}")

    def stop(self) -> None:
        if self.process:
            self.control.close()
            self.process.kill()  # its worker dies with it
            self.process.wait()
        self.process, self.busy = None, False

    @contextlib.contextmanager
    def worker(self, work: Path, *, seconds: float) -> Iterator[Subject]:
        """A subject whose calls run in a fresh process, in the folder `work`, for at most `seconds` together."""
        if self.process is None:
            self.start()
        ours, theirs = socket.socketpair()
        socket.send_fds(self.control, [b"f"], [theirs.fileno()])
        theirs.close()
        self.busy = True
        child.send(ours, child.encode({"work": os.path.realpath(work), "memory": self.memory}))
        try:
            yield Remote(ours, seconds=seconds, end=self.end)
        finally:
            ours.close()
            self.end()

    def end(self) -> int:
        """Ends the worker, if it has not ended itself, and returns its exit status, negative for a signal."""
        if not self.busy:
            return 0
        self.busy = False
        with contextlib.suppress(OSError):
            self.control.settimeout(10)
            self.control.sendall(b"e")
            if message := child.receive(self.control, time.monotonic() + 10):
                return int(child.decode(message))
        self.stop()  # the zygote itself was ended or held
        return 0


class Remote:
    """Calls drivers in a worker. A student's mistake becomes an AssertionError of one sentence."""

    def __init__(self, channel: socket.socket, *, seconds: float, end: Callable[[], int]) -> None:
        self.channel, self.seconds, self.end = channel, seconds, end
        self.deadline = time.monotonic() + seconds

    def __call__(self, driver: Callable[..., Any], /, **inputs: Any) -> Any:
        source = describe_driver(driver) | {"file": "<driver>"}  # where the answers stand is not the student's business
        reply = self.ask(child.encode({"driver": source, "inputs": inputs}))
        if reply is None:
            status = self.end()
            raise AssertionError(ENDED + (f" ({signal.Signals(-status).name})" if status < 0 else ""))
        try:
            answer = child.decode(reply)
            error, value = answer.get("error"), answer.get("value")
        except Exception:
            raise AssertionError("sent back something that is not a value") from None
        if error is not None:
            raise AssertionError(str(error))
        return value

    def ask(self, request: bytes) -> bytes | None:
        try:
            self.channel.settimeout(self.seconds)
            child.send(self.channel, request)
            return child.receive(self.channel, self.deadline)
        except TimeoutError:
            raise AssertionError(f"ran longer than {self.seconds:g} s: does a loop end?") from None
        except OSError:  # the worker has gone, or what it sends is no message
            return None
