import ast
import dataclasses
import re

from keras_course import exercise, models, tuning
from keras_course.base import InputError
from keras_course.tuning import trainings
from tests.tuning import made

import pytest


@pytest.fixture
def pretended(monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)
    monkeypatch.setitem(trainings.LOOPS, "ours", made.pretended)


@pytest.mark.parametrize("executions", [2])
def test_the_same_seed_gives_the_same_trials_and_scores_whatever_ran_before(tmp_path, executions):
    options = {"trials": 2, "epochs": 2, "executions": executions}
    first = made.run(tmp_path / "a", **options)
    made.run(tmp_path / "b", trials=1, epochs=1, seed=9)
    again = made.run(tmp_path / "c", **options)
    assert made.facts(again) == made.facts(first)
    for trial in first.trials:
        assert len(trial.scores) == len(trial.curves) == executions
        assert trial.curves[0] != trial.curves[1], "executions start from different seeds"
    assert first.noise is not None
    assert {ranked.tied for ranked in first.ranking()} <= {True, False}


@pytest.mark.parametrize("method", ["random", "hyperband", "bayesian", "grid"])
def test_a_longer_search_begins_like_the_shorter(tmp_path, pretended, method):
    options = {"space": made.GRID, "method": method, "epochs": 3}
    if method != "bayesian":  # whose share of random trials depends on how many there will be
        short = made.facts(made.run(tmp_path / "a", trials=4, **options))
        assert made.facts(made.run(tmp_path / "b", trials=6, **options))[:4] == short


def test_more_trials_extend_a_finished_search(tmp_path, pretended, monkeypatch):
    whole = made.run(tmp_path / "a", trials=12)
    made.run(tmp_path, trials=5)
    monkeypatch.setenv("TUNING_TEST_LOG", str(tmp_path / "begun"))
    assert made.facts(made.run(tmp_path, trials=12, resume=True)) == made.facts(whole)
    assert len(made.begun(tmp_path / "begun")) == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "`trials` must be a whole number of at least 1"),
        ({"epochs": 0}, "`epochs` must be a whole number of at least 1"),
        ({"executions": 1.5}, "`executions` must be a whole number of at least 1"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1"),
        ({"seed": -1}, "`seed` must be a whole number from 0"),
        ({"method": "randm"}, "No method named 'randm'. Did you mean 'random'"),
        ({"loop": "our"}, "No loop named 'our'. Did you mean 'ours'"),
        ({"objective": "accuracy"}, "`objective` must be a curve of the validation, val_…"),
        ({"direction": "up"}, "`direction` must be max or min"),
        ({"patience": 0}, "`patience` must be None or at least 1"),
        ({"workers": -1}, "`workers` must be a whole number of at least 0"),
        ({"name": "../outside"}, "`name` must be a name such as vision/cnn_images"),
        ({"name": ""}, "`name` must be a name such as"),
        ({"builder": "cnn"}, "`build` must be a builder, a HyperModel or an Exercise"),
        ({"space": {"hidden": {"low": 3, "high": 3}}}, "more than the single value 3"),
    ],
)
def test_bad_terms_are_refused_before_anything_is_written(tmp_path, options, words):
    with pytest.raises(InputError) as refusal:
        made.run(tmp_path, **options)
    assert re.search(words, str(refusal.value)), refusal.value
    assert list(tmp_path.iterdir()) == []


def test_the_same_name_with_another_space_or_seed_is_refused_with_the_difference(tmp_path, pretended):
    made.run(tmp_path, seed=3)
    with pytest.raises(InputError, match="seed 3 against 4"):
        made.run(tmp_path, seed=4, resume=True)
    with pytest.raises(InputError, match=r"space: hidden .*40.* against .*50"):
        made.run(tmp_path, seed=3, resume=True, space=made.SPACE | {"hidden": {"low": 2, "high": 50}})


def test_odd_spaces_are_warned_of_and_searched_all_the_same(tmp_path, pretended, capsys):
    result = made.run(tmp_path, space={"learning_rate": {"low": 1e-5, "high": 1e-1}}, trials=3, method="grid")
    errors = capsys.readouterr().err
    assert "keras-course: `learning_rate` spans 4 decades on a linear scale" in errors
    assert "grid search takes ten values of learning_rate" in errors
    assert len(result.completed) == 3


def test_a_search_ends_by_itself_when_nothing_new_can_be_drawn(tmp_path, pretended):
    assert len(made.run(tmp_path, space={"activation": ["relu", "tanh", "gelu"]}, trials=50).trials) == 3


def test_no_part_of_a_search_reads_a_test_split():
    """What a search is given of `Splits` is taken in one place, and nothing else of the package asks for the test."""
    folder = exercise.ASSIGNMENTS.parent / "keras_course" / "tuning"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and node.attr == "test"), f"{path.name}:{node.lineno}"


def test_an_assignments_test_split_is_neither_given_to_its_target_nor_kept(tmp_path, monkeypatch):
    item = exercise.load("vision/cnn_images")
    seen = []
    data = item.tune.data

    def spied(settings):
        seen.append(data(settings))
        seen[-1].test.x[:] = float("nan")  # whatever touched it would not be finite
        return seen[-1]

    spying = dataclasses.replace(item, tune=dataclasses.replace(item.tune, data=spied))
    monkeypatch.setattr(exercise, "load", lambda name: spying)
    result = tuning.search(item, name="x", trials=1, settings=item.quick, runs=tmp_path, progress=False)
    assert seen
    assert result.best.scores[0] > 0.2


def test_builders_of_the_package_are_searched_as_they_are(tmp_path, pretended):
    space = {"hidden": [(4,), (4, 8), (16,)], "dropout": {"low": 0.0, "high": 0.5, "step": 0.25}, "batch_size": [8, 16]}
    result = tuning.search(
        models.mlp, space, made.splits(), name="mlp", trials=3, epochs=1, runs=tmp_path, progress=False
    )
    assert {t.status for t in result.trials} == {"completed"}
