from keras_course.check import Mutant
from keras_course.diagnostics import exercise, grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/confident_nonsense", causes=["2ebe38fd"], parts=["e8595f27", "963028bd"], bar=0.88, score=exercise.told
)

FILE = "assignments/diagnostics/confident_nonsense.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="logits_to_probability_loss"',
        'cause="learning_rate_too_high"',
        "test_cause",
        "the rate is blamed for a loss that climbs",
    ),
    Mutant(FILE, 'evidence="outputs/min"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, "loss=loss)", "rate=0.001)", "test_repaired", "a lower rate only"),
]
