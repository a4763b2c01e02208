import contextlib

from keras_course.base import InputError
from keras_course.training import Checkpoint, Diverged, EarlyStopping, evaluate, fit
from keras_course.training.session import Pace
from tests.training.toys import Memory, linear, regression, sgd, squared_error

import keras
import numpy as np
import pytest
import tensorflow as tf


def by_hand(batches, epochs, rate):
    """Weights and the mean loss of each epoch of plain SGD on the squared error, written out."""
    x, y = map(np.asarray, batches.take(tf.range(batches.n), batches.step_seed(0, 0)))
    w, b = np.float64(linear().get_weights()[0]), np.float64(linear().get_weights()[1])
    losses = []
    for epoch in range(epochs):
        order, squares = np.asarray(batches.order(epoch)), []
        for start in range(0, batches.n, batches.batch_size):
            rows = order[start : start + batches.batch_size]
            error = x[rows] @ w + b - y[rows]
            squares.extend(np.ravel(error**2))
            w = w - rate * 2 * x[rows].T @ error / len(rows)
            b = b - rate * 2 * error.mean(0)
        losses.append(np.mean(squares))
    return w, b, losses


@pytest.mark.parametrize("options", [{"xla": False}, {"xla": True}, {"graph": False}], ids=str)
def test_fit_takes_the_gradient_steps_written_out(options):
    model, batches = linear(), regression(n=11, batch_size=3)
    history = fit(model, squared_error, batches, epochs=3, optimizer=sgd(0.1), progress=False, **options)
    w, b, losses = by_hand(batches, 3, 0.1)
    assert history["loss"] == pytest.approx(losses, rel=1e-5)
    assert np.allclose(model.get_weights()[0], w, atol=1e-6)
    assert np.allclose(model.get_weights()[1], b, atol=1e-6)
    assert history.steps == 12


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_a_dataset_trains_like_its_batches(graph, known):
    batches = regression(n=11, batch_size=3, shuffle=False)
    dataset = batches.dataset() if known else batches.dataset().filter(lambda x, y: True)  # its length is unknown
    model = linear()
    history = fit(model, squared_error, dataset, epochs=3, optimizer=sgd(0.1), graph=graph, progress=False)
    w, _, losses = by_hand(batches, 3, 0.1)
    assert history["loss"] == pytest.approx(losses, rel=1e-5)
    assert np.allclose(model.get_weights()[0], w, atol=1e-6)


def test_stepping_through_python_gives_the_losses_of_the_graph():
    histories = []
    for graph in (True, False):
        batches, optimizer = regression(n=11, batch_size=3), keras.optimizers.Adam(0.05)
        options = {"epochs": 4, "optimizer": optimizer, "validation": regression(n=5), "graph": graph}
        histories.append(fit(linear(), squared_error, batches, progress=False, **options))
    for name in ("loss", "val_loss", "size_of_error"):
        assert histories[0][name] == pytest.approx(histories[1][name], rel=1e-6)


def test_a_run_traces_each_shape_once():
    traced = []

    def objective(model, batch, training):
        traced.append((training, batch[0].shape[0]))
        return squared_error(model, batch, training)

    options = {"validation": regression(n=5, batch_size=2), "optimizer": sgd(), "progress": False}
    fit(linear(), objective, regression(n=11, batch_size=3), epochs=5, **options)
    assert sorted(traced) == [(False, 1), (False, 2), (True, 2), (True, 3)]


def test_validation_is_what_evaluate_says_at_the_end_of_the_epoch():
    model, validation = linear(), regression(n=5, batch_size=2, seed=7)
    options = {"optimizer": sgd(), "validation": validation, "progress": False}
    history = fit(model, squared_error, regression(), epochs=2, **options)
    found = evaluate(model, squared_error, validation)
    assert (history["val_loss"][-1], history["val_size_of_error"][-1]) == (found["loss"], found["size_of_error"])
    assert len(history["val_loss"]) == 2


def test_a_schedule_is_followed_and_its_rate_kept_at_each_epochs_end():
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.9)
    history = fit(
        linear(), squared_error, regression(n=11, batch_size=3), epochs=3, optimizer=sgd(rate), progress=False
    )
    assert history["learning_rate"] == pytest.approx([0.1 * 0.9**4, 0.1 * 0.9**8, 0.1 * 0.9**12], rel=1e-5)


def worse_and_worse(model, batch, training):
    """Trains uphill, so that the first epoch is the best."""
    loss, metrics = squared_error(model, batch, training)
    return -loss if training else loss, metrics


def test_early_stopping_ends_the_run_and_puts_the_best_weights_back():
    options = {"validation": regression(n=5), "progress": False}
    once, stopped, stopping = linear(), linear(), EarlyStopping(patience=2)
    fit(once, worse_and_worse, regression(), epochs=1, optimizer=sgd(0.01), **options)
    options["early_stopping"] = stopping
    history = fit(stopped, worse_and_worse, regression(), epochs=9, optimizer=sgd(0.01), **options)
    assert (len(history["loss"]), history.best_epoch, history.stopped_early) == (3, 0, True)
    assert all(np.array_equal(a, b) for a, b in zip(once.get_weights(), stopped.get_weights(), strict=True))


def test_the_best_weights_come_back_when_the_epochs_run_out_first():
    options = {"optimizer": sgd(0.01), "validation": regression(n=5), "progress": False}
    model = linear()
    stopping = EarlyStopping("val_size_of_error", patience=7)
    history = fit(model, worse_and_worse, regression(), epochs=3, early_stopping=stopping, **options)
    assert (len(history["loss"]), history.best_epoch, history.stopped_early) == (3, 0, False)
    assert evaluate(model, squared_error, regression(n=5))["loss"] == pytest.approx(history["val_loss"][0])


