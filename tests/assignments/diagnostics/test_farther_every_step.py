from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/farther_every_step", causes=["cb8661c0"], parts=["68e99c04"], bar=0.88
)

FILE = "assignments/diagnostics/farther_every_step.py"
MUTANTS = [
    Mutant(FILE, 'cause="gradient_sign_flipped"', 'cause="learning_rate_too_high"', "test_cause", "the rate is blamed"),
    Mutant(FILE, 'evidence="loss"', 'evidence="outputs/max"', "test_evidence", "outputs that may be anything"),
    Mutant(
        FILE,
        "update=lambda variable, step: variable.assign_sub(step))",
        "rate=0.001)",
        "test_repaired",
        "a lower rate only",
    ),
]
