"""Convolution drills: what do a stride, a 1 × 1 filter and a third axis do, what for, and at what cost?

You write `convolve` for any number of axes, images and clips alike, and `pointwise`, the 1 × 1 filter, which is one
matrix product over the channels. Their outputs equal those of Keras.

Three uses, each with its limit:

- a stride of s takes every s-th window, so it costs s² times less, and sees only what those windows see;
- a 1 × 1 filter mixes channels and never pixels. A network of nothing else cannot tell an image from its shuffled
  pixels, which the run measures; in front of a 3 × 3 filter it makes that cheaper;
- a 2-D convolution of each frame, averaged over time, gives a clip and its reversal the same answer: of "to the left"
  and "to the right" it gets one wrong, always. Frames stacked as channels tell them apart, but only at the moment at
  which the training clips moved. A 3-D convolution slides over time as over space.

Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning"; Lin, Chen and Yan (2014), "Network in
network", section 3.1, for 1 × 1 filters; Tran et al. (2015), "Learning spatiotemporal features with 3D convolutional
networks".
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import arithmetic, data, plots, training
from keras_course.base import InputError
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.scratch.convolution import same_padding
from keras_course.settings import Count, Positive, Seed, Several

import keras
import numpy as np

DIRECTIONS = ("left", "right", "up", "down")
MOVES = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)])
OPPOSITE = np.array([1, 0, 3, 2])


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist"] = "digits"  # what moves in the clips, and what the networks of images read
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    filters: Count = 8  # of each convolution
    frames: Several = 10  # of a clip
    moving: Several = 4  # frames in which the digit is seen, and moves
    clips: Count = 800  # to learn from; a quarter as many to test
    epochs: Count = 12  # of each network
    learning_rate: Positive = 0.003  # of Adam
    batch_size: Count = 32
    seed: Seed = 0


@blank(
    "foundations/convolution_drills",
    hints=(
        "Pad each axis with zeros on both sides first, if asked; then `sliding_window_view` over the axes in the "
        "middle gives every window: (n, *places, channels, *kernel size).",
        "A stride is a slice `::s` of the places, after the windows are taken.",
        "`np.tensordot` sums over pairs of axes: the window's channels and entries with those of the kernel.",
    ),
)
def convolve(x, kernel, strides=1, padding="valid"):
    """Cross-correlation over any number of axes, as Keras's Conv1D, Conv2D and Conv3D compute it, without a bias.

    x: (n, *size, channels). kernel: (*kernel size, channels, filters). strides: one number for every axis.
    padding: "valid" takes the windows that fit; "same" gives ceil(size / strides) places (`same_padding`).
    Returns (n, *places, filters). InputError for other channels and for a kernel larger than x: call `require_fit`.
    """
    axes = tuple(range(1, x.ndim - 1))
    if padding == "same":
        x = np.pad(x, [(0, 0), *(same_padding(x.shape[i], kernel.shape[i - 1], strides) for i in axes), (0, 0)])
    require_fit(x, kernel)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:-2], axis=axes)
    windows = windows[(slice(None), *[slice(None, None, strides)] * len(axes))]  # (n, *places, channels, *kernel size)
    last = tuple(range(-len(axes), 0))
    # y[p] = Σ over the entries a and channels c of x[p s + a, c] W[a, c]
    return np.tensordot(windows, kernel, axes=((*last, -len(axes) - 1), tuple(range(kernel.ndim - 1))))


@blank(
    "foundations/convolution_drills",
    hints=("Each pixel is a vector of channels, and every pixel meets the same matrix.",),
)
def pointwise(x, kernel):
    """A convolution with a 1 × 1 filter: x (n, *size, channels), kernel (channels, filters) to (n, *size, filters)."""
    return x @ kernel


def require_fit(x, kernel):
    """InputError when kernel and input do not go together; x is padded already."""
    if x.ndim != kernel.ndim or x.shape[-1] != kernel.shape[-2]:
        raise InputError(
            f"`kernel` must have {x.ndim} axes, as `x`, and on axis {x.ndim - 2} its {x.shape[-1]} channels. "
            f"Received: {kernel.shape} for x {x.shape}; transpose one of them."
        )
    for axis, (size, entries) in enumerate(zip(x.shape[1:-1], kernel.shape[:-2], strict=True), 1):
        if entries > size:
            raise InputError(
                f"`kernel` must fit into `x`: {entries} > {size} on axis {axis}; a smaller kernel or padding "
                '"same" would do.'
            )


def moved(image, direction, begin, settings):
    """A clip (frames, height, width, 1) in which an image appears, moves one place a frame, and vanishes."""
    height, width, margin = *image.shape[:2], settings.moving
    clip = np.zeros((settings.frames, height + 2 * margin, width + 2 * margin, 1), "float32")
    middle = (settings.moving - 1) / 2  # the way is centred, so that the place says nothing of the direction
    for step in range(settings.moving):
        down, across = (margin + np.round(MOVES[direction] * (step - middle) + 0.25)).astype(int)
        clip[begin + step, down : down + height, across : across + width] = image
    return clip


def clips(images, n, starts, settings, rng):
    """Clips (n, frames, height, width, 1) of digits that begin to move in a frame of `starts`, and their directions."""
    chosen, directions = images[rng.integers(len(images), size=n)], rng.integers(len(MOVES), size=n)
    begin = rng.choice(starts, size=n)
    return np.stack([moved(*each, settings) for each in zip(chosen, directions, begin, strict=True)]), directions


def watchers(shape, settings):
    """Three networks that say in which direction a clip moves, by name."""
    n, pool = settings.filters, keras.layers.GlobalAveragePooling2D
    frames, height, width, _ = shape

    def network(*layers):
        return keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(len(DIRECTIONS))])

    per_frame = keras.layers.TimeDistributed
    conv = keras.layers.Conv2D
    return {
        "2-D, averaged over time": network(
            per_frame(conv(n, 3, activation="relu")),
            per_frame(conv(n, 3, activation="relu")),
            per_frame(pool()),
            keras.layers.GlobalAveragePooling1D(),
        ),
        "2-D, frames as channels": network(
            keras.layers.Permute((2, 3, 1, 4)),
            keras.layers.Reshape((height, width, frames)),
            conv(n, 3, activation="relu"),
            conv(n, 3, activation="relu"),
            pool(),
        ),
        "3-D": network(
            keras.layers.Conv3D(n, 3, activation="relu"),
            keras.layers.Conv3D(n, (1, 3, 3), activation="relu"),
            keras.layers.GlobalAveragePooling3D(),
        ),
    }


def readers(shape, classes, settings):
    """Networks that read digits, by name: what filters of 1 × 1 and strides change."""
    n = settings.filters

    def network(*convolutions):
        layers = [keras.layers.Conv2D(f, k, strides=s, padding="same", activation="gelu") for f, k, s in convolutions]
        return keras.Sequential(
            [keras.Input(shape), *layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes)]
        )

    return {
        "1 × 1 only": network((n, 1, 1), (4 * n, 1, 1)),
        "3 × 3": network((n, 3, 1), (4 * n, 3, 1), (4 * n, 3, 1)),
        "3 × 3 behind 1 × 1": network((n, 3, 1), (4 * n, 3, 1), (n, 1, 1), (4 * n, 3, 1)),
        "3 × 3, stride 2": network((n, 3, 2), (4 * n, 3, 1), (4 * n, 3, 1)),
        "3 × 3, stride 4": network((n, 3, 4), (4 * n, 3, 1), (4 * n, 3, 1)),
    }


def fit(model, train, validation, settings, log, stage):
    """Trains a network of this assignment."""
    training.fit(
        model,
        training.classification,
        data.Batches(*train, batch_size=settings.batch_size, seed=settings.seed),
        epochs=settings.epochs,
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        validation=data.Batches(*validation, batch_size=200, shuffle=False),
        log=log,
        stage=stage,
        progress=False,
    )


def accuracy(model, x, labels):
    """The share of examples that the network names right."""
    batches = data.Batches(x, labels, batch_size=200, shuffle=False)
    return training.evaluate(model, training.classification, batches)["accuracy"]


def cost(model):
    """Parameters and millions of operations for one example."""
    from keras_course.arithmetic import keras_models

    sums = arithmetic.totals(keras_models.rows_of(model))
    return {"parameters": sums["parameters"], "MFLOPs": sums["flops"] / 1e6}


def watch(splits, settings, log):
    """Trains the three watchers of clips; their accuracy on early clips, on these reversed, and on late ones."""
    rng = np.random.default_rng(settings.seed)
    last = settings.frames - settings.moving
    early, late = np.arange(last // 2), np.arange(last // 2 + 1, last + 1)
    train = clips(splits.train.x, settings.clips, early, settings, rng)
    validation = clips(splits.validation.x, settings.clips // 4, early, settings, rng)
    seen = clips(splits.test.x, settings.clips // 4, early, settings, rng)
    later = clips(splits.test.x, settings.clips // 4, late, settings, rng)
    rows, backwards = [], (seen[0][:, ::-1], OPPOSITE[seen[1]])
    keras.utils.set_random_seed(settings.seed)
    for name, model in watchers(seen[0].shape[1:], settings).items():
        fit(model, train, validation, settings, log, f"clips, {name}")
        rows.append(
            {
                "network": name,
                **cost(model),
                "moving early, as trained": accuracy(model, *seen),
                "these, backwards": accuracy(model, *backwards),
                "moving late": accuracy(model, *later),
            }
        )
    return rows


def read(splits, settings, log):
    """Trains the readers of digits; their accuracy on images, and on these with their pixels shuffled."""
    rng = np.random.default_rng(settings.seed)
    x, labels = splits.test.x, splits.test.y
    order = rng.permutation(x.shape[1] * x.shape[2])
    shuffled = x.reshape(len(x), len(order), -1)[:, order].reshape(x.shape)
    rows = []
    keras.utils.set_random_seed(settings.seed)
    for name, model in readers(x.shape[1:], len(splits.classes), settings).items():
        fit(model, splits.train, splits.validation, settings, log, f"digits, {name}")
        rows.append(
            {
                "network": name,
                **cost(model),
                "images": accuracy(model, x, labels),
                "pixels shuffled": accuracy(model, shuffled, labels),
            }
        )
    return rows


def shown_by_hand(clip):
    """Mean square of two filters' answers to one clip and its reversal: a difference in space, and the 3-D one."""
    across = np.array([1.0, -1.0]).reshape(1, 1, 2, 1, 1)
    ways = {"the clip": clip[None], "the clip backwards": clip[None, ::-1]}
    move = np.zeros((2, 1, 2, 1, 1))
    move[0, 0, 0], move[1, 0, 1] = 1, -1  # a pixel of one frame less its right neighbour in the next: 0 for what moves
    return [
        {
            "seen": name,
            "2-D, mean over time": float(np.mean(convolve(x, across) ** 2)),
            "3-D, “moves right” misses by": float(np.mean(convolve(x, move) ** 2)),
        }
        for name, x in ways.items()
    ]


