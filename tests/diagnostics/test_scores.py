from keras_course.diagnostics.scores import scores
from keras_course.diagnostics.script import diagnose

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


SCRIPT = """
import keras
import numpy as np

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
kinds = rng.integers(0, 3, 900)
rows = (np.eye(3)[kinds] + 0.2 * rng.normal(size=(900, 3))).astype("float32")
x_train, x_test, y_train, y_test = rows[:600], rows[600:], kinds[:600], kinds[600:]


def main():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss)
    model.fit(x_train, y_train, epochs=12, verbose=0)
    said = model.predict(x_test, verbose=0).argmax(axis=1)
    right = said == TRUE
    accuracy = float(np.mean(right))
    print(accuracy)
    RETURN


CALL
"""


@pytest.mark.parametrize("true", ["y_test", "np.roll(y_test, 1)"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_score_that_the_last_weights_contradict(tmp_path, true, inside):
    """Of a network that is right, and labels of other rows; in a function, or of the script itself."""
    script = tmp_path / "train.py"
    text = SCRIPT.replace("TRUE", true).replace("RETURN", "" if inside else "return accuracy")
    script.write_text(text.replace("CALL", "main()" if inside else "accuracy = main()"))
    (report,) = diagnose(script).reports
    found = [f.evidence for f in report.named if f.cause == "loss_metric_inconsistent"]
    assert ["the script's own accuracy" in each for each in found] == [True] * (true != "y_test")
