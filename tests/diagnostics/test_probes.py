from keras_course.diagnostics import probes
from tests.diagnostics.trained import X, Y, crossentropy, loop, mlp, watched

import keras
import numpy as np
import pytest
import tensorflow as tf

RATE = 0.1


def descend(steps, graph=True, activation="relu"):
    """The measured steps of plain gradient descent, and the weights of a run of its own before each."""
    keras.utils.set_random_seed(3)
    model = mlp(activation)
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(
        lambda: loop(lambda a, b: crossentropy(model, a, b), variables, steps=steps, graph=graph, rate=RATE)
    )
    return training


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
def test_rows_are_norms_of_gradients_weights_and_updates(graph):
    training = descend(5, graph)
    steps = training.recorder.steps()
    assert steps.count == 5
    assert list(steps.index) == [0, 1, 2, 3, 4]
    # w ← w - η g: the change is η times the gradient and points against it
    np.testing.assert_allclose(steps.update[:-1], RATE * steps.gradient[:-1], rtol=1e-4)
    np.testing.assert_allclose(steps.aligned[:-1], -1, atol=1e-4)
    assert np.all(np.isnan(steps.update[-1])), "what the last step changed nobody has seen"
    first = [np.linalg.norm(training.initial[id(v.handle)]) for v in training.variables]
    np.testing.assert_allclose(steps.weight[0], first, rtol=1e-5)


def test_all_steps_at_first_and_every_tenth_later(monkeypatch):
    monkeypatch.setattr(probes, "DENSE", 4)
    steps = descend(27).recorder.steps()
    assert list(steps.index) == [0, 1, 2, 3, 10, 20]
    assert len(steps.all_losses) == 27
    np.testing.assert_allclose(steps.loss, steps.all_losses[steps.index])
    np.testing.assert_allclose(steps.update[-1], RATE * steps.gradient[-1], rtol=1e-4)


def test_rings_keep_the_newest(monkeypatch):
    monkeypatch.setattr(probes, "DENSE", 2)
    monkeypatch.setattr(probes, "EVERY", 2)
    monkeypatch.setattr(probes, "ROWS", 5)
    monkeypatch.setattr(probes, "LOSSES", 6)
    whole = descend(20)
    steps = whole.recorder.steps()
    assert steps.count == 20
    assert len(steps.all_losses) == 6
    assert list(steps.index) == [0, 1, 14, 16, 18]
    np.testing.assert_allclose(steps.all_losses[-2], steps.loss[-1])


def test_a_step_that_fails_leaves_no_loss():
    recorder = probes.Recorder([tf.Variable(1.0)])
    recorder.record(tf.constant(0.5), [tf.constant(1.0)])
    recorder.step.assign_add(1)  # a step that was begun and never came to its loss
    steps = recorder.steps()
    assert steps.count == 1
    assert list(steps.all_losses) == [0.5]


def test_a_missing_gradient_is_nan_and_not_zero():
    recorder = probes.Recorder([tf.Variable([3.0, 4.0]), tf.Variable(1.0)])
    recorder.record(tf.constant(0.5), [tf.constant([0.6, 0.8]), None])
    assert recorder.steps().gradient[0, 0] == pytest.approx(1.0)
    assert np.isnan(recorder.steps().gradient[0, 1])


def test_activations_by_their_definition():
    a = np.array([[0.0, 2.0, 0.0], [0.0, 1.0, 3.0]], "float32")  # the first unit never fires
    table, fired = probes.measured([tf.constant(a)], [tf.constant(2 * a)], ["relu"])
    np.testing.assert_allclose(table[0, :3], [a.mean(), a.std(), 1 / 3], rtol=1e-6)
    assert float(table[0, 4]) == pytest.approx(np.sqrt(np.mean((2 * a) ** 2)))
    places, _ = probes.measured([tf.constant(a)] * 2, [tf.ones((2, 2, 2, 3)) / 2, tf.ones((2, 4, 3)) / 4], ["relu"] * 2)
    np.testing.assert_allclose(places[:, 4], [1, 1 / 2], rtol=1e-6, err_msg="summed over places, not over features")
    assert np.isnan(table[0, 3])
    assert list(fired[0].numpy()) == [False, True, True]
    flat = np.tile(np.array([[0.001, 0.5, 0.9999]], "float32"), (20, 1))
    table, _ = probes.measured([tf.constant(flat)], [None], ["sigmoid"])
    assert float(table[0, 3]) == pytest.approx(2 / 3)
    assert np.isnan(table[0, 2])


def test_a_unit_is_dead_when_it_was_silent_in_four_looks():
    recorder = probes.Recorder([tf.Variable(1.0)])
    table = np.array([[0, 0, 0.75, np.nan, 0]], "float32")
    fires = np.eye(4, dtype=bool)
    for step in range(4):
        recorder.keep(step, table, [fires[step]], [None, None, None], [])
    assert [float(p.dead[0]) for p in recorder.looks] == [0.75, 0.5, 0.25, 0.0]


@pytest.mark.parametrize("turns", [2, 3, 4, 5])
def test_looks_see_batches_of_every_kind_where_several_take_turns(turns):
    late = [step for step in range(probes.LOOKS, 2000) if probes.due(step, probes.LOOKS, probes.EVERY_LOOK)]
    assert {step % turns for step in late} == set(range(turns))


def test_of_narrow_rows_more_are_kept():
    recorder = probes.Recorder([tf.Variable(1.0)])
    for width in (1, 16, 256):
        recorder.keep(0, np.zeros((0, 5), "float32"), [], [np.zeros((300, width)), None, None], [])
    assert [len(p.x) for p in recorder.looks] == [300, 256, 64]


def test_whole_batches_of_the_first_steps_are_kept_while_there_is_room(monkeypatch):
    monkeypatch.setattr(probes, "WHOLE", 2 * (10 * 5 * 4 + 10 * 4))
    training = descend(5)
    assert len(training.recorder.batches) == 2
    x, y = sorted(training.recorder.batches[1], key=lambda a: -a.ndim)
    np.testing.assert_array_equal(x, X[10:20])
    np.testing.assert_array_equal(y, Y[10:20])
