from keras_course.check import Mutant
from keras_course.diagnostics import exercise, grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/misses_every_peak", causes=["928463a9"], parts=["aacff88d"], bar=0.7, score=exercise.r_squared
)

FILE = "assignments/diagnostics/misses_every_peak.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="output_range_cannot_reach_targets"',
        'cause="underfitting_capacity"',
        "test_cause",
        "more units are asked for",
    ),
    Mutant(FILE, 'evidence="outputs/min"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, 'head="linear"', 'head="relu"', "test_repaired", "another limit"),
]
