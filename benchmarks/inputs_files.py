"""600 photographs of 96 × 96 as JPEG files in ten folders, shuffled and batched: what does one epoch of them cost?"""

import os
import shutil
import tempfile
from pathlib import Path

from benchmarks._inputs import BATCH, Sums
from keras_course.bench import Goal, Variant, Workload

import numpy as np

N, SIZE = 600, (96, 96)
ONCE, MAPPED, STREAM = "ours, decoded once", "ours, a memory map", "ours, decoded each epoch"
NAIVE, KERAS, TORCH = "naive: tf.data, each by itself", "Keras's folder of images", "PyTorch DataLoader, Pillow"


def photograph(i):
    """Shades with noise, which JPEG takes 7 kB for, and a corner that is bright in one of three."""
    rng = np.random.default_rng(i)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    shades = np.stack([2 * y + i, 2 * x, x + y], -1) % 256 + rng.normal(0, 20, (*SIZE, 3))
    shades[:16, :16] = 230 if i % 3 == 0 else 25
    return np.clip(shades, 0, 255).astype("uint8")


def folder():
    """The images, written by whichever variant is first; they stay in the folder for temporary files."""
    import tensorflow as tf

    home = Path(tempfile.gettempdir()) / "keras_course_inputs_files"
    if not home.exists():
        made = Path(tempfile.mkdtemp(dir=home.parent))
        for i in range(N):
            path = made / f"class_{i % 10}" / f"{i:03}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(tf.io.encode_jpeg(photograph(i)).numpy())
        try:
            os.rename(made, home)
        except OSError:  # another variant was faster
            shutil.rmtree(made)
    return home


def epoch_of(batches):
    """The work of reading one epoch. Decoders differ by a level or two, so the bright corners are counted."""

    def work():
        sums = Sums()
        for x, y in batches():
            assert (x.shape[1:], x.dtype) == ((*SIZE, 3), "float32")
            sums.add(x[:, :6, :4] > 0.5, y)
        return sums.result()

    return work


def ours(make):
    def prepare():
        from keras_course.data import files

        batches, epochs = make(files), iter(range(10_000))
        return epoch_of(lambda: batches.dataset(first_epoch=next(epochs)).as_numpy_iterator())

    return prepare


def decoded_once(files):
    return files.load_images(folder(), size=SIZE).batches(batch_size=BATCH)


def mapped(files):
    store = Path(tempfile.gettempdir()) / "keras_course_inputs_files.store"
    return files.load_images(folder(), size=SIZE, budget=0, store=store).batches(batch_size=BATCH)


def streamed(files):
    return files.StreamBatches(folder(), size=SIZE, batch_size=BATCH)


def naive():
    import tensorflow as tf

    found = sorted(folder().glob("*/*.jpg"))
    paths, labels = [str(path) for path in found], [int(path.parent.name[-1]) for path in found]

    def read(path, label):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(image, SIZE) / 255, label

    return epoch_of(
        tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(N).map(read).batch(BATCH).as_numpy_iterator
    )


def keras_folder():
    import keras
    import tensorflow as tf

    found = keras.utils.image_dataset_from_directory(folder(), image_size=SIZE, batch_size=BATCH, seed=0)
    scaled = found.map(lambda x, y: (x / 255, y), tf.data.AUTOTUNE)
    return epoch_of(scaled.prefetch(tf.data.AUTOTUNE).as_numpy_iterator)


def torch_files():
    import PIL.Image
    import torch

    paths = sorted(folder().glob("*/*.jpg"))

    class Examples(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitem__(self, i):
            image = np.asarray(PIL.Image.open(paths[i]).convert("RGB").resize(SIZE[::-1]))
            return torch.from_numpy(image).float() / 255, int(paths[i].parent.name[-1])

    loader = torch.utils.data.DataLoader(Examples(), BATCH, shuffle=True)
    return epoch_of(lambda: ((x.numpy(), y.numpy()) for x, y in loader))


WORKLOAD = Workload(
    title=__doc__,
    variants={
        ONCE: Variant(prepare=ours(decoded_once)),
        MAPPED: Variant(prepare=ours(mapped)),
        STREAM: Variant(prepare=ours(streamed)),
        NAIVE: Variant(prepare=naive),
        KERAS: Variant(prepare=keras_folder),
        TORCH: Variant(prepare=torch_files, peer="torch", environment={"OMP_WAIT_POLICY": "PASSIVE"}),
    },
    goals=(
        Goal(NAIVE, 8),
        Goal(KERAS, 8),
        Goal(TORCH, 8),
        Goal(NAIVE, 1, of=STREAM),
        Goal(KERAS, 1, of=STREAM),
    ),
    note="Decoding once is not in the epochs that are timed; it costs about what one epoch of the others does. All "
    "images fit into the memory of the operating system's cache of files, which spares the others the disk.",
)
