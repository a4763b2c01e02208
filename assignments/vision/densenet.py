"""DenseNet: what does a layer gain when it sees the feature maps of every layer before it?

You write the heart of the network, `DenseBlock.call`: each unit reads the concatenation of the block's input and of
all maps made since, and appends its own few. The builder around it, the loop and the data stand.

The run trains the network with the course's loop, and a plain convolutional network of about as many parameters. It
holds the loop against Keras's `fit`: from the same weights on the same batches the losses of the first epoch must
agree; later ones drift apart with the rounding. Accuracy alone cannot tell a dense block from a chain, so the run also
measures `reuse`: the share of a unit's weights, by size, that reads maps older than those of the unit just before it.
In a chain it is 0.

Huang, Liu, van der Maaten and Weinberger (2017), "Densely connected convolutional networks", sections 3 and 5.
"""

import itertools
import time
from dataclasses import dataclass
from typing import Literal

from keras_course import data, models, plots, training
from keras_course.exercise import Band, Exercise, Floor, Result
from keras_course.settings import Count, NonNegative, Positive, Seed

import keras
import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist", "cifar10"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    layers: tuple[Count, ...] = (3, 3, 3)  # units of each dense block
    growth_rate: Count = 8  # maps that each unit appends
    epochs: Count = 8
    learning_rate: Positive = 0.1  # of SGD with Nesterov momentum .9 and a cosine down to 0
    weight_decay: NonNegative = 0.0001  # share of each weight that a step takes away, times the learning rate
    augment: bool = False  # random crop after padding by 4, and a horizontal flip: for photographs
    batch_size: Count = 64
    seed: Seed = 0


def dense(splits, settings):
    return models.densenet(
        splits.train.x.shape[1:],
        len(splits.classes),
        layers_per_block=settings.layers,
        growth_rate=settings.growth_rate,
    )


def plain(splits, settings):
    """A chain of convolutions, each seeing only the one before, with about the parameters of the dense network."""
    target, best = dense(splits, settings).count_params(), None
    for filters in range(2, 128):
        model = models.resnet(
            splits.train.x.shape[1:], len(splits.classes), blocks=(1, 1, 1), filters=filters, residual=False
        )
        if best is not None and model.count_params() > target:
            return best
        best = model
    return best


def optimizer(settings, steps):
    """The paper's, but for a cosine in place of two steps."""
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay)


def batches_of(splits, settings):
    augment = data.CropAndFlip() if settings.augment else None
    train = data.Batches(*splits.train, batch_size=settings.batch_size, seed=settings.seed, augment=augment)
    validation, test = (data.Batches(*s, batch_size=256, shuffle=False) for s in (splits.validation, splits.test))
    return train, validation, test


