"""Keras Tuner's loop over trials, with ours inside: it asks its oracle, here or over the network, and trains."""

import contextlib
import io
import json
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from keras_course.tuning.oracles import RECORD, Durable
from keras_course.tuning.plan import Folder, Plan
from keras_course.tuning.subjects import Subject
from keras_course.tuning.trainings import Asked, Trainer, asked_of

import grpc
import keras_tuner
from keras_tuner.src.distribute import oracle_client

PAUSE = 0.2  # seconds between two questions to a chief that has nothing to do just now
PATIENCE = 3600.0  # seconds in which a chief that was killed may come back


class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Runs the trials of one process, be it the only one or a worker."""

    oracle: Any  # a `Durable`, or the `Client` of one

    def __init__(self, oracle: Durable, *, subject: Subject, plan: Plan, folder: Folder) -> None:
        self.trainer = Trainer(subject, plan, folder, self._asked)
        with contextlib.redirect_stdout(io.StringIO()):  # where it says that it goes on
            super().__init__(oracle, directory=str(folder.path.parent), project_name=folder.path.name)
        if self._is_worker():
            self.oracle = Client(self.oracle)

    def _asked(self, trial_id: str) -> Asked:
        return self._terms(self.oracle.get_trial(trial_id))

    def _terms(self, trial: Any) -> Asked:
        return asked_of(trial, self.trainer.subject.space, self.trainer.plan.epochs)

    def _try_run_and_update_trial(self, trial: Any, *args: Any, **kwargs: Any) -> None:
        """Trains; what came of it goes to the oracle with the hyper-parameters. A failure is an outcome like others."""
        record = self.trainer.run(self._terms(trial))
        trial.hyperparameters.values[RECORD] = json.dumps(record)
        found = record["trial"]
        if found["status"] == "failed":
            trial.status, trial.message = "FAILED", found["reason"]
            return
        self.oracle.update_trial(trial.trial_id, {self.oracle.objective.name: fmean(found["scores"])})
        trial.status = "COMPLETED"

    def save(self) -> None:
        if not self._is_worker():  # a worker has nothing to remember
            super().save()

    def _get_tuner_fname(self) -> str:
        here = Path(self.directory) / self.project_name
        return str(here / ("no file of a worker" if self._is_worker() else f"{self.tuner_id}.json"))


class Client:
    """Keras Tuner's client of a chief, which waits for one that is killed and started again."""

    def __init__(self, client: oracle_client.OracleClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return _patient(found) if callable(found) else found

    def create_trial(self, tuner_id: str) -> Any:
        while True:
            trial = _patient(self._client.create_trial)(tuner_id)
            if trial.status != "IDLE":
                return trial
            time.sleep(PAUSE)


def _patient(call: Any) -> Any:
    """A call that is made again while nobody answers: each of them may be made twice."""

    def again(*args: Any, **kwargs: Any) -> Any:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return call(*args, **kwargs)
            except grpc.RpcError as error:
                gone = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
                if not gone or time.monotonic() > end:
                    raise
                time.sleep(1)

    return again
