"""Training steps of a GRU language model: 80 tokens, 64 steps, 256 units, batches of 32."""

from benchmarks import _steps
from keras_course.bench import Goal, Workload

WORDS, STEPS, UNITS = 80, 64, 256


def model():
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((STEPS,), dtype="int32"),
            layers.Embedding(WORDS, 64),
            layers.GRU(UNITS, return_sequences=True),
            layers.Dense(WORDS),
        ]
    )


def twin(weights):
    import torch
    from torch import nn

    table, kernel, recurrent, biases, out, bias = weights

    def turned(columns):
        """Keras has the update gate first, PyTorch the reset gate."""
        update, reset, new = (columns[..., i * UNITS : (i + 1) * UNITS] for i in range(3))
        return _steps.of_torch(torch.cat([torch.from_numpy(p) for p in (reset, update, new)], -1).numpy().T)

    class Language(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(WORDS, 64, _weight=torch.from_numpy(table))
            self.cell = nn.GRU(64, UNITS, batch_first=True)
            self.cell.weight_ih_l0, self.cell.weight_hh_l0 = turned(kernel), turned(recurrent)
            self.cell.bias_ih_l0, self.cell.bias_hh_l0 = turned(biases[0]), turned(biases[1])
            self.out = _steps.dense(out, bias)

        def forward(self, x, y):
            states, _ = self.cell(self.table(x))
            return nn.functional.cross_entropy(self.out(states).flatten(0, 1), y.flatten())

    return Language()


NET = _steps.Net(model, _steps.cross_entropy, lambda: _steps.tokens(480, STEPS, WORDS), 32, twin, embedding=True)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET),
    goals=(Goal(_steps.FIT, 1), Goal(_steps.JAX, 0.8), Goal(_steps.TORCH, 1)),
    tolerance=1e-3,
    note=_steps.NOTE + _steps.TOKENS,
)
