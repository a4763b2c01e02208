from keras_course.check import Mutant
from keras_course.diagnostics import exercise, grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/ninety_five_percent_right",
    causes=["e672a6c9"],
    parts=["273e021e"],
    bar=0.75,
    score=exercise.balanced_accuracy,
)

FILE = "assignments/diagnostics/ninety_five_percent_right.py"
MUTANTS = [
    Mutant(FILE, 'cause="class_imbalance"', 'cause="input_ignored"', "test_cause", "what is seen of it"),
    Mutant(FILE, 'evidence="labels/entropy"', 'evidence="loss"', "test_evidence", "a loss that looks fine"),
    Mutant(FILE, "{0: 10.0, 1: 0.5}", "{0: 0.5, 1: 10.0}", "test_repaired", "the frequent class counts for more"),
]
