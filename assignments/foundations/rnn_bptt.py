"""Backpropagation through time: what becomes of a gradient on its way through fifty steps?

A recurrent network uses the same weights at every step, so a state reaches the loss through all that come after it. You
write `RNN.forward` and `RNN.backward`, where the gradients of the shared weights are sums over all steps.

Each step back multiplies the gradient by Uᵀ, and in a linear network by nothing else: behind k steps its size has gone
with the k-th power of the spectral radius of U, which the run shows for three radii, with and without the tanh. What
this means for learning is the second part: remembering the first symbol of a sequence for longer and longer. The third
reads digits row by row.

Bengio, Simard and Frasconi (1994), "Learning long-term dependencies with gradient descent is difficult"; Pascanu,
Mikolov and Bengio (2013), "On the difficulty of training recurrent neural networks", section 2.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Result
from keras_course.settings import Count, Positive, Seed, Several

import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist", "fashion_mnist"] = "digits"  # read row by row
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    radii: tuple[Positive, ...] = (0.5, 1.0, 1.5)  # spectral radii of U
    steps: Several = 50  # that a gradient goes back
    units: Count = 32  # of every recurrent layer
    delays: tuple[Count, ...] = (2, 10, 40)  # steps between a symbol and the question for it
    symbols: Several = 4  # to remember one of
    updates: Count = 300  # of each network that remembers
    epochs: Count = 10  # of the network that reads digits
    repeats: Count = 3  # starts of each network that remembers
    seed: Seed = 0


def recurrent(inputs, units, radius, rng, *, linear=False):
    """A recurrent layer whose U is an orthogonal matrix times `radius`, which is then its spectral radius."""
    layer = scratch.RNN(inputs, units, rng=rng, linear=linear)
    layer.parameters["recurrent_kernel"] *= radius
    return layer


def gradient_norms(settings, radius, repeat, *, linear):
    """The mean size of dL/dh_t over a batch, from the last step back: (steps,), 1 at the last."""
    rng = np.random.default_rng((settings.seed, repeat))
    layer = recurrent(3, settings.units, radius, rng, linear=linear)
    h = layer.forward(0.5 * rng.normal(size=(20, settings.steps, 3)))
    dy = np.zeros_like(h)
    dy[:, -1] = rng.normal(size=dy[:, -1].shape)
    layer.backward(dy)
    norms = np.linalg.norm(layer.state_gradients, axis=-1).mean(axis=0)[::-1]
    return norms / norms[0]


def remembering(n, delay, symbols, rng):
    """Sequences (n, delay + 1, symbols): a one-hot symbol, then noise; the labels are the symbols."""
    labels = rng.integers(0, symbols, n)
    x = 0.1 * rng.normal(size=(n, delay + 1, symbols))
    x[:, 0] = np.eye(symbols)[labels]
    return x, labels


def reader(inputs, classes, units, radius, rng):
    """A network that reads a sequence to its end and then says a class."""
    return scratch.Network(
        [recurrent(inputs, units, radius, rng), scratch.LastStep(), scratch.Dense(units, classes, rng=rng)]
    )


def remember(settings, delay, radius, repeat):
    """The accuracy on new sequences of a network that was trained to remember for `delay` steps."""
    rng = np.random.default_rng((settings.seed, delay, repeat))
    net = reader(settings.symbols, settings.symbols, settings.units, radius, rng)
    optimizer, loss = scratch.Adam(0.003), scratch.SoftmaxCrossEntropy()
    for _ in range(settings.updates):
        scratch.train_step(net, loss, *remembering(32, delay, settings.symbols, rng), optimizer)
    x, labels = remembering(500, delay, settings.symbols, rng)
    return scratch.accuracy(net.predict(x), labels)


def read_rows(splits, settings, log):
    """Trains a network that reads images row by row; returns it with its curves."""
    rng = np.random.default_rng(settings.seed)
    rows = lambda split: (split.x[..., 0], split.y)  # noqa: E731 - (n, rows, columns): a row is a step
    net = reader(splits.train.x.shape[2], len(splits.classes), 2 * settings.units, 1.0, rng).astype("float32")
    history = scratch.fit(
        net,
        scratch.SoftmaxCrossEntropy(),
        *rows(splits.train),
        optimizer=scratch.Adam(0.002),
        epochs=settings.epochs,
        batch_size=50,
        rng=rng,
        validation=rows(splits.validation),
        metrics={"accuracy": scratch.accuracy},
        log=log,
        stage="rows",
    )
    return net, history


def run(settings, log):
    norms = {
        (radius, linear): np.array(
            [gradient_norms(settings, radius, repeat, linear=linear) for repeat in range(max(3, settings.repeats))]
        )
        for radius in settings.radii
        for linear in (True, False)
    }
    memory = {
        (delay, radius): [remember(settings, delay, radius, repeat) for repeat in range(settings.repeats)]
        for delay in settings.delays
        for radius in settings.radii
    }
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    net, history = read_rows(splits, settings, log)
    check = scratch.gradcheck(
        reader(3, 2, 4, 1.0, np.random.default_rng(settings.seed)),
        np.random.default_rng(settings.seed).normal(size=(2, 5, 3)),
    )
    # in a linear network with U = radius × orthogonal the gradient behind k steps is exactly radiusᵏ as long
    expected = {radius: radius ** np.arange(settings.steps) for radius in settings.radii}
    last = settings.delays[-1]
    return Result(
        scores={
            "test_accuracy_rows": scratch.accuracy(net.predict(splits.test.x[..., 0]), splits.test.y),
            "distance_from_the_power_law": max(
                float(np.abs(norms[radius, True] / expected[radius] - 1).max()) for radius in settings.radii
            ),
            "kept_at_the_smallest_radius": float(norms[min(settings.radii), False].mean(axis=0)[-1]),
            "memory_at_the_smallest_radius": float(np.mean(memory[last, min(settings.radii)])),
            "memory_at_radius_1": float(np.mean(memory[last, min(settings.radii, key=lambda r: abs(r - 1))])),
            "gradient_error": max(row["error"] for row in check),
        },
        arrays={
            "norms": {f"{'linear' if linear else 'tanh'}, radius {r:g}": v for (r, linear), v in norms.items()},
            "memory": {f"radius {r:g}": [memory[d, r] for d in settings.delays] for r in settings.radii},
            "delays": settings.delays,
            "chance": 1 / settings.symbols,
            "history": history,
        },
        tables={
            f"Remembering one of {settings.symbols} symbols, {settings.repeats} starts": [
                {
                    "delay": delay,
                    "radius": f"{radius:g}",
                    "least": min(a),
                    "mean accuracy": float(np.mean(a)),
                    "most": max(a),
                }
                for (delay, radius), a in memory.items()
            ],
            "Gradients by hand against differences": check,
        },
        data=(splits,),
        parameters={"row reader": net.count()},
    )


def figures(result):
    arrays = result.arrays
    norms, axes = plots.panels(1, 2)
    for axis, kind in zip(axes, ("linear", "tanh"), strict=True):
        for (name, values), colour in zip(
            ((n, v) for n, v in arrays["norms"].items() if n.startswith(kind)), plots.COLOURS, strict=False
        ):
            steps = range(values.shape[1])
            axis.plot(steps, values.mean(axis=0), color=colour, label=name.split(", ")[1])
            axis.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
        axis.set(yscale="log", xlabel="steps back", ylabel="size of dL/dh", title=f"{kind} network")
        axis.legend(frameon=False, fontsize="small")
    memory, memory_axes = plots.figure()
    for name, values in arrays["memory"].items():
        values = np.array(values)  # (delays, repeats)
        (drawn,) = memory_axes.plot(arrays["delays"], values.mean(axis=1), marker="o", label=name)
        memory_axes.fill_between(
            arrays["delays"], values.min(axis=1), values.max(axis=1), color=drawn.get_color(), alpha=0.2, linewidth=0
        )
    memory_axes.axhline(arrays["chance"], color="black", linestyle="--", linewidth=1, label="chance")
    memory_axes.set(
        xlabel="steps to remember", ylabel="accuracy", ylim=(0, 1.03), title="mean and range over the starts"
    )
    memory_axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return {
        "norms": norms,
        "memory": memory,
        "rows": plots.curves(
            {"training": arrays["history"]["accuracy"], "validation": arrays["history"]["val_accuracy"]},
            ylabel="accuracy",
            title="images read row by row",
        ),
    }


EXERCISE = Exercise(
    source="S3: gradients of a recurrent network through time",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", epochs=3, delays=(2, 10, 40, 100)),
    quick=Settings(steps=5, units=4, delays=(2,), updates=2, epochs=1, repeats=1),
    run=run,
    figures=figures,
    expect={
        "test_accuracy_rows": Band(0.85, 1.0),
        "distance_from_the_power_law": Band(0, 1e-9),
        "kept_at_the_smallest_radius": Band(0, 1e-12),
        "memory_at_the_smallest_radius": Band(0.1, 0.6),
        "memory_at_radius_1": Band(0.6, 1.0),
        "gradient_error": Band(0, 1e-6),
    },
)
