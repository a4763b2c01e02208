from keras_course.check import Mutant
from keras_course.diagnostics import grading

import numpy as np

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/drowned_inputs", causes=["89dc1e27"], parts=["a59e2f4a"], bar=0.88
)


def test_noise_adds_its_variance_and_takes_the_correlation():
    events = grading.given("diagnostics/drowned_inputs")[2]
    assert np.allclose(events["inputs/spread"][1], (4**2 + 0.31**2) ** 0.5, rtol=0.02)  # pixels alone spread by .31
    assert np.abs(events["inputs/neighbour_correlation"][1]).max() < 0.05


FILE = "assignments/diagnostics/drowned_inputs.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="inputs_drowned_in_noise"',
        'cause="overfitting"',
        "test_cause",
        "the score of training and test the other way round",
    ),
    Mutant(
        FILE,
        'evidence="inputs/neighbour_correlation"',
        'evidence="gradient_norm/weights[0]"',
        "test_evidence",
        "gradients that are fine",
    ),
    Mutant(FILE, "noise=0.1", "noise=2.0", "test_repaired", "less noise, and not little"),
]