def with_keras_fit(model, batches, settings, *, epochs):
    """Trains with Keras's own loop on the same batches; returns the loss and the seconds of each epoch."""
    model.compile(
        optimizer(settings, settings.epochs * len(batches)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    ticks = []
    tick = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: ticks.append(time.perf_counter()),
        on_epoch_end=lambda *_: ticks.append(time.perf_counter()),
    )
    history = model.fit(
        batches.dataset(epochs=epochs),
        steps_per_epoch=len(batches),
        epochs=epochs,
        shuffle=False,  # the batches are shuffled already
        callbacks=[tick],
        verbose=0,
    )
    return history.history["loss"], [end - begin for begin, end in zip(ticks[::2], ticks[1::2], strict=True)]


def reuse_of(model, settings):
    """For each block a matrix (units, sources): the mean |weight| with which a unit reads each earlier source.

    Source 0 is the block's input, source s the maps of unit s; what a unit cannot see yet is 0. Figure 5 of the paper.
    """
    found = []
    for index, units in enumerate(settings.layers):
        block = model.get_layer(f"block_{index}")
        kernels = [unit.layers[0].conv.kernel.numpy() for unit in block.units]  # (3, 3, seen maps, growth rate)
        first = kernels[0].shape[2]
        reading = np.zeros((units, units))
        for row, kernel in enumerate(kernels):
            edges = [0, first, *(first + settings.growth_rate * (k + 1) for k in range(row))]
            for source, (a, b) in enumerate(itertools.pairwise(edges)):
                reading[row, source] = np.abs(kernel[:, :, a:b]).mean()
        found.append(reading)
    return found


def older_share(reading):
    """Of what the units from the second on read, the share that is older than the unit just before them."""
    total = sum(matrix[1:].sum() for matrix in reading)
    latest = sum(np.diag(matrix[1:], 1).sum() for matrix in reading)
    return float(1 - latest / total) if total else 0.0  # blocks of one unit have nothing to reuse


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    train, validation, test = batches_of(splits, settings)
    log.images("dense", "inputs", next(iter(train.dataset()))[0][:16])
    networks = {"dense": dense(splits, settings), "plain": plain(splits, settings)}
    twin = dense(splits, settings)
    twin.set_weights(networks["dense"].get_weights())  # the same start: only the loop differs
    scores, histories = {}, {}
    for name, model in networks.items():
        histories[name] = training.fit(
            model,
            training.classification,
            train,
            epochs=settings.epochs,
            optimizer=optimizer(settings, settings.epochs * len(train)),
            validation=validation,
            log=log,
            stage=name,
        )
        scores[name] = training.evaluate(model, training.classification, test)["accuracy"]
    fit_losses, fit_seconds = with_keras_fit(twin, train, settings, epochs=min(2, settings.epochs))
    own_losses, own_seconds = histories["dense"]["loss"], histories["dense"].seconds / settings.epochs
    reading = reuse_of(networks["dense"], settings)
    return Result(
        scores=scores
        | {
            "keras_fit_gap": abs(fit_losses[0] / own_losses[0] - 1),
            "loop_speedup": fit_seconds[-1] / own_seconds,  # its last epoch: the first one also pays for the tracing
            "reuse": older_share(reading),
        },
        arrays={"histories": {k: dict(h) for k, h in histories.items()}, "reading": reading},
        tables={
            "Networks": [
                {"network": name, "parameters": model.count_params(), "test accuracy": scores[name]}
                for name, model in networks.items()
            ]
        },
        data=(splits,),
        parameters={name: model.count_params() for name, model in networks.items()},
    )


def figures(result):
    histories = result.arrays["histories"]
    errors = {
        f"{name}, {part}": [1 - v for v in history[key]]
        for name, history in histories.items()
        for part, key in (("training", "accuracy"), ("validation", "val_accuracy"))
    }
    drawn = {"error": plots.curves(errors, ylabel="error", yscale="log", title="dense against plain")}
    for i, matrix in enumerate(result.arrays["reading"]):
        drawn[f"reuse_block_{i}"] = plots.matrix(
            matrix,
            xlabel="source: 0 is the block's input, s the maps of unit s",
            ylabel="unit",
            title=f"block {i}: mean |weight| by which a unit reads a source",
            decimals=3,
        )
    return drawn


EXERCISE = Exercise(
    source="S4: DenseNet with the functional API and a training loop",
    small=Settings(),
    full=Settings(dataset="cifar10", source="full", layers=(4, 4, 4), growth_rate=8, epochs=6, augment=True),
    quick=Settings(layers=(2, 2), growth_rate=2, epochs=1, batch_size=500),
    run=run,
    figures=figures,
    expect={
        "dense": Band(0.92, 1.0),
        "plain": Band(0.92, 1.0),
        "keras_fit_gap": Band(0, 0.04),  # rounding, amplified by a large learning rate over an epoch
        "loop_speedup": Band(0.5),  # convolutions take the time, not the loop
        "reuse": Band(0.45, 0.65),  # 0 in a chain
    },
    floors={"dense": Floor(0.7768, "S4, DenseNet on the whole of CIFAR-10", examples=50_000)},
)
