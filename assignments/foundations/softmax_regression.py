"""Softmax regression from scratch: what does a ReLU on the logits cost?

A dense layer, softmax cross-entropy, plain gradient descent and an L2 penalty, all by hand: `Dense`, `log_softmax`,
`SoftmaxCrossEntropy` and `SGD.step` are yours to write. Then the variant that the course's source trained, with a ReLU
between the dense layer and the softmax. A logit that is clamped at 0 has no gradient. An example whose logits are all
clamped has the loss of a guess, ln 10, and teaches nothing; a class that is clamped for every example is never learned.

At a learning rate that suits it the variant may lose nothing, which is how the mistake stays unseen. The run therefore
trains both variants at several rates, from several initial weights, and counts what has died.

Bishop (2006), "Pattern Recognition and Machine Learning", section 4.3.4, for the model and its gradient.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots, scratch
from keras_course.exercise import Band, Exercise, Result
from keras_course.settings import Count, NonNegative, Positive, Seed

import numpy as np

PLAIN, RELU = "plain", "ReLU on the logits"


@dataclass(frozen=True)
class Settings:
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    source: Literal["small", "full"] = "small"  # small: offline; full: the published set
    epochs: Count = 10
    learning_rates: tuple[Positive, ...] = (0.01, 0.1, 0.5, 1.0)  # of plain gradient descent, each for both variants
    l2: NonNegative = 1e-4  # weight of the penalty on the kernel
    batch_size: Count = 64
    repeats: Count = 3  # trainings of each variant at each rate, each from other weights
    seed: Seed = 0


def network(splits, settings, rng, *, relu):
    """The linear model, with a ReLU on its logits where asked for."""
    layers = [
        scratch.Flatten(),
        scratch.Dense(splits.train.x[0].size, len(splits.classes), rng=rng, l2=settings.l2),
    ]
    return scratch.Network([*layers, scratch.ReLU()] if relu else layers)


def silent(outputs, labels):
    """The share of examples all of whose outputs are 0: behind a ReLU they have no gradient."""
    return float(np.mean(np.all(outputs == 0, axis=1)))


def train(splits, settings, rate, repeat, log, *, relu):
    """Trains one variant; returns the network and its curves."""
    rng = np.random.default_rng((settings.seed, repeat))  # both variants start from the same weights
    net = network(splits, settings, rng, relu=relu).astype("float32")
    history = scratch.fit(
        net,
        scratch.SoftmaxCrossEntropy(),
        *splits.train,
        optimizer=scratch.SGD(rate),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        rng=rng,
        validation=splits.validation,
        metrics={"accuracy": scratch.accuracy, "silent": silent},
        log=log,
        stage=f"{'relu' if relu else 'plain'}/{rate:g}/{repeat}",
    )
    return net, history


def sweep(splits, settings, log, *, relu):
    """By learning rate: the networks of all repeats, their curves (repeats, epochs) and what has died in them."""
    found = {}
    for rate in settings.learning_rates:
        nets, histories = zip(
            *[train(splits, settings, rate, repeat, log, relu=relu) for repeat in range(settings.repeats)], strict=True
        )
        outputs = np.stack([net.predict(splits.train.x) for net in nets])  # (repeats, examples, classes)
        found[rate] = {
            "nets": nets,
            "curves": {name: np.array([history[name] for history in histories]) for name in histories[0]},
            "clamped": float(np.mean(outputs == 0)),
            "silent": float(np.mean(np.all(outputs == 0, axis=2))),
            "dead": np.all(outputs == 0, axis=1),  # (repeats, classes)
        }
    return found


def row_of(variant, rate, found):
    """A row of the table of rates."""
    accuracy = found["curves"]["val_accuracy"][:, -1]
    return {
        "variant": variant,
        "learning rate": f"{rate:g}",
        "validation accuracy, mean": float(accuracy.mean()),
        "least": float(accuracy.min()),
        "most": float(accuracy.max()),
        "validation loss": float(found["curves"]["val_loss"][:, -1].mean()),
        "logits without a gradient": found["clamped"],
        "examples without a gradient": found["silent"],
        "dead classes": float(found["dead"].sum(axis=1).mean()),
    }


def last_accuracy(found):
    """The validation accuracy at the end, a mean over the repeats."""
    return float(found["curves"]["val_accuracy"][:, -1].mean())


def one_example(*, relu):
    """Loss and gradient of one example whose ten logits are all below 0, at its label, the least of them."""
    logits, loss, clamp = -np.arange(1.0, 11)[None], scratch.SoftmaxCrossEntropy(), scratch.ReLU()
    value = loss.forward(clamp.forward(logits) if relu else logits, np.array([9]))
    gradient = clamp.backward(loss.backward()) if relu else loss.backward()
    return {"loss": value, "by the logit of its label": gradient[0, 9], "length": float(np.linalg.norm(gradient))}


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    found = {label: sweep(splits, settings, log, relu=label == RELU) for label in (PLAIN, RELU)}
    rates = {label: max(rows, key=lambda rate, rows=rows: last_accuracy(rows[rate])) for label, rows in found.items()}
    accuracies = {
        label: [scratch.accuracy(net.predict(splits.test.x), splits.test.y) for net in found[label][rate]["nets"]]
        for label, rate in rates.items()
    }
    largest, alone = max(settings.learning_rates), one_example(relu=True)
    ends = {label: found[label][largest] for label in found}
    shown = {(PLAIN, largest): ends[PLAIN], (RELU, rates[RELU]): found[RELU][rates[RELU]], (RELU, largest): ends[RELU]}
    return Result(
        scores={
            "accuracy_plain": float(np.mean(accuracies[PLAIN])),
            "accuracy_relu": float(np.mean(accuracies[RELU])),
            "cost_at_the_largest_rate": last_accuracy(ends[PLAIN]) - last_accuracy(ends[RELU]),
            "silent_examples": ends[RELU]["silent"],
            "dead_classes": float(ends[RELU]["dead"].sum(axis=1).mean()),
            "loss_of_a_clamped_example": alone["loss"],
            "gradient_of_a_clamped_example": alone["length"],
        },
        arrays={
            "curves": {label: {rate: row["curves"] for rate, row in rows.items()} for label, rows in found.items()},
            "weights": {
                f"{label}, {rate:g}": (row["nets"][0].parameters["1/kernel"], row["dead"][0])
                for (label, rate), row in shown.items()
            },
            "shape": splits.train.x.shape[1:],
            "classes": splits.classes,
        },
        tables={
            f"Both variants at each rate, {settings.repeats} trainings each": [
                row_of(label, rate, row) for label, rows in found.items() for rate, row in rows.items()
            ],
            "On test digits, at the rate that validation picked": [
                {"variant": k, "learning rate": f"{rates[k]:g}", "mean": np.mean(v), "least": min(v), "most": max(v)}
                for k, v in accuracies.items()
            ],
            "One example with logits from -1 to -10, and its gradient": [
                {"variant": label} | one_example(relu=label == RELU) for label in found
            ],
        },
        data=(splits,),
        parameters={label: rows[largest]["nets"][0].count() for label, rows in found.items()},
    )


def losses(curves):
    """A panel for each learning rate: the validation loss of both variants, a line for each repeat."""
    rates = list(curves[PLAIN])
    drawing, grid = plots.panels(1, len(rates), width=2.9, height=3.0)
    for axes, rate in zip(grid, rates, strict=True):
        for label, colour in zip(curves, plots.COLOURS, strict=False):
            lines = curves[label][rate]["val_loss"].T  # (epochs, repeats)
            at = np.arange(1, len(lines) + 1)
            axes.plot(at, lines, color=colour, linewidth=1, marker="o" if len(at) < 4 else None, markersize=3)
            axes.plot([], color=colour, label=label)
        axes.axhline(np.log(10), color="black", linestyle=":", linewidth=1)
        axes.set(title=f"rate {rate:g}", xlabel="epoch", ylim=(0, 2.6))
    grid[0].set_ylabel("validation loss (nats)")
    grid[0].text(1, np.log(10) + 0.04, "a guess", fontsize="small")
    grid[0].legend(frameon=False, fontsize="small", loc="lower left")
    return drawing


def figures(result):
    arrays = result.arrays
    height, width, channels = arrays["shape"]
    rows, labels = [], []
    for label, (kernel, dead) in arrays["weights"].items():  # (inputs, classes), each in its own range
        pictures = kernel.T.reshape(-1, height, width, channels)
        rows.append(0.5 + pictures / (2 * np.abs(pictures).max()))
        names = " ".join(name for name, gone in zip(arrays["classes"], dead, strict=True) if gone)
        labels.append(f"{label}\ndead: {names or 'none'}")
    ends = {
        label: np.stack([found[rate]["val_accuracy"][:, -1] for rate in found], axis=1)  # (repeats, rates)
        for label, found in arrays["curves"].items()
    }
    rates = list(arrays["curves"][PLAIN])
    accuracy = plots.band(
        ends, x=rates, xlabel="learning rate", ylabel="validation accuracy", title="mean and range of the repeats"
    )
    accuracy.axes[0].set_xscale("log")
    accuracy.axes[0].set_xticks(rates, [f"{rate:g}" for rate in rates])
    return {
        "rates": accuracy,
        "loss": losses(arrays["curves"]),
        "silent": plots.band(
            {f"rate {rate:g}": found["silent"] for rate, found in arrays["curves"][RELU].items()},
            ylabel="share of training examples",
            title="all logits clamped: examples without a gradient",
        ),
        "weights": plots.images(
            np.stack(rows),
            row_labels=labels,
            titles=arrays["classes"],
            title="the weights of each class, by variant and learning rate: white for, black against",
        ),
    }


EXERCISE = Exercise(
    source="S1: softmax regression from scratch, with a ReLU on the logits",
    small=Settings(),
    full=Settings(source="full", epochs=3),
    quick=Settings(epochs=1, learning_rates=(0.1, 1.0), repeats=1, batch_size=256),
    run=run,
    figures=figures,
    expect={
        "accuracy_plain": Band(0.85, 0.95),
        "cost_at_the_largest_rate": Band(0.35, 0.85),
        "silent_examples": Band(0.35, 1.0),
        "dead_classes": Band(5.0, 10.0),
        "loss_of_a_clamped_example": Band(2.302585, 2.302586),  # ln 10
        "gradient_of_a_clamped_example": Band(0.0, 0.0),
    },
)
