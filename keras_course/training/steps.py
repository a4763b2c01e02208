"""One step: a batch in, named scalars out. The parts of the loop that know the model and the objective."""

from collections.abc import Callable
from typing import Any

from keras_course.base import InputError, require

import keras
import tensorflow as tf

Batch = tuple[tf.Tensor, ...]
Scalars = dict[str, tf.Tensor]
Objective = Callable[[keras.Model, Any, bool], Any]  # (model, batch, training) -> loss or (loss, metrics)
Step = Callable[[Any], Scalars]


def named(result: Any) -> Scalars:
    """What an objective returned, as {"loss": ..., **metrics}, each a float32 scalar.

    Raises:
        InputError: None, or a value with axes: it was not averaged over the batch, or (n, 1) met (n,) and became n × n.
    """
    loss, metrics = result if isinstance(result, tuple) else (result, {})
    values = {**metrics, "loss": loss}
    for name, value in values.items():
        require(value is not None, "objective", "a function that returns a loss, or (loss, metrics)", value)
        shape = tuple(getattr(value, "shape", ()))
        require(shape == (), f"objective's {name}", "a scalar, the mean over the batch", f"shape {shape}")
    return {name: tf.cast(values[name], tf.float32) for name in ("loss", *metrics)}


def whole(gradient: Any) -> tf.Tensor | None:
    """A gradient as one tensor. That of an embedding comes as rows, one for each token.

    Keras's Adam squares such rows one by one: of a token that occurs thrice with gradient g it takes 3 g² for (3 g)²,
    so its steps are too large. Its moments are whole tensors anyway, so little is lost.
    """
    return None if gradient is None else tf.convert_to_tensor(gradient)


def differentiated(
    model: keras.Model, objective: Objective, optimizer: keras.optimizers.Optimizer, batch: Any, share: Any = 1.0
) -> tuple[Scalars, list[Any]]:
    """The scalars of a batch, and the gradient of `share` times its loss by each trainable weight."""
    with tf.GradientTape() as tape:
        values = named(objective(model, batch, True))
        loss = optimizer.scale_loss(values["loss"] * share)  # mixed_float16 needs it, all else is left as it is
    gradients = [whole(gradient) for gradient in tape.gradient(loss, model.trainable_variables)]
    if all(gradient is None for gradient in gradients):
        raise InputError(f"`objective` must depend on the weights of `{model.name}`; its gradient is zero for all.")
    return values, gradients


def update(model: keras.Model, objective: Objective, optimizer: keras.optimizers.Optimizer) -> Step:
    """The step that trains: one gradient step of `optimizer` on the trainable weights."""

    def step(batch: Any) -> Scalars:
        values, gradients = differentiated(model, objective, optimizer, batch)
        optimizer.apply(gradients, model.trainable_variables)
        return values

    return step


def measure(model: keras.Model, objective: Objective) -> Step:
    """The step that only looks: the objective with training=False."""
    return lambda batch: named(objective(model, batch, False))
