from keras_course.diagnostics import drawn
from keras_course.diagnostics.observation import Data
from tests.diagnostics.trained import X, Y, mlp, network, watched

import keras
import numpy as np
import pytest
import tensorflow as tf


class Batches(keras.utils.PyDataset):
    """Rows that are drawn with noise, and counted."""

    def __init__(self, x, y, *, form=lambda x, y: (x, y), size=8, **more):
        super().__init__(**more)
        self.x, self.y, self.form, self.size, self.asked = x, y, form, size, []

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, number):
        self.asked.append(number)
        rows = slice(number * self.size, (number + 1) * self.size)
        return self.form(self.x[rows] + np.random.normal(size=(len(self.x[rows]), 1)).astype("float32"), self.y[rows])


def fitted(train, validation=None, *, model=None, watch=True):
    keras.utils.set_random_seed(0)
    model = model or mlp()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    run = lambda: model.fit(train, validation_data=validation, epochs=2, shuffle=False, verbose=0)  # noqa: E731
    if not watch:
        return run(), model
    (training,) = watched(run)
    return training.close(), model


def test_the_rows_of_the_first_pass_are_known():
    train, validation = Batches(X[:40], Y[:40]), Batches(X[40:], Y[40:])
    seen, _ = fitted(train, validation)
    np.testing.assert_array_equal(seen.train.y, Y[:40])
    np.testing.assert_array_equal(seen.validation.y, Y[40:])
    noise = seen.train.x - X[:40]
    np.testing.assert_allclose(noise, np.repeat(noise[:, :1], 5, axis=1), atol=1e-6)
    assert np.all(noise[:, 0] != 0), "what was drawn, not what is stored"


def test_nothing_is_asked_beside_what_fit_asks_and_the_class_is_put_back():
    kept = Batches.__getitem__
    asked, weights = [], []
    for watch in (False, True):
        train = Batches(X, Y)
        _, model = fitted(train, Batches(X, Y), watch=watch)
        asked.append(train.asked)
        weights.append(model.get_weights())
    assert asked[0] == asked[1]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert Batches.__getitem__ is kept

    class Derived(Batches):
        pass

    fitted(Derived(X, Y))
    assert "__getitem__" not in vars(Derived)


def test_several_inputs_and_weights_of_rows():
    inputs = {"a": keras.Input((5,), name="a"), "b": keras.Input((2,), name="b")}
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Concatenate()(list(inputs.values()))))
    form = lambda x, y: ({"a": x, "b": 2 * x[:, :2]}, y, 1.0 + y)  # noqa: E731
    seen, _ = fitted(Batches(X, Y, form=form), model=model)
    assert seen.train.names == ("a", "b")
    np.testing.assert_array_equal(seen.train.further[0], 2 * seen.train.x[:, :2])
    np.testing.assert_array_equal(seen.train.weight, 1.0 + Y)


def test_rows_are_spread_over_all_batches_and_no_more_are_kept_than_of_arrays(monkeypatch):
    monkeypatch.setattr(Data, "ROWS", 16)
    source = Batches(np.repeat(X, 2, axis=0), np.arange(120) // 8, size=8)  # fifteen batches
    kept = drawn.Drawn(source)
    first = source[3]
    kept.note(3, first)
    for number in [*range(15), 3]:
        kept.note(number, source[number])
    np.testing.assert_array_equal(kept.data.y, np.arange(15))
    np.testing.assert_array_equal(kept.data.x[3], first[0][0])


@pytest.mark.parametrize("second", [X[:8, :3], None])
def test_batches_that_differ_in_form_are_left_alone(second):
    kept = drawn.Drawn(Batches(X, Y))
    kept.note(0, (X[:8], Y[:8]))
    kept.note(1, (second, Y[:8]))
    found = kept.data
    assert found is None if second is not None else len(found.x) == 8


def test_what_was_drawn_before_a_script_fails_is_known():
    def fail(x, y):
        return (x, y) if len(rows.asked) < 4 else 1 / 0

    rows = Batches(X, Y, form=fail)
    model = mlp()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def run():
        with pytest.raises(tf.errors.OpError, match="division by zero"):
            model.fit(rows, shuffle=False, verbose=0)

    (training,) = watched(run)
    seen = training.close().train.y  # Keras asks for the first batch twice
    assert 8 <= len(seen) < len(Y)
    np.testing.assert_array_equal(seen, Y[: len(seen)])


def test_a_script_that_fails_leaves_the_class_as_it_was():
    kept = Batches.__getitem__
    wrong = Batches(X, Y, form=lambda x, y: (x[:, :2], y))
    with pytest.raises(ValueError, match="shape"):
        fitted(wrong, model=network(keras.layers.Dense(3)))
    assert Batches.__getitem__ is kept


def test_targets_of_several_outputs():
    given = keras.Input((5,))
    model = keras.Model(given, [keras.layers.Dense(3, name="kind")(given), keras.layers.Dense(7, name="size")(given)])
    seen, _ = fitted(Batches(X, Y, form=lambda x, y: (x, (y, 2 * y))), model=model)
    np.testing.assert_array_equal(seen.train.y, Y)
    np.testing.assert_array_equal(seen.train.others[0], 2 * Y)
