"""Training on several devices or machines with `tf.distribute`: the same loop, each batch in parts.

Every replica gathers its share of the rows of a batch. Its gradient is weighted by that share and summed over the
replicas, which is the gradient of the mean over the whole batch; clipping sees that sum. So the losses are those of
one device but for the order of the sums, whatever the number of replicas.

What stays of one replica: the moving averages of `BatchNormalization` (take `synchronized=True`), and the draws of
dropout and augmentation, which every replica makes for itself.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from keras_course.base import InputError, pick, require, worker_index
from keras_course.training.runners import Batches, Gathered, RowsStep, Values
from keras_course.training.steps import Objective, Scalars, differentiated

import keras
import numpy as np
import tensorflow as tf

STRATEGIES = ("mirrored", "multiworker")


class WorkerLost(InputError):  # noqa: N818, it is what happened
    """Another process of the training is gone.

    Attributes:
        missing: the addresses that do not answer.
    """

    def __init__(self, missing: list[str]):
        self.missing = missing
        who = " and ".join(missing) if missing else "a worker, which answers again by now,"
        super().__init__(
            f"{who} went missing, and no step is possible without all workers: start every process again, "
            "`keras-course run` with `--resume`, and the training goes on from the last checkpoint."
        )


def strategy_of(name: str, *, replicas: int = 0) -> tf.distribute.Strategy:
    """The strategy of a name on the command line, made before TensorFlow has done anything else.

    "mirrored": all GPUs of this machine, or else `replicas` logical devices on its CPU (2 unless given).
    "multiworker": the processes that the environment variable TF_CONFIG names; waits until all are there.

    Raises:
        InputError: an unknown name, or no TF_CONFIG for "multiworker".
    """
    pick(dict.fromkeys(STRATEGIES), name, "strategy")
    if name == "multiworker":
        worker_index()  # refuses a TF_CONFIG that says nothing
        return tf.distribute.MultiWorkerMirroredStrategy()
    if tf.config.list_physical_devices("GPU"):
        return tf.distribute.MirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * (replicas or 2)
    tf.config.set_logical_device_configuration(cpu, parts)
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(len(parts))])


def current(strategy: tf.distribute.Strategy | None) -> tf.distribute.Strategy | None:
    """`strategy`, or the one in whose scope this is called; None without either."""
    if strategy is None and tf.distribute.has_strategy():
        return tf.distribute.get_strategy()
    return strategy


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether this process writes for all: there is one such, and it is the only one without a cluster."""
    resolver = strategy.cluster_resolver if strategy else None
    return not getattr(resolver, "task_id", None)


def require_scope(strategy: tf.distribute.Strategy, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """InputError when the model or the optimizer was made outside of the scope: its variables have one copy only."""
    inside = all(strategy.extended.variable_created_in_scope(v.value) for v in model.trainable_variables)
    rule = "made in `with strategy.scope():`"
    require(inside, "model", rule, f"`{model.name}`, whose variables are of no or another strategy")
    require(optimizer._distribution_strategy is strategy, "optimizer", rule, f"`{optimizer.name}`, made outside")


@contextlib.contextmanager
def summed_once(optimizer: keras.optimizers.Optimizer, strategy: tf.distribute.Strategy | None) -> Iterator[None]:
    """Keras's optimizers sum the gradients over the replicas behind clipping; here they come summed, before it."""
    if strategy is None:
        yield
        return
    optimizer._all_reduce_sum_gradients = list
    try:
        yield
    finally:
        del optimizer._all_reduce_sum_gradients


def part(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The rows of this replica and their share of the batch; one row of weight 0 where there are too few for all."""
    context = tf.distribute.get_replica_context()
    mine = rows[context.replica_id_in_sync_group :: context.num_replicas_in_sync]
    share = tf.size(mine) / tf.size(rows)
    return tf.cond(tf.size(mine) > 0, lambda: mine, lambda: rows[:1]), tf.cast(share, tf.float32)


def update_in_parts(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    objective: Objective,
    optimizer: keras.optimizers.Optimizer,
    batches: Batches,
) -> RowsStep:
    """The step that trains, on all replicas: takes the rows of a whole batch, returns the means over it."""

    def replica(rows: tf.Tensor, seed: tf.Tensor) -> Scalars:
        context = tf.distribute.get_replica_context()
        mine, share = part(rows)
        # other draws for each replica: no two steps of a training are 2²⁰ apart
        seed += tf.stack([0, tf.cast(context.replica_id_in_sync_group, tf.int32) * 2**20])
        values, gradients = differentiated(model, objective, optimizer, batches.take(mine, seed), share)
        given = [gradient for gradient in gradients if gradient is not None]
        *summed, means = context.all_reduce(
            tf.distribute.ReduceOp.SUM, [*given, tf.stack(list(values.values())) * share]
        )
        left = iter(summed)
        optimizer.apply([None if g is None else next(left) for g in gradients], model.trainable_variables)
        return dict(zip(values, tf.unstack(means), strict=True))

    def step(rows: tf.Tensor, seed: tf.Tensor) -> Scalars:
        everywhere = strategy.run(replica, args=(rows, seed))
        return {name: strategy.experimental_local_results(value)[0] for name, value in everywhere.items()}

    return step


LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError, tf.errors.DeadlineExceededError)


class Distributed(Gathered):
    """Runs steps on all replicas; says who is missing when a process is gone."""

    def __init__(self, strategy: tf.distribute.Strategy, step: RowsStep, batches: Batches, *, graph: bool = True):
        self._over_rows(step, batches, graph=graph, xla=False)
        self.strategy = strategy

    def run(self, start: int, stop: int) -> Values:
        try:
            return super().run(start, stop)
        except LOST as error:
            if len(peers := others(self.strategy)) == 0:
                raise
            raise WorkerLost([peer for peer in peers if not answers(peer)]) from error


def others(strategy: tf.distribute.Strategy) -> list[str]:
    """The addresses of the other processes of the cluster."""
    resolver = strategy.cluster_resolver
    if resolver is None:
        return []
    own = resolver.task_id
    return [f"worker {i} at {at}" for i, at in enumerate(resolver.cluster_spec().as_dict()["worker"]) if i != own]


def answers(worker: str) -> bool:
    """Whether somebody listens at the address behind the last blank."""
    host, _, port = worker.rpartition(" ")[2].rpartition(":")
    with contextlib.suppress(OSError):
        socket.create_connection((host, int(port)), timeout=2).close()
        return True
    return False


def from_chief(strategy: tf.distribute.Strategy, content: bytes | None) -> bytes | None:
    """What the chief has, on every process: the others need no file of their own."""
    if not others(strategy):
        return content
    mine = np.frombuffer(content or b"", np.uint8).astype(np.int32) if is_chief(strategy) else np.zeros(0, np.int32)

    def summed(array: Any) -> Any:
        @tf.function
        def everywhere() -> Any:
            return strategy.run(
                lambda: tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(array))
            )

        return strategy.experimental_local_results(everywhere())[0].numpy()

    length = int(summed(np.int32(len(mine))))  # of the others it is 0
    if length == 0:
        return None
    padded = np.zeros(length, np.int32)
    padded[: len(mine)] = mine
    return summed(padded).astype(np.uint8).tobytes()