def strides_shown(image):
    """One image under an edge filter with strides 1, 2 and 4, each map blown up to the same size."""
    edge = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "float64")[..., None, None]
    maps = [np.abs(convolve(image[None].astype(float), edge, strides=s, padding="same"))[0] for s in (1, 2, 4)]
    size = len(maps[0])
    tops = [np.kron(m[..., 0], np.ones((2**i, 2**i)))[:size, :size, None] for i, m in enumerate(maps)]
    return np.stack([image, *(m / max(m.max(), 1e-9) for m in tops)])


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    watched = watch(splits, settings, log)
    digits = read(splits, settings, log)
    right = moved(splits.test.x[0], DIRECTIONS.index("right"), 1, settings)
    by_watcher = {row["network"]: row for row in watched}
    by_reader = {row["network"]: row for row in digits}
    averaged, stacked, solid = by_watcher.values()
    return Result(
        scores={
            "both_ways_averaged": averaged["moving early, as trained"] + averaged["these, backwards"],
            "early_stacked": stacked["moving early, as trained"],
            "late_stacked": stacked["moving late"],
            "early_3d": solid["moving early, as trained"],
            "late_3d": solid["moving late"],
            "shuffling_changes_1x1": by_reader["1 × 1 only"]["images"] - by_reader["1 × 1 only"]["pixels shuffled"],
            "accuracy_1x1": by_reader["1 × 1 only"]["images"],
            "accuracy_3x3": by_reader["3 × 3"]["images"],
            "accuracy_stride_4": by_reader["3 × 3, stride 4"]["images"],
        },
        arrays={
            "clips": [right, right[::-1]],
            "strides": strides_shown(splits.test.x[0]),
            "watched": watched,
            "digits": digits,
        },
        tables={
            "Which way does it move?": watched,
            "Which digit is it?": digits,
            "Two filters by hand, mean square": shown_by_hand(right),
        },
        data=(splits,),
        parameters={row["network"]: row["parameters"] for row in (*watched, *digits)},
    )


