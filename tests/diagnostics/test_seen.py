from keras_course.diagnostics.observation import Data, Loss, Observation, Probe, Stage, Unit, Variable
from keras_course.diagnostics.seen import (
    CameAgain,
    by_output,
    fans,
    flat,
    flat_rows,
    gain_of,
    joined,
    kernels,
    looked_up,
    outputs_of,
    rows_of,
    sinks_below_zero,
    takes_turns,
    targets_of,
)
from tests.diagnostics.typed import RNG, SQUARED, net, steps, training

import keras
import numpy as np
import pytest

X = np.arange(12, dtype="float32").reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def test_targets_are_those_that_the_loss_saw():
    seen = training(X, Y, batch=4, looks=2, classes=3)
    seen.train.y = Y + 7
    assert set(targets_of(seen)) <= {0, 1, 2}
    seen.probes = []
    np.testing.assert_array_equal(targets_of(seen), Y + 7)
    assert targets_of(Observation(name="m")) is None


@pytest.mark.parametrize(
    ("again", "telling"),
    [
        (CameAgain(400, 90, 0.5, 22), True),
        (CameAgain(400, 90, 0.5, 21), False),  # of 421 inputs as good as all are one of them
        (CameAgain(40, 9, 0.5, 20), False),
        (CameAgain(30, 9, 0.5, 21), True),
        (CameAgain(29, 9, 0.5, 21), False),
        (CameAgain(400, 9, 0.2, 100), False),  # one class is nearly all
        (CameAgain(), False),
    ],
)
def test_whether_inputs_that_came_again_say_anything(again, telling):
    assert again.telling is telling


def test_rows_of_a_loop_are_those_of_its_looks():
    seen = training(X, Y, batch=3, looks=2, classes=3, shuffle=False, stored=False)
    np.testing.assert_array_equal(rows_of(seen).x, X)
    np.testing.assert_array_equal(rows_of(seen).y, Y)


def test_parts_of_another_shape_and_texts_are_left_out():
    assert joined([X, None, X[:, :1], np.float32(3), np.array(["a"])]).shape == (6, 2)
    assert joined([None, np.zeros(0)]) is None


def test_outputs_that_are_no_numbers_are_left_out():
    broken = X.copy()
    broken[0, 0] = np.nan
    probes = [Probe(step=0, output=broken), Probe(step=3, output=X), Probe(step=4)]
    assert [step for step, _ in outputs_of(Observation(name="m", probes=probes))] == [3]


def test_places_are_predictions_of_their_own():
    assert flat_rows(np.zeros((2, 3, 5))).shape == (6, 5)
    assert flat_rows(np.zeros(4)).shape == (4, 1)


def test_stages_of_legs_come_before_the_stage_that_joins_them():
    legs = [[Stage(kind="source"), Stage(kind="shuffle")], [Stage(kind="source")]]
    stages = [Stage(kind="zip", detail={"legs": legs}), Stage(kind="batch")]
    assert [stage.kind for stage in flat(stages)] == ["source", "shuffle", "source", "zip", "batch"]
    assert flat(None) == []


def test_some_rows_of_all_there_is():
    data = Data(x=X, y=X[:, 0], further=(2 * X, 3 * X), names=("a", "b", "c"), weight=X[:, 1], n=9)
    few = data.take(np.array([4, 1]))
    np.testing.assert_array_equal(few.x, X[[4, 1]])
    np.testing.assert_array_equal(few.further, [2 * few.x, 3 * few.x])
    np.testing.assert_array_equal([few.y, few.weight], few.x.T)
    assert (few.names, few.n) == (("a", "b", "c"), 9)
    bare = Data(x=X).take(np.array([2]))
    assert (bare.y, bare.weight, bare.further) == (None, None, ())


def test_words_have_whole_numbers():
    """What stands beside an input that is looked up need not be looked up."""
    ids, seen = np.array([[3, 0], [7, 2]]), Observation(name="m", units=[Unit(name="e", kind="embedding")])
    assert looked_up(seen, ids)
    assert looked_up(seen, ids.astype("float32"))
    assert not looked_up(seen, ids + 0.5)
    assert not looked_up(Observation(name="m"), ids)
    assert looked_up(Observation(name="m"), np.array(["a word"]))


