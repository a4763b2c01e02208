"""Scripts of people who log their runs: a sweep over widths for a kernel selector, and prototypes of motor hum."""

from keras_course.diagnostics.corpus import Fault, Program

KERNELS = Program(
    name="tracker_kernel_selector",
    source='''
"""sweep.py - which of four GEMM kernels is fastest for a given shape? small MLP, a few runs, one table.
usage: python sweep.py --epochs 20 --seeds 2
"""
import argparse
import json

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--lr", type=float, default=0.04)
parser.add_argument("--seed", type=int, default=SEED)
args = parser.parse_args([])  # [] because this also runs in the notebook

CONFIG = {
    "depth": 4,
    "act": "relu",
    "init": "he_normal",
    "bias": 0.0,
    "val_share": 0.3,
}
RUNS = [{"width": 32}, {"width": 64}]
KERNELS = ["naive", "tiled", "split_k", "stream"]


def benchmark(n, rng):
    """shape features, already log-scaled and centred, with the id of the winner; the log comes grouped by winner"""
    f = rng.uniform(-1, 1, (n, 5))
    wide = (f[:, 0] * f[:, 1]) > 0
    deep = (f[:, 2] + 0.7 * np.sin(2 * f[:, 3])) > 0
    winner = 2 * wide + deep
    order = np.argsort(winner, kind="stable")
    return f[order].astype("float32"), winner[order]


def build(width, cfg):
    model = keras.Sequential([keras.Input((5,))], name=f"mlp_{width}")
    for i in range(cfg["depth"]):
        model.add(layers.Dense(
            width,
            activation=cfg["act"],
            kernel_initializer=cfg["init"],
            bias_initializer=keras.initializers.Constant(cfg["bias"]),
            name=f"h{i}",
        ))
    model.add(layers.Dense(len(KERNELS), activation="softmax", name="kernel"))
    model.compile(keras.optimizers.SGD(args.lr, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


rows = []
for run, override in enumerate(RUNS):
    cfg = {**CONFIG, **override}
    seed = 100 * args.seed + run
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    X, y = benchmark(5000, rng)
    X_test, y_test = benchmark(1000, rng)

    held = rng.random(len(X)) < cfg["val_share"]
    ds = tf.data.Dataset.from_tensor_slices((X[~held], y[~held]))
    ds = ds.shuffle(len(X)).batch(args.batch_size).prefetch(2)
    model = build(cfg["width"], cfg)
    log = model.fit(ds, epochs=args.epochs, validation_data=(X[held], y[held]), verbose=0).history
    right = np.mean(model.predict(X_test, verbose=0).argmax(-1) == y_test)
    rows.append({
        "run": run, "width": cfg["width"], "seed": seed, "params": model.count_params(),
        "loss": log["loss"][-1], "val_loss": log["val_loss"][-1],
        "val_acc": log["val_accuracy"][-1], "test": right,
    })
    print(json.dumps(rows[-1], default=float))

table = pd.DataFrame(rows).sort_values("test", ascending=False)
print(table.to_string(index=False))
score = table.test.mean()
''',
    score="score",
    bar=0.85,
    base=0.25,
    odd="the width differs from run to run, and the fit prints nothing",
    faults=(
        Fault(cause="init_scale", old='    "init": "he_normal",\n',
              new='    "init": keras.initializers.RandomNormal(stddev=0.005),\n', layer=("h0", "h1", "h2", "h3"),
              beside=("vanishing_gradient", "symmetric_or_zero_init")),
        Fault(cause="symmetric_or_zero_init", old='    "init": "he_normal",\n',
              new='    "init": keras.initializers.Constant(0.05),\n', layer=("h0", "h1", "h2", "h3")),
        Fault(cause="missing_nonlinearity", old='    "act": "relu",\n', new='    "act": None,\n',
              layer=("h0", "h1", "h2", "h3")),
        Fault(cause="vanishing_gradient", old='    "depth": 4,\n    "act": "relu",\n', new='    "depth": 8,\n    "act": "sigmoid",\n',
              layer=("h0", "h1", "h2", "h3"), beside=("saturated_units", "learning_rate_too_low", "too_few_steps")),
        Fault(cause="dead_units", old='    "bias": 0.0,\n', new='    "bias": -4.0,\n', layer=("h0", "h1", "h2", "h3"),
              accept=("init_scale",), beside=("input_ignored",)),
        Fault(cause="validation_split_sorted", old='    held = rng.random(len(X)) < cfg["val_share"]\n',
              new='    held = np.arange(len(X)) >= (1 - cfg["val_share"]) * len(X)\n',
              beside=("missing_class", "data_sorted")),
        Fault(cause="wrong_head_for_labels", old='    model.add(layers.Dense(len(KERNELS), activation="softmax", name="kernel"))\n'
              '    model.compile(keras.optimizers.SGD(args.lr, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"])\n',
              new='    model.add(layers.Dense(1, activation="sigmoid", name="kernel"))\n'
              '    model.compile(keras.optimizers.SGD(args.lr, momentum=0.9), loss="binary_crossentropy", metrics=["accuracy"])\n',
              layer=("kernel",), accept=("wrong_loss_for_task",),
              beside=("label_encoding", "output_range_cannot_reach_targets")),
        Fault(cause="pipeline_order", old="ds.shuffle(len(X)).batch(args.batch_size)", new="ds.batch(args.batch_size).shuffle(len(X))",
              accept=("data_sorted",)),
    ),
    pairs=(("missing_nonlinearity", "validation_split_sorted"),),
    seeds=3,
)  # fmt: skip

