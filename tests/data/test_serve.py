import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

from keras_course.base import ROOT, InputError
from keras_course.data import serve
from keras_course.data.serve import Service, WorkerLostError, WrongCountError

import pytest
import tensorflow as tf

N = 300


def slow(number):
    """The number, after some milliseconds of work."""
    draws = tf.random.stateless_uniform((300_000,), tf.stack([number, 0]))
    return number + tf.cast(0 * tf.reduce_sum(draws), number.dtype)


def numbers(n=N):
    return tf.data.Dataset.range(n).map(slow)


def pids(service):
    return [server.process.pid for server in (service.dispatcher, *service.workers)]


def alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def within(seconds, condition):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.1)
    return condition()


def begun(served, count=10):
    """An epoch, and its first elements."""
    epoch = iter(served)
    return epoch, [int(next(epoch)) for _ in range(count)]


@contextlib.contextmanager
def nothing_asked(service):
    """The workers stand still and what they had asked for has arrived."""
    for worker in service.workers:
        os.kill(worker.process.pid, signal.SIGSTOP)
    time.sleep(0.5)
    try:
        yield
    finally:
        for worker in service.workers:
            os.kill(worker.process.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def service():
    with Service(workers=2) as service:
        yield service
    assert not any(map(alive, pids(service)))


def test_each_element_comes_once_an_epoch(service):
    served = service.dataset(numbers())
    for _ in range(2):
        assert Counter(map(int, served)) == Counter(range(N))


def test_batches_are_made_behind_the_workers(service):
    source = tf.data.Dataset.range(40).map(lambda i: (i, tf.cast(i, tf.float32) / 2))
    served = service.dataset(source, batch_size=16)
    batches = list(served)
    assert [len(x) for x, _ in batches] == [16, 16, 8]
    assert sorted(tf.concat([x for x, _ in batches], 0).numpy()) == list(range(40))
    assert all((2 * y.numpy() == x.numpy()).all() for x, y in batches)
    through_keras = tf.data.Dataset.from_generator(lambda: served, output_signature=served.element_spec)
    assert sum(len(x) for x, _ in through_keras) == 40


def test_in_parallel_epochs_each_worker_brings_all(service):
    assert Counter(map(int, service.dataset(numbers(20), mode="parallel_epochs"))) == Counter([*range(20)] * 2)


def test_an_epoch_that_is_left_early_leaves_no_thread_and_the_next_is_whole(service):
    before = threading.active_count()
    served = service.dataset(tf.data.Dataset.range(50))
    for _ in served:
        break
    assert within(20, lambda: threading.active_count() == before)
    assert len(list(served)) == 50


def test_what_the_dataset_raises_comes_through(service):
    broken = numbers(20).map(lambda i: tf.debugging.check_numerics(1 / (tf.cast(i, tf.float32) - 5), "a hole"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="a hole"):
        list(service.dataset(broken))


@pytest.mark.parametrize(
    ("fake", "message"), [(range(29), "29 elements instead of 30: 1 lost"), ([*range(30), 3, 4], "32 .* 2 too many")]
)
@pytest.mark.parametrize("batch_size", [None, 4])
def test_a_lost_or_doubled_element_is_counted(service, monkeypatch, fake, message, batch_size):
    planted = tf.data.Dataset.from_tensor_slices(list(fake)).enumerate(1)
    planted = planted.batch(batch_size) if batch_size else planted
    monkeypatch.setattr(serve.Served, "_counted", planted)
    with pytest.raises(WrongCountError, match=message):
        list(service.dataset(tf.data.Dataset.range(30), batch_size=batch_size))
    assert list(service.dataset(tf.data.Dataset.range(30), batch_size=batch_size, exact=False))


def test_batches_made_by_the_workers_are_found_out(service):
    """Each worker takes the first 30 of its own share."""
    with pytest.raises(WrongCountError, match="too many"):
        list(service.dataset(numbers(100).take(30)))


def test_a_silent_service_is_given_up(service, monkeypatch):
    monkeypatch.setattr(service, "patience", 1.0)
    silent = pytest.raises(serve.ServiceError, match=f"{service.dispatcher.address} .* silent for 1 s")
    with nothing_asked(service), silent:
        list(service.dataset(numbers(20)))


@pytest.mark.skipif(sys.platform != "linux", reason="ports are tied to the loopback device on Linux alone")
def test_only_this_machine_reaches_the_ports(service):
    for server in (service.dispatcher, *service.workers):
        assert serve.OPEN not in server.log.read_text()
    with socket.create_server(("", 0)) as free:
        assert serve._only_from_here(free.getsockname()[1])
        assert free.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
    assert not serve._only_from_here(1)


@pytest.mark.timeout(120)
def test_a_dispatcher_that_dies_between_two_elements_costs_none(service, monkeypatch, capfd):
    """Twice in an epoch: the watch starts it again, then it is restarted by hand, under the workers' requests."""
    monkeypatch.setattr(service, "patience", 60)
    killed = service.dispatcher.process
    epoch, found = begun(service.dataset(numbers()))
    with nothing_asked(service):
        os.kill(killed.pid, signal.SIGKILL)
        assert within(10, lambda: service.dispatcher.process is not killed)
    stopped = service.dispatcher.process
    while len(found) < N // 3:
        found.append(int(next(epoch)))
    service.restart_dispatcher()
    assert Counter(found + list(map(int, epoch))) == Counter(range(N))
    assert service.dispatcher.process not in (killed, stopped)
    assert stopped.returncode == 0  # in order: a dispatcher that is killed may take elements along
    assert f"(pid {killed.pid}) is lost: it ended with exit code -9, SIGKILL" in capfd.readouterr().err


def test_a_dispatcher_that_is_told_to_end_stops_its_server_first(monkeypatch, tmp_path):
    did = []

    class Server:
        def __init__(self, config):
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

        def __del__(self):
            did.append("stopped")

    def leave(status):
        did.append(status)
        raise SystemExit

    monkeypatch.setattr(tf.data.experimental.service, "DispatchServer", Server)
    monkeypatch.setattr(os, "_exit", leave)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit):
            serve.main(["dispatcher", "--port", "0", "--work-dir", str(tmp_path)])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert did == ["stopped", 0]


def test_a_server_that_does_not_stop_in_order_is_killed():
    server = serve._Server("dispatcher", "127.0.0.1:1")
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    server.process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    server.process.stdout.readline()
    server.stop(0.5)
    assert server.process.returncode == -signal.SIGKILL


@pytest.mark.timeout(20)
def test_a_dispatcher_that_does_not_stay_up_ends_the_epoch(monkeypatch):
    service = Service(workers=1)
    monkeypatch.setattr(serve._Server, "gone", lambda server: "")
    monkeypatch.setattr(serve._Server, "end", lambda server: "it ended with exit code 3")
    monkeypatch.setattr(service, "_start", lambda server: None)
    monkeypatch.setattr(service._over, "wait", lambda seconds: False)
    service.lost = None
    service._watch()
    assert str(service.lost) == f"{service.dispatcher} is lost: it ended with exit code 3, after 3 restarts."


@pytest.mark.timeout(120)
def test_a_worker_that_is_killed_is_named_and_no_process_is_left(tmp_path):
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Service(workers=2, work_dir=tmp_path / "new", patience=30))
        victim = service.workers[1]
        epoch, _ = begun(service.dataset(numbers(20_000)))
        os.kill(victim.process.pid, signal.SIGKILL)
        since = time.monotonic()
        with pytest.raises(WorkerLostError) as caught:
            all(time.monotonic() < since + 20 for _ in epoch)
        assert time.monotonic() < since + 20
    assert f"worker {victim.address} (pid {victim.process.pid})" in str(caught.value)
    assert "exit code -9, SIGKILL" in str(caught.value)
    assert not any(map(alive, pids(service)))
    with pytest.raises(WorkerLostError):
        next(iter(service.dataset(numbers())))


