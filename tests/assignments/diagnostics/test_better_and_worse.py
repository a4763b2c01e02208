from keras_course.check import Mutant
from keras_course.diagnostics import exercise, grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/better_and_worse", causes=["172b0de8"], parts=["d08d5414"], bar=0.0, score=exercise.told
)

FILE = "assignments/diagnostics/better_and_worse.py"
MUTANTS = [
    Mutant(FILE, 'cause="overfitting"', 'cause="learning_rate_too_high"', "test_cause", "the rate is blamed"),
    Mutant(FILE, 'evidence="epoch/val_loss"', 'evidence="epoch/loss"', "test_evidence", "the training loss"),
    Mutant(FILE, "patience=3,", 'monitor="loss", patience=3,', "test_repaired", "stopped by the training loss"),
]
