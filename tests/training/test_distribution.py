import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

from keras_course.base import ROOT, InputError
from keras_course.training import distribution, fit
from keras_course.training.checkpoints import opened
from tests.training.toys import linear, regression, sgd, squared_error

import keras
import numpy as np
import pytest
import tensorflow as tf

SECONDS = 120  # until a process that ought to have ended is taken for one that hangs


def free_ports(count):
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def started(folder, *options, ports=()):
    """The processes of a training, one for each port or a single one; none is left behind."""
    processes = []
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    addresses = [f"127.0.0.1:{port}" for port in ports]
    for index in range(max(1, len(ports))):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.training.workers", str(folder / str(index)), *options],
                env=environment | ({"TF_CONFIG": json.dumps(config)} if ports else {}),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ends(folder, *options, ports=()):
    with started(folder, *options, ports=ports) as processes:
        outputs = [process.communicate(timeout=SECONDS) for process in processes]
    assert [p.returncode for p in processes] == [0] * len(processes), outputs
    return [json.loads(output) for output, _ in outputs]


def epochs_kept(path):
    """How many epochs the checkpoint of a training knows to be over."""
    return opened(path.read_bytes(), path)[1]["facts"]["position"]["epoch"] if path.exists() else 0


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one device comes to: 20 steps, five epochs of which the last step is short."""
    (end,) = ends(tmp_path_factory.mktemp("alone"))
    assert end["steps"] == 20
    return end


def assert_same_training(end, alone):
    for name, curve in alone["history"].items():
        np.testing.assert_allclose(end["history"][name], curve, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(end["weights"], alone["weights"], atol=1e-5)


@pytest.mark.parametrize("replicas", [2, 3])  # 3 do not divide a batch of 7; the last batch has 2 examples
def test_on_several_devices_the_losses_are_those_of_one(alone, tmp_path, replicas):
    (end,) = ends(tmp_path, "--replicas", str(replicas))
    assert_same_training(end, alone)


def test_in_two_processes_the_losses_are_those_of_one_and_the_first_alone_writes(alone, tmp_path):
    first, second = ends(tmp_path, ports=free_ports(2))
    assert_same_training(first, alone)
    assert second["digest"] == first["digest"]
    assert (first["logged"], second["logged"]) == (5, 0)


def test_a_gradient_that_is_lost_on_the_way_shows(alone, tmp_path):
    """The comparison above bites: without the last replica's gradient the losses are others."""
    (end,) = ends(tmp_path, "--replicas", "2", "--drop")
    assert np.abs(np.subtract(end["history"]["loss"], alone["history"]["loss"])).max() > 1e-3


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_is_named_and_all_go_on_from_the_last_checkpoint(alone, tmp_path, victim):
    """Each has a folder of its own, as on two machines: the state of the first goes over the network."""
    with started(tmp_path, "--pause", "1", ports=(ports := free_ports(2))) as processes:
        deadline = time.monotonic() + SECONDS
        while epochs_kept(tmp_path / "0" / "state.npz") < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(processes[victim].pid, signal.SIGKILL)
        _, said = processes[1 - victim].communicate(timeout=SECONDS)
    assert processes[1 - victim].returncode == 2
    assert f"worker {victim} at 127.0.0.1:{ports[victim]} went missing" in said
    assert not (tmp_path / "1").exists()
    resumed = ends(tmp_path, ports=free_ports(2))
    assert resumed[0]["logged"] < 5  # the epochs before the checkpoint were not run again
    for end in resumed:
        assert_same_training(end, alone)


def test_a_model_or_optimizer_from_outside_of_the_scope_is_refused():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with pytest.raises(InputError, match=r"`model` must be made in `with strategy.scope\(\):`. Received: '`linear`"):
        fit(linear(), squared_error, regression(), epochs=1, optimizer=sgd(), strategy=strategy, progress=False)
    with strategy.scope():
        model = linear()
    with pytest.raises(InputError, match=r"`optimizer` must be made in `with strategy.scope\(\):`"):
        fit(model, squared_error, regression(), epochs=1, optimizer=sgd(), strategy=strategy, progress=False)


def test_a_dataset_and_xla_are_refused_with_a_strategy():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        model, optimizer = linear(), sgd()
    options = {"epochs": 1, "optimizer": optimizer, "strategy": strategy, "progress": False}
    with pytest.raises(InputError, match="`batches` must be a `Batches` with a strategy"):
        fit(model, squared_error, regression().dataset(), **options)
    with pytest.raises(InputError, match="`xla` must be None or False with a strategy"):
        fit(model, squared_error, regression(), xla=True, **options)


def test_the_strategy_of_the_scope_is_taken_and_the_optimizer_is_given_back_as_it_was():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    plain, spread = linear(), None
    expected = fit(plain, squared_error, regression(), epochs=3, optimizer=sgd(), progress=False)
    with strategy.scope():
        spread, optimizer = linear(), keras.optimizers.SGD(0.1)
        found = fit(spread, squared_error, regression(), epochs=3, optimizer=optimizer, progress=False)
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-6)
    assert "_all_reduce_sum_gradients" not in vars(optimizer)


def test_who_is_missing_is_found_by_asking(tmp_path):
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        there.listen()
        assert distribution.answers(f"worker 1 at 127.0.0.1:{there.getsockname()[1]}")
    (gone,) = free_ports(1)
    assert not distribution.answers(f"worker 1 at 127.0.0.1:{gone}")
    assert "worker 3 at b:1 went missing" in str(distribution.WorkerLost(["worker 3 at b:1"]))


def test_an_unknown_strategy_and_a_missing_cluster_are_refused(monkeypatch):
    with pytest.raises(InputError, match="mirrored"):
        distribution.strategy_of("mirrord")
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="`TF_CONFIG` must be JSON as"):
        distribution.strategy_of("multiworker")
