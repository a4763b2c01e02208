"""12,000 texts of 230 words as ids, in later epochs: what does an epoch cost?"""

from benchmarks._inputs import BATCH
from benchmarks.inputs_sequences import epoch_of
from keras_course.bench import Goal, Variant, Workload

import numpy as np

N, WORDS, LENGTH = 12_000, 5_000, 230
OURS, BATCHES, EACH = "ours: vectorised once", "TextVectorization, each batch", "TextVectorization, each text"


def texts():
    """Texts in which few words are frequent and most are rare, and labels."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, WORDS + 1)
    names = np.array([f"word{i}" for i in range(WORDS)])
    chosen = rng.choice(names, (N, LENGTH), p=share / share.sum())
    return [" ".join(row) for row in chosen], rng.integers(0, 2, N)


def ours():
    from keras_course import data

    words, labels = texts()
    batches = data.Sequences(data.Vocabulary.of(words).encode(words), labels, batch_size=BATCH)
    epochs = iter(range(10_000))
    return epoch_of(lambda: batches.dataset(first_epoch=next(epochs)).as_numpy_iterator())


def vectorised(*, each):
    def prepare():
        import keras
        import tensorflow as tf

        words, labels = texts()
        layer, auto = keras.layers.TextVectorization(), tf.data.AUTOTUNE
        layer.adapt(tf.data.Dataset.from_tensor_slices(words).batch(1_000))
        dataset = tf.data.Dataset.from_tensor_slices((words, labels)).shuffle(N)
        find = lambda text, y: (layer(text), y)  # noqa: E731
        dataset = dataset.map(find, auto).batch(BATCH) if each else dataset.batch(BATCH).map(find, auto)
        return epoch_of(dataset.prefetch(auto).as_numpy_iterator)

    return prepare


WORKLOAD = Workload(
    title=__doc__,
    variants={
        OURS: Variant(prepare=ours),
        BATCHES: Variant(prepare=vectorised(each=False)),
        EACH: Variant(prepare=vectorised(each=True)),
    },
    goals=(Goal(BATCHES, 4), Goal(EACH, 10)),
    note="Building the vocabulary and vectorising once are part of preparing; `TextVectorization.adapt` is too.",
)
