"""Before a search goes on: every file is read, what is damaged is set aside, and what it told is made anew or repeated.

Keras Tuner would end with an error over a truncated file, skip a trial whose file is lost, and begin at nothing
without a word when `tuner0.json` is missing. Here a trial whose record cannot be read is run again; a file of Keras
Tuner's is made again from ours; and when its `oracle.json` is lost, the oracle is asked all over again, while each
trial that it suggests once more is answered from its record without training.
"""

import json
from pathlib import Path
from typing import Any

from keras_course.tuning.oracles import save_whole
from keras_course.tuning.plan import RECORD, Folder

from keras_tuner.src.engine.hyperparameters import HyperParameters
from keras_tuner.src.engine.trial import Trial

ORACLE, TUNER, TRIAL = "oracle.json", "tuner0.json", "trial.json"
KEYS = ("hyperparameters", "start_order", "end_order", "retry_queue", "ongoing_trials", "values", "seed_state")


def _json(path: Path) -> Any:
    """What a file holds; None when it is no JSON object."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def repair(folder: Folder) -> list[str]:
    """Makes the folder one from which Keras Tuner can go on; returns what was found, in sentences."""
    path = folder.path / ORACLE
    state = _json(path) if path.exists() else None
    if state is None or not all(key in state for key in KEYS):
        return _begin_anew(folder, path)
    notes = _tuner(folder)
    known = {int(trial_id): trial_id for trial_id in state["start_order"]}
    for number, trial_id in known.items():
        found = _trial(folder, number, trial_id, state)
        if found is not None:
            notes += found
            state["end_order"] = [each for each in state["end_order"] if each != trial_id]
            state["retry_queue"] = [*(each for each in state["retry_queue"] if each != trial_id), trial_id]
    for orphan in folder.path.glob(f"trial_*/{TRIAL}"):  # begun in the moment of the kill: the oracle does not know it
        if orphan.parent.name.removeprefix("trial_") not in known.values():
            orphan.unlink()
    save_whole(str(path), state)
    return notes


def _begin_anew(folder: Folder, path: Path) -> list[str]:
    """Removes Keras Tuner's files: its oracle is asked again, and what has a record is not trained again."""
    notes, begun = [], sorted(folder.path.glob(f"trial_*/{TRIAL}"))
    consequence = "its state is found again by asking the oracle anew; what has a record is not trained again"
    if path.exists():
        notes.append(folder.set_aside(path, consequence))
    elif begun:
        notes.append(f"`{ORACLE}` was missing: {consequence}.")
    for file in [*begun, *folder.path.glob("tuner*.json")]:
        file.unlink()
    for record in folder.path.glob(f"trial_*/{RECORD}"):
        notes += _record(folder, int(record.parent.name.removeprefix("trial_")))
    return notes


def _tuner(folder: Folder) -> list[str]:
    """Keras Tuner's own mark that there is something to go on with; without it, it begins at nothing."""
    path = folder.path / TUNER
    damaged = path.exists() and _json(path) is None
    notes = [folder.set_aside(path, "it is written again: it holds nothing")] if damaged else []
    save_whole(str(path), {})
    return notes


def _record(folder: Folder, number: int) -> list[str]:
    """Sets a record aside that cannot be read."""
    try:
        folder.record(number)
    except ValueError:
        return [folder.set_aside(folder.trial(number) / RECORD, f"trial {number} is repeated")]
    return []


def _trial(folder: Folder, number: int, trial_id: str, state: dict[str, Any]) -> list[str] | None:
    """What was damaged of one trial, in sentences; None when there is nothing to repeat."""
    ended = trial_id in state["end_order"]
    notes = _record(folder, number)
    has_record = folder.record(number) is not None
    path = folder.path / f"trial_{trial_id}" / TRIAL
    try:
        Trial.load(str(path))
        return None if has_record or not ended else notes or [_missing(number)]
    except Exception:  # Keras Tuner checks nothing: whatever a damaged file makes of its reader
        again = "it is made again from the trial's record" if has_record else f"trial {number} is repeated"
        if path.exists():
            notes.append(folder.set_aside(path, again))
        elif ended:
            notes.append(f"`{path.relative_to(folder.path)}` was missing: {again}.")
    path.parent.mkdir(exist_ok=True)
    hp = HyperParameters.from_config(state["hyperparameters"])
    hp.values = state["values"][trial_id]
    Trial(hp, trial_id=trial_id).save(str(path))
    return notes


def _missing(number: int) -> str:
    return f"The record of trial {number} was missing: it is repeated."
