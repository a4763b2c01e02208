from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/flat_line", causes=["e24ad552"], parts=["c7c328d5"], bar=0.75
)

FILE = "assignments/diagnostics/flat_line.py"
MUTANTS = [
    Mutant(FILE, 'cause="optimiser_not_applied"', 'cause="vanishing_gradient"', "test_cause", "the gradient is blamed"),
    Mutant(
        FILE,
        'evidence="update_ratio/variables[1]"',
        'evidence="gradient_norm/variables[1]"',
        "test_evidence",
        "gradients that are fine",
    ),
    Mutant(
        FILE,
        "variable.assign_sub(rate * gradient)",
        "variable - 10 * rate * gradient",
        "test_repaired",
        "a higher rate, and nobody who keeps the result",
    ),
]
