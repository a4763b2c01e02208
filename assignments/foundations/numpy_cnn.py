"""A convolutional network from scratch: it learns fifty images by heart, and what is that worth?

Convolution, ReLU, max-pooling, a dense layer and softmax, forwards and backwards in NumPy. You write four methods,
`Conv2D.forward` and `Conv2D.backward`, `MaxPool2D.forward` and `MaxPool2D.backward`, and `SGD.step`, the rule with
momentum. There is no loop over images or pixels: a convolution is one matrix product over all windows.

The run checks before it trains. A worked example shows which convolution is meant, differences confirm the gradients
of the whole network, and the same network in Keras, from the same weights, has the same losses. Then the network
learns fifty images by heart: a test that all parts work, not of skill, so the accuracy on other images stands beside
it. At last it trains on all images, next to networks that each lack one part.

LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document recognition", section II, for
the network; Goodfellow, Bengio and Courville (2016), "Deep Learning", section 9.5, for the gradients.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Floor, Result
from keras_course.settings import Count, Positive, Seed, Share

import keras
import numpy as np
import tensorflow as tf

# S3: an image, a filter, and what was worked out for the mean of their valid convolution
IMAGE = ((3, 4, 5), (2, 1, -3), (4, -2, 0))
FILTER = ((2, 0), (-3, 1))
WORKED_OUT = {
    "convolution": ((1, 2), (-10, 8)),
    "its mean": ((0.25,),),
    "gradient by the filter": ((2.5, 1.75), (1.25, -1)),
    "gradient by the image": ((0.5, 0.5, 0), (-0.25, 0, 0.25), (-0.75, -0.5, 0.25)),
}
WATCHED = 500  # validation images scored after every epoch on the few: more would take longer than the training


@dataclass(frozen=True)
class Settings:
    dataset: Literal["digits", "mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    filters: tuple[Count, ...] = (6, 12)  # of each block of convolution, ReLU and max-pooling
    kernel_size: Count = 5  # rows and columns of every filter
    few: Count = 50  # images to learn by heart
    few_epochs: Count = 25  # passes over them, in batches of ten
    compared_steps: Count = 30  # steps side by side with Keras
    epochs: Count = 2  # over all images, for every network of the table
    learning_rate: Positive = 0.02  # of gradient descent
    momentum: Share = 0.9  # below 1
    batch_size: Count = 32
    seed: Seed = 0


def network(splits, settings):
    """Blocks of convolution, ReLU and max-pooling, then one dense layer; the same weights for the same seed."""
    rng = np.random.default_rng(settings.seed)
    layers, channels = [], splits.train.x.shape[-1]
    for filters in settings.filters:
        convolution = scratch.Conv2D(channels, filters, settings.kernel_size, rng=rng)
        layers += [convolution, scratch.ReLU(), scratch.MaxPool2D()]
        channels = filters
    layers.append(scratch.Flatten())
    features = scratch.Network(layers).forward(splits.train.x[:1]).shape[1]
    return scratch.Network([*layers, scratch.Dense(features, len(splits.classes), rng=rng)])


def train(net, settings, examples, validation, *, rate=None, momentum=None, epochs=None, batch_size=None, **log):
    """Trains in float32 by the settings, unless told otherwise; returns the curves."""
    momentum = settings.momentum if momentum is None else momentum
    return scratch.fit(
        net.astype("float32"),
        scratch.SoftmaxCrossEntropy(),
        *examples,
        optimizer=scratch.SGD(rate or settings.learning_rate, momentum),
        epochs=epochs or settings.epochs,
        batch_size=batch_size or settings.batch_size,
        rng=np.random.default_rng((settings.seed, 1)),
        validation=validation,
        metrics={"accuracy": scratch.accuracy},
        **log,
    )


def worked_example(image, kernel):
    """The valid convolution of one image and one filter, its mean, and the gradients of the mean by both."""
    image, kernel = np.array(image, float), np.array(kernel, float)
    layer = scratch.Conv2D(1, 1, kernel.shape, rng=np.random.default_rng(0))
    layer.parameters["kernel"][:, :, 0, 0] = kernel
    average = scratch.GlobalAveragePool2D()
    y = layer.forward(image[None, :, :, None])
    mean = average.forward(y)
    dx = layer.backward(average.backward(np.ones((1, 1))))
    found = (y[0, :, :, 0], mean, layer.gradients["kernel"][:, :, 0, 0], dx[0, :, :, 0])
    return dict(zip(WORKED_OUT, found, strict=True))


def example_rows():
    """The worked example as a table, beside what a convolution in the sense of mathematics would give."""
    right, turned = worked_example(IMAGE, FILTER), worked_example(IMAGE, np.array(FILTER)[::-1, ::-1])
    turned["gradient by the filter"] = turned["gradient by the filter"][::-1, ::-1]  # of the filter as it is written

    def text(matrix):
        return "; ".join(" ".join(f"{value:g}" for value in row) for row in np.asarray(matrix) + 0.0)

    return [
        {
            "what": what,
            "worked out": text(due),
            "measured": text(right[what]),
            "with a turned filter": text(turned[what]),
        }
        for what, due in WORKED_OUT.items()
    ]


def gradient_rows(net, splits, settings):
    """The gradients of a trained network against differences, on two validation images, in float64."""
    fresh = network(splits, settings)  # `net` keeps the arrays of its last batch, which every difference would copy
    for name, w in fresh.parameters.items():
        w[...] = net.parameters[name]
    return scratch.gradcheck(fresh, splits.validation.x[:2].astype("float64"), samples=10, seed=settings.seed)


def batches(splits, settings):
    """The first batches of the training split in float64, as many as it has."""
    x, y = splits.train
    starts = range(0, len(x), settings.batch_size)[: settings.compared_steps]
    return [(x[i : i + settings.batch_size].astype("float64"), y[i : i + settings.batch_size]) for i in starts]


def our_losses(splits, settings):
    """The loss of each step in NumPy."""
    net, loss = network(splits, settings), scratch.SoftmaxCrossEntropy()
    # Keras has both constants in float32, whatever the weights are in; rounded like that, nothing else differs
    rule = scratch.SGD(*map(float, np.float32([settings.learning_rate, settings.momentum])))
    return [scratch.train_step(net, loss, x, y, rule)["loss"] for x, y in batches(splits, settings)]


def keras_losses(splits, settings):
    """The loss of each step of the same network in Keras, from the same weights on the same batches."""
    layers = [keras.Input(splits.train.x.shape[1:], dtype="float64")]
    for filters in settings.filters:
        layers.append(keras.layers.Conv2D(filters, settings.kernel_size, activation="relu", dtype="float64"))
        layers.append(keras.layers.MaxPooling2D(dtype="float64"))
    layers += [keras.layers.Flatten(dtype="float64"), keras.layers.Dense(len(splits.classes), dtype="float64")]
    model = keras.Sequential(layers)
    model.set_weights(list(network(splits, settings).parameters.values()))
    rule = keras.optimizers.SGD(settings.learning_rate, settings.momentum)
    losses = []
    for x, y in batches(splits, settings):
        with tf.GradientTape() as tape:
            each = keras.losses.sparse_categorical_crossentropy(y, model(x, training=True), from_logits=True)
            loss = keras.ops.mean(each)
        rule.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        losses.append(float(loss))
    return losses


def without_a_part(splits, settings):
    """Networks that each lack one part, trained as long as the whole: label -> (numbers learned, curves)."""
    pixels, classes = splits.train.x[0].size, len(splits.classes)
    rng = np.random.default_rng((settings.seed, 2))
    order = rng.permutation(pixels)
    fixed = scratch.Network(network(splits, settings).astype("float32").layers[:-1])

    def mapped(change):
        return [part._replace(x=change(part.x)) for part in (splits.train, splits.validation)]

    same, features = mapped(lambda x: x), mapped(fixed.predict)
    shuffled = mapped(lambda x: x.reshape(-1, pixels)[:, order].reshape(x.shape))
    readout = scratch.Network([scratch.Dense(features[0].x.shape[1], classes, rng=rng)])
    linear = scratch.Network([scratch.Flatten(), scratch.Dense(pixels, classes, rng=rng)])
    # Σ mᵗ η = η / (1 - m): without momentum the steps are as long as equal gradients make them with it
    rate = settings.learning_rate / (1 - settings.momentum)
    cases = {
        "no momentum": (network(splits, settings), same, {"momentum": 0.0, "rate": rate}),
        "filters left at random": (readout, features, {}),
        "pixels in another order": (network(splits, settings), shuffled, {}),
        "linear, no filters": (linear, same, {}),
    }
    return {
        label: (net.count(), train(net, settings, *parts, **change)) for label, (net, parts, change) in cases.items()
    }


def look(net, images):
    """What the first block makes of some images: after ReLU, and after pooling."""
    first = scratch.Network(net.layers[:2]).forward(images)  # (n, rows, columns, filters)
    return {"answers": first, "pooled": net.layers[2].forward(first)}


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    start, whole, by_heart = (network(splits, settings) for _ in range(3))
    ours, theirs = our_losses(splits, settings), keras_losses(splits, settings)
    few, watched = (
        part._replace(x=part.x[:n], y=part.y[:n])
        for part, n in ((splits.train, settings.few), (splits.validation, WATCHED))
    )
    heart = train(by_heart, settings, few, watched, epochs=settings.few_epochs, batch_size=10, log=log, stage="few")
    checked = gradient_rows(by_heart, splits, settings)
    history = train(whole, settings, splits.train, splits.validation, log=log, stage="all")
    trained = {"the whole network": (whole.count(), history)} | without_a_part(splits, settings)
    rows = [
        {"network": label, "numbers learned": count}
        | {
            f"{part} accuracy": curves[key][-1]
            for part, key in (("training", "accuracy"), ("validation", "val_accuracy"))
        }
        for label, (count, curves) in trained.items()
    ]
    last = {row["network"]: row["validation accuracy"] for row in rows}
    cost = {label: last["the whole network"] - value for label, value in last.items()}
    return Result(
        scores={
            "few_training": scratch.accuracy(by_heart.predict(few.x), few.y),
            "few_held_out": heart["val_accuracy"][-1],
            "test_accuracy": scratch.accuracy(whole.predict(splits.test.x), splits.test.y),
            "cost_of_random_filters": cost["filters left at random"],
            "cost_of_shuffled_pixels": cost["pixels in another order"],
            "gradient_error": max(row["error"] for row in checked),
            "difference_from_keras": max(abs(a - b) for a, b in zip(ours, theirs, strict=True)),
        },
        arrays={
            "few": heart,
            "errors": {label: 1 - value for label, value in last.items()},
            "losses": {"NumPy": ours, "Keras": theirs},
            "filters": np.stack([net.parameters["0/kernel"] for net in (start, whole)]),  # (2, rows, columns, 1, out)
            "images": splits.test.x[:2],
            "labels": [splits.classes[y] for y in splits.test.y[:2]],
            **look(whole, splits.test.x[:2]),
        },
        tables={
            "The worked example": example_rows(),
            "Gradients by hand against differences": [
                {
                    "array": row["name"],
                    "shape": str(row["shape"]),
                    "checked": row["checked"],
                    "skipped at kinks": row["skipped"],
                    "relative error": f"{row['error']:.1e}",
                }
                for row in checked
            ],
            f"Trained on all images, {settings.epochs} epochs each": rows,
        },
        data=(splits,),
        parameters={"network": whole.count()},
    )


def enlarged(maps, side):
    """Maps (rows, columns, n) as n images (side, side, 1), each entry a block."""
    rows, columns = (np.arange(side) * size // side for size in maps.shape[:2])
    return np.moveaxis(maps[rows][:, columns], -1, 0)[..., None]


def filters_and_answers(arrays, shown=8):
    """The first filters before and after training, and what they answer to two images; the images stand left."""
    side = arrays["images"].shape[1]
    kernels = 0.5 + arrays["filters"][:, :, :, 0, :shown] / (2 * np.abs(arrays["filters"][:, :, :, 0]).max())
    labels, rows = ["filters at first", "filters learned"], [enlarged(kernel, side) for kernel in kernels]
    for i, name in enumerate(arrays["labels"]):
        for what in ("answers", "pooled"):
            labels.append(f"{what} to {name}" if what == "answers" else "pooled")
            rows.append(enlarged(arrays[what][i, ..., :shown] / arrays["answers"][i].max(), side))
    blank = np.ones((side, side, 1))
    left = [blank, blank, arrays["images"][0], blank, arrays["images"][1], blank]
    drawing = plots.images(
        [[first, *row] for first, row in zip(left, rows, strict=True)],
        row_labels=labels,
        title="the first block: filters, answers after ReLU, and the largest of every 2×2",
    )
    columns = len(rows[0]) + 1
    for i in (0, 1, 3, 5):
        drawing.axes[i * columns].spines[:].set_visible(False)
    return drawing


def beside_keras(losses):
    """The losses of both, and the size of their difference."""
    drawing, (left, right) = plots.panels(1, 2)
    steps = np.arange(1, len(losses["NumPy"]) + 1)
    left.plot(steps, losses["Keras"], linewidth=4, alpha=0.4, label="Keras")
    left.plot(steps, losses["NumPy"], color="black", linewidth=1, label="NumPy")
    left.legend(frameon=False)
    left.set(xlabel="step", ylabel="loss of the batch (nats)", title="the same weights, the same batches")
    right.plot(steps, np.abs(np.subtract(losses["NumPy"], losses["Keras"])), marker=".")
    right.set(xlabel="step", ylabel="|NumPy - Keras| (nats)", title="what tells them apart")
    return drawing


def figures(result):
    arrays = result.arrays
    return {
        "few": plots.curves(
            {"the few images": arrays["few"]["accuracy"], "images held out": arrays["few"]["val_accuracy"]},
            ylabel="accuracy",
            title="learned by heart, and what that is worth",
        ),
        "filters": filters_and_answers(arrays),
        "keras": beside_keras(arrays["losses"]),
        "parts": plots.bars(arrays["errors"], ylabel="validation error", title="what each part is worth"),
    }


EXERCISE = Exercise(
    source="S1 and S3: convolutional network from scratch, gradients of a convolution",
    small=Settings(),
    full=Settings(source="full", filters=(8, 16), learning_rate=0.03, batch_size=64),
    quick=Settings(dataset="digits", filters=(4,), kernel_size=3, few=20, few_epochs=1, compared_steps=2, epochs=1),
    run=run,
    figures=figures,
    expect={
        "few_training": Band(0.9, 1.0),
        "few_held_out": Band(0.45, 0.9),
        "test_accuracy": Band(0.87, 0.995),
        "cost_of_random_filters": Band(0.01, 0.35),
        "cost_of_shuffled_pixels": Band(0.02, 0.22),
        "gradient_error": Band(0.0, 1e-6),  # what a gradient by hand may be off by
        "difference_from_keras": Band(0.0, 1e-9),  # rounding alone, in float64
    },
    floors={"few_training": Floor(0.9, "asked of this course: 50 images, a check of the code and not of skill")},
)
