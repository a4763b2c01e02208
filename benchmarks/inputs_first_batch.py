"""The first batch of 60,000 images of MNIST's shape, shuffled in full: how long until it is there?"""

from benchmarks._inputs import BATCH, images
from keras_course.bench import Goal, Variant, Workload

N, SHAPE = 60_000, (28, 28, 1)
OURS, EACH, SHUFFLE = "ours, through tf.data", "map each, shuffle, batch", "shuffle, batch, map"


def first_of(batches):
    """The work of taking the first batch of an epoch that begins."""

    def work():
        x, y = next(iter(batches()))
        return {"examples": len(x), "labels": len(y)}

    return work


def ours():
    from keras_course import data

    batches = data.Batches(*images(N, SHAPE), batch_size=BATCH)
    epochs = iter(range(10_000))
    return first_of(lambda: batches.dataset(first_epoch=next(epochs)).as_numpy_iterator())


def shuffled(*, mapped_first):
    def prepare():
        import tensorflow as tf

        scale = lambda x, y: (tf.cast(x, tf.float32) / 255, y)  # noqa: E731
        auto = tf.data.AUTOTUNE
        dataset = tf.data.Dataset.from_tensor_slices(images(N, SHAPE))
        if mapped_first:
            dataset = dataset.map(scale, auto).shuffle(N).batch(BATCH)
        else:
            dataset = dataset.shuffle(N).batch(BATCH).map(scale, auto)
        return first_of(dataset.prefetch(auto).as_numpy_iterator)

    return prepare


def torch():
    import torch

    x, y = (torch.from_numpy(array) for array in images(N, SHAPE))

    class Examples(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitem__(self, i):
            return x[i].float() / 255, y[i]

    return first_of(lambda: torch.utils.data.DataLoader(Examples(), BATCH, shuffle=True))


WORKLOAD = Workload(
    title=__doc__,
    variants={
        OURS: Variant(prepare=ours),
        EACH: Variant(prepare=shuffled(mapped_first=True)),
        SHUFFLE: Variant(prepare=shuffled(mapped_first=False)),
        "PyTorch DataLoader, each": Variant(prepare=torch, peer="torch"),
    },
    goals=(Goal(EACH, 50, wall=True), Goal(SHUFFLE, 1, wall=True)),
    note="The buffer of `shuffle` must fill before anything comes out of it; every epoch anew.",
)
