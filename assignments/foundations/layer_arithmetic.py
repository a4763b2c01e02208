"""Layer arithmetic: what comes out of a stack of layers, what does it cost, and how far does it see?

Sizes, parameters, operations and receptive fields, from a list of layers and before anything is built. You write the
formulas in `keras_course.arithmetic.formulas`; `keras-course arithmetic "conv 64 3x3 same, pool 2" --input 256x256x3`
is the tool that uses them, and its counts equal Keras's.

The course's source put a 5 × 5 filter with dilation 8 on a map of 11 × 11 and printed a size below zero. The filter
spans 33 places, and there is no such layer: the formula must say so. Then the question of the source, what a
convolution costs against a recurrent network on the same series: the operations are of one order, but those of a
recurrent layer wait for one another.

Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning"; Yu and Koltun (2016), "Multi-scale
context aggregation by dilated convolutions", for dilation.
"""

from dataclasses import dataclass

from keras_course import arithmetic, models, plots
from keras_course.base import InputError
from keras_course.exercise import Band, Exercise, Result
from keras_course.settings import Count, Seed

import keras
import numpy as np

STACKS = (  # text, shape of an example, parameters worked out in the source (S2, S3)
    ("conv 32 3x3", (28, 28, 3), 896),
    ("conv 32 1x1, conv 1 1x1", (8, 8, 128), 4_161),
    ("conv 32 3x3, conv 32 3x3", (8, 8, 128), 46_144),
    ("rnn 32", (20, 10), 1_376),
    ("gru 32", (20, 10), 4_224),
    ("lstm 32", (20, 10), 5_504),
    ("rnn 32 two biases", (20, 10), 1_408),
    ("gru 32 two biases", (20, 10), 4_224),
    ("lstm 32 two biases", (20, 10), 5_632),
)
INFEASIBLE = ("conv 32 5x5 dilation 8", (11, 11, 32))


@dataclass(frozen=True)
class Settings:
    side: Count = 32  # of the square images of the project's models
    steps: tuple[Count, ...] = (16, 64, 256, 1024)  # lengths of the series on which the two kinds are compared
    features: Count = 64  # of each step of a series, and units of each layer
    depth: Count = 6  # layers of the stacks whose receptive fields are drawn
    growth_rate: Count = 12  # of the DenseNet
    seed: Seed = 0


def of_the_project(settings):
    """The models of the project by name."""
    shape = (settings.side, settings.side, 3)
    return {
        "mlp": models.mlp(shape, 10),
        "cnn": models.cnn(shape, 10),
        "cnn_sequential": models.cnn_sequential(shape, 10),
        "densenet": models.densenet(shape, 10, growth_rate=settings.growth_rate),
        "resnet": models.resnet(shape, 10),
        "vae": models.vae(shape),
    }


def against_keras(settings):
    """Parameters and cost of the project's models by the arithmetic, and parameters by Keras."""
    from keras_course.arithmetic import keras_models

    rows = []
    for name, model in of_the_project(settings).items():
        sums = arithmetic.totals(keras_models.rows_of(model))
        trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        rows.append(
            {
                "model": name,
                "parameters": sums["parameters"],
                "by Keras": trained,
                "MFLOPs": sums["flops"] / 1e6,
                "operations one after the other": sums["depth"],
            }
        )
    return rows


def worked_stacks():
    """The stacks of the source: what was worked out, and what the formulas say."""
    return [
        {
            "stack": text,
            "input": arithmetic.show(shape),
            "worked out (S2, S3)": claimed,
            "parameters": sum(row.parameters for row in arithmetic.read_stack(text, shape)),
        }
        for text, shape, claimed in STACKS
    ]


def refused():
    """What is said of the layer that does not exist, and the size that a formula without a check would give."""
    text, shape = INFEASIBLE
    try:
        arithmetic.read_stack(text, shape)
        said = "nothing"
    except InputError as error:
        said = str(error)
    unchecked = shape[0] - (arithmetic.effective_kernel(5, 8) - 1)
    return [{"layer": text, "on": arithmetic.show(shape), "without a check": unchecked, "what is so": said}]


