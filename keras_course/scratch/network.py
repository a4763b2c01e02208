"""Layers in a row, and the loop that trains them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from keras_course.base import blank, require
from keras_course.scratch.layer import Layer
from keras_course.scratch.optimizers import Optimizer

import numpy as np

Metrics = Mapping[str, Callable[[np.ndarray, np.ndarray], float]]  # name -> function of outputs and targets


class Network(Layer):
    """Layers in a row, itself a layer. Its parameters are those of its layers: "0/kernel", "0/bias", "2/kernel"."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)

    @property
    def parameters(self) -> dict[str, np.ndarray]:  # type: ignore[override]
        return {f"{i}/{name}": w for i, layer in enumerate(self.layers) for name, w in layer.parameters.items()}

    @property
    def gradients(self) -> dict[str, np.ndarray]:  # type: ignore[override]
        return {f"{i}/{name}": g for i, layer in enumerate(self.layers) for name, g in layer.gradients.items()}

    @blank(
        "foundations/two_layer_mlp",
        hints=("What a layer puts out is what the next one takes in; all are told the mode.",),
    )
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """The output of the last layer, for the input x of the first."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    @blank(
        "foundations/two_layer_mlp",
        hints=(
            "Begin at the end: only the last layer is given a dL/dy.",
            "Each layer's `backward` returns the next dL/dy.",
        ),
    )
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """The chain rule: each layer's dL/dx is dL/dy of the layer before it."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def penalty(self) -> float:
        return sum(layer.penalty() for layer in self.layers)

    def astype(self, dtype: str) -> Self:
        for layer in self.layers:
            layer.astype(dtype)
        return self

    def predict(self, x: np.ndarray, batch_size: int = 1000) -> np.ndarray:
        """The outputs of all examples, in test mode, a batch at a time to bound the memory."""
        return np.concatenate([self.forward(x[i : i + batch_size]) for i in range(0, len(x), batch_size)])

    def count(self) -> int:
        """How many numbers are learned."""
        return sum(w.size for w in self.parameters.values())


@blank(
    "foundations/numpy_digits",
    hints=("The predicted class of an example is the place of its largest output.",),
)
def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """The share of examples whose largest output is that of their label. outputs (n, classes), labels (n,)."""
    return float(np.mean(outputs.argmax(axis=-1) == labels))


def measure(network: Network, loss: Any, outputs: np.ndarray, y: np.ndarray, metrics: Metrics) -> dict[str, float]:
    """The loss, penalty included, and the metrics of `outputs` for the targets `y`."""
    return {"loss": loss.forward(outputs, y) + network.penalty()} | {k: f(outputs, y) for k, f in metrics.items()}


def evaluate(
    network: Network, loss: Any, x: np.ndarray, y: np.ndarray, metrics: Metrics | None = None
) -> dict[str, float]:
    """The loss, penalty included, and the metrics in test mode."""
    return measure(network, loss, network.predict(x), y, metrics or {})


def train_step(
    network: Network, loss: Any, x: np.ndarray, y: np.ndarray, optimizer: Optimizer, metrics: Metrics | None = None
) -> dict[str, float]:
    """One update on one batch; returns its loss and metrics as they were before the update."""
    outputs = network.forward(x, training=True)
    measured = measure(network, loss, outputs, y, metrics or {})
    network.backward(loss.backward())
    optimizer.step(network.parameters, network.gradients)
    return measured


def fit(
    network: Network,
    loss: Any,
    x: np.ndarray,
    y: np.ndarray,
    *,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    metrics: Metrics | None = None,
    log: Any = None,
    stage: str = "",
) -> dict[str, list[float]]:
    """Trains on all examples, in a new random order each epoch, the last batch of an epoch as small as it comes.

    x: (n, ...) inputs; y: (n, ...) targets, of the kind that `loss` takes.
    validation: inputs and targets that are only measured.
    log, stage: where the curves go (`keras_course.runs.Run.scalars`), and under which name.
    Returns one value an epoch of "loss" and each metric, means over the examples as they were trained on, and with
    `validation` of "val_loss" and "val_<metric>", measured after the epoch.
    """
    require(len(x) == len(y), "y", f"as long as `x`, {len(x)}", len(y))
    history: dict[str, list[float]] = {}
    for epoch in range(1, epochs + 1):
        measured = train_epoch(network, loss, x, y, optimizer, batch_size, rng, metrics)
        if validation is not None:
            measured |= {f"val_{k}": v for k, v in evaluate(network, loss, *validation, metrics).items()}
        for name, value in measured.items():
            history.setdefault(name, []).append(value)
        if log is not None:
            log.scalars(stage, epoch, measured)
    return history


@blank(
    "foundations/numpy_digits",
    hints=(
        "Each example once: draw one order for the epoch and cut it into batches; the last may be short.",
        "`train_step` gives the mean over its batch. The mean over all examples weighs each batch by its size.",
        "`rng.permutation(len(x))` is the order; `order[start : start + batch_size]` are the rows of a batch.",
    ),
)
def train_epoch(
    network: Network,
    loss: Any,
    x: np.ndarray,
    y: np.ndarray,
    optimizer: Optimizer,
    batch_size: int,
    rng: np.random.Generator,
    metrics: Metrics | None = None,
) -> dict[str, float]:
    """One pass over all examples in an order that `rng` draws; returns means over the examples."""
    order = rng.permutation(len(x))
    totals: dict[str, float] = {}
    for start in range(0, len(x), batch_size):
        rows = order[start : start + batch_size]
        for name, value in train_step(network, loss, x[rows], y[rows], optimizer, metrics).items():
            totals[name] = totals.get(name, 0.0) + value * len(rows) / len(x)  # a short batch weighs less
    return totals