def figures(result):
    arrays = result.arrays
    columns = ("moving early, as trained", "these, backwards", "moving late")
    return {
        "clips": plots.images(
            arrays["clips"], row_labels=["right", "backwards"], title="the same frames: only their order differs"
        ),
        "directions": plots.grouped(
            {row["network"]: [row[c] for c in columns] for row in arrays["watched"]},
            groups=columns,
            ylabel="accuracy",
            title="which way does it move?",
        ),
        "strides": plots.images(
            arrays["strides"][None], titles=["image", "stride 1", "stride 2", "stride 4"], title="an edge filter"
        ),
        "digits": plots.grouped(
            {what: [row[what] for row in arrays["digits"]] for what in ("images", "pixels shuffled")},
            groups=[row["network"].replace(" behind", "\nbehind").replace(", ", ",\n") for row in arrays["digits"]],
            ylabel="accuracy",
            title="which digit is it?",
        ),
    }


EXERCISE = Exercise(
    source="S3: strides, 1 × 1 filters, and 2-D against 3-D convolution",
    small=Settings(),
    full=Settings(dataset="mnist", source="full", epochs=2, clips=3200),
    quick=Settings(filters=2, frames=5, moving=2, clips=16, epochs=1),
    run=run,
    figures=figures,
    expect={
        "both_ways_averaged": Band(0.0, 1.0),  # a clip and its reversal get the same answer
        "early_3d": Band(0.9, 1.0),
        "late_3d": Band(0.9, 1.0),
        "late_stacked": Band(0.0, 0.6),
        "shuffling_changes_1x1": Band(0.0, 0.0),
        "accuracy_3x3": Band(0.93, 1.0),
    },
)
