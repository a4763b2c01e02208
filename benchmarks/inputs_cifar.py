"""Images of CIFAR's shape, padded, cropped and mirrored at random, each by itself: what does an epoch of it cost?"""

from benchmarks._inputs import BATCH, Sums, images
from keras_course.bench import Goal, Variant, Workload

import numpy as np

N, SHAPE, PADDING = 12_800, (32, 32, 3), 4
OURS, LOOP, KERAS, EACH = "ours, through tf.data", "ours, in the loop", "Keras's layers", "tf.image, each"
LIMIT, TORCH = "NumPy, flat gather", "PyTorch, flat gather"


def epoch_of(batches):
    """The work of reading one epoch; draws differ, so of the images only the number is compared."""

    def work():
        sums = Sums()
        for x, y in batches():
            assert x.shape[1:] == SHAPE
            sums.add(np.zeros((len(x), 6, 4, 1)), y)
        return sums.result()

    return work


def ours():
    from keras_course import data

    batches = data.Batches(*images(N, SHAPE), batch_size=BATCH, augment=data.CropAndFlip(PADDING))
    epochs = iter(range(10_000))
    return epoch_of(lambda: batches.dataset(first_epoch=next(epochs)).as_numpy_iterator())


def in_the_loop():
    """The same gather inside a graph, as `training.fit` does it."""
    from keras_course import data

    import tensorflow as tf

    batches = data.Batches(*images(N, SHAPE), batch_size=BATCH, augment=data.CropAndFlip(PADDING))

    @tf.function
    def epoch(number):
        rows = tf.reshape(batches.order(number), (-1, BATCH))
        total, used = tf.zeros((), tf.int64), tf.zeros(())
        for step in tf.range(N // BATCH):
            x, y = batches.take(rows[step], batches.step_seed(number, step))
            total, used = total + tf.reduce_sum(y), used + x[0, 0, 0, 0]
        return total, used

    epochs = iter(range(10_000))

    def work():
        total, _ = epoch(tf.constant(next(epochs)))
        return {"examples": N, "batches": N // BATCH, "labels": int(total), "pixels": 0.0}

    return work


def tf_data(change, *, each):
    """Shuffle, `change` each image or each batch, batch."""

    def prepare():
        import tensorflow as tf

        auto = tf.data.AUTOTUNE
        dataset = tf.data.Dataset.from_tensor_slices(images(N, SHAPE)).shuffle(N)
        changed = change()
        both = lambda x, y: (changed(tf.cast(x, tf.float32) / 255), y)  # noqa: E731
        dataset = dataset.map(both, auto).batch(BATCH) if each else dataset.batch(BATCH).map(both, auto)
        return epoch_of(dataset.prefetch(auto).as_numpy_iterator)

    return prepare


def tf_image():
    import tensorflow as tf

    def change(x):
        padded = tf.pad(x, [[PADDING, PADDING], [PADDING, PADDING], [0, 0]])
        return tf.image.random_flip_left_right(tf.image.random_crop(padded, SHAPE))

    return change


def keras_layers():
    import keras

    layers = [keras.layers.ZeroPadding2D(PADDING), keras.layers.RandomCrop(*SHAPE[:2])]
    layers.append(keras.layers.RandomFlip("horizontal"))

    def change(x):
        for layer in layers:
            x = layer(x, training=True)
        return x

    return change


def indices(rng, rows):
    """Flat indices of the pixels of a crop of each image, mirrored or not: (b, h, w)."""
    height, width = SHAPE[0] + 2 * PADDING, SHAPE[1] + 2 * PADDING
    top, left = rng.integers(2 * PADDING + 1, size=(2, len(rows), 1, 1))
    flip = rng.integers(2, size=(len(rows), 1, 1)).astype(bool)
    i, j = np.arange(SHAPE[0])[None, :, None], np.arange(SHAPE[1])[None, None]
    return (rows[:, None, None] * height + top + i) * width + left + np.where(flip, SHAPE[1] - 1 - j, j)


def padded():
    x, y = images(N, SHAPE)
    margin = (PADDING, PADDING)
    return np.pad(x, ((0, 0), margin, margin, (0, 0))).reshape(-1, SHAPE[2]), y


def flat_numpy():
    """The limit: one thread, the pixels of a batch gathered into one buffer."""
    stored, y = padded()
    rng, buffer = np.random.default_rng(0), np.empty((BATCH, *SHAPE), "float32")

    def batches():
        order = rng.permutation(N)
        for start in range(0, N, BATCH):
            rows = order[start : start + BATCH]
            np.multiply(stored[indices(rng, rows)], np.float32(1 / 255), out=buffer)
            yield buffer, y[rows]

    return epoch_of(batches)


def flat_torch():
    import torch

    stored, y = (torch.from_numpy(array) for array in padded())
    rng = np.random.default_rng(0)

    class Examples(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitems__(self, rows):
            rows = np.asarray(rows)
            return stored[torch.from_numpy(indices(rng, rows))].float() / 255, y[torch.from_numpy(rows)]

    loader = torch.utils.data.DataLoader(Examples(), BATCH, shuffle=True, collate_fn=lambda batch: batch)
    return epoch_of(lambda: ((a.numpy(), b.numpy()) for a, b in loader))


WORKLOAD = Workload(
    title=__doc__,
    variants={
        OURS: Variant(prepare=ours),
        LOOP: Variant(prepare=in_the_loop),
        LIMIT: Variant(prepare=flat_numpy),
        KERAS: Variant(prepare=tf_data(keras_layers, each=False)),
        EACH: Variant(prepare=tf_data(tf_image, each=True)),
        TORCH: Variant(prepare=flat_torch, peer="torch", environment={"OMP_WAIT_POLICY": "PASSIVE"}),
    },
    goals=(Goal(KERAS, 2.5), Goal(EACH, 7), Goal(LIMIT, 0.5), Goal(TORCH, 1), Goal(TORCH, 1, of=LOOP)),
    note="Every variant draws for each image. The NumPy limit scales into one buffer and so allocates no batch.",
)
