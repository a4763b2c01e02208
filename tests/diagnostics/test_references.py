from keras_course.diagnostics.observation import Observation, Probe, Unit
from keras_course.diagnostics.references import _patterned, loss_of_models, reference_of
from keras_course.diagnostics.seen import different_rows
from tests.diagnostics.typed import BINARY, SQUARED, with_targets

import numpy as np
import pytest

RNG = np.random.default_rng(5)


def test_a_forest_beats_a_line_where_the_classes_bend():
    x = RNG.normal(size=(400, 2))
    seen = with_targets(BINARY, (x[:, 0] * x[:, 1] > 0).astype(int), x=x)
    assert loss_of_models(seen, bent=True) < 0.6 * loss_of_models(seen, bent=False)


def test_the_reference_does_not_depend_on_units():
    """Of seven columns one says it, and is a thousand times as small as the others: no neighbour would see that."""
    x, y = RNG.normal(size=(400, 7)), RNG.integers(0, 2, 400)
    x[:, 0] = np.abs(y - RNG.uniform(0, 0.4, 400)) ** 2  # the middle of one class lies inside of that of the other
    units = x * [1e-3, 1, 1, 1, 1, 1, 1]
    references = [reference_of(with_targets(BINARY, y, x=rows)) for rows in (x, units)]
    assert references[0] == pytest.approx(references[1], rel=1e-6)
    assert references[0] < 0.3


def test_texts_have_a_reference_by_their_words():
    y = np.arange(200) % 2
    words = np.array([f"the film was {('bad', 'good')[label]} today" for label in y])
    assert reference_of(with_targets(BINARY, y, x=words)) < 0.1
    mixed = RNG.permutation(y)
    assert reference_of(with_targets(BINARY, mixed, x=words)) > 0.6


def waves(shape, kinds):
    """Sequences or pictures with a short or a long wave of any sign anywhere: no place by itself says which."""
    x = RNG.normal(0, 0.6, shape)
    for row, kind in zip(x, kinds, strict=True):
        start = [int(RNG.integers(0, size - 5)) for size in shape[1:-1]]
        form = np.array([[1, -1, 1, -1, 1, -1], [1, 1, 1, -1, -1, -1]][kind]) * RNG.choice([-2, 2])
        row[tuple(slice(s, s + 6) for s in start)] += form.reshape(-1, *[1] * len(start))
    return x


@pytest.mark.parametrize("shape", [(400, 120, 2), (400, 25, 22, 1)])
def test_patterns_anywhere_have_a_reference(shape):
    """Random convolutions tell more than each place, and than the nearest rows."""
    y = RNG.integers(0, 2, 400)
    x = waves(shape, y)
    for loss, labels in ((BINARY, y), (SQUARED, 5.0 * y)):
        flat, found = (reference_of(with_targets(loss, labels, x=rows)) for rows in (x.reshape(400, -1), x))
        assert found < 0.6 * flat


@pytest.mark.parametrize(("shape", "apart"), [((400, 90, 1), (9, 18)), ((400, 40, 40, 1), (6, 9))])
def test_patterns_that_are_wider_than_a_kernel(shape, apart):
    """Two marks, near each other or far: no seven places, and no five by five, hold both."""
    y, x = RNG.integers(0, 2, 400), np.zeros(shape)
    for row, kind in zip(x, y, strict=True):
        start = [int(RNG.integers(0, size - 20)) for size in shape[1:-1]]
        row[tuple(start)] = row[tuple(place + apart[kind] for place in start)] = 9.0
    assert reference_of(with_targets(BINARY, y, x=x)) < 0.4


@pytest.mark.parametrize("x", [np.full((60, 9, 2), np.nan), RNG.normal(size=(60, 2, 2)), RNG.normal(size=(60, 90, 90))])
def test_what_no_convolution_fits_has_none(x):
    assert _patterned(with_targets(BINARY, np.arange(60) % 2, x=x).train) is None


def test_several_inputs_are_weighed_together_and_each_by_itself():
    """Half of it stands in each of two inputs; or all of it in the narrow one, which a wide one drowns."""
    first, second = RNG.normal(size=(2, 400, 3))
    seen = with_targets(SQUARED, first[:, 0] + second[:, 1], x=first)
    half = reference_of(seen)
    seen.references, seen.train.further = {}, (second,)
    assert reference_of(seen) < 0.01 < 0.8 < half
    told = with_targets(SQUARED, second[:, 1], x=RNG.normal(size=(400, 600)))
    told.train.further = (second,)
    assert reference_of(told) < 0.01


def test_inputs_that_are_looked_up_are_names_beside_others():
    """As the numbers of shops beside what they sell."""
    shop, rows = RNG.integers(0, 9, 400), RNG.normal(size=(400, 2))
    seen = with_targets(SQUARED, np.sin(40.0 * shop) + rows[:, 0], x=rows)
    seen.train.further = (shop[:, None],)
    numbers = reference_of(seen)
    seen.references, seen.units = {}, [Unit(name="code", kind="dense"), Unit(name="shops", kind="embedding")]
    assert reference_of(seen) < 0.02 < 0.2 < numbers
    words = np.array([f"shop {number} here" for number in shop])
    seen.references, seen.units, seen.train.further = {}, [], (words,)
    assert reference_of(seen) < 0.02


def test_rows_of_a_loop_count_once():
    x, y = RNG.normal(size=(30, 2)), np.arange(30)
    looks = [Probe(step=i, x=x, y=y) for i in range(4)]
    found = different_rows(Observation(name="m", probes=looks))
    assert sorted(found.y.tolist()) == list(range(30))
    np.testing.assert_array_equal(found.x, x[found.y])


def test_the_reference_of_several_labels_is_the_mean_of_theirs():
    x = RNG.normal(size=(400, 5))
    y = np.stack([x[:, 0] > 0, x[:, 1] + x[:, 2] > 1, RNG.integers(0, 2, 400)], axis=1).astype("float32")
    each = [reference_of(with_targets(BINARY, column, x=x)) for column in y.T]
    assert reference_of(with_targets(BINARY, y, x=x)) == pytest.approx(np.mean(each))
    assert max(each[:2]) < 0.4 < 0.65 < each[2]
    assert reference_of(with_targets(BINARY, np.clip(y, 0.1, 1.0), x=x)) is None, "of shares none is known"
    rare = np.concatenate([y, np.arange(400)[:, None] < 2], axis=1)
    assert reference_of(with_targets(BINARY, rare, x=x)) is None, "two rows of a label teach nothing"
    assert reference_of(with_targets(BINARY, np.tile(y, 4), x=x)) is None, "as of pixels"


def test_the_reference_of_counts_is_their_likelihood():
    x = RNG.uniform(1, 5, size=(800, 1))
    y = RNG.poisson(10 * x[:, 0]).astype("float32")
    mean = 10 * x[:, 0]
    found = reference_of(with_targets("poisson", y, x=x))
    assert found == pytest.approx(np.mean(mean - y * np.log(mean)), abs=0.1)
    assert found < np.mean(y.mean() - y * np.log(y.mean())) - 1
