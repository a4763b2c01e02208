"""The process in which a student's code runs: it is sent inputs and returns values, and never sees an expected one.

A zygote imports the slow libraries once and then forks a fresh worker for each property (`keras_course.check.subjects`
starts it). It runs as a script and imports nothing of the course: the only `keras_course` that a worker can meet is the
student's. Messages are JSON followed by arrays in NumPy's own format, with no pickle anywhere.
"""

import contextlib
import ctypes
import io
import json
import os
import re
import signal
import socket
import struct
import sys
import time
import traceback
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

import numpy as np

MOST = 2**28  # bytes in one message


def pack(value: Any, arrays: list[np.ndarray]) -> Any:
    """`value` as JSON; its arrays are appended to `arrays` in the order in which `unpack` meets them."""
    if hasattr(value, "__array__"):  # tensors and variables of every backend, NumPy's scalars too
        array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise TypeError(f"an array of dtype {array.dtype}, expected numbers or true and false")
        arrays.append(array)
        return {"array": None}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [pack(v, arrays) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(k, arrays), pack(v, arrays)] for k, v in value.items()]}
    raise TypeError(
        f"a value of type {type(value).__name__}, expected an array, a number, text, None, "
        "or a list, tuple or dictionary of these"
    )


def unpack(tree: Any, arrays: io.BytesIO) -> Any:
    """What `pack` packed, built from plain types only."""
    if not isinstance(tree, dict):
        return tree
    ((kind, items),) = tree.items()
    if kind == "array":
        return np.load(arrays, allow_pickle=False)
    values = [unpack(item, arrays) if kind != "dict" else [unpack(part, arrays) for part in item] for item in items]
    return {"list": list, "tuple": tuple, "dict": dict}[kind](values)


def encode(value: Any) -> bytes:
    """`value` as a message.

    TypeError for what is not an array, a number, text, None or a container of these; ValueError above `MOST` bytes.
    """
    arrays: list[np.ndarray] = []
    stream = io.BytesIO()
    stream.write(json.dumps(pack(value, arrays)).encode() + b"\n")
    for array in arrays:
        np.save(stream, array, allow_pickle=False)
    if stream.tell() > MOST:
        raise ValueError(f"a value of {stream.tell()} bytes, expected at most {MOST}")
    return stream.getvalue()


def decode(message: bytes) -> Any:
    """The value of a message. An exception, of no particular type, for a message that `encode` did not make."""
    stream = io.BytesIO(message)
    return unpack(json.loads(stream.readline()), stream)


def receive(channel: socket.socket, deadline: float = float("inf")) -> bytes | None:
    """The next message, or None when the other side has gone. TimeoutError at the `deadline` (monotonic seconds)."""
    head = read(channel, 8, deadline)
    if head is None:
        return None
    (size,) = struct.unpack(">Q", head)
    if size > MOST:
        raise OSError(f"a message of {size} bytes")
    return read(channel, size, deadline)


def read(channel: socket.socket, count: int, deadline: float) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        channel.settimeout(None if deadline == float("inf") else max(deadline - time.monotonic(), 1e-3))
        part = channel.recv(min(count - len(data), 2**20))
        if not part:
            return None
        data += part
    return bytes(data)


def send(channel: socket.socket, message: bytes) -> None:
    channel.sendall(struct.pack(">Q", len(message)) + message)


def load(*, source: str, name: str, file: str, line: int) -> Any:
    """The function `name` of `source`, which stands at `line` of `file`: it sees nothing of the file around it."""
    scope: dict[str, Any] = {}
    exec(compile("\n" * (line - 1) + source, file, "exec"), scope)
    return scope[name]


def describe(error: Exception, work: str) -> str:
    """One line about a student's `error`: what, and the innermost place in the folder `work`."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    if isinstance(error, NotImplementedError) and (blank := re.search(r"[\w.]+ is yours to write", text)):
        return blank.group()
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    # An error inside a tf.function arrives as a whole traceback in text, the message last.
    said = lines[-1] if lines[0] == "in user code:" else f"{type(error).__name__}: {lines[0]}".rstrip(": ")
    inside = [(file, line) for file, line in places(error) if file.startswith(work + os.sep)]
    where = f" ({os.path.relpath(inside[-1][0], work)}, line {inside[-1][1]})" if inside else ""
    return said[:300] + where


def places(error: Exception) -> list[tuple[str, int]]:
    """The files and lines that `error` went through, outermost first."""
    found = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    found += [(file, int(line)) for file, line in re.findall(r'File "(.+?)", line (\d+)', str(error))]
    if isinstance(error, SyntaxError):
        found.append((error.filename or "", error.lineno or 0))
    return [(os.path.realpath(file), line) for file, line in found if os.path.isabs(file)]


class StudentOnly:
    """Finds the course's packages in the student's folder or not at all, however the course is installed."""

    def __init__(self, work: str) -> None:
        self.work = work

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if path is not None or name not in ("keras_course", "assignments"):
            return None
        spec = PathFinder.find_spec(name, [self.work])
        if spec is None:
            raise ModuleNotFoundError(f"no folder `{name}` in the work to be checked", name=name)
        return spec


def confine(work: str, memory: int) -> None:
    """Makes this process the student's: their folder, at most `memory` more bytes, and no life after the zygote."""
    import resource  # not on every system, and needed by workers only

    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(work)
    sys.path.insert(0, work)
    sys.meta_path.insert(0, StudentOnly(work))


def answer(request: dict[str, Any], work: str) -> bytes:
    """Runs the driver of a request; its value, or one line about what went wrong."""
    try:
        return encode({"value": load(**request["driver"])(**request["inputs"])})
    except Exception as error:
        return encode({"error": describe(error, work)})


def serve_calls(channel: socket.socket) -> None:
    """A worker: answers the calls of one property until the checker hangs up."""
    try:
        start = decode(receive(channel) or b"")
        confine(**start)
        while message := receive(channel):
            send(channel, answer(decode(message), start["work"]))
    finally:
        os._exit(0)


def serve_workers(control: socket.socket) -> None:
    """The zygote: one byte and a socket ask for a worker, one more byte asks for its end and gets its exit status."""
    while True:
        asked, descriptors, *_ = socket.recv_fds(control, 1, 1)
        if not asked:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            serve_calls(socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])
        control.recv(1)  # returns too when the checker itself has gone
        for end in (os.killpg, os.kill):  # what the worker started; and the worker, wherever it moved
            with contextlib.suppress(ProcessLookupError):
                end(pid, signal.SIGKILL)
        send(control, encode(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.dont_write_bytecode = True  # a check leaves the student's folder as it was
    try:
        import keras
        import tensorflow  # noqa: F401  imported for the workers; no operation may run before they fork

        keras.config.disable_traceback_filtering()  # it rewrites the student's messages
    except Exception as error:
        return send(control, encode(f"{type(error).__name__}: {error}"))
    send(control, encode(None))
    serve_workers(control)


if __name__ == "__main__":
    main()
