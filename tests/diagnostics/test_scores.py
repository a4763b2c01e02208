from keras_course.diagnostics.scores import scores

import numpy as np
import pytest
import tensorflow as tf


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("accuracy", 0.25, {"accuracy": 0.25}),
        ("val_acc", np.float32(0.5), {"val_acc": 0.5}),
        ("mean_recall", np.float64(1.0), {"mean_recall": 1.0}),
        ("balanced", tf.constant(0.125), {"balanced": 0.125}),
        ("hits", [0.5, 0.75], {"hits": 0.75}),
        ("final", {"noise": 0.5, "blast": 0.25}, {}),
        ("recall", {"noise": 0.5, "blast": 0.25}, {"recall": 0.375}),
        ("recall", {"noise": 0.5, "blast": 3.0}, {}),
        ("result", {"loss": 0.5, "accuracy": 0.25}, {"accuracy": 0.25}),
        ("history", {"accuracy": [0.1, 0.2], "base_accuracy": [0.9]}, {"accuracy": 0.2}),
        ("scores", {"loss": 0.5, "dice": 0.75}, {}),
        ("score", 0.75, {"score": 0.75}),
        ("loss", 0.25, {}),
        ("accurate", 0.25, {}),
        ("baseline_accuracy", 0.25, {}),
        ("adversarial_accuracy", 0.0, {}),
        ("learning_rate", 0.01, {}),
        ("accuracy", 1.5, {}),
        ("accuracy", -0.5, {}),
        ("accuracy", float("nan"), {}),
        ("hits", 1, {}),
        ("right", True, {}),
        ("accuracy", "0.5", {}),
        ("accuracy", np.array([0.5, 0.25]), {}),
        ("correct", np.array(1), {}),
        ("accuracy", None, {}),
        ("accuracy", [], {}),
        ("_accuracy", 0.5, {}),
    ],
)
def test_a_number_is_a_score_by_its_name(name, value, found):
    assert scores("", {name: value}) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("final = balanced_accuracy(truth, said)", {"balanced_accuracy": 0.25}),
        ("final = float(metrics.f1_score(truth, said))", {"f1_score": 0.25}),
        ("final = np.mean(truth == said)", {}),
        ("final = base_accuracy(truth)", {}),
        ("final, other = accuracy(truth, said), 1", {}),
        ("other = accuracy(truth, said)", {}),
    ],
)
def test_a_number_goes_by_the_function_that_gives_it(line, found):
    assert scores(line, {"final": 0.25}) == found
