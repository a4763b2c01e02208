"""Keras Tuner's oracles, whose state survives: what they forget when they are stopped, kept; what they repeat, once.

What is added to each: its files are replaced whole; the values of all trials stand in `oracle.json` too, so that one
trial's file can be made anew; a trial that has ended is never run or counted a second time; grid search keeps the
order from which it goes on, Bayesian optimisation draws from its seed and the number of trials, not from how often it
was started. What came of a trial travels in its hyper-parameters, which is all that Keras Tuner's protocol carries.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_course.base import pick
from keras_course.tuning.result import Trial
from keras_course.tuning.space import Space

import keras_tuner
import numpy as np
from keras_tuner.src import utils
from keras_tuner.src.engine.metrics_tracking import MetricsTracker
from keras_tuner.src.engine.oracle import synchronized
from keras_tuner.src.tuners.bayesian import BayesianOptimizationOracle
from keras_tuner.src.tuners.gridsearch import GridSearchOracle, LinkedList
from keras_tuner.src.tuners.hyperband import HyperbandOracle
from keras_tuner.src.tuners.randomsearch import RandomSearchOracle

OURS = "keras_course/"  # begins the names of what travels with the hyper-parameters and is none
RECORD = OURS + "record"
HANDED = 5  # times: a trial that kills whoever runs it is given up then
Hear = Callable[[int, dict[str, Any]], None]  # the number of a trial and its record


def save_whole(path: str, content: Any) -> str:
    """Keras Tuner's `save_json`, but at every moment the old file is there or the new one."""
    text = json.dumps(content)
    temporary = f"{path}.part"
    with open(temporary, "w") as file:
        file.write(text)
    os.replace(temporary, path)
    return text


utils.save_json = save_whole  # a file that is being written when the process is killed would end the search


def hyperparameters(space: Space) -> keras_tuner.HyperParameters:
    """The space as Keras Tuner has it. Steps of a float become choices: of 0 to .5 by .1 it would never draw .5."""
    hp = keras_tuner.HyperParameters()
    for p in space.parameters.values():
        with contextlib.ExitStack() as conditions:
            for parent, values in p.when.items():
                conditions.enter_context(hp.conditional_scope(parent, list(values)))
            if p.kind == "int":
                hp.Int(p.name, p.low, p.high, step=p.step, sampling=p.scale)
            elif p.kind == "float" and p.step is None:
                hp.Float(p.name, p.low, p.high, sampling=p.scale)
            else:
                numbers = p.kind == "float" or isinstance(p.choices[0], float)
                hp.Choice(p.name, list(p.values or ()), ordered=numbers)
    return hp