def test_a_server_ends_with_its_parent(tmp_path):
    log, port = tmp_path / "log", serve._free_ports(0)[0]
    command = [sys.executable, "-m", "keras_course.data.serve", "dispatcher", "--port", str(port), "--work-dir"]
    code = (
        f"import os, subprocess; child = subprocess.Popen({[*command, str(tmp_path / 'journal')]} + ['--parent', "
        f"str(os.getpid())], stdout=open({str(log)!r}, 'w')); print(child.pid, flush=True); child.wait()"
    )
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )
    child = int(parent.stdout.readline())
    assert within(60, lambda: serve.READY in log.read_text())
    assert alive(child)
    parent.kill()
    parent.communicate()
    assert within(20, lambda: not alive(child))


def test_servers_that_were_started_by_hand_are_watched_by_their_ports():
    with socket.create_server(("127.0.0.1", 0)) as worker:
        address = f"127.0.0.1:{worker.getsockname()[1]}"
        with Service(workers=[address], dispatcher="127.0.0.1:9") as service:
            assert not service.workers[0].gone()
            worker.close()
            assert within(20, lambda: service.lost)
    assert isinstance(service.lost, WorkerLostError)
    assert f"worker {address} is lost" in str(service.lost)
    assert "does not answer" in str(service.lost)


