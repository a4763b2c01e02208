from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/drowned_inputs", causes=["89dc1e27"], parts=["a59e2f4a"], bar=0.88
)

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
