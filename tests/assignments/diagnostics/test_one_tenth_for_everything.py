from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/one_tenth_for_everything", causes=["1c011592"], parts=["06bb30e9"], bar=0.88
)

FILE = "assignments/diagnostics/one_tenth_for_everything.py"
MUTANTS = [
    Mutant(FILE, 'cause="regularisation_overwhelms"', 'cause="vanishing_gradient"', "test_cause", "what is seen of it"),
    Mutant(
        FILE,
        'evidence="weight_norm/hidden_2"',
        'evidence="loss"',
        "test_evidence",
        "a loss that falls with the penalty",
    ),
    Mutant(FILE, "decay=1e-4", "decay=0.1", "test_repaired", "a fifth of far too much"),
]
