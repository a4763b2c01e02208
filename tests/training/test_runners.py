import itertools

from keras_course.training.runners import FOREVER, Gathered, Streamed, joined, means, runner
from keras_course.training.steps import measure, update
from tests.training.toys import linear, regression, sgd, squared_error

import numpy as np
import pytest
import tensorflow as tf


def total(batch):
    """A step that needs no model: what was in the batch."""
    x, y = batch
    return {"loss": tf.reduce_sum(x[:, 0]), "target": tf.reduce_sum(y)}


def epoch_of(looking, epoch, cuts=()):
    looking.begin(epoch)
    parts, step = [], 0
    for stop in itertools.chain(cuts, itertools.repeat(FOREVER)):
        if looking.ended(step):
            return joined(parts)
        parts.append(looking.run(step, stop))
        step += len(parts[-1]["loss"])


@pytest.mark.parametrize("graph", [True, False])
def test_each_step_sees_the_rows_that_the_order_of_its_epoch_names(graph):
    batches = regression(n=11, batch_size=3)
    for epoch in (0, 3):
        values = epoch_of(Gathered(total, batches, graph=graph), epoch)
        order = np.asarray(batches.order(epoch))
        rows = [order[i : i + 3] for i in range(0, 11, 3)]
        x, y = map(np.asarray, batches.take(tf.range(11), batches.step_seed(0, 0)))
        assert np.allclose(values["loss"], [x[r, 0].sum() for r in rows], atol=1e-6)
        assert np.allclose(values["target"], [y[r].sum() for r in rows], atol=1e-5)
        assert values["size"].tolist() == [3, 3, 3, 2]


def test_each_step_gets_the_seed_of_its_place_in_the_epoch():
    batches = regression(n=8, batch_size=3)
    batches.take = lambda rows, seed: (tf.cast(seed % 1000, tf.float32),)  # small enough to be exact
    values = epoch_of(Gathered(lambda batch: {"loss": batch[0][0], "second": batch[0][1]}, batches), 5)
    expected = [np.asarray(batches.step_seed(5, step)) % 1000 for step in range(3)]
    assert np.array_equal(np.stack([values["loss"], values["second"]], axis=1), expected)


def test_there_is_exactly_one_trace_per_shape_however_the_steps_are_cut():
    looking = Gathered(total, regression(n=11, batch_size=3))
    for epoch, cuts in enumerate([(1, 2, 3, 4), (3,), (2, 3), ()]):
        epoch_of(looking, epoch, cuts)
    assert looking.traces == 2


def test_an_iterator_is_traced_once():
    looking = Streamed(total, regression(n=11, batch_size=3).dataset())
    for epoch, cuts in enumerate([(1, 2, 3, 4), (3,), ()]):
        epoch_of(looking, epoch, cuts)
    assert looking.traces == 1


@pytest.mark.parametrize("graph", [True, False])
def test_a_dataset_gives_the_values_of_its_batches(graph):
    batches = regression(n=11, batch_size=3)
    streamed = epoch_of(runner(total, batches.dataset(), graph=graph), 0, cuts=(1, 3))
    gathered = epoch_of(runner(total, batches), 0)
    assert all(np.array_equal(streamed[name], gathered[name]) for name in ("loss", "target", "size"))


@pytest.mark.parametrize("cuts", [(1, 2, 3), (2,), (1,)])
def test_cutting_the_steps_into_calls_changes_no_bit(cuts):
    results = []
    for cut in ((), cuts):
        model, optimizer = linear(), sgd()
        optimizer.build(model.trainable_variables)
        values = epoch_of(Gathered(update(model, squared_error, optimizer), regression()), 0, cut)
        results.append([values["loss"], values["size_of_error"], *model.get_weights()])
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_xla_gives_the_values_of_the_plain_graph():
    batches = regression(n=11, batch_size=3)
    plain, xla = (epoch_of(Gathered(measure(linear(), squared_error), batches, xla=on), 2) for on in (False, True))
    assert np.allclose(plain["loss"], xla["loss"], rtol=1e-5)


@pytest.mark.parametrize("kind", ["gathered", "gathered, stepwise", "streamed", "streamed, stepwise"])
def test_a_call_ends_at_the_first_loss_that_is_not_finite(kind):
    batches, steps = regression(n=10, batch_size=2, shuffle=False), tf.Variable(0)

    def step(batch):
        steps.assign_add(1)
        return {"loss": tf.where(steps == 3, np.nan, 1.0)}

    data = batches if kind.startswith("gathered") else batches.dataset()
    looking = runner(step, data, graph="stepwise" not in kind)
    looking.begin(0)
    values = looking.run(0, 5)
    assert int(steps) == 3
    assert np.flatnonzero(np.isnan(values["loss"])).tolist() == [2]


def test_a_batch_larger_than_the_set_is_one_short_batch():
    values = epoch_of(Gathered(total, regression(n=5, batch_size=7)), 0)
    assert values["size"].tolist() == [5]


def test_means_count_each_example_once():
    values = {"loss": np.float32([1, 2, 9]), "size": np.float32([4, 4, 1])}
    assert means(values) == {"loss": (4 * 1 + 4 * 2 + 9) / 9}
