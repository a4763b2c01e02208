import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
import types

from keras_course import cli, models
from keras_course.base import ROOT, InputError
from keras_course.tuning import oracles, search, searching
from keras_course.tuning.workers import CHIEF, Waiting, address_of
from tests.tuning import made

import keras_tuner
import pytest


def started(folder, workers, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tuning.chief", folder, str(workers), *words],
        cwd=ROOT,
        env=os.environ | {"TUNING_TEST_LOG": str(folder / "begun")},
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_worker_costs_one_trial_and_a_killed_chief_goes_on(tmp_path):
    """Both in one search, since each process takes seconds to begin."""
    (tmp_path / "alone").mkdir()
    expected = made.facts(made.run(tmp_path / "alone", trials=4, epochs=1))
    with started(tmp_path, 2) as chief:
        until(lambda: len(made.begun(tmp_path / "begun")) >= 2)  # in the middle of the first trials
        victim, hidden = made.begun(tmp_path / "begun")[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: [what for _, what in made.begun(tmp_path / "begun")].count(hidden) == 2)
        (again,) = {pid for pid, what in made.begun(tmp_path / "begun") if what == hidden} - {victim}
        assert again != victim, "its trial is repeated, by a worker that was started for it"
        until(lambda: any(tmp_path.glob("points/*/trial_*/record.json")))
        chief.kill()
        chief.wait()
    pids = {pid for pid, _ in made.begun(tmp_path / "begun")}
    until(lambda: not any(map(alive, pids)), 10)  # the workers do not outlive their chief
    before = len(list(tmp_path.glob("points/*/trial_*/record.json")))
    assert 1 <= before < 4
    with started(tmp_path, 2, "resume") as chief:
        _, errors = chief.communicate(timeout=120)
        assert chief.returncode == 0, errors
    assert json.loads((tmp_path / "facts.json").read_text()) == json.loads(json.dumps(expected))
    begun = [what for _, what in made.begun(tmp_path / "begun")]
    assert len(begun) <= 4 + 1 + 2, "repeated are the trial of the killed worker and those that the chief left"
    assert not any(alive(pid) for pid, _ in made.begun(tmp_path / "begun"))


def test_a_worker_elsewhere_joins_by_the_same_command(tmp_path, monkeypatch, capfd):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    search = ["tune", "vision/cnn_images", "--quick", "--trials", "2"]
    for name in CHIEF:
        monkeypatch.setenv(name, "")  # and so put back behind the test
        monkeypatch.delenv(name)
    with subprocess.Popen(
        [sys.executable, "-m", "keras_course", *search, "--listen", address],
        cwd=ROOT,
        env=os.environ | {"KERAS_COURSE_TUNER_RUNS": str(tmp_path / "here")},
        stdout=subprocess.PIPE,
        text=True,
    ) as chief:
        monkeypatch.setitem(searching.join.__kwdefaults__, "runs", tmp_path / "elsewhere")
        assert cli.main([*search, "--join", address, "--as", "other", "--seed", "1"]) == 2
        assert f"The search at {address} has other terms than this worker: seed 0 against 1" in capfd.readouterr().err
        assert cli.main([*search, "--join", address, "--as", "machine2"]) == 0
        assert f"the search at {address} has no more trials" in capfd.readouterr().out
        out, _ = chief.communicate(timeout=60)
        assert chief.returncode == 0
    assert "2 trials of vision/cnn_images by random search (seed 0), 0 failed" in out
    (folder,) = (tmp_path / "here" / "vision" / "cnn_images").iterdir()
    assert len(list(folder.glob("trial_*/record.json"))) == 2, "the chief keeps what came of every trial"


def test_who_keeps_a_trial_for_long_elsewhere_is_named_once():
    trials = {name: types.SimpleNamespace(trial_id=id) for name, id in (("worker1", "0"), ("second", "3"))}
    oracle = types.SimpleNamespace(ongoing_trials=dict(trials))
    waiting, here = Waiting(), {"worker1": None}
    assert [waiting.look(oracle, here, now) for now in (0.0, 59.0)] == [[], []]
    (words,) = waiting.look(oracle, here, 61.0)
    assert words.startswith("second has had trial 3 for 61 s.")
    assert "--as second" in words
    assert waiting.look(oracle, here, 99.0) == []
    oracle.ongoing_trials = {"second": types.SimpleNamespace(trial_id="4")}  # after 100 s, so that 400 s are no news
    assert [waiting.look(oracle, here, now) for now in (100.0, 500.0, 599.0)] == [[], [], []]
    assert len(waiting.look(oracle, here, 601.0)) == 1


def test_what_cannot_be_sent_to_a_worker_is_refused(tmp_path):
    with pytest.raises(InputError, match="`workers` need a builder that can be imported"):
        made.run(tmp_path, builder=lambda input_shape, classes, **values: None, workers=1)


def test_an_address_that_is_not_free_is_refused(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="`listen` must be an address of this machine that is free"):
            made.run(tmp_path, workers=1, listen=f"127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize("text", ["localhost", "a:b", "host:99999", ":80", "a b:80"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match="`address` must be as host:port"):
        address_of(text)
    assert address_of("192.168.0.5:8000") == ("192.168.0.5", 8000)


class Deadly(keras_tuner.HyperModel):
    """Ends its process as the kernel does where memory is short, but for one choice."""

    def build(self, hp):
        activation = hp.Choice("activation", ["tanh", "relu"])
        if activation == "tanh" and multiprocessing.parent_process():  # not where the space is found out
            os.kill(os.getpid(), signal.SIGKILL)
        model = models.mlp((2,), 3, hidden=(4,), activation=activation)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


def test_a_trial_that_kills_its_workers_is_recorded_as_failed_and_the_search_goes_on(tmp_path, monkeypatch):
    """Of a Keras HyperModel, which goes to the workers as it is."""
    monkeypatch.setattr(oracles, "HANDED", 2)
    terms = {"name": "deadly", "method": "grid", "trials": 2, "epochs": 1, "batch_size": 16, "workers": 1}
    result = search(Deadly(), None, made.splits(), runs=tmp_path, progress=False, **terms)
    bad, good = result.trials
    assert (bad.values, bad.status) == ({"activation": "tanh"}, "failed")
    assert bad.reason == "Its process was killed 2 times, perhaps for want of memory."
    assert good.status == "completed"
