"""The input pipeline in processes of its own, through the tf.data service, with a watch on what that keeps quiet.

    with Service(workers=2) as service:
        batches = service.dataset(examples, batch_size=32)
        for batch in batches:  # each `for` is an epoch

The service alone waits for ever for a worker that was killed, and loses elements without a word when the worker is
started again. Here a thread looks at each worker every second, and the elements of an epoch are counted.

On other machines, in this order, then `Service(workers=["10.0.0.2:5051", ...], dispatcher="10.0.0.1:5050")`:

    python -m keras_course.data.serve dispatcher --host 10.0.0.1 --port 5050 --work-dir journal
    python -m keras_course.data.serve worker --host 10.0.0.2 --port 5051 --dispatcher 10.0.0.1:5050

The servers ask for no password and run the graphs they are sent: nobody else may reach these ports.
"""

import argparse
import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from keras_course.base import ROOT, InputError, require

import tensorflow as tf

LOOPBACK, MODES = "127.0.0.1", ("distributed_epoch", "parallel_epochs")
START = 120.0  # seconds until a server that is not ready is given up
STOP = 10.0  # seconds for a dispatcher to stop in order, which takes it less than one
RESTARTS = 3  # of a dispatcher that ends by itself
READY, OPEN = "is ready at", "other machines can reach its port unless a firewall forbids it"


class ServiceError(InputError):
    """The service does not start, or cannot bring the epoch to its end."""


class WorkerLostError(ServiceError):
    """A worker is gone, and with it the elements that it held."""


class WrongCountError(ServiceError):
    """An epoch came to its end with elements lost or doubled."""


class _Server:
    """A dispatcher or worker: an address and, when it was started here, its process and what that writes."""

    process: subprocess.Popen | None = None
    unanswered = 0  # connections in a row

    def __init__(self, role: str, address: str) -> None:
        self.role, self.address = role, address
        self.host, _, self.port = address.rpartition(":")
        require(self.host and self.port.isdigit(), "address", '"host:port"', address)

    def start(self, folder: Path, *options: str) -> None:
        self.log = folder / f"{self.role}-{self.port}.log"
        command = [sys.executable, "-m", "keras_course.data.serve", self.role, "--host", self.host, "--port", self.port]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        # a server takes no memory of a GPU, and no seconds to import Keras with TensorFlow
        environment = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1", "TF_USE_LEGACY_KERAS": "1"}
        command += ["--parent", str(os.getpid()), *options]
        with self.log.open("wb") as log:  # a session of its own: Ctrl-C is for the parent, which stops its children
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        deadline = time.monotonic() + START
        while READY not in (said := self.log.read_text(errors="replace")):
            if (end := self.end()) or time.monotonic() > deadline:
                last = self.log.read_text(errors="replace").strip()[-300:]
                raise ServiceError(f"{self} is not ready: {end or 'no word of it'}. It wrote: {last!r}.")
            time.sleep(0.05)
        if OPEN in said:
            print(f"{self}: {OPEN}.", file=sys.stderr)

    def end(self) -> str:
        """How its process ended; nothing while it runs, or when it was not started here."""
        code = self.process.poll() if self.process else None
        name = f", {signal.Signals(-code).name}" if code and code < 0 else ""
        return "" if code is None else f"it ended with exit code {code}{name}"

    def gone(self) -> str:
        """Why it is taken for dead: its process ended, or three connections in a row had no answer."""
        try:
            socket.create_connection((self.host, int(self.port)), timeout=1).close()
            self.unanswered = 0
        except OSError as error:
            self.unanswered += 1
            return self.end() or (f"its port does not answer, {error}" if self.unanswered >= 3 else "")
        return self.end()

    def stop(self, patience: float = 0.0) -> None:
        """Ends its process, and where there are seconds of patience lets it answer what it was asked before."""
        if self.process and patience:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        if self.process:
            self.process.kill()
            self.process.wait()

    def __str__(self) -> str:
        return f"The {self.role} {self.address}" + (f" (pid {self.process.pid})" if self.process else "")


