from keras_course.diagnostics import fits
from keras_course.diagnostics.observation import Data

import numpy as np
import tensorflow as tf

X, Y = np.arange(30.0).reshape(10, 3), np.arange(10)


def test_rows_are_spread_evenly_and_keep_their_order(monkeypatch):
    monkeypatch.setattr(Data, "ROWS", 4)
    rows = fits.rows_of(X, Y)
    assert list(rows.y) == [0, 3, 6, 9]
    assert rows.n == 10
    np.testing.assert_array_equal(rows.x, X[[0, 3, 6, 9]])


def test_what_is_no_array_has_no_rows():
    assert fits.rows_of(iter([1, 2]), None) is None
    assert fits.rows_of({"a": X, "b": X}, Y).n == 10


def test_a_split_takes_the_last_rows():
    train, validation = fits.data_of(X, Y, 0.3)
    assert list(train.y) == [0, 1, 2, 3, 4, 5, 6]
    assert list(validation.y) == [7, 8, 9]


def test_noise_that_a_pipeline_draws_is_measured_against_its_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3)).astype("float32")
    plain = tf.data.Dataset.from_tensor_slices((x, np.zeros(2000)))
    assert fits.noise_of(plain.map(lambda a, b: (2 * a, b))) is None
    noisy = plain.map(lambda a, b: (a + tf.random.normal((3,), stddev=4.0), b))
    found = fits.noise_of(noisy)
    assert found is None or 3 < found < 5, "maps with a state may be out of reach"
