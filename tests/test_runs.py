import json
import os
from dataclasses import dataclass

from keras_course.base import InputError
from keras_course.runs import Run, require_writable, unfinished, write_atomically

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


@dataclass(frozen=True)
class Settings:
    epochs: int = 3
    hidden: tuple[int, ...] = (5, 2)
    seed: int = 0


def events(run, stage):
    found = EventAccumulator(str(run.folder / "tensorboard" / stage), size_guidance={"tensors": 0, "images": 0})
    return found.Reload()


def test_nothing_is_written_before_there_is_something_to_say(tmp_path):
    run = Run("vision/x", Settings(), logs=tmp_path)
    assert not any(tmp_path.iterdir())
    run.scalars("train", 0, {"loss": 2.5})
    assert json.loads((run.folder / "settings.json").read_text()) == {"epochs": 3, "hidden": [5, 2], "seed": 0}


def test_what_is_logged_is_read_back_from_the_event_files(tmp_path):
    run = Run("vision/x", Settings(), logs=tmp_path)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    for step, loss in enumerate((2.5, 1.5)):
        run.scalars("train", step, {"loss": loss})
        run.weights("train", step, model)
    run.images("train", "inputs", np.zeros((2, 5, 3, 1), "float32"))
    run.figure("curve", Figure())
    run.hyperparameters({"accuracy": 0.5})
    run.finish()
    train, summary = events(run, "train"), events(run, "summary")
    assert [float(tf.make_ndarray(e.tensor_proto)) for e in train.Tensors("loss")] == [2.5, 1.5]
    expected = {f"weights/{variable.path}" for variable in model.trainable_variables} | {"loss", "inputs"}
    assert set(train.Tags()["tensors"]) - {"keras"} == expected
    assert train.Tags()["graph"]
    assert {"figures/curve", "scores/accuracy"} <= set(summary.Tags()["tensors"])
    plugins = summary.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name
    assert plugins == "hparams"


def test_event_files_of_others_stand_beside_the_curves_of_the_same_stage(tmp_path):
    run = Run("sums/mean", Settings(), logs=tmp_path)
    run.scalars("stage", 0, {"loss": 1.0})
    run.finish()
    assert list(run.events("stage").glob("*tfevents*"))


def test_a_complete_run_keeps_no_checkpoints(tmp_path):
    run = Run("vision/x", Settings(), logs=tmp_path)
    checkpoint = run.checkpoint("train")
    checkpoint.path.parent.mkdir(parents=True)
    checkpoint.path.write_text("state")
    run.finish()
    assert not checkpoint.path.parent.exists()


def test_stages_with_any_name_get_files_of_their_own(tmp_path):
    run = Run("vision/x", Settings(), logs=tmp_path)
    paths = {run.checkpoint(stage).path for stage in ("a/b", "a b", "rate × 10", "rate / 10")}
    assert len(paths) == 4
    assert {p.parent for p in paths} == {run.folder / "checkpoints"}


def test_runs_of_one_second_have_folders_of_their_own(tmp_path):
    runs = [Run("vision/x", Settings(seed=seed), logs=tmp_path) for seed in range(3)]
    for run in runs:
        run.scalars("train", 0, {"loss": 1.0})
    assert len({run.folder for run in runs}) == 3
    assert [json.loads((run.folder / "settings.json").read_text())["seed"] for run in runs] == [0, 1, 2]


def broken_off(tmp_path, settings):
    run = Run("vision/x", settings, logs=tmp_path)
    run.scalars("train", 0, {"loss": 1.0})
    return run


def test_resume_goes_on_in_the_newest_folder_that_is_not_complete(tmp_path):
    old = broken_off(tmp_path, Settings())
    assert unfinished("vision/x", logs=tmp_path) == [old.folder]
    assert Run("vision/x", Settings(), logs=tmp_path, resume=True).folder == old.folder
    (old.folder / "metrics.json").write_text("{}")
    with pytest.raises(InputError, match="there is none"):
        Run("vision/x", Settings(), logs=tmp_path, resume=True)


def test_resume_with_other_settings_says_which_differ(tmp_path):
    broken_off(tmp_path, Settings())
    with pytest.raises(InputError, match=r"which differ: epochs 3 against 5\.$"):
        Run("vision/x", Settings(epochs=5), logs=tmp_path, resume=True)


def test_logs_that_cannot_be_written_are_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="`logs` must be a folder that can be written"):
        require_writable(tmp_path / "file" / "logs")
    require_writable(tmp_path / "new" / "logs")
    assert os.listdir(tmp_path) == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a.json", "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"a\.json` cannot be written: No space left on device\.$"):
        write_atomically(tmp_path / "a.json", "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "old")]
