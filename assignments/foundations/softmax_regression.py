"""Softmax regression from scratch: what does a ReLU on the logits cost?

A dense layer, softmax cross-entropy, plain gradient descent and an L2 penalty, all by hand: `Dense`, `log_softmax`,
`SoftmaxCrossEntropy` and `SGD.step` are yours to write. Then the variant that the course's source trained, with a ReLU
between the dense layer and the softmax. It looks harmless, and the run shows what it costs: a logit that is clamped at
0 has no gradient, so an example whose logits are all clamped teaches nothing, and no logit can say "certainly not".

Bishop (2006), "Pattern Recognition and Machine Learning", section 4.3.4, for the model and its gradient.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Result
from keras_course.settings import Count, NonNegative, Positive, Seed

import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    epochs: Count = 15
    learning_rate: Positive = 0.1  # of plain gradient descent
    l2: NonNegative = 1e-4  # weight of the penalty on the kernel
    batch_size: Count = 64
    repeats: Count = 3  # trainings of each variant, each from other weights
    seed: Seed = 0


def network(splits, settings, rng, *, relu):
    """The linear model, with a ReLU on its logits where asked for."""
    layers = [
        scratch.Flatten(),
        scratch.Dense(splits.train.x[0].size, len(splits.classes), rng=rng, l2=settings.l2),
    ]
    return scratch.Network([*layers, scratch.ReLU()] if relu else layers)


def clamped(outputs, labels):
    """The share of logits at 0: behind a ReLU those that have no gradient."""
    return float(np.mean(outputs == 0))


def train(splits, settings, repeat, log, *, relu):
    """Trains one variant; returns the network and its curves."""
    rng = np.random.default_rng((settings.seed, repeat))
    net = network(splits, settings, rng, relu=relu).astype("float32")
    history = scratch.fit(
        net,
        scratch.SoftmaxCrossEntropy(),
        *splits.train,
        optimizer=scratch.SGD(settings.learning_rate),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        rng=rng,
        validation=splits.validation,
        metrics={"accuracy": scratch.accuracy, "clamped": clamped},
        log=log,
        stage=f"{'relu' if relu else 'plain'}/{repeat}",
    )
    return net, history


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    curves, accuracies, nets = {}, {}, {}
    for label, relu in {"plain": False, "ReLU on the logits": True}.items():
        trained = [train(splits, settings, repeat, log, relu=relu) for repeat in range(settings.repeats)]
        nets[label] = trained[0][0]
        accuracies[label] = [scratch.accuracy(net.predict(splits.test.x), splits.test.y) for net, _ in trained]
        curves[label] = {name: [history[name] for _, history in trained] for name in trained[0][1]}
    plain, relu = (np.array(accuracies[label]) for label in ("plain", "ReLU on the logits"))
    last = {label: {name: np.mean([c[-1] for c in found[name]]) for name in found} for label, found in curves.items()}
    return Result(
        scores={
            "accuracy_plain": float(plain.mean()),
            "accuracy_relu": float(relu.mean()),
            "cost_in_accuracy": float(np.mean(plain - relu)),
            "cost_in_loss": float(last["ReLU on the logits"]["val_loss"] - last["plain"]["val_loss"]),
            "clamped_logits": float(last["ReLU on the logits"]["clamped"]),
        },
        arrays={
            "curves": curves,
            "weights": {label: net.parameters["1/kernel"] for label, net in nets.items()},
            "shape": splits.train.x.shape[1:],
            "classes": splits.classes,
        },
        tables={
            f"Means of the last epoch over {settings.repeats} trainings": [
                {
                    "variant": label,
                    "training loss": float(last[label]["loss"]),
                    "validation loss": float(last[label]["val_loss"]),
                    "clamped logits": float(last[label]["clamped"]),
                    "test accuracy, least": min(accuracies[label]),
                    "test accuracy, mean": float(np.mean(accuracies[label])),
                    "test accuracy, most": max(accuracies[label]),
                }
                for label in curves
            ]
        },
        data=(splits,),
        parameters={label: net.count() for label, net in nets.items()},
    )


def figures(result):
    arrays = result.arrays
    height, width, channels = arrays["shape"]
    rows = []
    for kernel in arrays["weights"].values():  # (inputs, classes), each variant in its own range
        images = kernel.T.reshape(-1, height, width, channels)
        rows.append(0.5 + images / (2 * np.abs(images).max()))
    return {
        "loss": plots.band(
            {label: found["val_loss"] for label, found in arrays["curves"].items()},
            ylabel="validation loss (nats)",
            title="a ReLU on the logits, all repeats",
        ),
        "clamped": plots.band(
            {label: found["clamped"] for label, found in arrays["curves"].items()},
            ylabel="share of logits at 0",
            title="logits without a gradient",
        ),
        "weights": plots.images(
            np.stack(rows),
            row_labels=list(arrays["weights"]),
            titles=arrays["classes"],
            title="the weights of each class: white for, black against",
        ),
    }


EXERCISE = Exercise(
    source="S1: softmax regression from scratch, with a ReLU on the logits",
    small=Settings(),
    full=Settings(source="full", epochs=10),
    quick=Settings(epochs=1, repeats=1, batch_size=256),
    run=run,
    figures=figures,
    expect={
        "accuracy_plain": Band(0.84, 0.94),
        "cost_in_loss": Band(0.02, 2.0),
        "clamped_logits": Band(0.3, 0.95),
    },
)
