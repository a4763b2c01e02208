"""What mixed bfloat16 costs in accuracy: the small network of `steps_cnn` on MNIST, three seeds, both precisions.

python -m benchmarks._bfloat16
"""

import statistics

from keras_course import data, models, training

import keras

SEEDS, EPOCHS = (0, 1, 2), 2


def accuracy(precision, seed):
    """The test accuracy after training on all of MNIST's training images."""
    keras.utils.set_random_seed(seed)
    splits = data.load("mnist", source="full", seed=seed)
    model = models.cnn(splits.train.x.shape[1:], 10, filters=(32, 64))
    batches = data.Batches(*splits.train, batch_size=64, seed=seed)
    optimizer = keras.optimizers.Adam(1e-3)
    history = training.fit(
        model, training.classification, batches, epochs=EPOCHS, optimizer=optimizer, precision=precision, progress=False
    )
    test = data.Batches(*splits.test, batch_size=500, shuffle=False)
    return training.evaluate(model, training.classification, test)["accuracy"], history.seconds


def main():
    found = {precision: [accuracy(precision, seed) for seed in SEEDS] for precision in ("float32", "mixed_bfloat16")}
    for precision, runs in found.items():
        scores, seconds = zip(*runs, strict=True)
        spread = f"{statistics.fmean(scores):.4f} ± {statistics.stdev(scores):.4f}"
        each = ", ".join(f"{score:.4f}" for score in scores)
        print(f"{precision}: test accuracy {spread} ({each}), {seconds[0]:.0f} s a run")
    differences = [b[0] - a[0] for a, b in zip(*found.values(), strict=True)]
    print(f"difference: {statistics.fmean(differences):+.4f} ± {statistics.stdev(differences):.4f}, paired by seed")


if __name__ == "__main__":
    main()