def series(settings):
    """Cost and serial depth of a convolution, an RNN and an LSTM of as many units on series of several lengths."""
    texts = {"convolution of 3": "conv {n} 3 same", "RNN": "rnn {n} sequences", "LSTM": "lstm {n} sequences"}
    found = {}
    for name, text in texts.items():
        rows = [
            arithmetic.read_stack(text.format(n=settings.features), (t, settings.features))[-1] for t in settings.steps
        ]
        found[name] = ([row.flops for row in rows], [row.depth for row in rows])
    return found


def fields(settings):
    """The receptive field behind each layer of three kinds of stacks of 3 × 3 filters."""
    kinds = {
        "plain": [(3, 1, 1)] * settings.depth,
        "stride 2 in every second layer": [(3, 1 + i % 2, 1) for i in range(settings.depth)],
        "dilation 1, 2, 4, …": [(3, 1, 2**i) for i in range(settings.depth)],
    }
    return {
        name: [arithmetic.receptive_field(layers[:n])[0] for n in range(1, settings.depth + 1)]
        for name, layers in kinds.items()
    }


def run(settings, log):
    keras.utils.set_random_seed(settings.seed)
    compared, worked, cost, seen = against_keras(settings), worked_stacks(), series(settings), fields(settings)
    if log is not None:
        for name, values in seen.items():
            for layer, field in enumerate(values, 1):
                log.scalars(name, layer, {"receptive_field": float(field)})
    return Result(
        scores={
            "models_as_keras_counts": float(np.mean([row["parameters"] == row["by Keras"] for row in compared])),
            "stacks_as_worked_out": float(np.mean([row["parameters"] == row["worked out (S2, S3)"] for row in worked])),
            "effective_kernel": arithmetic.effective_kernel(5, 8),
            "refused": float("effective kernel 33 > 11" in refused()[0]["what is so"]),
            "field_of_dilated": seen["dilation 1, 2, 4, …"][-1],
            "rnn_depth_over_convolution": cost["RNN"][1][-1] / cost["convolution of 3"][1][-1],
        },
        arrays={"series": cost, "steps": settings.steps, "fields": seen},
        tables={
            "Models of the project": compared,
            "Stacks of the source": worked,
            "A layer that does not exist": refused(),
            "Why GRUs agree and the others do not": [
                {
                    "layer": kind,
                    "gates": gates,
                    "Keras": arithmetic.recurrent_parameters(kind, 10, 32),
                    "two bias vectors (PyTorch)": arithmetic.recurrent_parameters(kind, 10, 32, 2),
                    "why": why,
                }
                for kind, gates, why in (
                    ("rnn", 1, "x W + h U + b: one bias does for both products"),
                    ("gru", 3, "r (h U + b) is multiplied before it meets x: Keras needs both biases too"),
                    ("lstm", 4, "x W + h U + b: one bias does for both products"),
                )
            ],
        },
        parameters={row["model"]: row["parameters"] for row in compared},
    )


def figures(result):
    arrays = result.arrays
    drawing, (left, right) = plots.panels(1, 2)
    for name, (flops, depth) in arrays["series"].items():
        left.plot(arrays["steps"], flops, marker="o", label=name)
        right.plot(arrays["steps"], depth, marker="o", label=name)
    left.set(xscale="log", yscale="log", xlabel="steps of the series", ylabel="FLOPs", title="what it costs")
    right.set(
        xscale="log", yscale="log", xlabel="steps of the series", ylabel="one after the other", title="what must wait"
    )
    left.legend(frameon=False, fontsize="small")
    return {
        "series": drawing,
        "fields": plots.curves(
            arrays["fields"],
            xlabel="layers of 3 × 3 filters",
            ylabel="places seen along an axis",
            yscale="log",
            title="how far a place of the output sees",
        ),
    }


EXERCISE = Exercise(
    source="S2 and S3: sizes, parameters and costs of layers, by hand",
    small=Settings(),
    full=Settings(side=224, growth_rate=32, steps=(16, 64, 256, 1024, 4096), features=512, depth=10),
    quick=Settings(side=8, steps=(2, 4), depth=2),
    run=run,
    figures=figures,
    expect={
        "models_as_keras_counts": Band(1, 1),
        "stacks_as_worked_out": Band(1, 1),
        "effective_kernel": Band(33, 33),
        "refused": Band(1, 1),
        "field_of_dilated": Band(127, 127),
        "rnn_depth_over_convolution": Band(1024, 1024),
    },
)
