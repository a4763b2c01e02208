from assignments.foundations.numpy_digits import EXERCISE, Settings, network
from keras_course import data, scratch
from keras_course.check import Mutant, points, same

import numpy as np
import pytest


def epoch(x, y, batch_size, seed, epochs):
    """What `train_epoch` gives to its steps, and what it makes of their answers."""
    from unittest import mock

    from keras_course.scratch import network

    import numpy as np

    batches = []

    def step(net, loss, x, y, optimizer, metrics=None):
        batches.append((x.tolist(), y.tolist()))
        return {"loss": float(np.mean(y)), "size": float(len(y))}

    rng = np.random.default_rng(seed)
    with mock.patch.object(network, "train_step", step):
        means = [network.train_epoch(None, None, x, y, None, batch_size, rng) for _ in range(epochs)]
    return {"batches": batches, "means": means}


def share_right(outputs, labels):
    from keras_course.scratch import accuracy

    return accuracy(outputs, labels)


def loss_of(logits, labels):
    from keras_course.scratch import SoftmaxCrossEntropy

    loss = SoftmaxCrossEntropy()
    return [loss.forward(logits, labels), loss.backward()]


def run_with_false_test_labels():
    """A run on digits of two kinds whose test labels are all wrong: what was learned must score nothing there."""
    from unittest import mock

    from assignments.foundations import numpy_digits
    from keras_course import data

    import numpy as np

    labels = np.arange(40) % 2
    images = np.zeros((40, 2, 2, 1), "float32")
    images[np.arange(40), labels, 0] = 1
    parts = [data.Split(images, labels), data.Split(images, labels), data.Split(images, 1 - labels)]
    splits = data.Splits(*parts, name="false", source="small", classes=("a", "b"), licence="none")
    with mock.patch.object(data, "load", return_value=splits):
        result = numpy_digits.run(numpy_digits.Settings(hidden=4, epochs=5, batch_size=4), None)
    return {"scores": result.scores, "rows": result.tables["Claimed and measured"]}


X, Y = np.arange(14.0).reshape(7, 2), np.arange(7)


@points(2)
def test_an_epoch_takes_each_example_once_with_its_label(subject):
    found = subject(epoch, x=X, y=Y, batch_size=3, seed=0, epochs=1)["batches"]
    rows = [row for batch in found for row in zip(*batch, strict=True)]
    same(sorted(label for _, label in rows), list(range(7)), what="the labels of an epoch")
    for x, label in rows:
        same(x, X[label].tolist(), what=f"the example of label {label}")


def test_the_last_batch_is_as_short_as_it_comes(subject):
    """Seven examples in batches of three are 3, 3 and 1."""
    found = subject(epoch, x=X, y=Y, batch_size=3, seed=0, epochs=1)["batches"]
    same([len(labels) for _, labels in found], [3, 3, 1])


def test_every_epoch_has_an_order_of_its_own(subject):
    found = subject(epoch, x=X, y=Y, batch_size=7, seed=0, epochs=3)["batches"]
    orders = {tuple(labels) for _, labels in found}
    assert len(orders) == 3, "two epochs had the same order"
    assert tuple(range(7)) not in orders, "the order of the file is no random one"


@points(2)
def test_the_means_weigh_each_example_alike(subject):
    """A short batch counts for less: the mean of the labels 0 to 6 is 3 however they are cut."""
    for batch_size in (2, 3, 7, 10):
        (means,) = subject(epoch, x=X, y=Y, batch_size=batch_size, seed=1, epochs=1)["means"]
        same(means["loss"], 3.0, what=f"the mean in batches of {batch_size}")


def test_accuracy_is_the_share_of_largest_outputs_at_the_label(subject):
    outputs = np.array([[-1.0, -3, -2], [0, 2, 5], [9, 1, 1], [1, 0, 2]])
    same(subject(share_right, outputs=outputs, labels=np.array([0, 2, 1, 2])), 0.75)


def test_logits_of_a_thousand_give_no_nan(subject):
    """The softmax takes the largest logit off first."""
    loss, gradient = subject(loss_of, logits=np.array([[1000.0, -1000, 0]]), labels=np.array([1]))
    same(loss, 2000.0)
    same(gradient, np.array([[1.0, -1, 0]]))


@points(3)
def test_the_score_is_measured_on_digits_that_were_held_out(subject):
    """A network that was taught well scores nothing against false test labels."""
    found = subject(run_with_false_test_labels)
    due = {"training_accuracy_no_hidden_layer": 1.0, "memory_no_hidden_layer": 1.0}
    due |= {"test_accuracy": 0.0, "test_accuracy_no_hidden_layer": 0.0}
    same({name: found["scores"][name] for name in due}, due, what="the scores")
    for row in found["rows"]:
        same(row["measured, on what it was trained on"], 1.0, what=row["network"])
        same(row["measured, on held-out digits"], 0.0, what=row["network"])


@pytest.mark.parametrize("hidden", [0, 5])
def test_the_gradients_of_the_networks_pass_the_check(hidden):
    splits = data.load("digits")
    rows = scratch.gradcheck(network(splits, Settings(), hidden=hidden), splits.train.x[:3].astype("float64"))
    assert max(row["error"] for row in rows) < 1e-6


def test_full_is_the_published_set():
    assert EXERCISE.full.source == "full"


LIBRARY = "keras_course/scratch/network.py"
MUTANTS = [
    Mutant(
        file="assignments/foundations/numpy_digits.py",
        old="for split in (splits.train, splits.test))",
        new="for split in (splits.train, splits.train))",
        caught_by="test_the_score_is_measured_on_digits_that_were_held_out",
        trap="scoring on the training set",
    ),
    Mutant(
        file=LIBRARY,
        old="order = rng.permutation(len(x))",
        new="order = rng.integers(0, len(x), len(x))",
        caught_by="test_an_epoch_takes_each_example_once_with_its_label",
        trap="examples drawn with replacement",
    ),
    Mutant(
        file=LIBRARY,
        old="order = rng.permutation(len(x))",
        new="order = np.arange(len(x))",
        caught_by="test_every_epoch_has_an_order_of_its_own",
        trap="no shuffle",
    ),
    Mutant(
        file=LIBRARY,
        old="train_step(network, loss, x[rows], y[rows], optimizer, metrics)",
        new="train_step(network, loss, x[rows], y[start : start + batch_size], optimizer, metrics)",
        caught_by="test_an_epoch_takes_each_example_once_with_its_label",
        trap="inputs shuffled without their labels",
    ),
    Mutant(
        file=LIBRARY,
        old="for start in range(0, len(x), batch_size):",
        new="for start in range(0, len(x) - batch_size + 1, batch_size):",
        caught_by="test_the_last_batch_is_as_short_as_it_comes",
        trap="the last short batch dropped",
    ),
    Mutant(
        file=LIBRARY,
        old="value * len(rows) / len(x)",
        new="value * batch_size / len(x)",
        caught_by="test_the_means_weigh_each_example_alike",
        trap="a short batch weighed as a whole one",
    ),
    Mutant(
        file=LIBRARY,
        old="outputs.argmax(axis=-1) == labels",
        new="outputs.argmin(axis=-1) == labels",
        caught_by="test_accuracy_is_the_share_of_largest_outputs_at_the_label",
        trap="the least likely class",
    ),
    Mutant(
        file="keras_course/scratch/losses.py",
        old="shifted = x - x.max(axis=-1, keepdims=True)",
        new="shifted = x",
        caught_by="test_logits_of_a_thousand_give_no_nan",
        trap="no max shift in the softmax",
    ),
]
