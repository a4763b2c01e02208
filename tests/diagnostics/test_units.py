from keras_course.diagnostics.observation import Data, Feed
from keras_course.diagnostics.units import change_of
from tests.diagnostics.trained import watched

import keras
import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(2)
YIELDS = RNG.gamma(5, 800, 900).astype("float32")  # kg / ha


@pytest.mark.parametrize("change", [lambda y: (y - 3000) / 1700, np.log, lambda y: np.stack([y, y / 9], 1) - 40])
def test_targets_are_brought_to_what_the_loss_saw(change):
    stored = np.stack([YIELDS, YIELDS], 1) if change(YIELDS).ndim == 2 else YIELDS
    wanted = change(YIELDS)
    found = change_of(stored, wanted[RNG.permutation(900)[:500]])
    error = np.abs(found.of(stored) - wanted).mean(0) / wanted.std(0)
    assert np.all(error < 0.06)
    assert found.of(stored).dtype == "float32"


@pytest.mark.parametrize(
    ("stored", "looked"),
    [
        (YIELDS, YIELDS[:200]),  # as they are
        (YIELDS, np.concatenate([YIELDS[:20], -YIELDS[:180]])),  # some of them are
        (YIELDS, YIELDS[:30] / 9),  # too few to say
        (YIELDS, np.stack([YIELDS, YIELDS], 1) / 9),
        (np.round(YIELDS / 1000), YIELDS / 9),  # numbers of classes
        (np.full(900, np.nan), YIELDS / 9),
        (np.tile(YIELDS[:, None], 17), np.tile(YIELDS[:, None], 17) / 9),  # as of a picture
        (YIELDS, None),
        (None, YIELDS),
    ],
)
def test_targets_that_are_left_as_they_are(stored, looked):
    assert change_of(stored, looked) is None


def test_what_may_be_targets_is_changed_beside_rows_and_nothing_else():
    change = change_of(YIELDS, YIELDS / 1000)
    labels = {
        "kg": YIELDS[:50],
        "column": YIELDS[:50, None],
        "place": np.arange(50) - 50,
        "two": np.full((50, 2), 4000.0),
    }
    found = change.feed(Feed(x=np.ones((50, 3)), labels=labels)).labels
    np.testing.assert_allclose(found["kg"], labels["kg"] / 1000, rtol=0.02)
    np.testing.assert_allclose(found["column"], labels["column"] / 1000, rtol=0.02)
    assert all(found[name] is labels[name] for name in ("place", "two"))
    assert change.data(None) is None
    for other in (np.ones((4, 2)), np.array(["a", "b"])):  # of another form
        assert change.data(Data(x=np.ones((len(other), 2)), y=other)).y is other
    assert change.data(Data(x=np.ones((2, 2)))).y is None
    np.testing.assert_allclose(change.data(Data(x=np.ones((900, 2)), y=YIELDS)).y, YIELDS / 1000, rtol=0.02)


@pytest.mark.parametrize("behind", [True, False])
def test_a_step_that_scales_its_targets(behind):
    """What the script asks of its model behind the training stands in the same units."""
    x = RNG.normal(size=(300, 4)).astype("float32")
    y = (3000 + 800 * x[:, 0] + RNG.normal(0, 100, 300)).astype("float32")
    model, optimizer = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]), keras.optimizers.Adam(0.01)

    @tf.function
    def step(rows, kg):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(rows, training=True)[:, 0] - (kg - 3000.0) / 800.0))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    def train():
        for _ in range(3):
            for rows, kg in tf.data.Dataset.from_tensor_slices((x[:200], y[:200])).shuffle(200).batch(20):
                step(rows, kg)
        if behind:
            x_test, y_test = x[200:], y[200:]
            assert len(model.predict(x_test, verbose=0)) == len(y_test)

    (training,) = watched(train)
    seen = training.close()
    assert abs(float(seen.train.y.mean())) < 0.3
    assert abs(float(seen.train.y.std()) - 1) < 0.2
    assert [abs(float(feed.labels["y_test"].mean())) < 0.4 for feed in seen.asked] == [True] * behind


class Scaling(keras.Model):
    """Of which the step, and not the data, scales its targets."""

    def __init__(self):
        super().__init__()
        self.inner = keras.layers.Dense(1)

    def call(self, x):
        return self.inner(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x)[:, 0] - (y - 3000.0) / 800.0))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def test_validation_is_brought_to_the_same_units():
    x = RNG.normal(size=(300, 4)).astype("float32")
    y = (3000 + 800 * x[:, 0] + RNG.normal(0, 100, 300)).astype("float32")
    model = Scaling()
    model.compile("sgd", "mse")
    kept = x[:200], y[:200]
    others = x[200:], y[200:]
    (training,) = watched(lambda: model.fit(*kept, validation_data=others, epochs=3, batch_size=20, verbose=0))
    seen = training.close()
    assert abs(float(seen.train.y.std()) - 1) < 0.2
    assert abs(float(seen.validation.y.std()) - 1) < 0.3
    assert abs(float(seen.validation.y.mean())) < 0.5
