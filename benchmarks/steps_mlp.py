"""Training steps of the deep network of `training/linear_to_deep`, 784-256-128-64-10, batches of 64."""

from benchmarks import _steps
from keras_course.bench import Goal, Workload


def model():
    from keras_course import models

    return models.mlp((28, 28, 1), 10, hidden=(256, 128, 64))


def twin(weights):
    from torch import nn

    *hidden, last = (_steps.dense(*weights[i : i + 2]) for i in range(0, 8, 2))
    return _steps.classifier(nn.Flatten(), *(part for layer in hidden for part in (layer, nn.ReLU())), last)


NET = _steps.Net(model, _steps.cross_entropy, lambda: _steps.bytes_and_labels(12_800, (28, 28, 1)), 64, twin)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET),
    goals=(Goal(_steps.FIT, 3), Goal(_steps.JAX, 0.95), Goal(_steps.TORCH, 1.2)),
    tolerance=1e-3,
    note=_steps.NOTE,
)
