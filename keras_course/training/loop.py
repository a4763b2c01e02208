"""The one training loop. What is minimised is an argument, so that a new idea needs an objective, not a loop."""

import contextlib
import dataclasses
import operator
from typing import Any

from keras_course.base import require
from keras_course.training import distribution
from keras_course.training.checkpoints import Checkpoint
from keras_course.training.evaluation import evaluate
from keras_course.training.history import History
from keras_course.training.precision import set_precision
from keras_course.training.progress import display
from keras_course.training.runners import Batches, Runner, runner
from keras_course.training.session import Log, Session
from keras_course.training.state import State
from keras_course.training.steps import Objective, update
from keras_course.training.stopping import EarlyStopping
from keras_course.training.xla import choose

import keras
import tensorflow as tf

RESUMABLE = (
    "a `Batches` where a checkpoint is kept, since the order of a tf.data.Dataset is no function of a known seed"
)


def _bound(checkpoint: Checkpoint, batches: Any, epochs: int) -> Checkpoint:
    """`checkpoint`, for this number of epochs over these batches only."""
    terms = {"epochs": epochs, "examples": batches.n, "batch_size": batches.batch_size, "shuffle_seed": batches.seed}
    return dataclasses.replace(checkpoint, settings=checkpoint.settings | {f"fit.{k}": v for k, v in terms.items()})


def fit(
    model: keras.Model,
    objective: Objective,
    batches: Batches | tf.data.Dataset,
    *,
    epochs: int,
    optimizer: keras.optimizers.Optimizer,
    validation: Batches | tf.data.Dataset | None = None,
    early_stopping: EarlyStopping | None = None,
    checkpoint: Checkpoint | None = None,
    log: Log | None = None,
    stage: str = "train",
    graph: bool = True,
    xla: bool | None = None,
    strategy: tf.distribute.Strategy | None = None,
    precision: str | None = None,
    progress: bool = True,
    watch: contextlib.AbstractContextManager[Any] | None = None,
) -> History:
    """Minimises `objective` over the trainable weights of `model`.

    Many steps run in one graph call; about once a second the loop comes back to Python, for the display, the check of
    the loss and the checkpoint. How the steps are cut into calls changes no number.

    Args:
        objective: maps (model, batch, training) to a scalar loss or to (loss, {name: scalar}), means over the batch.
            It calls the model itself; `training` is True in the steps and False in the validation.
        batches: a `Batches`, gathered inside the graph, or a `tf.data.Dataset` of batches that is one epoch.
        optimizer: of Keras, with a rate or a schedule.
        validation: what is measured behind each epoch, as the curves `val_...`.
        early_stopping: when to stop and which weights to keep; needs `validation`.
        checkpoint: where the state is kept; without one that of `log`. When the file is there, the run goes on from it,
            to the same bits under op determinism, and a finished run is given back at once. Its randomness must come
            from `batches`, from the layers' seed generators or from `keras.random`. A `tf.data.Dataset` cannot be
            resumed, since its order is not known to be a function of a seed: with `checkpoint` it is refused, and
            `log` is not asked for one.
        stage: the name of this training in the log and on the display.
        graph: False steps through Python, for a debugger; the losses are the same.
        xla: whether XLA compiles the steps; None: for dense networks with many steps. A dataset is never compiled.
        strategy: spreads each batch over the replicas of a `tf.distribute` strategy; without one that of the scope
            in which `fit` is called. Model and optimizer must be made in its scope, and `batches` be a `Batches`.
            The losses are those of one device but for the order of the sums. Of several processes the first writes.
        precision: "mixed_bfloat16" or "float32", which `set_precision` gives the layers; None leaves them as they are.
        progress: False shows nothing.
        watch: a context in which the steps are traced and run, such as `diagnostics.watch(...)`, which says why they do
            not train.

    Returns:
        The means of each epoch, weighted by the sizes of the batches, and the learning rate at its end.

    Raises:
        InputError: a value that breaks one of these rules, in one sentence.
        Diverged: the loss became NaN or infinite; the loop stops at that step.
        WorkerLost: another process of a strategy of several is gone.
    """
    strategy = distribution.current(strategy)
    streamed = isinstance(batches, tf.data.Dataset)
    require(type(epochs) is int and epochs >= 1, "epochs", "a whole number of at least 1", epochs)
    require(model.trainable_variables, "model", "built, with weights to train", model.name)
    require(
        validation is not None or not early_stopping, "validation", "given for early stopping to look at", validation
    )
    require(not (streamed and checkpoint), "batches", RESUMABLE, type(batches).__name__)
    require(not xla or (graph and not streamed), "xla", "None or False with a tf.data.Dataset or graph=False", xla)
    if strategy:
        require(not streamed, "batches", "a `Batches` with a strategy: each replica gathers its own rows", "a dataset")
        require(not xla, "xla", "None or False with a strategy, whose variables have several places", xla)
        distribution.require_scope(strategy, model, optimizer)
    if log and not streamed and not checkpoint:
        checkpoint = log.checkpoint(stage)

    if precision is not None:
        set_precision(model, precision)

    def validate() -> dict[str, float]:
        if validation is None:
            return {}
        return {f"val_{name}": v for name, v in evaluate(model, objective, validation, graph=graph).items()}

    optimizer.build(model.trainable_variables)
    steps = operator.length_hint(batches)  # 0 for a dataset that does not know its length
    running: Runner
    if strategy:
        parts = distribution.update_in_parts(strategy, model, objective, optimizer, batches)
        running = distribution.Distributed(strategy, parts, batches, graph=graph)
    else:
        compiled = choose(model, xla, steps=epochs * steps)
        running = runner(update(model, objective, optimizer), batches, graph=graph, xla=compiled)
    session = Session(
        state=State(model, optimizer),
        runner=running,
        epochs=epochs,
        validate=validate,
        stopping=early_stopping,
        checkpoint=checkpoint and _bound(checkpoint, batches, epochs),
        log=log,
        stage=stage,
        strategy=strategy,
    )
    session.restore()
    shown = progress and distribution.is_chief(strategy)
    with (
        watch or contextlib.nullcontext(),
        display(stage, epochs=epochs, steps=steps, progress=shown) as show,
        distribution.summed_once(optimizer, strategy),
    ):
        session.run(show)
    return session.state.history
