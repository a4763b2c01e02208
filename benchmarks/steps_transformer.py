"""Training steps of a one-layer transformer language model: 80 tokens, 64 steps, width 128, 4 heads, batches of 32."""

from benchmarks import _steps
from keras_course.bench import Goal, Workload

WORDS, STEPS, WIDTH, HEADS = 80, 64, 128, 4


def model():
    import keras

    layers = keras.layers
    inputs = keras.Input((STEPS,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH)(inputs)
    seen = layers.LayerNormalization(epsilon=1e-5)(x)
    x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(seen, seen, use_causal_mask=True)
    wide = layers.Dense(4 * WIDTH, "relu")(layers.LayerNormalization(epsilon=1e-5)(x))
    x = x + layers.Dense(WIDTH)(wide)
    return keras.Model(inputs, layers.Dense(WORDS)(layers.LayerNormalization(epsilon=1e-5)(x)))


def twin(weights):
    import torch
    from torch import nn

    left = iter(weights)

    def norm():
        layer = nn.LayerNorm(WIDTH, eps=1e-5)
        layer.weight, layer.bias = _steps.of_torch(next(left)), _steps.of_torch(next(left))
        return layer

    def projection(kernel, bias):
        return _steps.dense(kernel.reshape(WIDTH, WIDTH), bias.reshape(WIDTH))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(WORDS, WIDTH, _weight=torch.from_numpy(next(left)))
            self.before = norm()
            self.query, self.key, self.value, self.joined = (projection(next(left), next(left)) for _ in range(4))
            self.between = norm()
            self.wide, self.narrow = (_steps.dense(next(left), next(left)) for _ in range(2))
            self.behind, self.out = norm(), _steps.dense(next(left), next(left))

        def forward(self, x, y):
            x = self.table(x)
            seen = self.before(x)
            q, k, v = (p(seen).unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in (self.query, self.key, self.value))
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.joined(mixed.transpose(1, 2).flatten(2))
            x = x + self.narrow(torch.relu(self.wide(self.between(x))))
            return nn.functional.cross_entropy(self.out(self.behind(x)).flatten(0, 1), y.flatten())

    return Transformer()


NET = _steps.Net(model, _steps.cross_entropy, lambda: _steps.tokens(640, STEPS, WORDS), 32, twin, embedding=True)
WORKLOAD = Workload(
    title=__doc__,
    variants=_steps.variants(NET),
    goals=(Goal(_steps.FIT, 1), Goal(_steps.JAX, 0.8), Goal(_steps.TORCH, 1)),
    tolerance=1e-3,
    note=_steps.NOTE + _steps.TOKENS,
)
