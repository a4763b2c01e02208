"""The trials of a search on TensorBoard: the HParams page with every trial, and its curves.

    tensorboard/               the columns of the HParams page: parameters with their ranges, metrics
    tensorboard/trial_<number>/execution_<k>/     values, status, curves and score of one training

The executions of a trial are sessions of one group: the page shows their mean. What Keras Tuner writes by itself does
not appear beside columns that are declared, so the two are not mixed.
"""

import shutil
from pathlib import Path
from typing import Any

from keras_course.tuning.result import Trial
from keras_course.tuning.space import Parameter, Space

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

FOLDER = "tensorboard"
METRICS = {"score": "score", "epochs": "epochs", "seconds": "seconds"}  # tag: column
ENDS = {"completed": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}


def name_of(trial: Trial) -> str:
    """The group of a trial: TensorBoard sorts by the letters of names, so the number has always as many digits."""
    return f"trial_{trial.number:04d}"


def domain(parameter: Parameter) -> Any:
    """The values of a parameter, as the page filters them."""
    if parameter.kind == "choice":
        return api.Discrete(parameter.choices)
    if parameter.kind == "int":
        return api.IntInterval(int(parameter.low or 0), int(parameter.high or 0))
    return api.RealInterval(float(parameter.low or 0), float(parameter.high or 0))


def write_trial(folder: Path, trial: Trial, space: Space) -> None:
    """Writes the events of a trial that has ended into the folder of its search, in place of earlier ones.

    A failed trial is there with its values and its status, and without a score.
    """
    root = folder / FOLDER
    if not any(root.glob("events.out.tfevents.*")):
        _columns(root, space)
    here = root / name_of(trial)
    shutil.rmtree(here, ignore_errors=True)
    for execution in range(max(1, len(trial.scores), len(trial.curves))):
        writer = tf.summary.create_file_writer(str(here / f"execution_{execution}"))
        with writer.as_default():
            _session(trial, execution)
        writer.close()


def _columns(root: Path, space: Space) -> None:
    parameters = [api.HParam(name, domain(parameter)) for name, parameter in space.parameters.items()]
    writer = tf.summary.create_file_writer(str(root))
    with writer.as_default():
        api.hparams_config(parameters, [api.Metric(tag, display_name=name) for tag, name in METRICS.items()])
    writer.close()


def _session(trial: Trial, execution: int) -> None:
    """One training: its values, its curves, what it came to and how it ended."""
    api.hparams(trial.values, trial_id=name_of(trial))
    curves = trial.curves[execution] if execution < len(trial.curves) else {}
    for name, values in curves.items():
        for epoch, value in enumerate(values, 1):
            tf.summary.scalar(name, value, step=epoch)
    executions = max(1, len(trial.scores), len(trial.curves))
    last = max((len(values) for values in curves.values()), default=0)
    if execution < len(trial.scores):
        tf.summary.scalar("score", trial.scores[execution], step=last)
    tf.summary.scalar("epochs", last, step=last)
    tf.summary.scalar("seconds", trial.seconds / executions, step=last)
    ended = summary.session_end_pb(ENDS[trial.status])
    tf.summary.experimental.write_raw_pb(ended.SerializeToString(), step=0)
