"""Activation functions: what does each do to a value, what to a gradient, and which ones may stand before a decision?

Values, derivatives and where they die: sigmoid, tanh, ReLU, leaky ReLU and softmax. You write the functions, exact for
inputs of a thousand, and the backward pass of the layers that use them.

Then two things that follow. A gradient that passes through ten sigmoids has lost a factor of at least 4¹⁰, which the
run measures. And the two-class head σ(ReLU(z)), which the course's source asks about: ReLU(z) is never below 0, so the
head never says less than ½, and at the threshold ½ it answers "class 1" to everything, however well it is trained.

Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks", for saturation;
Maas, Hannun and Ng (2013) for the leaky ReLU.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Result
from keras_course.settings import Count, Positive, Seed

import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist", "fashion_mnist"] = "digits"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    positive: Count = 8  # the class that the two-class heads are to tell from the others
    depth: Count = 10  # layers that a gradient passes through
    width: Count = 100  # units of each
    epochs: Count = 20  # of the two-class heads
    learning_rate: Positive = 0.5  # of plain gradient descent
    seed: Seed = 0


def layers():
    """Each activation by name."""
    return {
        "sigmoid": scratch.Sigmoid(),
        "tanh": scratch.Tanh(),
        "ReLU": scratch.ReLU(),
        "leaky ReLU": scratch.LeakyReLU(0.1),
    }


def values_and_derivatives(z):
    """Each activation's values and derivatives at z (n,)."""
    return {name: (layer.forward(z), layer.backward(np.ones_like(z))) for name, layer in layers().items()}


def saturation(limit=1e-3):
    """From which |z| on the derivative is below `limit`: closed forms, infinite where it never is on both sides."""
    # σ'(z) = p (1 - p) = limit and tanh'(z) = 1 - t² = limit
    p = (1 - np.sqrt(1 - 4 * limit)) / 2
    return {
        "sigmoid": float(np.log((1 - p) / p)),
        "tanh": float(np.arctanh(np.sqrt(1 - limit))),
        "ReLU": 0.0,
        "leaky ReLU": np.inf,
    }


def gradient_through_depth(settings, name):
    """The length of dL/dx behind each of `depth` dense layers, from the output back, weights as Glorot has them."""
    rng = np.random.default_rng(settings.seed)
    net = []
    for _ in range(settings.depth):
        net += [scratch.Dense(settings.width, settings.width, rng=rng), layers()[name]]
    scratch.Network(net).forward(rng.normal(size=(32, settings.width)))
    gradient, lengths = rng.normal(size=(32, settings.width)), []
    for layer in reversed(net):
        gradient = layer.backward(gradient)
        if isinstance(layer, scratch.Dense):
            lengths.append(float(np.sqrt(np.mean(gradient**2))))
    return lengths


def head(splits, settings, log, *, relu):
    """Trains a two-class head, σ(z) or σ(ReLU(z)); returns P(class 1) for the test examples."""
    rng = np.random.default_rng(settings.seed)
    net = scratch.Network(
        [scratch.Flatten(), scratch.Dense(splits.train.x[0].size, 1, rng=rng), *([scratch.ReLU()] if relu else [])]
    )
    target = (splits.train.y == settings.positive)[:, None].astype(float)
    scratch.fit(
        net,
        scratch.BinaryCrossEntropy(),
        splits.train.x,
        target,
        optimizer=scratch.SGD(settings.learning_rate),
        epochs=settings.epochs,
        batch_size=64,
        rng=rng,
        log=log,
        stage="relu head" if relu else "head",
    )
    return scratch.sigmoid(net.predict(splits.test.x))[:, 0]


def judge(p, truth):
    """How a head does at the threshold ½."""
    says = p >= 0.5
    return {
        "accuracy": float(np.mean(says == truth)),
        "says class 1": float(np.mean(says)),
        "recall of class 0": float(np.mean(~says[~truth])),
        "least P(class 1)": float(p.min()),
    }


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    truth = splits.test.y == settings.positive
    heads = {
        "σ(z)": head(splits, settings, log, relu=False),
        "σ(ReLU(z))": head(splits, settings, log, relu=True),
    }
    lengths = {name: gradient_through_depth(settings, name) for name in layers()}
    z = np.linspace(-6, 6, 241)
    limits = saturation()
    return Result(
        scores={
            "accuracy_of_the_right_head": judge(heads["σ(z)"], truth)["accuracy"],
            "accuracy_of_the_relu_head": judge(heads["σ(ReLU(z))"], truth)["accuracy"],
            "relu_head_says_class_1": judge(heads["σ(ReLU(z))"], truth)["says class 1"],
            "gradient_kept_by_sigmoid": lengths["sigmoid"][-1] / lengths["sigmoid"][0],
            "gradient_kept_by_tanh": lengths["tanh"][-1] / lengths["tanh"][0],
        },
        arrays={"z": z, "activations": values_and_derivatives(z), "lengths": lengths, "heads": heads, "truth": truth},
        tables={
            "Two heads at the threshold ½": [{"head": name} | judge(p, truth) for name, p in heads.items()],
            "Where the derivative is below 0.001": [
                {"activation": name, "largest derivative": float(d.max()), "from |z| on": limits[name]}
                for name, (_, d) in values_and_derivatives(z).items()
            ],
        },
        data=(splits,),
        parameters={"head": splits.train.x[0].size + 1},
    )


def figures(result):
    arrays = result.arrays
    drawing, axes = plots.panels(1, 2)
    for name, (values, derivatives) in arrays["activations"].items():
        style = {"linestyle": "--", "zorder": 3} if name == "ReLU" else {}  # above 0 it is the leaky one too
        axes[0].plot(arrays["z"], values, label=name, **style)
        axes[1].plot(arrays["z"], derivatives, label=name, **style)
    axes[0].set(xlabel="z", ylabel="value", title="activation", ylim=(-1.5, 3))
    axes[1].set(xlabel="z", ylabel="slope", title="derivative")
    axes[0].legend(frameon=False, fontsize="small")
    heads, head_axes = plots.panels(1, 2)
    for axis, (name, p) in zip(head_axes, arrays["heads"].items(), strict=True):
        for truth, label in ((False, "others"), (True, "the class")):
            axis.hist(p[arrays["truth"] == truth], bins=np.linspace(0, 1, 41), alpha=0.7, label=label)
        axis.axvline(0.5, color="black", linewidth=1, linestyle="--")
        axis.set(xlabel="P(class 1)", ylabel="test examples", title=name, yscale="log", ylim=(0.7, None))
    head_axes[0].legend(frameon=False, fontsize="small")
    return {
        "activations": drawing,
        "depth": plots.curves(
            arrays["lengths"],
            xlabel="layers that the gradient has passed",
            ylabel="size of dL/dx",
            yscale="log",
            title="a gradient on its way back",
        ),
        "heads": heads,
    }


EXERCISE = Exercise(
    source="S3: activation functions and the two-class head",
    small=Settings(),
    full=Settings(dataset="fashion_mnist", source="full", epochs=3, learning_rate=0.1),
    quick=Settings(depth=3, width=10, epochs=1),
    run=run,
    figures=figures,
    expect={
        "accuracy_of_the_right_head": Band(0.9, 1.0),
        "accuracy_of_the_relu_head": Band(0.08, 0.12),
        "relu_head_says_class_1": Band(1.0, 1.0),
        "gradient_kept_by_sigmoid": Band(0, 1e-4),
        "gradient_kept_by_tanh": Band(0.02, 2),
    },
)