def test_a_process_that_does_not_start_says_why_and_the_others_are_stopped(tmp_path, monkeypatch):
    """In place of Python: a dispatcher that says it is ready, and a worker that gives up."""
    script = tmp_path / "server"
    script.write_text(f'#!/bin/sh\n[ "$3" = worker ] && echo no luck && exit 3\necho {serve.READY}\nexec sleep 600\n')
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    service = Service(workers=1)
    with pytest.raises(serve.ServiceError, match=r"worker .* is not ready: it ended with exit code 3.*no luck"):
        service.__enter__()
    assert not any(map(alive, pids(service)))


def test_an_exception_inside_of_the_service_stops_the_processes(tmp_path, monkeypatch):
    script = tmp_path / "server"
    script.write_text(f"#!/bin/sh\necho {serve.READY}\nexec sleep 600\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    with contextlib.suppress(KeyError), Service(workers=2) as service:
        assert all(map(alive, pids(service)))
        raise KeyError
    assert not any(map(alive, pids(service)))
    assert not service.work_dir.exists()
    with pytest.raises(InputError, match="`service` must be a new one"):
        service.__enter__()


def test_what_cannot_be_served_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"`workers` must be at least 1. Received: 0"):
        Service(workers=0)
    with pytest.raises(InputError, match="`workers` must be a whole number, or a list"):
        Service(workers=2, dispatcher="host:1")
    with pytest.raises(InputError, match='`address` must be "host:port"'):
        Service(workers=["host"], dispatcher="host:1")
    with pytest.raises(InputError, match="`patience` must be above 0"):
        Service(patience=0)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="`work_dir` must be a new or empty folder"):
        Service(work_dir=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"`port` must be .* not in use. Received: {port}"):
            Service(port=port)
        with pytest.raises(SystemExit):
            serve.main(["dispatcher", "--port", str(port), "--work-dir", str(tmp_path)])
    idle, source = Service(), tf.data.Dataset.range(5)
    with pytest.raises(InputError, match="`mode` must be 'distributed_epoch' or 'parallel_epochs'"):
        idle.dataset(source, mode="epochs")
    with pytest.raises(InputError, match="`batch_size` must be at least 1"):
        idle.dataset(source, batch_size=0)
    with pytest.raises(InputError, match=r"`source` must be of known size.* Received: 'one of infinite size'"):
        idle.dataset(source.repeat())
    with pytest.raises(InputError, match="unknown size"):
        idle.dataset(source.filter(lambda i: i > 2))
    idle.dataset(source.repeat(), exact=False)
    with pytest.raises(serve.ServiceError, match="only between its `with`"):
        list(idle.dataset(source))
    assert idle.dispatcher.process is None, "nothing was started"
