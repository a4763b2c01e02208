"""What the benchmarks of training steps share: one net, the same start and the same batches, trained in several ways.

Each way does an epoch of steps with Adam, and must come to the same mean loss as ours. A net is a Keras model, a loss
in `keras.ops`, arrays, and the same network in PyTorch, which takes the weights of the Keras model in their order.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from keras_course.bench import Variant

import numpy as np

OURS, FIT, JAX, TORCH = "ours", "Keras fit", "JAX, scan", "PyTorch, fused Adam"
RATE = 1e-3
# So small that its place does not matter: Keras adds it before the moments are corrected for their start, PyTorch
# behind that, and at the usual 1e-7 the losses of `steps_mlp` differ by 5 % after 200 steps.
EPSILON = 1e-12


@dataclasses.dataclass(frozen=True)
class Net:
    """What is trained.

    model: builds the Keras model; its weights are replaced by the same numbers everywhere.
    loss: (y, output of the model) to the mean over the batch, in `keras.ops`.
    arrays: x and y, of whole batches.
    embedding: whether tokens are looked up; Keras's own `fit` then comes to another loss, and is not compared.
    torch: (weights) to a `torch.nn.Module` that maps x to the loss given y: `forward(x, y)`.
    """

    model: Callable[[], Any]
    loss: Callable[[Any, Any], Any]
    arrays: Callable[[], tuple[np.ndarray, np.ndarray]]
    batch: int
    torch: Callable[[list[np.ndarray]], Any]
    embedding: bool = False

    def objective(self, model, batch, training):
        x, y = batch
        return self.loss(y, model(x, training=training))


def start(model):
    """The weights that every way begins from: Glorot's spread, biases 0, scales 1, whatever the framework."""
    rng, weights = np.random.default_rng(0), []
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        if variable.name == "gamma":
            weights.append(np.ones(shape, "float32"))
        elif len(shape) == 1 or "bias" in variable.name:
            weights.append(np.zeros(shape, "float32"))
        else:
            fans = np.prod(shape[:-1]) + shape[-1]
            weights.append(rng.normal(0, np.sqrt(2 / fans), shape).astype("float32"))
    return weights


def scaled(x):
    """Bytes of images as `Batches` gives them: float32 in [0, 1]; anything else as it is."""
    return x.astype("float32") * np.float32(1 / 255) if x.dtype == "uint8" else x


def built(net):
    """The Keras model with the common start, and its optimizer."""
    import keras

    model = net.model()
    for variable, weight in zip(model.trainable_variables, start(model), strict=True):
        variable.assign(weight)
    return model, keras.optimizers.Adam(RATE, epsilon=EPSILON)


def ours(net, precision=None, xla=None):
    """The steps of `training.fit`, in the graph calls in which it runs them."""

    def prepare():
        from keras_course import data, training
        from keras_course.training.loop import choose
        from keras_course.training.runners import FOREVER, runner
        from keras_course.training.steps import update

        model, optimizer = built(net)
        if precision:
            training.set_precision(model, precision)
        optimizer.build(model.trainable_variables)
        batches = data.Batches(*net.arrays(), batch_size=net.batch, shuffle=False)
        compiled = choose(model, xla, steps=10**6)  # a training of more than an epoch
        steps = runner(update(model, net.objective, optimizer), batches, xla=compiled)

        def work():
            steps.begin(0)
            return {"loss": steps.run(0, FOREVER)["loss"].mean()}

        return work

    return prepare


def fit(net):
    """`model.fit` of Keras on the arrays, compiled as it chooses."""

    def prepare():
        model, optimizer = built(net)
        x, y = net.arrays()
        x = scaled(x)
        model.compile(optimizer, net.loss)

        def work():
            history = model.fit(x, y, batch_size=net.batch, epochs=1, shuffle=False, verbose=0).history
            return {"loss": history["loss"][0]}

        return work

    return prepare


def jax(net):
    """The same Keras model on JAX: a whole epoch compiled, as one `lax.scan` over its steps."""

    def prepare():
        import jax
        import keras

        model, optimizer = built(net)
        optimizer.build(model.trainable_variables)
        weights, fixed = model.trainable_variables, model.non_trainable_variables
        x, y = (a.reshape(-1, net.batch, *a.shape[1:]) for a in net.arrays())

        def loss(values, others, batch):
            mapping = [*zip(weights, values, strict=True), *zip(fixed, others, strict=True)]
            x, y = batch
            with keras.StatelessScope(state_mapping=mapping) as scope:
                found = net.objective(model, (scaled(x), y), True)
            return found, [scope.get_current_value(v) if scope.get_current_value(v) is not None else v for v in fixed]

        def step(state, batch):
            values, others, inside = state
            (found, others), gradients = jax.value_and_grad(loss, has_aux=True)(values, others, batch)
            values, inside = optimizer.stateless_apply(inside, gradients, values)
            return (values, others, inside), found

        epoch = jax.jit(functools.partial(jax.lax.scan, step), donate_argnums=0)
        state = tuple([v.value for v in group] for group in (weights, fixed, optimizer.variables))
        x, y = jax.device_put((x, y))

        def work():
            nonlocal state
            state, losses = epoch(state, (x, y))
            return {"loss": float(losses.mean())}  # waits for the end

        return work

    return prepare


