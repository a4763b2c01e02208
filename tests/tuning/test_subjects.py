import dataclasses
import functools
import re

from keras_course import exercise, models, training
from keras_course.base import InputError
from keras_course.exercise import Target
from keras_course.tuning import Space
from keras_course.tuning.source import Source
from keras_course.tuning.subjects import Assigned, Built, Hyper
from tests.tuning import made

import keras
import keras_tuner
import pytest

REST = {"optimizer": "sgd", "batch_size": 16, "task": training.classification}


def built(space, build=models.mlp, train=None, **options):
    source = train or Source(made.splits())
    return Built(build, Space(space), source, **REST | options)


def test_values_go_to_the_builder_the_optimizer_and_the_pipeline():
    space = {
        "hidden": [(3,), (5, 4)],
        "learning_rate": [0.25, 0.5],
        "momentum": [0.5, 0.75],
        "batch_size": [8, 24],
    }
    values = {"hidden": "5 4", "learning_rate": 0.25, "momentum": 0.75, "batch_size": 24.0}
    ready = built(space).prepare(values, seed=7, epochs=2)
    assert [layer.units for layer in ready.model.layers if isinstance(layer, keras.layers.Dense)] == [5, 4, 3]
    assert (float(ready.optimizer.learning_rate), ready.optimizer.momentum) == (0.25, 0.75)
    assert (ready.train.batch_size, ready.train.seed, ready.train.n) == (24, 7, 48)


def test_the_space_can_choose_the_optimizer_and_what_only_that_one_takes():
    space = {"optimizer": ["adam", "sgd"], "momentum": {"choices": [0.5, 0.75], "when": {"optimizer": "sgd"}}}
    one = built(space)
    assert isinstance(one.prepare({"optimizer": "adam"}, seed=0, epochs=1).optimizer, keras.optimizers.Adam)
    found = one.prepare({"optimizer": "sgd", "momentum": 0.75}, seed=0, epochs=1).optimizer
    assert found.momentum == 0.75


def test_what_the_builder_calls_like_the_optimizer_is_the_builders():
    def build(input_shape, classes, *, momentum=0.0):
        model = models.mlp(input_shape, classes, hidden=(2,))
        model.said = momentum
        return model

    ready = built({"momentum": [0.25, 0.5]}, build).prepare({"momentum": 0.5}, seed=0, epochs=1)
    assert ready.model.said == 0.5
    assert ready.optimizer.momentum == 0.0


def test_a_parameter_that_nobody_takes_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"No parameter 'hiden' of .*mlp or of the optimizer\. Did you mean 'hidden'"):
        built({"hiden": [1, 2]})
    with pytest.raises(InputError, match=r"No parameter 'momentum'"):
        built({"momentum": [0.5, 0.9]}, optimizer="adam")
    with pytest.raises(InputError, match=r"No optimizer named 'adamm'"):
        built({"hidden": [(1,), (2,)]}, optimizer="adamm")


def test_a_pipeline_has_its_own_batches():
    pipeline = Source(lambda seed: None, made.points(9))
    with pytest.raises(InputError, match=r"`space` must leave out batch_size with a pipeline"):
        built({"batch_size": [8, 16]}, functools.partial(models.mlp, (2,), 3), train=pipeline)


def test_a_builder_of_which_a_part_is_given():
    one = built({"hidden": [(2,), (4,)]}, functools.partial(models.mlp, activation="tanh"))
    model = one.prepare({"hidden": "4"}, seed=0, epochs=1).model
    assert model.get_layer("hidden_0").activation is keras.activations.tanh
    assert one.what == "keras_course.models.mlp.mlp"
    assert one.fixed["given"] == "activation='tanh'", "with another part given it is another search"


class Model(keras_tuner.HyperModel):
    def build(self, hp):
        depth = hp.Int("depth", 1, 2)
        model = keras.Sequential([keras.Input((2,))])
        for i in range(depth):
            with hp.conditional_scope("depth", list(range(i + 1, 3))):
                model.add(keras.layers.Dense(hp.Int(f"units_{i}", 2, 8, step=2), "relu"))
        model.add(keras.layers.Dense(3))
        rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        return model


@pytest.mark.parametrize("build", [Model(), Model().build])
def test_a_hyper_model_declares_its_space_and_builds_its_model(build):
    one = Hyper(build, Source(made.splits()), batch_size=16, task=training.classification)
    assert one.space.plain() == {
        "depth": {"low": 1, "high": 2},
        "units_0": {"low": 2, "high": 8, "step": 2},
        "units_1": {"low": 2, "high": 8, "step": 2, "when": {"depth": [2]}},
        "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
    }
    ready = one.prepare({"depth": 2, "units_0": 4, "units_1": 6, "learning_rate": 0.05}, seed=0, epochs=1)
    assert [layer.units for layer in ready.model.layers] == [4, 6, 3]
    assert float(ready.optimizer.learning_rate) == pytest.approx(0.05)


class Worthless(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Float("learning_rate", 1e-5, 1e-1)
        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])


def test_the_space_of_a_hyper_model_is_warned_of_like_any_other():
    one = Hyper(Worthless(), Source(made.splits()), batch_size=16, task=training.classification)
    assert "4 decades on a linear scale" in one.space.warnings[0]


def test_an_assignment_is_searched_in_the_fields_of_its_settings():
    item = exercise.load("vision/cnn_images")
    one = Assigned("vision/cnn_images", item.quick)
    values = {"deep": "16 32", "dropout": 0.5, "learning_rate": 0.01, "batch_size": 32.0}
    ready = one.prepare(values, seed=5, epochs=3)
    assert [layer.filters for layer in ready.model.layers if isinstance(layer, keras.layers.Conv2D)] == [16, 32]
    assert ready.model.get_layer("dropout").rate == 0.5
    assert (ready.train.batch_size, ready.train.seed) == (32, 5)
    assert float(ready.optimizer.learning_rate) == pytest.approx(0.01)
    assert one.fixed["epochs"] == item.quick.epochs
    again, arguments = one.__reduce__()
    assert again(*arguments).space == one.space


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"depe": [(1,), (2,)]}, r"No field of the settings named 'depe'\. Did you mean 'deep'"),
        (
            {"dropout": {"low": 0.0, "high": 1.5}},
            r"`space\['dropout'\]` must be of values that are a number from",
        ),
        (
            {"deep": [(0,), (2,)]},
            r"`space\['deep'\]` must be of values that are a list in which each is",
        ),
    ],
)
def test_a_target_must_fit_the_settings(monkeypatch, space, words):
    item = exercise.load("vision/cnn_images")
    target = Target(space=space, data=lambda s: made.splits(), build=None, optimizer=None)
    monkeypatch.setattr(exercise, "load", lambda name: dataclasses.replace(item, tune=target))
    with pytest.raises(InputError) as refusal:
        Assigned("vision/cnn_images", item.quick)
    assert re.search(words, str(refusal.value)), refusal.value


def test_an_assignment_without_a_target_has_nothing_to_search():
    item = exercise.load("vision/densenet")
    with pytest.raises(InputError, match="must have a `tune` in its Exercise"):
        Assigned("vision/densenet", item.quick)
