from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/no_better_than_the_majority", causes=["f17d71c6"], parts=["868d94fd"], bar=0.88
)

FILE = "assignments/diagnostics/no_better_than_the_majority.py"
MUTANTS = [
    Mutant(FILE, 'cause="inputs_not_scaled"', 'cause="learning_rate_too_high"', "test_cause", "the rate is blamed"),
    Mutant(FILE, 'evidence="inputs/max"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, "prepared=standardised)", "rate=0.01)", "test_repaired", "a lower rate only"),
]