def torch(net):
    """PyTorch with its fused Adam, slices of tensors as batches, and denormals flushed."""

    def prepare():
        import torch

        torch.set_flush_denormal(True)
        module = net.torch(start(net.model()))
        optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], RATE, eps=EPSILON, fused=True)
        x, y = (torch.from_numpy(array) for array in net.arrays())

        def work():
            total = torch.zeros(())
            for i in range(0, len(x), net.batch):
                optimizer.zero_grad()
                loss = module(x[i : i + net.batch], y[i : i + net.batch])
                loss.backward()
                optimizer.step()
                total += loss.detach()
            return {"loss": total.item() / (len(x) // net.batch)}

        return work

    return prepare


def variants(net, without=""):
    """The ways to train a net, but for the one that is named."""
    found = {
        OURS: Variant(prepare=ours(net)),
        FIT: Variant(prepare=fit(net), same=not net.embedding),
        JAX: Variant(prepare=jax(net), peer="jax", environment={"KERAS_BACKEND": "jax"}),
        # The backend that gives the start is torch's too: beside TensorFlow, PyTorch's wheel for GPUs ends the process.
        TORCH: Variant(
            prepare=torch(net), peer="torch", environment={"OMP_WAIT_POLICY": "PASSIVE", "KERAS_BACKEND": "torch"}
        ),
    }
    found.pop(without, None)
    return found


NOTE = (
    "Float32, Adam with an ε of 1e-12, the same start and the same batches in the same order; the mean losses of the "
    "first epoch agree. PyTorch: two threads that wait passively, fused Adam, denormals flushed. JAX: an epoch is one "
    "compiled scan."
)


TOKENS = (
    " The losses of Keras's `fit` are others: on TensorFlow its Adam squares the gradient of each occurrence of a "
    "token by itself, not that of the token."
)


def of_torch(numbers):
    """A parameter of PyTorch."""
    import torch

    return torch.nn.Parameter(torch.from_numpy(np.ascontiguousarray(numbers)))


def dense(kernel, bias=None):
    """A `torch.nn.Linear` with the weights of a Dense layer."""
    import torch

    layer = torch.nn.Linear(*kernel.shape, bias=bias is not None)
    layer.weight = of_torch(kernel.T)
    if bias is not None:
        layer.bias = of_torch(bias)
    return layer


def convolution(kernel, bias=None):
    """A `torch.nn.Conv2d`, "same" and of stride 1, with the weights of a Conv2D layer of an odd size."""
    import torch

    rows, columns, channels, filters = kernel.shape
    layer = torch.nn.Conv2d(channels, filters, (rows, columns), padding="same", bias=bias is not None)
    layer.weight = of_torch(kernel.transpose(3, 2, 0, 1))
    if bias is not None:
        layer.bias = of_torch(bias)
    return layer


def flatten():
    """A module that flattens images in the order of Keras: rows, columns, channels."""
    from torch import nn

    class Flatten(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1).flatten(1)

    return Flatten()


def classifier(*layers):
    """A module that maps images (n, height, width, channels) in bytes, and labels, to the mean cross-entropy."""
    import torch

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)

        def forward(self, x, y):
            x = x.float().mul(1 / 255).permute(0, 3, 1, 2)
            return torch.nn.functional.cross_entropy(self.layers(x), y)

    return Classifier()


def cross_entropy(y, logits):
    """The mean over all labels, for images and for sequences."""
    import keras
    from keras import ops

    return ops.mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))


def tokens(n, steps, words):
    """Sequences (n, steps) of tokens in which each depends on the one before, and what follows each."""
    rng = np.random.default_rng(0)
    steps_taken = rng.choice([1, 2, 7], (n, steps + 1))
    text = np.cumsum(steps_taken, axis=1) % words
    return text[:, :-1].astype("int32"), text[:, 1:].astype("int64")


def bytes_and_labels(n, shape, classes=10):
    """Images in bytes that can be told apart a little, and their labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, n)
    means = rng.integers(0, 256, (classes, *shape))
    return (0.25 * means[y] + 0.75 * rng.integers(0, 256, (n, *shape))).astype("uint8"), y
