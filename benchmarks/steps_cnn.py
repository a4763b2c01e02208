"""Training steps of a small convolutional network on images of MNIST's shape, batches of 64."""

from benchmarks import _steps
from keras_course.bench import Goal, Variant, Workload

BFLOAT16 = "ours, mixed bfloat16"


def model():
    from keras_course import models

    return models.cnn((28, 28, 1), 10, filters=(32, 64))


def twin(weights):
    from torch import nn

    a, b, c, d, e, f = weights
    return _steps.classifier(
        _steps.convolution(a, b),
        nn.ReLU(),
        nn.MaxPool2d(2),
        _steps.convolution(c, d),
        nn.ReLU(),
        nn.MaxPool2d(2),
        _steps.flatten(),
        _steps.dense(e, f),
    )


NET = _steps.Net(model, _steps.cross_entropy, lambda: _steps.bytes_and_labels(3_200, (28, 28, 1)), 64, twin)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET, without=_steps.JAX)
    | {BFLOAT16: Variant(prepare=_steps.ours(NET, "mixed_bfloat16"), same=False)},
    goals=(Goal(_steps.FIT, 1), Goal(_steps.TORCH, 1.4, of=BFLOAT16), Goal(_steps.TORCH, 1)),
    tolerance=1e-3,
    note=_steps.NOTE
    + " JAX is left out: its first epoch of 50 steps as one compiled scan had not ended after 170 seconds of CPU. "
    "Mixed bfloat16 is another computation: its losses are not compared here.",
)
