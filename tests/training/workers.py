"""One process of a training on several: what it comes to, as JSON. TF_CONFIG in the environment says which process.

    python -m tests.training.workers FOLDER [--replicas N] [--epochs E] [--pause SECONDS] [--drop]

--replicas: N logical devices on the CPU of this process instead of a process for each.
--pause: seconds behind each epoch, so that there is time to kill one. --drop: the gradient of the last replica is lost.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import time
from pathlib import Path

from keras_course.base import InputError
from keras_course.data.pipeline import Batches
from keras_course.training import Checkpoint, distribution, fit
from keras_course.training.session import Session
from tests.training.toys import Memory

import keras
import numpy as np
import tensorflow as tf


def squared_error(model, batch, training):
    x, y = batch
    return keras.ops.mean((model(x, training=training) - y) ** 2)


def plant_a_lost_gradient():
    """What the last replica adds weighs nothing, as if its message had not arrived."""
    whole = distribution.part

    def part(rows):
        mine, share = whole(rows)
        context = tf.distribute.get_replica_context()
        last = tf.equal(context.replica_id_in_sync_group, context.num_replicas_in_sync - 1)
        return mine, tf.where(last, 0.0, share)

    distribution.part = part


def train(folder, strategy, *, epochs, pause):
    """Four steps an epoch, the last one short; Adam with clipping, an l2 penalty in the objective."""
    if pause:
        close = Session._close_epoch

        def paused(session, show):
            close(session, show)
            time.sleep(pause)

        Session._close_epoch = paused
    with strategy.scope() if strategy else contextlib.nullcontext():
        keras.utils.set_random_seed(3)
        rng = np.random.default_rng(0)
        x = rng.normal(size=(23, 5)).astype("float32")
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(7, "tanh"), keras.layers.Dense(2)])
        log = Memory(Checkpoint(folder / "state.npz", settings={}, every_seconds=0.0))
        history = fit(
            model,
            squared_error,
            Batches(x, np.sin(x[:, :2]), batch_size=7, seed=3),
            epochs=epochs,
            optimizer=keras.optimizers.Adam(0.02, clipnorm=0.1),
            validation=Batches(x[:6], np.sin(x[:6, :2]), batch_size=4, shuffle=False),
            log=log,
            progress=False,
        )
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    digest = hashlib.sha256(weights.tobytes()).hexdigest()
    return {"history": dict(history), "steps": history.steps, "weights": weights.tolist(), "digest": digest} | {
        "logged": len(log.points)
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--replicas", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0)
    parser.add_argument("--drop", action="store_true")
    arguments = parser.parse_args()
    if arguments.drop:
        plant_a_lost_gradient()
    strategy = None
    if "TF_CONFIG" in os.environ:
        strategy = distribution.strategy_of("multiworker")
    elif arguments.replicas:
        strategy = distribution.strategy_of("mirrored", replicas=arguments.replicas)
    try:
        end = train(arguments.folder, strategy, epochs=arguments.epochs, pause=arguments.pause)
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(2)  # without waiting for those that are gone
    print(json.dumps(end), flush=True)


if __name__ == "__main__":
    main()