@pytest.mark.parametrize("name", ["query", "attention_output"])
def test_heads_of_an_attention_are_drawn_by_all_that_they_take_and_give(name):
    layer, x = keras.layers.MultiHeadAttention(2, 16), np.ones((1, 5, 40), "float32")
    layer(x, x)
    drawn = next(v for v in layer.trainable_variables if v.path.endswith(f"{name}/kernel"))
    kernel = Variable(name=drawn.path, shape=drawn.shape, layer=f"att/{name}", initial=drawn.numpy())
    assert sorted(fans(kernel)) == [32, 40]
    assert fans(kernel)[0] == (40 if name == "query" else 32)
    assert gain_of(Unit(name=name, kind="dense"), kernel) == pytest.approx(1, rel=0.1)
    filters = Variable(name="conv/kernel", shape=(5, 32, 16), layer="conv", initial=np.ones((5, 32, 16)))
    assert fans(filters) == (160, 80)


def test_turns_are_batches_of_one_kind_that_change():
    zeros, ones = np.zeros(4), np.ones(4)
    assert takes_turns([zeros, ones] * 4)
    assert not takes_turns([zeros] * 4 + [ones] * 4)  # sorted
    assert not takes_turns([np.array([0, 1, 1, 0])] * 8)


def test_gains_are_glorots_where_nothing_rectifies():
    glorot = (RNG.normal(size=(300, 100)) * np.sqrt(2 / 400)).astype("float32")
    kernel = Variable(name="k", shape=(300, 100), initial=glorot)
    assert gain_of(Unit(name="a", kind="dense", activation="tanh"), kernel) == pytest.approx(1, rel=0.02)
    assert gain_of(Unit(name="a", kind="dense", activation="relu"), kernel) == pytest.approx(0.866, rel=0.02)
    filters = Variable(name="k", shape=(3, 3, 8, 16), initial=np.full((3, 3, 8, 16), np.sqrt(2 / 72)))
    assert gain_of(Unit(name="c", kind="conv", activation="relu"), filters) == pytest.approx(1)


def test_embeddings_are_no_kernels():
    seen = net(1, 1)
    seen.units[0].kind = "embedding"
    assert [unit.name for unit, _ in kernels(seen)] == ["b"]


def test_each_further_output_is_a_training_of_its_own():
    x = np.random.default_rng(0).normal(size=(30, 2))
    data = Data(x=x, y=x[:, 0], n=30, others=(np.ones(30), np.arange(30.0) % 2))
    losses = {"size": SQUARED, "urgent": "binary_crossentropy", "kind": "binary_crossentropy"}
    epochs = [{"loss": 0.1, "urgent_loss": 0.0, "kind_loss": 0.2, "val_urgent_loss": 0.5}] * 3
    seen = Observation(name="m", loss=Loss(name=SQUARED), losses=losses, train=data, validation=data, epochs=epochs)
    (first, one), (second, other) = by_output(seen)
    assert (first, second) == ("urgent", "kind")
    assert one.epochs == [{"loss": 0.0, "val_loss": 0.5}] * 3
    assert (one.loss.name, one.steps.count) == ("binary_crossentropy", 3)
    for part in (other.train, other.validation):
        np.testing.assert_array_equal(part.y, data.others[1])
    seen.train = Data(x=x, y=x[:, 0])
    assert by_output(seen) == [], "nobody knows their targets"


@pytest.mark.parametrize(
    ("losses", "name", "sinks"),
    [
        ([3.0, 1.0, -4.0], "own", True),
        ([3.0, 1.0, 0.5], "own", False),
        ([-8.0, -6.0, -4.0], "own", False),  # upwards
        ([3.0, -4.0, float("nan")], "own", True),
        ([3.0, 1.0, -4.0], "binary_crossentropy", False),
    ],
)
def test_a_loss_without_a_name_that_sinks_below_zero(losses, name, sinks):
    assert sinks_below_zero(Observation(name="m", steps=steps(losses), loss=Loss(name=name))) is sinks
