"""Training steps of DenseNet-40 of growth rate 12 on images of CIFAR's shape, batches of 32."""

from benchmarks import _steps
from keras_course.bench import Goal, Variant, Workload

BFLOAT16 = "ours, mixed bfloat16"


def model():
    from keras_course import models

    return models.densenet_40_12((32, 32, 3), 10)


def twin(weights):
    import torch
    from torch import nn

    left = iter(weights)

    def unit():
        norm = nn.BatchNorm2d(len(gamma := next(left)), eps=1e-3, momentum=0.01)
        norm.weight, norm.bias = _steps.of_torch(gamma), _steps.of_torch(next(left))
        return nn.Sequential(norm, nn.ReLU(), _steps.convolution(next(left)))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.units = nn.ModuleList(unit() for _ in range(12))

        def forward(self, x):
            for each in self.units:
                x = torch.cat([x, each(x)], 1)
            return x

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    layers = [_steps.convolution(next(left)), Block()]
    for _ in range(2):
        layers += [unit(), nn.AvgPool2d(2), Block()]
    norm = nn.BatchNorm2d(len(gamma := next(left)), eps=1e-3, momentum=0.01)
    norm.weight, norm.bias = _steps.of_torch(gamma), _steps.of_torch(next(left))
    return _steps.classifier(*layers, norm, nn.ReLU(), Mean(), _steps.dense(next(left), next(left)))


NET = _steps.Net(model, _steps.cross_entropy, lambda: _steps.bytes_and_labels(96, (32, 32, 3)), 32, twin)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET, without=_steps.JAX)
    | {BFLOAT16: Variant(prepare=_steps.ours(NET, "mixed_bfloat16"), same=False)},
    goals=(Goal(_steps.FIT, 1), Goal(_steps.TORCH, 0.8), Goal(_steps.TORCH, 0.8, of=BFLOAT16)),
    tolerance=1e-2,
    note=_steps.NOTE
    + " Three steps. JAX is left out: XLA took more than eight minutes to compile the scan for this CPU. Mixed "
    "bfloat16 is another computation: its losses are not compared.",
)