HUM = Program(
    name="tracker_hum_prototypes",
    source='''
# one-shot motor recognition from hum: prototypes (Snell 2017), everything that I change sits in cfg
# run log goes to runs.csv at home; here only the table
import csv
import io
import itertools
import time

import numpy as np
import tensorflow as tf

cfg = dict(
    motors=10, per_motor=200, window=48,
    way=10, queries=6, dim=16,
    lr=2e-3, weight_decay=1e-3, steps=400, log_every=50,
    seeds=[SEED, SEED + 10],
)
SPEEDS = np.linspace(1.5, 9.5, cfg["motors"])      # turns per window


def record(motor, n, rng):
    """n windows of one motor as the logger stores them: int16, 2000 counts per volt"""
    t = np.arange(cfg["window"]) / cfg["window"]
    turn = SPEEDS[motor] * (t + rng.uniform(0, 1, (n, 1)))
    volts = 0.3 * np.sin(2 * np.pi * turn) + 0.1 * np.sin(4 * np.pi * turn + rng.uniform(0, 6.28, (n, 1)))
    volts = volts * rng.uniform(0.7, 1.3, (n, 1)) + rng.normal(0, 0.1, volts.shape)
    return (volts * 2000).astype("int16")


def bank(n, rng):
    counts = np.stack([record(m, n, rng) for m in range(cfg["motors"])])
    return (counts / 500.0).astype("float32")


def make_net():
    return tf.keras.Sequential([
        tf.keras.Input((cfg["window"],)),
        tf.keras.layers.Dense(96, activation="elu", name="enc1"),
        tf.keras.layers.Dense(64, activation="elu", name="enc2"),
        tf.keras.layers.Dense(cfg["dim"], name="code"),
    ])


def episode(data, rng, way):
    """one support window and some queries for each motor of the episode"""
    chosen = rng.choice(cfg["motors"], way, replace=False)
    support, query = [], []
    for m in chosen:
        rows = rng.choice(data.shape[1], cfg["queries"] + 1, replace=False)
        support.append(data[m, rows[0]])
        query.append(data[m, rows[1:]])
    labels = np.repeat(np.arange(way), cfg["queries"]).astype("int32")
    return np.stack(support), np.concatenate(query), labels


def compare(net, support, query):
    s, q = net(support), net(query)
    d2 = tf.reduce_sum((q[:, None] - s[None]) ** 2, axis=-1)
    return -d2


def train_one(seed):
    tf.keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    data, fresh = bank(cfg["per_motor"], rng), bank(60, rng)
    net = make_net()
    opt = tf.keras.optimizers.AdamW(cfg["lr"], weight_decay=cfg["weight_decay"])

    @tf.function
    def step(support, query, labels):
        with tf.GradientTape() as tape:
            scores = compare(net, support, query)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores))
        grads = tape.gradient(loss, net.trainable_weights)
        opt.apply_gradients(zip(grads, net.trainable_weights))
        return loss

    recent = []
    for i in range(cfg["steps"]):
        recent.append(float(step(*episode(data, rng, cfg["way"]))))
        if (i + 1) % cfg["log_every"] == 0:
            print(f"seed {seed} step {i + 1:4d} loss {np.mean(recent):.4f}")
            recent = []

    hits = []
    for _ in range(40):
        support, query, labels = episode(fresh, rng, cfg["way"])
        hits.append(np.mean(compare(net, support, query).numpy().argmax(1) == labels))
    return float(np.mean(hits))


results = []
for seed in cfg["seeds"]:
    start = time.time()
    results.append(dict(seed=seed, one_shot=train_one(seed), seconds=round(time.time() - start, 1)))

out = io.StringIO()
writer = csv.DictWriter(out, fieldnames=list(results[0]))
writer.writeheader()
writer.writerows(results)
print(out.getvalue())
one_shot = np.mean([r["one_shot"] for r in results])
''',
    score="one_shot",
    bar=0.8,
    base=0.1,
    faults=(
        Fault(cause="probabilities_to_logits_loss", old="    return -d2\n", new="    return tf.nn.softmax(-d2)\n"),
        Fault(cause="input_ignored", old='    return (volts * 2000).astype("int16")\n', new='    return 2000 * volts.astype("int16")\n'),
        Fault(cause="overfitting", old="per_motor=200,", new="per_motor=7,"),
        Fault(cause="oscillation", old="lr=2e-3,", new="lr=2e-2,", accept=("learning_rate_too_high",)),
        Fault(cause="gradient_sign_flipped", old="            loss = tf.reduce_mean(tf.nn.sparse", new="            loss = -tf.reduce_mean(tf.nn.sparse",
              beside=("exploding_gradient",)),
        Fault(cause="regularisation_overwhelms", old="weight_decay=1e-3,", new="weight_decay=50.0,"),
    ),
    seeds=3,
)  # fmt: skip

PROGRAMS = (KERNELS, HUM)
