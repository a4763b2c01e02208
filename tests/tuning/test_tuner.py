import json
import os
import signal
import subprocess
import sys
import time

from keras_course.base import ROOT
from keras_course.tuning.tuner import _patient
from tests.tuning import made

import grpc
import pytest

STRIDES = {"random": 13, "grid": 19, "hyperband": 17, "bayesian": 23}  # of the moments; each trial writes some twenty


@pytest.mark.parametrize("method", STRIDES)
def test_killed_at_any_moment_it_goes_on_repeats_at_most_one_trial_and_ends_as_if_unbroken(tmp_path, method):
    command = [sys.executable, "-m", "tests.tuning.moments", tmp_path / "moments", method, str(STRIDES[method])]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert told["moments"] >= 5
    assert told["trials"] == 5
    assert told["wrong"] == {}, answer.stderr


def test_a_training_killed_in_its_middle_gives_the_same_scores(tmp_path):
    """Real trainings, and a kill from outside while one of them runs."""
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = made.facts(made.run(whole, trials=4, epochs=1))
    environment = os.environ | {"TUNING_TEST_LOG": str(tmp_path / "begun")}
    command = [sys.executable, "-m", "tests.tuning.chief", tmp_path, "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as search:
        end = time.monotonic() + 90
        while len(made.begun(tmp_path / "begun")) < 3 and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(search.pid, signal.SIGKILL)
    assert search.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("points/*/trial_*/record.json"))) == 2
    command.append("resume")
    resumed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((tmp_path / "facts.json").read_text()) == json.loads(json.dumps(expected))
    assert len(made.begun(tmp_path / "begun")) == 4 + 1


def test_a_call_is_made_again_while_the_chief_is_gone(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    class Gone(grpc.RpcError):
        def __init__(self, code):
            self.code = lambda: code

    answers = [Gone(grpc.StatusCode.UNAVAILABLE), Gone(grpc.StatusCode.UNAVAILABLE), "a trial"]

    def call(name):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return f"{answer} for {name}"

    assert _patient(call)("worker1") == "a trial for worker1"
    answers = [Gone(grpc.StatusCode.INVALID_ARGUMENT), "never asked"]
    with pytest.raises(grpc.RpcError):
        _patient(call)("worker1")
    assert answers == ["never asked"]
