from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/stuck_at_chance", causes=["d4553346"], parts=["6b2ca137"], bar=0.88
)

FILE = "assignments/diagnostics/stuck_at_chance.py"
MUTANTS = [
    Mutant(
        FILE, 'cause="learning_rate_too_high"', 'cause="dead_units"', "test_cause", "what the first steps left behind"
    ),
    Mutant(
        FILE,
        'evidence="update_ratio/hidden_1"',
        'evidence="outputs/row_sum"',
        "test_evidence",
        "outputs that may be anything",
    ),
    Mutant(FILE, "settings.learning_rate / 50", "settings.learning_rate / 2", "test_repaired", "half the rate"),
]
