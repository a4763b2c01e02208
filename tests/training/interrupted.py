"""Trains without a break, and again with SIGKILL at random moments; says whether the two ends are the same to the bit.

    python -m tests.training.interrupted FOLDER SEED

The parent imports and never runs an operation, so that each child can be forked instead of started anew.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from keras_course.data.pipeline import Batches
from keras_course.training import Checkpoint, EarlyStopping, fit
from keras_course.training.session import Pace

import keras
import numpy as np
import tensorflow as tf

KILLS = 3  # with and without XLA
layers = keras.layers


def objective(model, batch, training):
    x, y = batch
    noise = 0.1 * keras.random.normal(keras.ops.shape(x)) if training else 0.0  # from Keras's own global seed
    return keras.ops.mean((model(x + noise, training=training) - y) ** 2)


def train(path: Path, *, xla: bool, paused: bool) -> None:
    """One run: dropout, batch normalisation, Adam with a schedule, shuffle, a short last batch, early stopping."""
    if paused:  # comes back to Python after every second step; the run without a break goes at its own pace
        Pace.adjust = lambda self, ran, seconds: setattr(self, "steps", 2)
    keras.utils.set_random_seed(3)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(23, 5)).astype("float32")
    y = np.sin(x[:, :2])
    model = keras.Sequential([keras.Input((5,)), layers.Dense(7, "relu"), layers.BatchNormalization()])
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(2))
    rate = keras.optimizers.schedules.CosineDecay(0.05, decay_steps=60)
    history = fit(
        model,
        objective,
        Batches(x, y, batch_size=4, seed=3),
        epochs=12,
        optimizer=keras.optimizers.Adam(rate),
        validation=Batches(x[:6], y[:6], batch_size=4),
        early_stopping=EarlyStopping(patience=100),
        checkpoint=Checkpoint(path, settings={"seed": 3}, every_seconds=0.0),
        xla=xla,
        progress=False,
    )
    digest = hashlib.sha256(b"".join(np.asarray(v).tobytes() for v in model.variables)).hexdigest()
    end = {"weights": digest, "history": dict(history), "steps": history.steps, "best": history.best_epoch}
    path.with_suffix(".json").write_text(json.dumps(end))


def forked(path: Path, **options) -> int:
    child = os.fork()
    if child:
        return child
    try:
        train(path, **options)
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


def stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def killed(path: Path, moments: random.Random, **options) -> bool:
    """Starts or resumes the run and kills it a random time after a random number of checkpoints."""
    child, seen, left = forked(path, **options), stamp(path), moments.randint(1, 9)
    while left:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)  # leaves the processor to the child
        if stamp(path) != seen:
            seen, left = stamp(path), left - 1
    time.sleep(moments.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def compare(folder: Path, seed: int, *, xla: bool) -> dict:
    whole, broken = folder / f"whole-{xla}.npz", folder / f"broken-{xla}.npz"
    moments = random.Random(seed)
    os.waitpid(forked(whole, xla=xla, paused=False), 0)
    kills = sum(killed(broken, moments, xla=xla, paused=True) for _ in range(KILLS))
    unfinished = not broken.with_suffix(".json").exists()
    os.waitpid(forked(broken, xla=xla, paused=True), 0)
    ends = [json.loads(path.with_suffix(".json").read_text()) for path in (whole, broken)]
    return {"kills": kills, "unfinished": unfinished, "whole": ends[0], "broken": ends[1]}


if __name__ == "__main__":
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    print(json.dumps([compare(folder, seed, xla=xla) for xla in (False, True)]))
