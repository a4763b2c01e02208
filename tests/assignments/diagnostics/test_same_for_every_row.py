from keras_course.check import Mutant
from keras_course.diagnostics import exercise, grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/same_for_every_row", causes=["8d438517"], parts=["47331688"], bar=0.6, score=exercise.r_squared
)

FILE = "assignments/diagnostics/same_for_every_row.py"
MUTANTS = [
    Mutant(FILE, 'cause="loss_broadcast"', 'cause="underfitting_capacity"', "test_cause", "more units are asked for"),
    Mutant(
        FILE,
        'evidence="outputs/spread_over_inputs"',
        'evidence="outputs/max"',
        "test_evidence",
        "outputs that may be anything",
    ),
    Mutant(FILE, "outputs[:, 0]", "outputs", "test_repaired", "both as they were"),
]
