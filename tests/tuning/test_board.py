"""What TensorBoard's HParams page is given: read back as TensorBoard reads it."""

import json
import urllib.request

from keras_course import board as server
from keras_course.tuning.board import FOLDER, write_trial
from keras_course.tuning.result import Trial
from keras_course.tuning.space import Space

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SPACE = Space(
    {
        "filters": [(8,), (8, 16)],
        "dropout": {"low": 0.0, "high": 0.5, "step": 0.25},
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "units": {"low": 4, "high": 64},
        "skip": {"choices": [True, False], "when": {"filters": [(8, 16)]}},
    }
)
VALUES = {"filters": "8 16", "dropout": 0.25, "learning_rate": 0.003, "units": 7, "skip": True}
CURVES = {"loss": (2.0, 1.0, 0.5), "val_accuracy": (0.5, 0.75, 0.7)}
TRIALS = (
    Trial(0, "0", VALUES, "completed", (0.75, 0.25), None, (CURVES, {"loss": (3.0,), "val_accuracy": (0.25,)}), 8.0, 4),
    Trial(1, "1", {k: v for k, v in VALUES.items() if k != "skip"} | {"filters": "8"}, "failed", (), "NaN.", (), 1.0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("search")
    for trial in (TRIALS[1], *TRIALS):  # the second is written twice
        write_trial(found, trial, SPACE)
    return found


@pytest.fixture(scope="module")
def ask(folder):
    """Asks TensorBoard's HParams plugin."""
    address = server.serve(folder / FOLDER, port=0)

    def post(route, **question):
        content = json.dumps({"experimentName": "", **question}).encode()
        request = urllib.request.Request(f"{address}data/plugin/hparams/{route}", content)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    return post


def test_the_columns_are_the_parameters_with_their_ranges_and_the_metrics(ask):
    found = ask("experiment")
    columns = {each["name"]: each for each in found["hparamInfos"]}
    assert set(columns) == set(SPACE.parameters)
    assert columns["filters"]["domainDiscrete"] == ["8", "8 16"]
    assert columns["learning_rate"]["domainInterval"] == {"minValue": 0.0001, "maxValue": 0.1}
    assert columns["units"]["domainInterval"] == {"minValue": 4.0, "maxValue": 64.0}
    assert columns["skip"]["domainDiscrete"] == [False, True]
    assert [each["name"]["tag"] for each in found["metricInfos"]] == ["score", "epochs", "seconds"]


def groups(ask):
    """By trial what the page shows of it."""
    every = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    metrics = [{"metric": {"tag": tag}} for tag in ("score", "epochs", "seconds")]
    columns = [{"hparam": name} for name in SPACE.parameters] + metrics
    found = ask(
        "session_groups",
        allowedStatuses=every,
        colParams=columns,
        aggregationType="AGGREGATION_AVG",
        startIndex=0,
        sliceSize=100,
    )
    return {each["name"]: each for each in found["sessionGroups"]}


def test_every_trial_is_there_with_its_values_and_the_means_of_its_executions(ask):
    found = groups(ask)
    assert set(found) == {"trial_0000", "trial_0001"}
    assert found["trial_0000"]["hparams"] == VALUES
    assert "skip" not in found["trial_0001"]["hparams"]
    metrics = {each["name"]["tag"]: each["value"] for each in found["trial_0000"]["metricValues"]}
    assert metrics == {"score": 0.5, "epochs": 2.0, "seconds": 4.0}
    assert "score" not in {each["name"]["tag"] for each in found["trial_0001"]["metricValues"]}


def test_the_status_of_each_trial_is_that_of_its_sessions_and_none_is_there_twice(ask):
    status = {name: [each["status"] for each in group["sessions"]] for name, group in groups(ask).items()}
    assert status == {
        "trial_0000": ["STATUS_SUCCESS", "STATUS_SUCCESS"],
        "trial_0001": ["STATUS_FAILURE"],
    }


def test_a_trial_that_is_written_again_replaces_what_was_there(folder):
    assert len(list((folder / FOLDER).glob("events*"))) == 1
    assert all(len(list(run.iterdir())) == 1 for run in (folder / FOLDER).glob("trial_*/execution_*"))


def test_the_curves_are_scalars_by_epoch(folder):
    events = EventAccumulator(str(folder / FOLDER / "trial_0000" / "execution_0"))
    events.Reload()
    points = [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in events.Tensors("val_accuracy")]
    assert points == [(1, 0.5), (2, 0.75), (3, pytest.approx(0.7))]
