import itertools
import json

from keras_course.tuning import Space
from keras_course.tuning.oracles import METHODS, hyperparameters, oracle_of, save_whole
from tests.tuning import made

import pytest

CONDITIONED = {"depth": {"low": 1, "high": 2}, "skip": {"choices": [True, False], "when": {"depth": 2}}}


def oracle(folder, method, space, *, trials=100, seed=0, epochs=9):
    made_ = oracle_of(
        method,
        hyperparameters(Space(space)),
        objective="val_accuracy",
        direction="max",
        trials=trials,
        seed=seed,
        epochs=epochs,
    )
    heard = []
    made_.attach(folder, lambda number, record: heard.append(number))
    made_.heard = heard
    return made_


def end(one, trial, score=0.5):
    one.update_trial(trial.trial_id, {"val_accuracy": score})
    trial.status = "COMPLETED"
    one.end_trial(trial)


def all_values(one, space):
    found = []
    while (trial := one.create_trial("tuner0")).status == "RUNNING":
        found.append(Space(space).active(trial.hyperparameters.values))
        end(one, trial, score=len(found) / 100)
    return found


def test_a_grid_holds_every_combination_once_also_under_conditions(tmp_path):
    found = all_values(oracle(tmp_path, "grid", made.GRID), made.GRID)
    every = [dict(zip(made.GRID, values, strict=True)) for values in itertools.product(*made.GRID.values())]
    assert sorted(map(str, found)) == sorted(map(str, every))
    assert all_values(oracle(tmp_path / "2", "grid", CONDITIONED), CONDITIONED) == [
        {"depth": 1},
        {"depth": 2, "skip": True},
        {"depth": 2, "skip": False},
    ]


def test_both_ends_of_a_stepped_range_are_drawn(tmp_path):
    space = {"dropout": {"low": 0.0, "high": 0.5, "step": 0.1}, "units": {"low": 2, "high": 6, "step": 2}}
    found = all_values(oracle(tmp_path, "random", space), space)
    assert {v["dropout"] for v in found} == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}  # Keras Tuner's own Float ends at .4
    assert {v["units"] for v in found} == {2, 4, 6}


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_draws_the_same_trials_and_another_seed_others(tmp_path, method):
    drawn = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        drawn[name] = all_values(oracle(tmp_path / name, method, made.SPACE, trials=7, seed=seed), made.SPACE)
    assert drawn["a"] == drawn["b"]
    assert len(drawn["a"]) == 7
    if method != "grid":  # which draws nothing
        assert drawn["a"] != drawn["c"]


@pytest.mark.parametrize("method", METHODS)
def test_what_an_oracle_does_next_does_not_depend_on_whether_it_was_stopped(tmp_path, method):
    unbroken = all_values(oracle(tmp_path / "a", method, made.GRID, trials=7), made.GRID)
    found = []
    for count in range(1, 8):
        one = oracle(tmp_path / "b", method, made.GRID, trials=7)
        if count > 1:
            one.reload()
        trial = one.create_trial("tuner0")
        assert trial.status == "RUNNING"
        found.append(Space(made.GRID).active(trial.hyperparameters.values))
        end(one, trial, score=count / 100)
    assert found == unbroken


@pytest.mark.parametrize("method", METHODS)
def test_the_trial_that_was_interrupted_comes_first_and_with_the_same_values(tmp_path, method):
    one = oracle(tmp_path, method, made.GRID, trials=4)
    end(one, one.create_trial("tuner0"))
    interrupted = one.create_trial("tuner0")
    again = oracle(tmp_path, method, made.GRID, trials=4)
    again.reload()
    trial = again.create_trial("tuner0")
    assert trial.trial_id == interrupted.trial_id
    assert trial.hyperparameters.values == interrupted.hyperparameters.values


def test_a_trial_that_is_told_twice_counts_once(tmp_path):
    one = oracle(tmp_path, "random", made.GRID)
    trial = one.create_trial("worker1")
    trial.hyperparameters.values["keras_course/record"] = json.dumps({"trial": 1})
    told = one.trials[trial.trial_id]
    end(one, trial, score=0.5)
    told.hyperparameters.values["keras_course/record"] = json.dumps({"trial": 1})
    one.end_trial(told)
    assert one.end_order == [trial.trial_id]
    assert one.heard == [0]
    assert "keras_course/record" not in one.trials[trial.trial_id].hyperparameters.values


def test_a_worker_that_outlived_its_chief_is_heard_and_its_trial_not_repeated(tmp_path):
    trial = oracle(tmp_path, "random", made.GRID).create_trial("elsewhere")
    chief = oracle(tmp_path, "random", made.GRID)
    chief.reload()
    end(chief, trial)
    following = chief.create_trial("worker1")
    assert following.trial_id != trial.trial_id
    assert chief.end_order == [trial.trial_id]


def test_what_travels_with_the_values_does_not_make_them_other_values(tmp_path):
    one = oracle(tmp_path, "random", made.GRID)
    values = {"hidden": 3.0, "activation": "relu", "learning_rate": 0.1}
    assert one._compute_values_hash(values) == one._compute_values_hash(values | {"keras_course/record": "{}"})
    assert one._compute_values_hash(values) != one._compute_values_hash(values | {"hidden": 5.0})


def test_failures_do_not_end_a_search(tmp_path):
    one = oracle(tmp_path, "random", made.GRID, trials=6)
    for _ in range(6):
        trial = one.create_trial("tuner0")
        trial.status = "FAILED"
        one.end_trial(trial)
    assert one.create_trial("tuner0").status == "STOPPED"


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "oracle.json"
    save_whole(str(path), {"a": 1})
    with pytest.raises(TypeError):
        save_whole(str(path), {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    monkeypatch.setattr("os.replace", lambda *args: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        save_whole(str(path), {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}, "what was being written is not in its place"


def test_an_error_while_a_record_is_kept_leaves_no_lock_behind(tmp_path):
    one = oracle(tmp_path, "random", made.GRID)
    one.hear = lambda number, record: (_ for _ in ()).throw(OSError("disk full"))
    trial = one.create_trial("tuner0")
    trial.hyperparameters.values["keras_course/record"] = "{}"
    end(one, trial)
    assert str(one.broken) == "disk full"
    assert one.create_trial("tuner0").status == "RUNNING"


def test_a_trial_that_kills_whoever_runs_it_is_given_up(tmp_path):
    heard = {}
    given = []
    for _ in range(6):
        one = oracle(tmp_path, "random", made.GRID)
        one.hear = heard.__setitem__
        if given:
            one.reload()
        given.append(one.create_trial("tuner0").trial_id)
    assert given[:5] == [given[0]] * 5
    assert given[5] != given[0], "the search goes on"
    (record,) = heard.values()
    assert record["trial"]["status"] == "failed"
    assert record["trial"]["reason"] == "Its process was killed 5 times, perhaps for want of memory."
    assert record["trial"]["values"].keys() == made.GRID.keys()
