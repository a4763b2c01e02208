import itertools

from keras_course.base import InputError
from keras_course.data.augment import CropAndFlip
from keras_course.data.pipeline import Batches, shuffle_batch_repeat
from keras_course.data.splits import Split

import numpy as np
import pytest
import tensorflow as tf

N = 13
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 5, 3, 2), dtype="uint8")
ROW = np.arange(N)


def epoch(batches, number=0):
    """The batches of an epoch as a loop takes them, row by row of the order."""
    order, size = batches.order(number), batches.batch_size
    for step in range(len(batches)):
        yield batches.take(order[step * size : (step + 1) * size], batches.step_seed(number, step))


def equal(batches, others):
    for batch, other in zip(batches, others, strict=True):
        for a, b in zip(batch, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n", [1, 2, 5, 257])
@pytest.mark.parametrize("number", [0, 1, 1000])
def test_an_order_is_a_permutation(n, number):
    order = Batches(np.zeros(n), batch_size=2).order(number)
    assert order.dtype == tf.int32
    assert sorted(order.numpy()) == list(range(n))


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    orders = {}
    for seed, number in itertools.product((0, 1, 2), repeat=2):
        order = Batches(ROW, batch_size=3, seed=seed).order(number).numpy()
        late = Batches(ROW, batch_size=5, seed=seed)
        [late.order(k) for k in (7, 1)]  # whatever was asked before
        assert (order == late.order(tf.constant(number)).numpy()).all()
        orders[seed, number] = order.tobytes()
    assert len(set(orders.values())) == 9


def test_the_shuffle_is_uniform():
    # 24 orders of four rows over 4,800 epochs, 200 expected of each: chi-square, 23 degrees of freedom, above 49.7
    # once in 1,000 seeds
    batches = Batches(np.zeros(4), batch_size=2, seed=3)
    orders = tf.function(lambda: tf.map_fn(batches.order, tf.range(4800)))().numpy()
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert ((counts - 200) ** 2 / 200).sum() < 49.7


def test_without_shuffle_the_order_is_that_of_the_arrays():
    assert (Batches(ROW, batch_size=3, shuffle=False).order(5).numpy() == ROW).all()


@pytest.mark.parametrize(("size", "sizes"), [(5, [5, 5, 3]), (13, [13]), (1, [1] * 13), (20, [13])])
def test_an_epoch_holds_each_example_once_and_keeps_the_short_batch(size, sizes):
    batches = Batches(ROW, batch_size=size)
    found = [rows.numpy() for (rows,) in epoch(batches)]
    assert [len(rows) for rows in found] == sizes
    assert len(batches) == len(sizes)
    assert batches.n == N
    assert sorted(np.concatenate(found)) == list(range(N))


def test_arrays_stay_aligned_and_keep_their_kind():
    arrays = PIXELS, ROW.astype("uint8"), ROW * 1.5, ROW.astype("int64")
    for x, label, weight, row in epoch(Batches(*arrays, batch_size=5)):
        np.testing.assert_allclose(x, PIXELS[row.numpy()] / 255, rtol=2e-7)
        assert (label.numpy() == row.numpy()).all(), "bytes of one axis are labels, not pixels"
        assert (weight.numpy() == row.numpy() * 1.5).all()
        assert (x.dtype, label.dtype, weight.dtype, row.dtype) == (tf.float32, tf.uint8, tf.float32, tf.int64)


@pytest.mark.parametrize("augment", [None, CropAndFlip(2)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_dataset_gives_the_batches_of_a_loop(augment, shuffle):
    def make():
        return Batches(PIXELS, ROW, batch_size=5, shuffle=shuffle, seed=4, augment=augment)

    loop = [batch for number in (2, 3) for batch in epoch(make(), number)]
    dataset = make().dataset(first_epoch=2, epochs=2)
    assert dataset.cardinality() == len(loop) == 6
    equal(loop, dataset)
    equal(loop, make().dataset(first_epoch=2, epochs=2))


def test_the_number_of_threads_changes_no_batch_and_is_that_of_the_pipeline():
    plain, changed = (Batches(PIXELS, ROW, batch_size=5, augment=a) for a in (None, CropAndFlip(1)))
    for batches in (plain, changed):
        assert batches.dataset().options().threading.private_threadpool_size == 1
        for threads in (0, 1, 2):
            found = batches.dataset(first_epoch=3, threads=threads)
            assert (found.options().threading.private_threadpool_size or 0) == threads
            equal(found, epoch(batches, 3))
    with pytest.raises(InputError, match="`threads` must be a whole number of at least 0"):
        plain.dataset(threads=-1)


def test_augmentation_changes_with_epoch_and_step():
    batches = Batches(np.repeat(PIXELS[:1], 20, axis=0), batch_size=10, augment=CropAndFlip(4))
    images = [x.numpy().tobytes() for number in range(3) for (x,) in epoch(batches, number)]
    assert len(set(images)) == 6


@pytest.mark.parametrize("augment", [None, CropAndFlip(2)])
@pytest.mark.parametrize("xla", [False, True])
def test_take_in_a_graph_gives_the_same_batch(augment, xla):
    batches = Batches(PIXELS, ROW, batch_size=5, augment=augment)

    @tf.function(jit_compile=xla)
    def take(rows, number, step):
        return batches.take(rows, batches.step_seed(number, step))  # first use: the tensors are made inside the graph

    rows = batches.order(1)[3:7]
    equal([take(rows, tf.constant(1), tf.constant(2))], [batches.take(rows, batches.step_seed(1, 2))])


def test_a_step_has_its_own_seed():
    batches = Batches(ROW, batch_size=1, seed=7)
    seeds = {tuple(batches.step_seed(number, step).numpy()) for number in range(5) for step in range(20)}
    assert len(seeds) == 100
    assert tuple(Batches(ROW, batch_size=1, seed=8).step_seed(0, 0).numpy()) not in seeds
    np.testing.assert_array_equal(batches.step_seed(tf.constant(3), tf.constant(4, tf.int64)), batches.step_seed(3, 4))


def test_the_stored_tensors_are_made_once():
    class Counted(CropAndFlip):
        times = 0

        def prepare(self, images):
            self.times += 1
            return super().prepare(images)

    augment = Counted()
    batches = Batches(PIXELS, batch_size=5, augment=augment)
    assert augment.times == 0
    list(epoch(batches)), list(batches.dataset(epochs=2))
    assert augment.times == 1


def test_a_split_is_its_arrays():
    (x, y), *_ = epoch(Batches(*Split(PIXELS.astype("float32"), ROW), batch_size=5, shuffle=False))
    np.testing.assert_array_equal(x, PIXELS[:5])
    np.testing.assert_array_equal(y, ROW[:5])


@pytest.mark.parametrize(
    ("arrays", "size", "sentence"),
    [
        ((), 2, "`arrays` must be at least one. Received: 0."),
        ((ROW[:0],), 2, "`arrays` must be of at least one example. Received: 'shape (0,)'."),
        ((3.0,), 2, "`arrays` must be of at least one example. Received: 'shape ()'."),
        ((ROW, ROW[:7]), 2, "`arrays` must be of equal length. Received: [13, 7]."),
        ((ROW, ROW * np.nan), 2, "`arrays` must be finite. Received: 'NaN or infinity in an array of shape (13,)'."),
        ((ROW, ROW - np.inf), 2, "`arrays` must be finite. Received: 'NaN or infinity in an array of shape (13,)'."),
        ((ROW.astype(str),), 2, "`arrays` must be of numbers. Received: 'str672'."),
        ((ROW,), 0, "`batch_size` must be a whole number of at least 1. Received: 0."),
        ((ROW,), 2.5, "`batch_size` must be a whole number of at least 1. Received: 2.5."),
    ],
)
def test_what_batches_cannot_be_made_of_is_refused_in_one_sentence(arrays, size, sentence):
    with pytest.raises(InputError) as error:
        Batches(*arrays, batch_size=size)
    assert str(error.value) == sentence


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_that_int32_cannot_hold_or_xla_reads_otherwise_is_refused(seed):
    with pytest.raises(InputError, match=f"`seed` must be a whole number from 0 to 2147483647. Received: {seed}"):
        Batches(ROW, batch_size=2, seed=seed)


@pytest.mark.parametrize("order", list(itertools.permutations(("shuffle", "batch", "repeat"))))
def test_each_order_of_the_three_operations_does_what_it_says(order):
    before = {pair: order.index(pair[0]) < order.index(pair[1]) for pair in itertools.permutations(order, 2)}
    short = [5, 5, 2] * 2 if before["batch", "repeat"] else [5, 5, 5, 5, 4]
    apart = []
    for seed in range(20):  # epochs that are mixed look apart by chance, in two draws of five at most
        found = shuffle_batch_repeat(tf.data.Dataset.range(12), order, buffer=100, batch_size=5, epochs=2, seed=seed)
        batches = [batch.tolist() for batch in found.as_numpy_iterator()]
        draws = list(itertools.chain(*batches))
        assert sorted(draws) == sorted([*range(12)] * 2)
        assert sorted(map(len, batches)) == sorted(short)
        neighbours = all((np.diff(batch) % 12 == 1).all() for batch in batches)
        assert neighbours == before["batch", "shuffle"]
        apart.append(sorted(draws[:12]) == list(range(12)))
    # with a batch that runs across the border of epochs, shuffled afterwards, the epochs are mixed too
    assert all(apart) == before["shuffle", "repeat"]


def test_an_order_that_is_not_one_of_the_three_is_refused():
    with pytest.raises(InputError) as error:
        shuffle_batch_repeat(tf.data.Dataset.range(3), ("shuffle", "batch"), buffer=3, batch_size=2, epochs=1)
    assert str(error.value) == (
        "`order` must be shuffle, batch, repeat, each once in any order. Received: ('shuffle', 'batch')."
    )