class Durable(keras_tuner.Oracle):
    """What all four methods share; `hear` is told the record of each trial that ends."""

    trials: dict[str, Any]
    ongoing_trials: dict[str, Any]
    end_order: list[str]
    handed: dict[str, int]  # how often each trial was given to a process
    _retry_queue: list[str]
    hear: Hear = staticmethod(lambda number, record: None)  # type: ignore[assignment]
    broken: Exception | None = None  # why a record could not be kept; raised where no lock is held

    def attach(self, folder: Path, hear: Hear) -> "Durable":
        """Keeps the state in `folder`; `reload` takes it up."""
        self.handed = {}
        self.hear, self.verbose = hear, 0  # type: ignore[method-assign]
        self._set_project_dir(folder.parent, folder.name)
        return self

    def get_state(self) -> dict[str, Any]:
        values = {id: trial.hyperparameters.values for id, trial in self.trials.items()}
        return super().get_state() | {"values": values, "handed": self.handed}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.handed = state.get("handed", {})

    def reload(self) -> None:
        """In the order of the trials, not of their folders' names; what has ended is not run again."""
        super().reload()
        self.trials = {id: self.trials[id] for id in sorted(self.trials, key=int)}
        waiting = set(self._retry_queue) - set(self.end_order)
        self._retry_queue = sorted(waiting, key=int, reverse=True)  # taken from its end

    def _compute_values_hash(self, values: dict[str, Any]) -> str:
        return super()._compute_values_hash({k: v for k, v in values.items() if not k.startswith(OURS)})

    def _check_consecutive_failures(self) -> None:
        """Failures end trials, not searches."""

    @synchronized
    def create_trial(self, tuner_id: str) -> Any:
        trial = super().create_trial(tuner_id)
        if trial.status != "RUNNING":
            return trial
        self.handed[trial.trial_id] = self.handed.get(trial.trial_id, 0) + 1
        self.save()
        if self.handed[trial.trial_id] > HANDED:  # whoever ran it was killed: it would kill them all
            self._give_up(trial)
            return self.create_trial(tuner_id)
        if trial.metrics.exists(self.objective.name):  # it was told, and not ended
            trial.metrics, trial.score = MetricsTracker(), None
            self._save_trial(trial)
        return trial

    @synchronized
    def end_trial(self, trial: Any) -> None:
        """Ends a trial once: a worker may tell twice what it is not sure to have been heard with."""
        record = trial.hyperparameters.values.pop(RECORD, None)
        if trial.trial_id in self.end_order:
            self._forget(trial.trial_id)
            return
        if trial.trial_id in self._retry_queue:  # a chief that was restarted did not know that it is still run
            self._retry_queue.remove(trial.trial_id)
        if record is not None:
            try:
                self.hear(int(trial.trial_id), json.loads(record))
            except Exception as error:  # Keras Tuner would never let go of its lock
                self.broken = error
        super().end_trial(trial)
        self._forget(trial.trial_id)
        self.save()  # Keras Tuner's own comes before the trial has left those that run

    def _give_up(self, trial: Any) -> None:
        """Ends a trial as failed that no process has outlived."""
        values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith((OURS, "tuner/"))}
        reason = f"Its process was killed {HANDED} times, perhaps for want of memory."
        found = Trial(int(trial.trial_id), trial.trial_id, values, "failed", reason=reason)
        trial.hyperparameters.values[RECORD] = json.dumps({"trial": asdict(found), "asked": {}, "seed": None})
        trial.status, trial.message = "FAILED", reason
        self.end_trial(trial)

    def _forget(self, trial_id: str) -> None:
        self.ongoing_trials = {k: t for k, t in self.ongoing_trials.items() if t.trial_id != trial_id}


class RandomOracle(Durable, RandomSearchOracle):
    """Random search."""


class HyperOracle(Durable, HyperbandOracle):
    """Hyperband: many configurations for a few epochs, the best of them for more."""


class BayesianOracle(Durable, BayesianOptimizationOracle):
    """Bayesian optimisation with a Gaussian process."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self._random_state = np.random.RandomState((self.seed + 7919 * len(self.start_order)) % 2**32)
        with warnings.catch_warnings():  # scikit-learn's, of length scales at their bounds: few trials do not fix them
            warnings.simplefilter("ignore")
            return super().populate_space(trial_id)


class GridOracle(Durable, GridSearchOracle):
    """Every combination, the last parameter fastest; of a range without steps ten values."""

    def get_state(self) -> dict[str, Any]:
        chain, index = [], self._ordered_ids._next_index[None]
        while index is not None:
            chain.append(self._ordered_ids._memory[index])
            index = self._ordered_ids._next_index[index]
        return super().get_state() | {"chain": chain, "populate_next": self._populate_next}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._ordered_ids = LinkedList()
        for trial_id in state["chain"]:
            self._ordered_ids.insert(trial_id)
        # Each trial that has ended may have been lost from the queue; those whose successor is there are skipped.
        self._populate_next = list(dict.fromkeys([*state["populate_next"], *self.end_order]))


METHODS = {"random": RandomOracle, "hyperband": HyperOracle, "bayesian": BayesianOracle, "grid": GridOracle}


def oracle_of(
    method: str, hp: keras_tuner.HyperParameters, *, objective: str, direction: str, trials: int, seed: int, epochs: int
) -> Durable:
    """The oracle of a method for at most so many trials. seed: from 0."""
    own: dict[str, Any] = {}
    if method == "hyperband":
        own = {"max_epochs": epochs, "hyperband_iterations": 10**6}  # `trials` ends it
    elif method == "bayesian":  # Keras Tuner's three times the dimensions would leave a short search to chance
        own = {"num_initial_points": max(3, min(3 * len(hp.space), trials // 3))}
    oracle = pick(METHODS, method, "method")(
        objective=keras_tuner.Objective(objective, direction),
        hyperparameters=hp,
        seed=seed + 1,  # 0 means "any" to Keras Tuner
        **own,
    )
    oracle.max_trials = trials  # Hyperband's does not take it as an argument
    return oracle
