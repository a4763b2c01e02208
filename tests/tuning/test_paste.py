"""The code to paste is run: what it builds is what was searched."""

import re
import shlex

from keras_course import cli, data, exercise, settings
from keras_course.tuning.paste import call, code
from keras_course.tuning.space import Space

import keras
import keras_tuner
import pytest

NAME = "vision/cnn_images"


class Hyper(keras_tuner.HyperModel):
    def build(self, hp):
        units = [hp.Int(f"units_{i}", 1, 9) for i in range(hp.Int("layers", 1, 3))]
        return keras.Sequential([keras.Input((4,)), *map(keras.layers.Dense, units)])


def by_function(hp):
    return Hyper().build(hp)


def python_of(text):
    (program,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return program


def run(text, **known):
    names = dict(known)
    exec(python_of(text), names)
    return names


def test_an_assignment_is_a_command_and_a_model(monkeypatch):
    space = Space({"deep": [(2,), (2, 3)], "dropout": {"low": 0.0, "high": 0.5}})
    kept = {"datasets": ["mnist"], "epochs": 1, "batch_size": 500}
    text = code({"what": NAME, "settings": kept}, space, {"deep": "2 3", "dropout": 0.1 + 0.2})
    command = shlex.split(text.split("```")[1])
    assert "--datasets" not in command, "the preset has it"
    assert command[:3] == ["keras-course", "run", NAME]
    chosen = settings.parse(exercise.peek(NAME).small, command[3:])
    assert (chosen.deep, chosen.dropout, chosen.epochs, chosen.batch_size) == ((2, 3), 0.1 + 0.2, 1, 500)
    assert cli.VERBS["run"]
    found = run(text)
    assert vars(found["settings"]) == vars(chosen)
    assert [found["model"].get_layer(f"conv_{i}").filters for i in range(2)] == [2, 3]
    assert int(found["optimizer"].iterations) == len(found["batches"])


def test_a_builder_is_called_with_its_values_and_the_optimizer_with_the_others():
    space = Space(
        {
            "filters": [(4,), (4, 5)],
            "dropout": {"low": 0.0, "high": 0.5},
            "optimizer": ["adam", "sgd"],
            "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
            "momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": ["sgd"]}},
            "batch_size": [16, 32],
        }
    )
    values = {"filters": "4 5", "dropout": 0.3, "optimizer": "sgd", "learning_rate": 0.02, "momentum": 0.5}
    plan = {"what": "keras_course.models.cnn.cnn", "settings": {"optimizer": "adam"}, "batch_size": 64}
    splits = data.load("mnist")
    found = run(code(plan, space, values | {"batch_size": 32}), splits=splits)
    assert [layer.filters for layer in found["model"].layers if "conv" in layer.name] == [4, 5]
    assert found["model"].get_layer("dropout").rate == 0.3
    assert found["model"].output_shape == (None, 10)
    assert isinstance(found["optimizer"], keras.optimizers.SGD)
    assert found["optimizer"].momentum == 0.5
    assert float(found["optimizer"].learning_rate) == pytest.approx(0.02)
    assert found["batches"].batch_size == 32


def with_rate(units, learning_rate):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, name=f"rate_{learning_rate}")])


def test_what_the_builder_takes_is_none_of_the_optimizers():
    space = Space({"units": [1, 2], "learning_rate": [3, 4], "momentum": [0.1, 0.2]})
    plan = {"what": f"{__name__}.with_rate", "settings": {"optimizer": "sgd"}, "batch_size": 64}
    text = code(plan, space, {"units": 2, "learning_rate": 3, "momentum": 0.1})
    assert "model = with_rate(units=2, learning_rate=3)\n" in text
    assert "optimizer = keras.optimizers.SGD(momentum=0.1)\n" in text


@pytest.mark.parametrize("what", [Hyper, by_function])
def test_a_hyper_model_is_built_from_its_values(what):
    values = {"layers": 2, "units_0": 7, "units_1": 5}
    space = Space({name: {"low": 1, "high": 9} for name in values})
    found = run(code({"what": f"{__name__}.{what.__name__}", "settings": {}}, space, values))
    assert [layer.units for layer in found["model"].layers] == [7, 5]


def test_what_cannot_be_imported_is_left_to_the_reader():
    plan = {"what": "__main__.gone.<locals>.build", "settings": {"optimizer": "adam"}, "batch_size": 8}
    text = code(plan, Space({"units": [1, 2]}), {"units": 2})
    assert "# build: what the search was called with" in text
    assert "model = build(units=2)" in text
    compile(python_of(text), "pasted", "exec")


def test_a_long_call_has_a_line_for_each_argument():
    assert call("f", "x", a=1) == "f(x, a=1)"
    text = call("f", "x", **{f"argument_{i}": "0.123456789" for i in range(5)})
    assert text.splitlines()[:2] == ["f(", "    x,"]
    compile(text, "pasted", "eval")
