"""25,000 sequences of log-normal length, 230 ids on average, batched with little padding: what does an epoch cost?"""

from benchmarks._inputs import BATCH
from keras_course.bench import Goal, Least, Variant, Workload

import numpy as np

N, MEAN, SIGMA = 25_000, 230, 0.75
REAL = "share of real ids"
OURS, PADDED, BUCKETS, TORCH = "ours", "padded_batch", "bucket_by_sequence_length", "PyTorch, pad_sequence"


def sequences():
    """Ids above 0 and labels of two classes."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(MEAN) - SIGMA**2 / 2, SIGMA, N), 1, 2_000).astype(int)
    return [rng.integers(1, 20_000, n).astype("int32") for n in lengths], rng.integers(0, 2, N)


def epoch_of(batches):
    def work():
        examples = real = labels = cells = 0
        for ids, y in batches():
            examples += len(ids)
            real += int(np.count_nonzero(ids))
            labels += int(np.sum(y))
            cells += np.size(ids)
        return {"examples": examples, "ids": real, "labels": labels, REAL: real / cells}

    return work


def ours():
    from keras_course import data

    batches = data.Sequences(*sequences(), batch_size=BATCH)
    epochs = iter(range(10_000))
    return epoch_of(lambda: batches.dataset(first_epoch=next(epochs)).as_numpy_iterator())


def of_tf_data(batched):
    def prepare():
        import tensorflow as tf

        ids, labels = sequences()
        ragged = tf.RaggedTensor.from_row_lengths(np.concatenate(ids), [len(row) for row in ids])
        dataset = tf.data.Dataset.from_tensor_slices((ragged, labels))
        dataset = dataset.map(lambda row, y: (tf.ensure_shape(row, (None,)), y)).shuffle(N)
        return epoch_of(batched(dataset).prefetch(tf.data.AUTOTUNE).as_numpy_iterator)

    return prepare


def by_length(dataset):
    import tensorflow as tf

    borders = [50, 100, 150, 200, 300, 400, 600, 900]
    return dataset.bucket_by_sequence_length(lambda row, y: tf.size(row), borders, [BATCH] * (len(borders) + 1))


def torch():
    import torch

    ids, labels = sequences()
    rows, labels = [torch.from_numpy(row) for row in ids], torch.from_numpy(labels)

    class Examples(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitems__(self, chosen):
            padded = torch.nn.utils.rnn.pad_sequence([rows[i] for i in chosen], batch_first=True)
            return padded, labels[torch.as_tensor(chosen)]

    loader = torch.utils.data.DataLoader(Examples(), BATCH, shuffle=True, collate_fn=lambda batch: batch)
    return epoch_of(lambda: ((a.numpy(), b.numpy()) for a, b in loader))


WORKLOAD = Workload(
    title=__doc__,
    variants={
        OURS: Variant(prepare=ours),
        PADDED: Variant(prepare=of_tf_data(lambda d: d.padded_batch(BATCH, ((None,), ())))),
        BUCKETS: Variant(prepare=of_tf_data(by_length)),
        TORCH: Variant(prepare=torch, peer="torch", environment={"OMP_WAIT_POLICY": "PASSIVE"}),
    },
    goals=(Least(REAL, 0.85), Goal(PADDED, 5), Goal(BUCKETS, 1), Goal(TORCH, 1)),
    note="What is counted are the ids that are no padding. Ours sorts by length inside windows of 50 batches, so that "
    "its batches hold little of it, and a network has less to compute; the others but the buckets pad to the longest.",
)
