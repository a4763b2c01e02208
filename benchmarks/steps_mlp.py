"""Training steps of a multilayer perceptron, 784-256-128-10, batches of 128."""

from benchmarks import _steps
from keras_course.bench import Goal, Workload


def model():
    from keras_course import models

    return models.mlp((28, 28, 1), 10, hidden=(256, 128))


def twin(weights):
    from torch import nn

    a, b, c, d, e, f = weights
    return _steps.classifier(
        nn.Flatten(), _steps.dense(a, b), nn.ReLU(), _steps.dense(c, d), nn.ReLU(), _steps.dense(e, f)
    )


NET = _steps.Net(model, _steps.cross_entropy, lambda: _steps.bytes_and_labels(25_600, (28, 28, 1)), 128, twin)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET),
    goals=(Goal(_steps.FIT, 3), Goal(_steps.JAX, 0.95), Goal(_steps.TORCH, 1.2)),
    tolerance=1e-3,
    note=_steps.NOTE,
)
