import math

from keras_course import models, training
from keras_course.tuning import search
from keras_course.tuning.best import rebuild
from keras_course.tuning.plan import Folder
from keras_course.tuning.searching import subject_of
from keras_course.tuning.trainings import cause_of, seed_of
from tests.tuning import made

import numpy as np
import pytest
import tensorflow as tf


def test_every_training_has_a_seed_of_its_own():
    seeds = {seed_of(s, number, execution) for s in range(3) for number in range(20) for execution in range(3)}
    assert len(seeds) == 180
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of(1, 2, 3) == seed_of(1, 2, 3)


def failing(input_shape, classes, *, hidden=8, activation="relu"):
    """Fails in its own way at every place of the grid, but for one."""
    made.note(hidden)
    if (hidden, activation) == (3, "tanh"):
        raise ValueError("no tanh today:\nnot with three units")
    if (hidden, activation) == (5, "relu"):
        tf.zeros((10**6, 10**7))  # 40 TB
    if (hidden, activation) == (5, "tanh"):
        raise MemoryError("cannot hold it")
    return models.mlp(input_shape, classes, hidden=(int(hidden),), activation=activation)


def test_a_trial_that_raises_or_runs_out_of_memory_is_recorded_with_its_reason_and_the_search_goes_on(tmp_path):
    space = {"hidden": [3, 5], "activation": ["relu", "tanh"]}
    result = made.run(tmp_path, space=space, method="grid", builder=failing, trials=4)
    by_values = {(t.values["hidden"], t.values["activation"]): t for t in result.trials}
    assert {key: t.status for key, t in by_values.items()} == {
        (3.0, "relu"): "completed",
        (3.0, "tanh"): "failed",
        (5.0, "relu"): "failed",
        (5.0, "tanh"): "failed",
    }
    assert by_values[3.0, "tanh"].reason == "ValueError: no tanh today: not with three units."
    assert by_values[5.0, "relu"].reason.startswith("It ran out of memory: ")
    assert by_values[5.0, "tanh"].reason == "It ran out of memory: cannot hold it."
    assert by_values[3.0, "tanh"].scores == ()
    assert result.best.values == {"hidden": 3.0, "activation": "relu"}


@pytest.mark.parametrize(("loop", "objective"), [("ours", "val_accuracy"), ("fit", "val_loss")])
def test_a_loss_of_nan_is_a_failure_with_the_cause_that_the_diagnostics_name(tmp_path, loop, objective):
    """Keras's `fit` goes on to the end, so that with `val_loss` there is no epoch with an objective."""
    terms = {"method": "grid", "optimizer": "sgd", "trials": 2, "epochs": 3}
    result = made.run(tmp_path, space={"learning_rate": [0.01, 1e30]}, loop=loop, objective=objective, **terms)
    good, bad = result.trials
    assert good.status == "completed"
    assert bad.status == "failed"
    assert "The loss became" in bad.reason
    assert "Diagnosis: " in bad.reason, bad.reason
    assert "\n" not in bad.reason
    assert bad.reason.endswith(".")


def test_no_named_cause_is_no_words():
    assert cause_of([]) == ""


@pytest.mark.parametrize("loop", ["ours", "fit"])
def test_the_score_is_that_of_the_best_epoch_and_its_weights_are_kept(tmp_path, loop):
    options = {"optimizer": "sgd", "batch_size": 16, "task": training.classification, "settings": None}
    space = {"learning_rate": [1.0, 2.0]}  # so high that the last epoch is not the best
    result = made.run(tmp_path, space=space, loop=loop, trials=2, epochs=6, executions=2, optimizer="sgd")
    subject = subject_of(made.build, space, made.splits(), None, **options)
    curves = [curve["val_accuracy"] for trial in result.completed for curve in trial.curves]
    scores = [score for trial in result.completed for score in trial.scores]
    assert scores == [max(curve) for curve in curves]
    assert any(max(curve) > curve[-1] for curve in curves), "else this test could not tell"
    again = rebuild(subject, Folder(result.folder))
    assert again.same, (again.scores, again.trial.scores)


def test_a_loss_can_be_the_objective_and_less_is_better(tmp_path):
    result = made.run(tmp_path, objective="val_loss", trials=3, epochs=3)
    assert result.direction == "min"
    assert all(t.scores[0] == min(t.curves[0]["val_loss"]) for t in result.completed)
    assert result.best.mean == min(t.mean for t in result.completed)


def test_patience_ends_a_training_behind_its_best(tmp_path):
    space = {"learning_rate": [1.0, 2.0]}
    result = made.run(tmp_path, space=space, trials=2, epochs=30, patience=2, optimizer="sgd")
    for trial in result.completed:
        (curve,) = (c["val_accuracy"] for c in trial.curves)
        assert trial.epochs == len(curve) == int(np.argmax(curve)) + 3 < 30


def test_both_loops_train_on_the_same_batches(tmp_path):
    """Our loop and Keras's `fit` see the same order, so that plain SGD without dropout comes to the same losses."""
    options = {"space": {"learning_rate": [0.1, 0.2]}, "trials": 2, "epochs": 2, "optimizer": "sgd"}
    ours = made.run(tmp_path / "ours", loop="ours", **options)
    fit = made.run(tmp_path / "fit", loop="fit", **options)
    for a, b in zip(ours.trials, fit.trials, strict=True):
        assert a.values == b.values
        np.testing.assert_allclose(a.curves[0]["val_loss"], b.curves[0]["val_loss"], rtol=1e-4)


def test_hyperband_goes_on_from_the_weights_of_the_trial_before(tmp_path):
    result = made.run(tmp_path, method="hyperband", trials=4, epochs=3, optimizer="sgd")
    epochs = [trial.epochs for trial in result.trials]
    assert epochs == [1, 1, 1, 2]
    first = max(result.trials[:3], key=lambda trial: trial.mean)
    assert result.trials[3].values == first.values
    alone = made.run(tmp_path / "alone", method="random", trials=4, epochs=3, optimizer="sgd")
    assert result.trials[3].curves[0]["loss"][0] != alone.trials[3].curves[0]["loss"][0]
    assert not math.isnan(result.trials[3].mean)


def test_lost_weights_are_made_again_by_the_same_training(tmp_path):
    options = {"method": "hyperband", "epochs": 3, "optimizer": "sgd"}
    unbroken = made.run(tmp_path / "a", trials=4, **options)
    result = made.run(tmp_path, trials=3, **options)
    for path in result.folder.rglob("*.weights"):
        path.write_bytes(path.read_bytes()[:-9])
    assert made.facts(made.run(tmp_path, trials=4, resume=True, **options)) == made.facts(unbroken)


def test_a_pipeline_made_by_a_function_of_the_seed(tmp_path):
    x, y = made.points()

    def train(seed):
        return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48, seed=seed).batch(16)

    def validation():
        return tf.data.Dataset.from_tensor_slices(made.points(30, seed=1)).batch(30)

    def searched(loop, turn):
        return search(
            lambda hidden: models.mlp((2,), 3, hidden=(hidden,)),
            {"hidden": {"low": 2, "high": 30}},
            train,
            validation,
            name=loop,
            loop=loop,
            trials=1,
            epochs=2,
            runs=tmp_path / turn,
            progress=False,
        )

    for loop in ("ours", "fit"):
        assert made.facts(searched(loop, "a")) == made.facts(searched(loop, "b"))
