import json
import os
import subprocess
import sys
from pathlib import Path

from keras_course.base import InputError
from keras_course.training import Checkpoint, fit
from keras_course.training.checkpoints import opened
from keras_course.training.session import Diverged, Pace
from tests.training.toys import Memory, linear, regression, sgd, squared_error

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def train(checkpoint, *, model=None, epochs=3, batches=None, rate=0.1, objective=squared_error):
    model = model or linear()
    history = fit(
        model,
        objective,
        batches or regression(),
        epochs=epochs,
        optimizer=sgd(rate),
        checkpoint=checkpoint,
        progress=False,
    )
    return model, history


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
def test_a_run_killed_at_random_moments_ends_like_one_that_was_not(tmp_path):
    command = [sys.executable, "-m", "tests.training.interrupted", str(tmp_path), "11"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for run in json.loads(done.stdout):  # in the plain graph, and with XLA
        assert run["kills"] == 3
        assert run["unfinished"]
        assert run["broken"] == run["whole"]
        assert run["whole"]["steps"] == 12 * 6


def test_a_finished_stage_is_given_back_and_trains_nothing(tmp_path):
    def never(model, batch, training):
        raise AssertionError("a finished stage was trained")

    checkpoint = Checkpoint(tmp_path / "stage.npz", settings={"seed": 0})
    first, history = train(checkpoint)
    second, again = train(checkpoint, objective=never)
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))
    assert (again, vars(again)) == (history, vars(history))


def test_the_checkpoint_of_the_log_is_used(tmp_path):
    log = Memory(Checkpoint(tmp_path / "stage.npz", settings={}))
    fit(linear(), squared_error, regression(), epochs=1, optimizer=sgd(), log=log, progress=False)
    fit(linear(), squared_error, regression(), epochs=1, optimizer=sgd(), log=log, progress=False)
    assert len(log.points) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 5}, "fit.epochs 3 against 5"),
        ({"batches": regression(n=12)}, "fit.examples 11 against 12"),
        ({"batches": regression(batch_size=5)}, "fit.batch_size 3 against 5"),
        ({"batches": regression(seed=2)}, "fit.shuffle_seed 1 against 2"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, words):
    checkpoint = Checkpoint(tmp_path / "stage.npz", settings={"seed": 0})
    train(checkpoint)
    with pytest.raises(InputError, match=f"is of a run with other settings: {words}.$"):
        train(checkpoint, **change)


def test_divergence_leaves_the_last_good_checkpoint(tmp_path):
    checkpoint = Checkpoint(tmp_path / "stage.npz", settings={}, every_seconds=0.0)
    with pytest.raises(Diverged):
        train(checkpoint, rate=1e12, epochs=50)
    arrays, facts = opened(checkpoint.path.read_bytes(), checkpoint.path)
    assert facts["facts"]["history"]["steps"] > 0
    assert np.isfinite(arrays["variable/0"]).all()


def test_the_pace_grows_to_about_a_second_and_at_most_eightfold():
    pace = Pace()
    pace.adjust(1, 0.001)
    assert pace.steps == 8
    pace.adjust(8, 0.4)
    assert pace.steps == 20
    pace.adjust(20, 4.0)
    assert pace.steps == 5
    pace.adjust(5, 60.0)
    assert pace.steps == 1


def test_a_call_cut_short_by_the_end_of_an_epoch_tells_nothing_about_the_pace():
    pace = Pace(steps=100)
    pace.adjust(3, 0.5)
    assert pace.steps == 100
