"""CBAM: does telling a network what and where to look help, and is the help larger than the noise?

You write two gates. The channel gate, `ChannelAttention.gate`, says which feature maps matter; the spatial gate,
`SpatialAttention.gate`, where. Both multiply what passes a residual block, and together they cost few parameters.

A published comparison of this kind often rests on one run of each network. This one trains both several times from
different seeds on the same batches, and reports the gain beside its standard error: most gains on small networks are
inside it. Grad-CAM shows where both networks find their evidence.

Woo, Park, Lee and Kweon (2018), "CBAM: convolutional block attention module", section 3.
"""

import statistics
from dataclasses import dataclass
from typing import Literal

from keras_course import data, layers, models, plots, training
from keras_course.exercise import Band, Exercise, Floor, Result
from keras_course.interpret import grad_cam
from keras_course.settings import Count, NonNegative, Positive, Seed, Several

import keras
import numpy as np


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist", "cifar10"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    blocks: tuple[Count, ...] = (1, 1, 1)  # residual blocks of each stage
    filters: Count = 8  # maps of the first stage; each further stage has twice as many
    repeats: Several = 3  # pairs of trainings, each from a seed of its own
    epochs: Count = 6
    learning_rate: Positive = 0.1  # of SGD with Nesterov momentum .9 and a cosine down to 0
    weight_decay: NonNegative = 0.0001  # share of each weight that a step takes away, times the learning rate
    augment: bool = False  # random crop after padding by 4, and a horizontal flip: for photographs
    batch_size: Count = 64
    seed: Seed = 0


ARMS = {"plain": None, "cbam": "cbam"}


def train(splits, settings, attention, seed, *, log, stage):
    """One network from one seed; returns it and its test accuracy."""
    keras.utils.set_random_seed(seed)
    model = models.resnet(
        splits.train.x.shape[1:],
        len(splits.classes),
        blocks=settings.blocks,
        filters=settings.filters,
        attention=attention,
    )
    augment = data.CropAndFlip() if settings.augment else None
    batches = data.Batches(*splits.train, batch_size=settings.batch_size, seed=seed, augment=augment)
    check, test = (data.Batches(*s, batch_size=500, shuffle=False) for s in (splits.validation, splits.test))
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * len(batches))
    history = training.fit(
        model,
        training.classification,
        batches,
        epochs=settings.epochs,
        optimizer=keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay),
        validation=check,
        log=log,
        stage=stage,
    )
    return model, training.evaluate(model, training.classification, test)["accuracy"], history["val_accuracy"]


def gates(model, images):
    """Every value of the channel and spatial gates of all blocks for these images, as one vector."""
    values = []
    for block in model.layers:
        if isinstance(block, layers.ResidualBlock):
            x = keras.Model(model.inputs, block.input)([images])
            maps = block.second(block.first(x))
            values += [block.gate.channel.gate(maps), block.gate.spatial.gate(block.gate.channel(maps))]
    return np.concatenate([np.ravel(value) for value in values])


def noise_of(differences):
    """The standard error of the mean of paired differences."""
    return statistics.stdev(differences) / len(differences) ** 0.5


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    found, curves, networks = {arm: [] for arm in ARMS}, {arm: [] for arm in ARMS}, {}
    for repeat in range(settings.repeats):
        for arm, attention in ARMS.items():
            seed = 1000 * settings.seed + repeat  # no two records share one
            model, accuracy, curve = train(splits, settings, attention, seed, log=log, stage=f"{arm}_{repeat}")
            found[arm].append(accuracy)
            curves[arm].append(curve)
            networks[arm] = model
    differences = [b - a for a, b in zip(found["plain"], found["cbam"], strict=True)]
    images, labels = splits.test.x[:8], splits.test.y[:8]
    opened = gates(networks["cbam"], splits.test.x[:100])
    return Result(
        scores={
            "plain": statistics.fmean(found["plain"]),
            "cbam": statistics.fmean(found["cbam"]),
            "gain": statistics.fmean(differences),
            "gain_standard_error": noise_of(differences),
            "gate_spread": float(opened.std()),
        },
        arrays={
            "found": found,
            "curves": curves,
            "images": images,
            "labels": [splits.classes[label] for label in labels],
            "heat": np.stack([grad_cam(model, images, labels, layer="features") for model in networks.values()]),
            "gates": opened,
        },
        tables={
            "Test accuracy by seed": [
                {"repeat": i, "plain": a, "cbam": b, "difference": b - a}
                for i, (a, b) in enumerate(zip(found["plain"], found["cbam"], strict=True))
            ]
        },
        data=(splits,),
        parameters={arm: model.count_params() for arm, model in networks.items()},
    )


def figures(result):
    arrays = result.arrays
    return {
        "accuracy": plots.bars(arrays["found"], ylabel="test accuracy", title="each dot is one training"),
        "curves": plots.band(arrays["curves"], ylabel="validation accuracy", title="mean and range over seeds"),
        "grad_cam": plots.overlays(
            arrays["images"],
            arrays["heat"],
            row_labels=list(ARMS),
            titles=arrays["labels"],
            title="Grad-CAM of the label",
        ),
        "gates": plots.histogram(arrays["gates"], xlabel="value of a gate", title="gates of the trained network"),
    }


EXERCISE = Exercise(
    source="S0: CBAM in a residual network",
    small=Settings(),
    full=Settings(dataset="cifar10", source="full", filters=16, epochs=6, augment=True),
    quick=Settings(filters=2, repeats=2, epochs=1, batch_size=500),
    run=run,
    figures=figures,
    expect={
        "plain": Band(0.78, 0.98),
        "cbam": Band(0.88, 0.98),
        "gate_spread": Band(0.05, 0.5),  # 0 where the gates are built and never trained
    },
    floors={"cbam": Floor(0.7571, "S0, one seed on the whole of CIFAR-10, where plain had 0.7625", examples=50_000)},
)
