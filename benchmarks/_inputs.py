"""What the benchmarks of input pipelines share: images to feed, and the sums that every pipeline must come to."""

import numpy as np

BATCH = 128


def images(n, shape):
    """Bytes and labels that look like a data set of images: uint8 (n, *shape), int64 (n,)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, *shape), "uint8"), rng.integers(0, 10, n)


class Sums:
    """What an epoch held, whatever its order: examples, batches, labels, and one pixel of each image."""

    def __init__(self):
        self.examples = self.batches = self.labels = 0
        self.pixels = 0.0

    def add(self, x, y):
        self.examples += len(y)
        self.batches += 1
        self.labels += int(y.sum())
        self.pixels += float(x[:, 5, 3, 0].sum())

    def result(self):
        return vars(self)


def epoch_of(batches):
    """The work of reading one epoch: `batches()` gives an iterable of pairs of arrays."""

    def work():
        sums = Sums()
        for x, y in batches():
            sums.add(x, y)
        return sums.result()

    return work
