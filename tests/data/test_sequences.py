from keras_course import training
from keras_course.base import InputError
from keras_course.data.sequences import PADDING, Sequences

import keras
import numpy as np
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
LENGTHS = np.clip(np.exp(RNG.normal(2.5, 0.9, 203)).astype(int), 1, 120)
IDS = [RNG.integers(1, 50, n) for n in LENGTHS]
LABELS = np.arange(203) % 3


def examples(dataset):
    """The multiset of (sequence without padding, label) that a dataset of batches holds."""
    return sorted(
        (tuple(row[row != PADDING].tolist()), int(label))
        for rows, labels in dataset
        for row, label in zip(rows.numpy(), labels.numpy(), strict=True)
    )


def padded_batches():
    """What tf.data makes of the same sequences."""
    source = tf.data.Dataset.from_generator(
        lambda: zip(IDS, LABELS, strict=True),
        output_signature=(tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int64)),
    )
    return source.padded_batch(8)


@pytest.mark.parametrize("options", [{}, {"window": 1}, {"window": 3}, {"shuffle": False}, {"batch_size": 300}])
def test_an_epoch_holds_what_padded_batch_holds(options):
    batches = Sequences(IDS, LABELS, **({"batch_size": 8} | options))
    for epoch in (0, 1):
        assert examples(batches.dataset(first_epoch=epoch)) == examples(padded_batches())
        assert sorted(batches.order(epoch).numpy()) == list(range(203))


def test_padding_stands_behind_and_only_to_the_longest():
    for rows, _ in Sequences(IDS, LABELS, batch_size=8).dataset():
        real = rows.numpy() != PADDING
        assert real[:, 0].all()
        assert (np.diff(real.astype(int), axis=1) <= 0).all()
        assert real[:, -1].any()


def test_sorting_inside_windows_saves_padding_and_the_share_is_what_the_batches_hold():
    shares = {}
    for window in (1, 10):
        batches = Sequences(IDS, LABELS, batch_size=8, window=window)
        real, size = (sum(f(rows.numpy()) for rows, _ in batches.dataset()) for f in (np.count_nonzero, np.size))
        shares[window] = batches.real_share()
        assert shares[window] == pytest.approx(real / size, rel=1e-12)
    assert shares[1] < 0.6
    assert shares[10] > 0.75  # of 203 sequences with a long tail; the benchmark measures a real size


def test_members_and_order_of_the_batches_change_from_epoch_to_epoch():
    batches = Sequences(IDS, LABELS, batch_size=8, window=5, seed=1)
    first, second = (batches.order(epoch).numpy()[:200].reshape(-1, 8) for epoch in (0, 1))
    assert not {frozenset(b) for b in first.tolist()} & {frozenset(b) for b in second.tolist()}
    lengths = LENGTHS[first].max(axis=1)
    assert abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.6  # short and long ones mixed
    np.testing.assert_array_equal(batches.order(0), Sequences(IDS, LABELS, batch_size=8, window=5, seed=1).order(0))


def test_a_network_trains_on_them_in_the_loop():
    model = keras.Sequential(
        [keras.layers.Embedding(50, 4, mask_zero=True), keras.layers.GRU(3), keras.layers.Dense(3)]
    )
    model.build((None, None))
    batches = Sequences(IDS, LABELS, batch_size=16)
    history = training.fit(
        model, training.classification, batches, epochs=2, optimizer=keras.optimizers.Adam(0.01), progress=False
    )
    assert history.steps == 2 * len(batches)
    assert history["loss"][1] < history["loss"][0]


@pytest.mark.parametrize(
    ("ids", "options", "sentence"),
    [
        ([[1, 0]], {}, r"`ids` must be above 0, which is padding\. Received: 0\."),
        ([[]], {}, r"`ids` must be sequences of at least one id\. Received: \[0\]\."),
        ([[1.5]], {}, r"`ids` must be whole numbers\. Received: 'float64'\."),
        ([[1], [2]], {}, r"`labels` must be as long as `ids`, 2\. Received: 1\."),
        ([[1]], {"window": 0}, r"`window` must be a whole number of at least 1\. Received: 0\."),
    ],
)
def test_what_cannot_be_batched_is_refused(ids, options, sentence):
    with pytest.raises(InputError, match=sentence):
        Sequences([np.array(row) for row in ids], np.array([0]), batch_size=2, **options)
