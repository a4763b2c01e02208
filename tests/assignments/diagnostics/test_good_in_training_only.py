from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/good_in_training_only", causes=["7f8abef6"], parts=["87ee4874", "7033e2ff"], bar=0.88
)

FILE = "assignments/diagnostics/good_in_training_only.py"
MUTANTS = [
    Mutant(FILE, 'cause="batchnorm_mode"', 'cause="overfitting"', "test_cause", "a gap taken for learning by heart"),
    Mutant(FILE, 'evidence="epoch/val_loss"', 'evidence="dead_share/hidden_1"', "test_evidence", "units that are fine"),
    Mutant(
        FILE,
        "momentum=0.9)",
        "momentum=0.999)",
        "test_repaired",
        "averages that follow ten times faster, and too slowly",
    ),
]
