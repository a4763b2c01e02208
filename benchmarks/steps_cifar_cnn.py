"""Training steps of four convolutions of 32 to 64 filters on images of CIFAR's shape, batches of 64."""

from benchmarks import _steps
from keras_course.bench import Goal, Variant, Workload

BFLOAT16 = "ours, mixed bfloat16"


def model():
    import keras

    layers = keras.layers
    convolutions = [layers.Conv2D(n, 3, padding="same", activation="relu") for n in (32, 32, 64, 64)]
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            *convolutions[:2],
            layers.MaxPooling2D(),
            *convolutions[2:],
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, dtype="float32"),
        ]
    )


def twin(weights):
    from torch import nn

    left = iter(weights)
    pair = lambda make: make(next(left), next(left))  # noqa: E731
    layers = []
    for pooled in (False, True, False, True):
        layers += [pair(_steps.convolution), nn.ReLU(), *([nn.MaxPool2d(2)] if pooled else [])]
    return _steps.classifier(*layers, _steps.flatten(), pair(_steps.dense), nn.ReLU(), pair(_steps.dense))


NET = _steps.Net(model, _steps.cross_entropy, lambda: _steps.bytes_and_labels(1_280, (32, 32, 3)), 64, twin)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET, without=_steps.JAX)
    | {BFLOAT16: Variant(prepare=_steps.ours(NET, "mixed_bfloat16"), same=False)},
    goals=(Goal(_steps.FIT, 1), Goal(_steps.TORCH, 0.8), Goal(_steps.TORCH, 0.8, of=BFLOAT16)),
    tolerance=1e-3,
    note=_steps.NOTE + " JAX is left out: a scan over convolutions is what XLA runs worst on a CPU: see `steps_cnn`. "
    "Mixed bfloat16 is another computation: its losses are not compared here.",
)
