"""Images of MNIST's shape, shuffled, scaled to [0, 1] and batched: what does one epoch of input cost?"""

from benchmarks._inputs import BATCH, epoch_of, images
from keras_course.bench import Goal, Variant, Workload

N, SHAPE = 60_000, (28, 28, 1)


def arrays():
    return images(N, SHAPE)


def ours():
    from keras_course import data

    batches = data.Batches(*arrays(), batch_size=BATCH)
    epochs = iter(range(10_000))
    return epoch_of(lambda: batches.dataset(first_epoch=next(epochs)).as_numpy_iterator())


def in_the_loop():
    """The same gather inside a graph, as `training.fit` does it."""
    from keras_course import data

    import tensorflow as tf

    batches = data.Batches(*arrays(), batch_size=BATCH)
    full = N // BATCH

    def add(rows, sums):
        x, y = batches.take(rows, tf.constant([0, 0]))
        y = tf.cast(y, tf.float64)
        pixels = tf.reduce_sum(tf.cast(x[:, 5, 3, 0], tf.float64))
        return sums + tf.stack([tf.cast(tf.size(rows), tf.float64), 1.0, tf.reduce_sum(y), pixels])

    @tf.function
    def epoch(number):
        order = batches.order(number)
        rows = tf.reshape(order[: full * BATCH], (full, BATCH))
        sums = tf.zeros(4, tf.float64)
        for i in tf.range(full):
            sums = add(rows[i], sums)
        return add(order[full * BATCH :], sums)

    epochs = iter(range(10_000))

    def work():
        names = ("examples", "batches", "labels", "pixels")
        return dict(zip(names, epoch(tf.constant(next(epochs))).numpy(), strict=True))

    return work


def tf_data(build):
    """A pipeline of tf.data's own operations over a dataset of single examples."""

    def prepare():
        import tensorflow as tf

        x, y = arrays()
        scale = lambda x, y: (tf.cast(x, tf.float32) / 255, y)  # noqa: E731
        dataset = build(tf.data.Dataset.from_tensor_slices((x, y)), scale, tf.data.AUTOTUNE)
        return epoch_of(dataset.as_numpy_iterator)

    return prepare


def numpy_in_place():
    """The limit: the rows of each batch gathered into one buffer, one thread, nothing allocated."""
    import numpy as np

    x, y = arrays()
    buffer, rng = np.empty((BATCH, *SHAPE), "float32"), np.random.default_rng(0)

    def batches():
        order = rng.permutation(N)
        for start in range(0, N, BATCH):
            rows = order[start : start + BATCH]
            out = buffer[: len(rows)]
            np.multiply(x[rows], np.float32(1 / 255), out=out)
            yield out, y[rows]

    return epoch_of(batches)


def torch_per_element():
    import torch

    x, y = (torch.from_numpy(array) for array in arrays())

    class Examples(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitem__(self, i):
            return x[i].float() / 255, y[i]

    loader = torch.utils.data.DataLoader(Examples(), BATCH, shuffle=True)
    return epoch_of(lambda: ((a.numpy(), b.numpy()) for a, b in loader))


def torch_batched():
    """PyTorch's fast path: the sampler gives whole batches of rows, and the data set gathers them."""
    import torch

    x, y = (torch.from_numpy(array) for array in arrays())

    class Examples(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitems__(self, rows):
            rows = torch.as_tensor(rows)
            return x[rows].float() / 255, y[rows]

    loader = torch.utils.data.DataLoader(Examples(), BATCH, shuffle=True, collate_fn=lambda batch: batch)
    return epoch_of(lambda: ((a.numpy(), b.numpy()) for a, b in loader))


def grain():
    import grain as g
    import numpy as np

    x, y = arrays()
    source = g.MapDataset.source(range(N)).shuffle(seed=0).map(lambda i: (x[i], y[i])).batch(BATCH)
    scale = lambda pair: (pair[0] * np.float32(1 / 255), pair[1])  # noqa: E731
    return epoch_of(lambda: iter(source.map(scale).to_iter_dataset()))


PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
WORKLOAD = Workload(
    title=__doc__,
    variants={
        "ours, in the loop": Variant(prepare=in_the_loop),
        "ours, through tf.data": Variant(prepare=ours),
        "NumPy in place, one thread": Variant(prepare=numpy_in_place),
        "shuffle, batch, vectorised map": Variant(
            prepare=tf_data(lambda d, f, auto: d.shuffle(N).batch(BATCH).map(f, auto).prefetch(auto))
        ),
        "map each, shuffle, batch": Variant(
            prepare=tf_data(lambda d, f, auto: d.map(f, auto).shuffle(N).batch(BATCH).prefetch(auto))
        ),
        "naive: batch, shuffle, no prefetch": Variant(
            prepare=tf_data(lambda d, f, auto: d.map(f).batch(BATCH).shuffle(N // BATCH + 1))
        ),
        "PyTorch DataLoader, each": Variant(prepare=torch_per_element, peer="torch", environment=PASSIVE),
        "PyTorch DataLoader, batched": Variant(prepare=torch_batched, peer="torch", environment=PASSIVE),
        "Grain": Variant(prepare=grain, peer="grain"),
    },
    goals=(
        Goal("naive: batch, shuffle, no prefetch", 8, of="ours, through tf.data"),
        Goal("shuffle, batch, vectorised map", 3, of="ours, through tf.data"),
        Goal("PyTorch DataLoader, each", 5, of="ours, through tf.data"),
        Goal("PyTorch DataLoader, batched", 1, of="ours, through tf.data"),
        Goal("NumPy in place, one thread", 1 / 1.5),
        Goal("PyTorch DataLoader, batched", 2.5),
        Goal("Grain", 2.5),
    ),
    note="NumPy in place scales into one buffer and so allocates nothing; it is the limit, not a pipeline.",
)
