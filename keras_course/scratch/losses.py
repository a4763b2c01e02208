"""Losses: `forward` gives the mean over the examples, `backward` its gradient by the outputs."""

from keras_course.base import blank, require
from keras_course.scratch.activations import sigmoid
from keras_course.scratch.layer import require_shape

import numpy as np


@blank(
    "foundations/softmax_regression",
    hints=(
        "exp(1000) is infinite. What can be subtracted from all logits of an example without changing its softmax?",
        "The logarithm of a softmax needs no division: subtract the logarithm of the sum.",
    ),
)
def log_softmax(x: np.ndarray) -> np.ndarray:
    """log softmax(x) over the last axis, finite for finite x."""
    # log softmax(x) = (x - max x) - log Σ exp(x - max x)
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def require_labels(labels: np.ndarray, examples: int, classes: int) -> None:
    """InputError unless `labels` are whole numbers from 0 to classes - 1, one for each example."""
    require_shape("labels", labels, (examples,))
    require(labels.dtype.kind in "iu", "labels", "of whole numbers", labels.dtype.name)
    outside = labels[(labels < 0) | (labels >= classes)]
    require(not outside.size, "labels", f"a class from 0 to {classes - 1}", outside[:1].tolist())


class SoftmaxCrossEntropy:
    """L = mean of -log softmax(logits)[label], in nats."""

    @blank(
        "foundations/softmax_regression",
        hints=(
            "The loss of an example is minus the entry of its label in `log_softmax(logits)`.",
            "Two arrays of indices, the rows and the labels, pick one entry of each row.",
        ),
    )
    def forward(self, logits: np.ndarray, labels: np.ndarray) -> float:
        """The loss of logits (n, classes) and labels (n,), whole numbers from 0 to classes - 1.

        InputError for labels outside the classes (`require_labels`). Keep the labels and the logarithms for `backward`.
        """
        require_labels(labels, *logits.shape)
        self.labels, self.log_p = labels, log_softmax(logits)  # (n, classes)
        return -float(np.mean(self.log_p[np.arange(len(labels)), labels]))

    @blank(
        "foundations/softmax_regression",
        hints=(
            "Differentiate log Σ exp(z) - z[label] by each z: the first term gives the softmax.",
            "The loss is a mean over the batch, so each example's gradient is divided by their number.",
        ),
    )
    def backward(self) -> np.ndarray:
        """dL/dlogits (n, classes)."""
        # dL/dlogits = (softmax(logits) - one hot of the label) / n
        gradient = np.exp(self.log_p)
        gradient[np.arange(len(gradient)), self.labels] -= 1
        return gradient / len(gradient)


class MeanSquaredError:
    """L = mean of (output - target)² over the examples and the outputs of each."""

    def forward(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """The loss of outputs and targets of one shape, (n, ...)."""
        require_shape("targets", targets, outputs.shape)
        self.error = outputs - targets
        return float(np.mean(self.error**2))

    def backward(self) -> np.ndarray:
        """dL/doutputs (n, ...)."""
        # dL/doutput = 2 (output - target) / (number of outputs)
        return 2 * self.error / self.error.size


class BinaryCrossEntropy:
    """L = mean of -t log σ(z) - (1 - t) log(1 - σ(z)), in nats, for logits z and targets t in [0, 1]."""

    def forward(self, logits: np.ndarray, targets: np.ndarray) -> float:
        """The loss of logits and targets of one shape, (n, ...)."""
        require_shape("targets", targets, logits.shape)
        self.logits, self.targets = logits, targets
        # -t log σ(z) - (1 - t) log(1 - σ(z)) = log(1 + exp(z)) - t z
        return float(np.mean(np.logaddexp(0, logits) - targets * logits))

    def backward(self) -> np.ndarray:
        """dL/dlogits (n, ...)."""
        # dL/dz = (σ(z) - t) / (number of logits)
        return (sigmoid(self.logits) - self.targets) / self.logits.size