def test_a_run_without_early_stopping_keeps_its_last_weights():
    model = linear()
    history = fit(model, squared_error, regression(), epochs=2, optimizer=sgd(), progress=False)
    assert (history.best_epoch, history.stopped_early) == (None, False)
    assert np.allclose(model.get_weights()[0], by_hand(regression(), 2, 0.1)[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["gathered", "streamed", "stepwise"])
def test_a_loss_that_is_not_finite_stops_the_run_at_its_step(kind, monkeypatch):
    monkeypatch.setattr(Pace, "adjust", lambda self, ran, seconds: setattr(self, "steps", 2))  # step 3 ends a call
    batches, optimizer = regression(n=11, batch_size=2, shuffle=False), sgd(1e-3)
    special = batches.take(tf.constant([6]), batches.step_seed(0, 0))[0][0]  # a row of step 3

    def objective(model, batch, training):
        found = tf.reduce_any(tf.reduce_all(batch[0] == special, axis=-1)) & (optimizer.iterations >= 6)
        return squared_error(model, batch, training)[0] + tf.where(found, np.inf, 0.0)

    data = batches.dataset() if kind == "streamed" else batches
    with pytest.raises(Diverged, match=r"The loss became inf at step 3 of epoch 1 \(both from 0\): try") as error:
        fit(linear(), objective, data, epochs=4, optimizer=optimizer, graph=kind != "stepwise", progress=False)
    assert (error.value.step, error.value.epoch, error.value.loss) == (3, 1, np.inf)
    assert int(optimizer.iterations) == 6 + 4


def test_the_log_gets_every_epoch_once():
    log = Memory()
    options = {"epochs": 2, "optimizer": sgd(), "validation": regression(n=5), "progress": False}
    history = fit(linear(), squared_error, regression(n=11, batch_size=3), log=log, stage="teacher", **options)
    names = ["loss", "size_of_error", "val_loss", "val_size_of_error", "learning_rate"]
    assert [point[:2] for point in log.points] == [("teacher", 4), ("teacher", 8)]
    assert [list(values) for *_, values in log.points] == [names, names]
    assert [values["val_loss"] for *_, values in log.points] == history["val_loss"]
    assert log.drawn == [("teacher", 4, "linear"), ("teacher", 8, "linear")]


def test_the_first_call_is_timed_apart():
    history = fit(linear(), squared_error, regression(), epochs=2, optimizer=sgd(), progress=False)
    assert history.seconds > 0
    assert history.compile_seconds > 0
    stepwise = fit(linear(), squared_error, regression(), epochs=1, optimizer=sgd(), graph=False, progress=False)
    assert stepwise.compile_seconds == 0


def unbuilt():
    return keras.Sequential([keras.layers.Dense(1)], name="unbuilt")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"epochs": 0}, "`epochs` must be a whole number of at least 1. Received: 0."),
        ({"epochs": 2.0}, "`epochs` must be a whole number of at least 1. Received: 2.0."),
        ({"model": unbuilt()}, "`model` must be built, with weights to train. Received: 'unbuilt'."),
        ({"early_stopping": EarlyStopping()}, "`validation` must be given for early stopping"),
        ({"early_stopping": EarlyStopping("val_acuracy"), "validation": regression(n=5)},
         "No metric to stop on named 'val_acuracy'"),
        ({"batches": regression().dataset(), "checkpoint": Checkpoint("x", settings={})},
         "`batches` must be a `Batches` where a checkpoint is kept"),
        ({"batches": regression().dataset().take(0)}, "`batches` must be one batch or more"),
        ({"batches": regression().dataset().repeat()}, "`batches` must be one epoch. Received: 'a tf.data"),
        ({"batches": regression().dataset(), "xla": True}, "`xla` must be None or False"),
        ({"graph": False, "xla": True}, "`xla` must be None or False"),
        ({"objective": lambda model, batch, training: (model(batch[0]) - batch[1]) ** 2},
         "`objective's loss` must be a scalar, the mean over the batch. Received: 'shape (3, 1)'."),
        ({"objective": lambda model, batch, training: (model(batch[0]) - batch[1][:, 0]) ** 2}, "shape (3, 3)"),
        ({"objective": lambda model, batch, training: None}, "`objective` must be a function that returns a loss"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_one_sentence(change, sentence):
    arguments = {"model": linear(), "objective": squared_error, "batches": regression(), "epochs": 2} | change
    with pytest.raises(InputError) as refusal:
        fit(**{"optimizer": sgd(), "progress": False} | arguments)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_dataset_does_not_ask_the_log_for_a_checkpoint(tmp_path):
    log = Memory(Checkpoint(tmp_path / "stage.npz", settings={}))
    fit(linear(), squared_error, regression().dataset(), epochs=1, optimizer=sgd(), log=log, progress=False)
    assert not (tmp_path / "stage.npz").exists()


def test_all_steps_are_traced_and_run_inside_the_watch():
    inside, seen = [], []

    @contextlib.contextmanager
    def watch():
        inside.append(True)
        yield
        inside.clear()

    def objective(model, batch, training):
        seen.append(bool(inside))
        return squared_error(model, batch, training)

    options = {"epochs": 2, "graph": False, "progress": False}
    watched, plain = (
        fit(linear(), objective, regression(n=6, batch_size=3), optimizer=sgd(0.1), watch=context, **options)
        for context in (watch(), None)
    )
    assert seen == 4 * [True] + 4 * [False]
    assert watched["loss"] == plain["loss"]
