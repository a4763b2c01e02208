import re

from keras_course import data
from keras_course.base import InputError
from keras_course.data.splits import is_test
from keras_course.tuning.source import Source
from tests.tuning import made

import numpy as np
import pytest
import tensorflow as tf


def test_of_splits_the_test_part_is_let_go_of():
    splits = made.splits()
    source = Source(splits)
    held = [value for value in vars(source).values() if isinstance(value, tuple)]
    arrays = [array for part in held for array in part]
    assert len(arrays) == 4
    for test in splits.test:
        assert not any(np.may_share_memory(test, array) for array in arrays)
    assert (source.classes, source.input_shape) == (3, (2,))
    train, validation = source.batches(16, seed=3)
    assert (train.n, train.batch_size, train.seed) == (48, 16, 3)
    assert (validation.n, validation.shuffle) == (30, False)


@pytest.mark.parametrize("part", [lambda t: t, tuple, lambda t: (t.x[5:], t.y[5:])])
def test_arrays_of_a_test_split_and_views_of_them_are_refused(part):
    splits = made.splits()
    words = r"`validation` must not be the test split: a search compares many configurations by it"
    with pytest.raises(InputError, match=words):
        Source(splits.train, part(splits.test))
    with pytest.raises(InputError, match=r"`train` must not be the test split"):
        Source(part(splits.test), splits.validation)
    with pytest.raises(InputError, match=words):
        Source(splits.train, data.Batches(*part(splits.test), batch_size=8))


def test_a_test_split_is_known_as_long_as_it_is_there():
    splits = made.splits()
    array = splits.test.x.copy()
    assert is_test(splits.test.x)
    assert not is_test(splits.train.x)
    assert not is_test(array)
    assert not is_test("text")


@pytest.mark.parametrize(
    ("train", "validation", "words"),
    [
        (made.points(), None, r"`validation` must be what the trials are compared by"),
        (made.splits(), made.points(), r"`validation` must be left out with `Splits`"),
        ("digits", made.points(), r"`train` must be Splits, arrays \(x, y\), a pipeline or a function"),
        (made.points(), 7, r"`validation` must be Splits, arrays"),
    ],
)
def test_what_is_no_data_is_refused(train, validation, words):
    with pytest.raises(InputError, match=words):
        Source(train, validation)


def test_pipelines_and_functions_of_a_seed_are_taken():
    x, y = made.points()
    fixed = data.Batches(x, y, batch_size=8)
    source = Source(fixed, made.points(9))
    assert source.batches(99, seed=5)[0] is fixed
    assert source.input_shape is None
    made_anew = Source(lambda seed: data.Batches(x, y, batch_size=8, seed=seed), lambda: fixed)
    assert made_anew.batches(99, seed=5)[0].seed == 5
    assert made_anew.batches(99, seed=5)[1] is fixed
    assert made_anew.ordered
    assert not Source(tf.data.Dataset.from_tensor_slices((x, y)).batch(8), made.points(9)).ordered


def test_other_examples_are_other_data():
    (x, y), validation = made.points(), made.points(9, seed=1)
    same, changed = str(Source((x, y), validation)), x.copy()
    changed[3, 1] += 1e-3
    assert str(Source((x.copy(), y.copy()), validation)) == same
    assert str(Source((changed, y), validation)) != same
    assert re.fullmatch(r"48:[0-9a-f]{12} 9:[0-9a-f]{12}", same)
    assert str(Source(made.splits())).startswith("points (made) 48:")
