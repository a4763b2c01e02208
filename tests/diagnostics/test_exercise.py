"""The frame of the broken-training exercises, on scripts of two steps."""

import dataclasses
from types import SimpleNamespace

from keras_course.base import InputError
from keras_course.data import Split
from keras_course.diagnostics import exercise
from keras_course.diagnostics.exercise import Answer

import numpy as np
import pytest
import tensorflow as tf

P = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])


def test_scores_by_hand():
    y = np.array([0, 1, 1])
    assert exercise.accuracy(P, y) == pytest.approx(2 / 3)
    assert exercise.accuracy(P[:, 1:], y) == pytest.approx(2 / 3)
    assert exercise.balanced_accuracy(P, y) == pytest.approx((1 + 1 / 2) / 2)
    entropy = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    assert exercise.told(P, y) == pytest.approx(1 + np.mean(np.log([0.9, 0.8, 0.4])) / entropy)
    assert exercise.r_squared(np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 2.0, 3.0])) == pytest.approx(0.5)


def test_a_network_that_broke_scores_nothing():
    assert exercise.accuracy(np.full((2, 3), np.nan), np.array([0, 1])) == 0
    assert exercise.r_squared(np.array([np.nan, 1]), np.array([0.0, 1.0])) == -1


@pytest.mark.parametrize("wrong", [Answer("dead_unit", "loss", "layers"), Answer("dead_units", "loss", "layer")])
def test_an_answer_in_words_that_do_not_exist_is_refused(wrong):
    with pytest.raises(InputError, match="Did you mean"):
        wrong.checked()


@dataclasses.dataclass(frozen=True)
class Settings:
    seed: int = 0


def descend(settings, train, validation, *, rate=0.1):
    w = tf.Variable([[0.5]])
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(train.x @ w - 1.0))
        w.assign_sub(rate * tape.gradient(loss, w))
    return lambda x: x @ w


def unwritten(settings=None, train=None, validation=None):
    raise NotImplementedError("repaired is yours to write")


@pytest.fixture
def compared(tmp_path):
    part = Split(np.ones((4, 1), "float32"), np.arange(4.0))
    splits = SimpleNamespace(train=part, validation=part, test=part)
    log = SimpleNamespace(events=lambda name: tmp_path / name)

    def compare(**changes):
        scripts = {"script": descend, "repaired": descend}
        given = {"scripts": scripts, "answer": lambda: Answer("dead_units", "weight_norm/w", "layers")}
        return exercise.compare(Settings(), log, splits, **given | {"score": exercise.r_squared} | changes)

    return compare


def test_each_script_leaves_event_files_without_a_verdict(compared, tmp_path):
    result = compared(facts=lambda events: {"first_loss": events["loss"][1][0]})
    assert set(result.scores) == {"script", "repaired", "first_loss"}
    assert result.scores["first_loss"] == pytest.approx(0.25)
    for name in ("script", "repaired"):
        assert list((tmp_path / name).glob("*tfevents*"))
        assert not {"verdict", "diagnosis"} & result.arrays["events"][name].keys()
    assert set(exercise.figures(result)) == {"loss", "evidence"}


def test_what_is_still_to_be_written_is_left_out_and_said(compared):
    result = compared(scripts={"script": descend, "repaired": unwritten}, answer=unwritten)
    assert result.unwritten == ("repaired", "answer")
    assert set(result.scores) == {"script"}
    assert set(exercise.figures(result)) == {"loss"}


def test_a_script_that_trains_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="folder"):
        exercise.recorded(lambda: None, tmp_path)


def test_evidence_in_weights_is_drawn_as_the_last_histogram_of_each_run():
    bars = np.array([[0.0, 0.1, 6.0], [0.1, 0.2, 0.0], [0.2, 0.4, 2.0]])
    first = np.array([[0.0, 0.4, 8.0]] * 3)
    events = {"script": {"weights/a": (np.array([0, 9]), np.stack([first, bars]))}, "repaired": {}}
    (axes,) = exercise._evidence(events, "weights/a").axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[0.05, 0.75], [0.3, 0.25]])
    assert axes.get_xlabel() == "weights/a"
