"""A search on several processes: Keras Tuner's own service on this machine, workers here and elsewhere.

The process that was called is the chief: it answers for the oracle over gRPC, keeps the records and starts the
workers. A worker that is killed is started again under its name, by which Keras Tuner gives it its trial once more. The
workers end with the chief, however it ends; those on other machines wait for it to come back.
"""

import json
import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from concurrent import futures
from typing import Any

from keras_course.base import InputError, require
from keras_course.tuning.oracles import OURS, Durable, oracle_of
from keras_course.tuning.plan import Folder, Plan
from keras_course.tuning.subjects import Subject

LOOPBACK = "127.0.0.1:0"
LOOK = 0.1  # seconds between two looks at the workers
QUIET = 60.0, 5.0  # at least so many seconds, and so many times the longest trial: then who is waited for is named
TRIES = 6  # how often a worker may end without having ended a trial
TERMS = OURS + "plan"
CHIEF = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"


def address_of(text: str) -> tuple[str, int]:
    """Host and port of "host:port"."""
    match = re.fullmatch(r"(\S+):(\d{1,5})", text)
    require(match and int(match[2]) < 2**16, "address", "as host:port, for example 192.168.0.5:8000", text)
    assert match
    return match[1], int(match[2])


def work(subject: Subject, plan: Plan, folder: Folder, address: str, name: str) -> None:
    """A worker: runs the trials that the chief at `address` gives it, until there are no more."""
    from keras_course.tuning.tuner import Tuner

    host, port = address_of(address)
    os.environ.update(zip(CHIEF, (host, str(port), name), strict=True))
    tuner = Tuner(oracle_for(subject, plan), subject=subject, plan=plan, folder=folder)
    theirs = json.loads(tuner.oracle.get_space().values.get(TERMS, "{}"))
    if words := plan.difference(theirs):
        raise InputError(f"The search at {address} has other terms than this worker: {words}.")
    tuner.search()


def oracle_for(subject: Subject, plan: Plan) -> Durable:
    """The oracle of a plan; the plan stands in its space, where workers elsewhere can read it."""
    hp = subject.hp.copy()
    hp.values[TERMS] = json.dumps(plan.plain())
    return oracle_of(
        plan.method,
        hp,
        objective=plan.objective,
        direction=plan.direction,
        trials=plan.trials,
        seed=plan.seed,
        epochs=plan.epochs,
    )


def _child(subject: Subject, plan: Plan, folder: Folder, address: str, name: str) -> None:
    """A worker of this machine: it ends when its chief does, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chief = multiprocessing.parent_process()

    def follow() -> None:
        assert chief
        chief.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    logging.getLogger("tensorflow").setLevel("ERROR")
    work(subject, plan, folder, address, name)


class Workers:
    """The workers of this machine."""

    def __init__(self, count: int, job: tuple[Any, ...]) -> None:
        self.context, self.job = multiprocessing.get_context("spawn"), job
        self.running: dict[str, Any] = {}
        self.tries = 0
        for number in range(1, count + 1):
            self._start(f"worker{number}")

    def _start(self, name: str) -> None:
        process = self.context.Process(target=_child, args=(*self.job, name), daemon=True, name=name)
        try:
            process.start()
        except (AttributeError, TypeError, OSError) as error:  # what pickle says of a lambda or a dataset
            raise InputError(
                "`workers` need a builder that can be imported, a function of a module's top level, and data as "
                f"Splits, arrays or such a function. Received: {error}."
            ) from error
        self.running[name] = process

    def look(self, ended: int) -> None:
        """Starts again who was killed. ended: trials since the last look, since progress is no reason to give up."""
        self.tries = 0 if ended else self.tries
        for name, process in list(self.running.items()):
            if process.exitcode is None:
                continue
            del self.running[name]
            if process.exitcode != 0:
                self.tries += 1
                if self.tries > TRIES * (len(self.running) + 1):
                    raise InputError(
                        f"`workers` ended {self.tries} times without finishing a trial, the last with status "
                        f"{process.exitcode}; what they wrote on standard error says why. A script that calls `search` "
                        'with workers needs `if __name__ == "__main__":` around it.'
                    )
                self._start(name)

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.join()


class Waiting:
    """Says once who elsewhere keeps a trial for long: the service cannot tell who is gone from who works."""

    def __init__(self) -> None:
        self.since: dict[str, float] = {}  # trial -> when it was seen first
        self.longest = 0.0
        self.said: set[str] = set()

    def look(self, oracle: Durable, here: Mapping[str, Any], now: float | None = None) -> list[str]:
        """What there is to say now. here: the workers of this machine by name, which are looked after."""
        now = time.monotonic() if now is None else now
        running = {trial.trial_id: name for name, trial in list(oracle.ongoing_trials.items())}
        for ended in self.since.keys() - running.keys():
            self.longest = max(self.longest, now - self.since.pop(ended))
        found = []
        for trial, name in running.items():
            took = now - self.since.setdefault(trial, now)
            if name not in here and trial not in self.said and took > max(QUIET[0], QUIET[1] * self.longest):
                self.said.add(trial)
                found.append(
                    f"{name} has had trial {trial} for {took:.0f} s. If it is gone, start it there again with the same "
                    f"--as {name}, or end this process (Ctrl-C) and go on with --resume: the trial is repeated."
                )
        return found


def serve(oracle: Durable, *, subject: Subject, plan: Plan, folder: Folder, workers: int, listen: str) -> None:
    """The chief: answers until every trial has ended and every worker knows it."""
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer, exit_chief

    host, _ = address_of(listen)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)])
    servicer = OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise InputError(f"`listen` must be an address of this machine that is free. Received: {listen!r}.") from error
    server.start()
    here = None
    try:
        here = Workers(workers, (subject, plan, folder, f"{host}:{port}"))
        waiting = Waiting()
        ended = len(oracle.end_order)
        while here.running or not (servicer.stop_triggered and exit_chief(oracle)):
            time.sleep(LOOK)
            if oracle.broken:
                raise oracle.broken
            here.look(len(oracle.end_order) - ended)
            for words in waiting.look(oracle, here.running):
                print(f"keras-course: {words}", file=sys.stderr, flush=True)
            ended = len(oracle.end_order)
    finally:
        if here:
            here.stop()
        server.stop(grace=None).wait()
