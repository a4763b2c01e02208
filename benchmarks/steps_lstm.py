"""Training steps of an LSTM classifier of texts: 2,000 words, 100 steps, 128 units, batches of 32."""

from benchmarks import _steps
from keras_course.bench import Goal, Workload

import numpy as np

WORDS, STEPS, UNITS = 2_000, 100, 128


def model():
    import keras

    layers = keras.layers
    return keras.Sequential(
        [keras.Input((STEPS,), dtype="int32"), layers.Embedding(WORDS, 64), layers.LSTM(UNITS), layers.Dense(2)]
    )


def texts():
    x, _ = _steps.tokens(480, STEPS, WORDS)
    return x, np.asarray(x[:, -1] % 2, "int64")


def twin(weights):
    import torch
    from torch import nn

    table, kernel, recurrent, bias, out, last = weights

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(WORDS, 64, _weight=torch.from_numpy(table))
            self.cell = nn.LSTM(64, UNITS, batch_first=True)
            self.cell.weight_ih_l0, self.cell.weight_hh_l0 = _steps.of_torch(kernel.T), _steps.of_torch(recurrent.T)
            self.cell.bias_ih_l0 = _steps.of_torch(bias)
            torch.nn.init.zeros_(self.cell.bias_hh_l0).requires_grad_(False)  # Keras has one bias
            self.out = _steps.dense(out, last)

        def forward(self, x, y):
            states, _ = self.cell(self.table(x))
            return nn.functional.cross_entropy(self.out(states[:, -1]), y)

    return Classifier()


NET = _steps.Net(model, _steps.cross_entropy, texts, 32, twin, embedding=True)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET),
    goals=(Goal(_steps.FIT, 1), Goal(_steps.JAX, 0.8), Goal(_steps.TORCH, 1)),
    tolerance=1e-3,
    note=_steps.NOTE + _steps.TOKENS,
)
