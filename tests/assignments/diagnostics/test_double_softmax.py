from keras_course.check import Mutant
from keras_course.diagnostics import grading

import numpy as np

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/double_softmax", causes=["a94ff02b"], parts=["b1db4b7b", "e16fa8f1"], bar=0.8
)


def test_the_loss_stays_above_what_a_right_class_of_probability_one_would_have():
    events = grading.given("diagnostics/double_softmax")[2]
    assert events["loss"][1].min() >= np.log(1 + 9 / np.e)  # 1.461
    assert np.allclose(events["outputs/row_sum"][1], 1)


FILE = "assignments/diagnostics/double_softmax.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="probabilities_to_logits_loss"',
        'cause="init_scale"',
        "test_cause",
        "the initial weights are blamed",
    ),
    Mutant(
        FILE, 'evidence="outputs/row_sum"', 'evidence="dead_share/weights[0]"', "test_evidence", "units that are fine"
    ),
    Mutant(
        FILE, "head=tf.identity", "\n        head=lambda x: tf.nn.softmax(x / 10)", "test_repaired", "a softer softmax"
    ),
]
