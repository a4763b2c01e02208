import sys
from dataclasses import dataclass

from keras_course import exercise
from keras_course.base import InputError
from keras_course.exercise import Band, Exercise, Floor, Result

import pytest


@dataclass(frozen=True)
class Settings:
    epochs: int = 3
    seed: int = 0


def example(run):
    return Exercise(
        source="a test",
        small=Settings(),
        full=Settings(epochs=30),
        quick=Settings(epochs=1),
        run=run,
        figures=lambda result: {},
        expect={"accuracy": Band(0.5, 0.9)},
    )


def test_a_preset_is_recognised_whatever_its_seed():
    item = example(None)
    assert item.preset_of(Settings(seed=7)) == "small"
    assert item.preset_of(Settings(epochs=30)) == "full"
    assert item.preset_of(Settings(epochs=4)) is None


def test_a_run_that_forgets_an_expected_score_is_our_mistake():
    item = example(lambda settings, log: Result(scores={"loss": 1.0}))
    with pytest.raises(ValueError, match="does not give: accuracy"):
        item.execute(Settings(), None)


def test_scores_of_what_a_student_has_still_to_write_may_be_missing():
    item = example(lambda settings, log: Result(scores={}, unwritten=("repaired",)))
    assert item.execute(Settings(), None).unwritten == ("repaired",)


def test_the_same_seed_gives_the_same_random_numbers():
    import keras

    def run(settings, log):
        return Result(scores={"accuracy": float(keras.random.normal(()))})

    first, second, other = (example(run).execute(Settings(seed=s), None).scores["accuracy"] for s in (3, 3, 4))
    assert first == second != other


def test_bands_hold_their_ends_and_a_speed_has_no_upper_end():
    assert [Band(0.2, 0.5).holds(v) for v in (0.19, 0.2, 0.5, 0.51)] == [False, True, True, False]
    assert Band(2.0).holds(1e9)
    assert (str(Band(2.0)), str(Band(0.2, 0.5))) == ("at least 2", "0.2 to 0.5")


def test_a_floor_is_passed_from_above_and_a_loss_from_below():
    assert [Floor(0.9, "x").holds(v) for v in (0.89, 0.9)] == [False, True]
    assert [Floor(155.0, "x", at_most=True).holds(v) for v in (155.0, 155.1)] == [True, False]


def test_a_slug_is_enough_and_an_unknown_name_gets_the_list():
    assert exercise.path_of("linear_to_deep") == exercise.path_of("training/linear_to_deep")
    with pytest.raises(InputError, match=r"Did you mean 'training/linear_to_deep'\? There are: "):
        exercise.path_of("training/linear_to_dep")


def test_peeking_leaves_no_stub_behind():
    exercise.peek("training/linear_to_deep")
    assert not [name for name, module in sys.modules.items() if isinstance(module, exercise._Stub)]
    assert not [name for name, value in vars(sys.modules["keras_course"]).items() if isinstance(value, exercise._Stub)]


def test_a_stub_serves_as_module_decorator_base_class_and_function():
    stub = exercise._Stub("keras")

    @stub.saving.register("course")
    class Layer(stub.layers.Layer):
        pass

    assert Layer.__bases__ == (object,)
    assert isinstance(stub.ops.zeros((2, 3)), exercise._Stub)
    assert stub.function(test_bands_hold_their_ends_and_a_speed_has_no_upper_end).__name__.startswith("test")
