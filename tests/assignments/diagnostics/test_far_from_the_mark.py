from keras_course.check import Mutant
from keras_course.diagnostics import exercise, grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/far_from_the_mark", causes=["55471805"], parts=["ab578d50"], bar=0.7, score=exercise.r_squared
)

FILE = "assignments/diagnostics/far_from_the_mark.py"
MUTANTS = [
    Mutant(FILE, 'cause="targets_not_scaled"', 'cause="learning_rate_too_low"', "test_cause", "the rate is blamed"),
    Mutant(
        FILE, 'evidence="loss"', 'evidence="update_ratio/hidden"', "test_evidence", "steps that are as they should be"
    ),
    Mutant(FILE, "unit=train.y.std(), zero=train.y.mean())", "rate=0.1)", "test_repaired", "a higher rate only"),
]