class Service:
    """A dispatcher and workers, each a process on this machine, between `with Service() as service:` and its end.

    workers: how many. port: that of the dispatcher, 0 for any that is free.
    work_dir: a new or empty folder for the dispatcher's journal and what the processes write; None for a temporary one.
    patience: seconds without an element after which an epoch is given up.
    dispatcher: "host:port" of one that was started by hand, beside a list of such workers. Those are watched by the
    workers' ports alone, and none is restarted.

    All processes are gone behind the `with`, after an exception too; when this process is killed they end by themselves
    within seconds. On Linux only this machine can reach them; where it is not so, standard error says it. A dispatcher
    that dies is started again from its journal, three times at most, which standard error says too. It writes down
    each element before it hands it out, so that one for each worker may be lost by its death, which the count tells;
    none is lost by SIGTERM, at which it stops in order. A worker is not replaced.
    Raises InputError for less than one worker, a port in use and a folder that is not empty, ServiceError when a
    process does not start.
    """

    def __init__(
        self,
        *,
        workers: int | Sequence[str] = 2,
        dispatcher: str = "",
        port: int = 0,
        work_dir: Path | str | None = None,
        patience: float = 600.0,
    ) -> None:
        self.local, self.patience, self.work_dir = not dispatcher, patience, Path(work_dir) if work_dir else None
        if isinstance(workers, int) and not dispatcher:
            require(workers >= 1, "workers", "at least 1", workers)
            dispatcher, *addresses = (f"{LOOPBACK}:{free}" for free in _free_ports(port, *[0] * workers))
        else:
            addresses = [] if isinstance(workers, int | str) else list(workers)
            rule = "a whole number, or a list of addresses beside that of a dispatcher"
            require(addresses and dispatcher, "workers", rule, workers)
        require(patience > 0, "patience", "above 0 seconds", patience)
        used = self.work_dir and self.work_dir.exists() and any(self.work_dir.iterdir())
        require(not used, "work_dir", "a new or empty folder", str(work_dir))
        self.dispatcher, self.workers = _Server("dispatcher", dispatcher), [_Server("worker", a) for a in addresses]
        self.lost: ServiceError | None = ServiceError("A service runs only between its `with` and the end of that.")
        self._restarts, self._lock, self._over = 0, threading.Lock(), threading.Event()

    def __enter__(self) -> "Service":
        new = self.lost and not self._over.is_set()
        require(new, "service", "a new one, for it runs once", self.dispatcher.address)
        with contextlib.ExitStack() as stack:  # undone by itself unless all goes well
            for server in (self.dispatcher, *self.workers) if self.local else ():
                if not self.work_dir:
                    self.work_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="served-")))
                self.work_dir.mkdir(parents=True, exist_ok=True)
                stack.callback(server.stop)
                self._start(server)
            for server in (self.dispatcher, *self.workers) if self.local else ():
                server.wait()
            self.lost = None
            watch = threading.Thread(target=self._watch, daemon=True)
            watch.start()
            stack.callback(watch.join)
            stack.callback(self._over.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.lost = self.lost or ServiceError("The service is over, for its `with` has ended.")
        self._stack.close()

    def _start(self, server: _Server) -> None:
        folder = self.work_dir or Path()
        work_dir, dispatcher = ("--work-dir", str(folder / "journal")), ("--dispatcher", self.dispatcher.address)
        server.start(folder, *(work_dir if server is self.dispatcher else dispatcher))

    def restart_dispatcher(self) -> None:
        """Stops the dispatcher, if it lives, and starts it again on its port from its journal.

        No element is lost, unless it does not stop in order within 10 s and is killed.
        """
        require(self.local and not self.lost, "service", "one that runs and was started here", self.dispatcher.address)
        with self._lock:
            self.dispatcher.stop(STOP)
            self._start(self.dispatcher)
            self.dispatcher.wait()

    def _watch(self) -> None:
        while not self._over.wait(1) and not self.lost:
            for worker in self.workers:
                if why := worker.gone():
                    advice = "Begin the epoch again with a new service."
                    self.lost = WorkerLostError(f"{worker} is lost, and elements with it: {why}. {advice}")
                    return
            with self._lock:
                if (why := self.dispatcher.end()) and self._restarts == RESTARTS:
                    self.lost = ServiceError(f"{self.dispatcher} is lost: {why}, after {RESTARTS} restarts.")
                elif why:
                    print(f"{self.dispatcher} is lost: {why}. It starts again from its journal.", file=sys.stderr)
                    self._restarts += 1
                    self._start(self.dispatcher)

    def dataset(
        self, source: tf.data.Dataset, *, mode: str = MODES[0], batch_size: int | None = None, exact: bool = True
    ) -> "Served":
        """`source` through this service; each `for` over it is a new epoch.

        source: examples, without `py_function` and `from_generator`, which cannot leave this process, and without
        `batch`, which each worker would apply to its own share: `batch_size` makes batches behind the workers.
        mode: "distributed_epoch", each element once an epoch (dynamic sharding), or "parallel_epochs", each worker
        brings all (no sharding). exact: counts the elements of each epoch.

        An epoch ends with the right count or with an error. Not promised: the order; that an epoch outlives a worker,
        for an element is made at most once; that a loss and a doubling in one epoch show, for they cancel; a checkpoint
        in the middle of an epoch. The thread that reads a lost service stays until this process ends.

        Raises InputError for another mode, a batch size below 1, a source of infinite or unknown size that is to be
        counted; in an epoch WorkerLostError within about ten seconds of a worker's end, WrongCountError at its end,
        ServiceError for a dispatcher that does not stay up, `patience` seconds of silence and outside of the `with`;
        and what the source itself raises.
        """
        return Served(self, source, mode, batch_size, exact)


@dataclass(eq=False)
class Served:
    """What `Service.dataset` gives, where its promises stand.

    For Keras: `tf.data.Dataset.from_generator(lambda: served, output_signature=served.element_spec)`.
    """

    service: Service
    source: tf.data.Dataset
    mode: str
    batch_size: int | None
    exact: bool

    def __post_init__(self) -> None:
        require(self.mode in MODES, "mode", " or ".join(map(repr, MODES)), self.mode)
        require(self.batch_size is None or self.batch_size >= 1, "batch_size", "at least 1, or None", self.batch_size)
        count = int(self.source.cardinality())
        size = "infinite" if count == tf.data.INFINITE_CARDINALITY else "unknown"
        rule = "of known size, as after `assert_cardinality`, unless exact=False"
        require(count >= 0 or not self.exact, "source", rule, f"one of {size} size")
        self.expected = count * (len(self.service.workers) if self.mode == "parallel_epochs" else 1)
        self.element_spec = (self.source.batch(self.batch_size) if self.batch_size else self.source).element_spec

    @cached_property
    def _counted(self) -> tf.data.Dataset:
        """Pairs: which elements of the epoch these are, from 1, and the element or batch."""
        address = f"grpc://{self.service.dispatcher.address}"
        counted = self.source.apply(tf.data.experimental.service.distribute(self.mode, address)).enumerate(1)
        return counted.batch(self.batch_size) if self.batch_size else counted

    def _put(self, arrived: queue.Queue, left: threading.Event) -> None:
        """An epoch into a queue, then None or what ended it. Runs in a thread, for it may wait for ever."""
        end = None
        try:
            for pair in self._counted:
                arrived.put(pair)
                if left.is_set():
                    return
        except Exception as error:
            end = error
        arrived.put(end)

    def __iter__(self) -> Iterator[Any]:
        arrived, left, count = queue.Queue[Any](2), threading.Event(), 0
        if not self.service.lost:
            threading.Thread(target=self._put, args=(arrived, left), daemon=True).start()
        try:
            while (pair := self._next(arrived)) is not None:
                count = int(pair[0][-1] if self.batch_size else pair[0])
                yield pair[1]
        finally:
            left.set()
            with contextlib.suppress(queue.Empty):
                arrived.get_nowait()  # the thread may stand before a full queue
        if self.exact and count != self.expected:
            off = f"{abs(count - self.expected)} {'lost' if count < self.expected else 'too many'}"
            raise WrongCountError(
                f"The epoch brought {count} elements instead of {self.expected}: {off}. A worker was restarted, the "
                "dispatcher was killed while it handed one out, or the source holds a `batch`, `take` or `repeat`, "
                "which each worker applies to its own share."
            )

    def _next(self, arrived: queue.Queue) -> Any:
        deadline = time.monotonic() + self.service.patience
        while time.monotonic() < deadline:
            if self.service.lost:
                raise self.service.lost
            with contextlib.suppress(queue.Empty):
                found = arrived.get(timeout=0.2)
                if isinstance(found, Exception):
                    raise found
                return found
        raise ServiceError(f"{self.service.dispatcher} and its workers were silent for {self.service.patience:g} s.")


def _free_ports(*wanted: int) -> list[int]:
    """The ports, each found free; 0 is any. The servers would share one that is in use without a word."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in wanted]
        for each, port in zip(sockets, wanted, strict=True):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a server that was killed linger
            try:
                each.bind(("", port))
            except (OSError, OverflowError):
                require(False, "port", "from 0 to 65535 and not in use", port)
        return [each.getsockname()[1] for each in sockets]


def _only_from_here(port: int) -> bool:
    """Ties what listens at `port` to the loopback device, for TensorFlow opens it to all. False where that fails."""
    found = False
    with contextlib.suppress(OSError, AttributeError):  # no /proc, no such option, no right to set it
        for path in filter(Path.is_socket, Path("/proc/self/fd").iterdir()):
            with socket.socket(fileno=os.dup(int(path.name))) as each:
                if each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and each.getsockname()[1] == port:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
                    found = True
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """A dispatcher or a worker in this process, until it is killed or its parent ends."""
    parser = argparse.ArgumentParser(prog="python -m keras_course.data.serve", description=main.__doc__)
    parser.add_argument("role", choices=("dispatcher", "worker"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=LOOPBACK, help="the name others reach this machine by; default: they cannot")
    parser.add_argument("--work-dir", help="of a dispatcher: its journal, from which it starts again")
    parser.add_argument("--dispatcher", help="of a worker: host:port")
    parser.add_argument("--parent", type=int, help="the process with which this one ends")
    chosen = parser.parse_args(arguments)
    if not (chosen.work_dir if chosen.role == "dispatcher" else chosen.dispatcher):
        parser.error("a dispatcher needs --work-dir, a worker --dispatcher")
    try:
        (port,) = _free_ports(chosen.port)
    except InputError as error:
        parser.error(str(error))
    service, address = tf.data.experimental.service, f"{chosen.host}:{port}"
    if chosen.role == "dispatcher":
        config = service.DispatcherConfig(port=port, work_dir=chosen.work_dir, fault_tolerant_mode=True)
        server = service.DispatchServer(config)
    else:
        config = service.WorkerConfig(chosen.dispatcher, address, port=port, heartbeat_interval_ms=1000)
        server = service.WorkerServer(config)
    if chosen.host == LOOPBACK and not _only_from_here(port):
        print(f"The {chosen.role}: {OPEN}.", flush=True)
    print(f"The {chosen.role} {READY} {address}.", flush=True)
    asked = threading.Event()
    if chosen.role == "dispatcher":
        signal.signal(signal.SIGTERM, lambda *_: asked.set())
    while chosen.parent in (None, os.getppid()):
        if asked.wait(0.5):
            del server  # stops it in order: what it has written down as handed out arrives
            break
    os._exit(0)  # a server that stops in order waits for the others


if __name__ == "__main__":
    main()
