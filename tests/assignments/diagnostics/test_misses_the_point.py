from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/misses_the_point", causes=["7676f0f2"], parts=["90d5f4e9"], bar=0.75
)

FILE = "assignments/diagnostics/misses_the_point.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="frozen_or_disconnected"',
        'cause="underfitting_capacity"',
        "test_cause",
        "more units are asked for",
    ),
    Mutant(FILE, 'evidence="weights/words/embeddings"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, "network=lambda: network(freeze=False)", "rate=0.03", "test_repaired", "a higher rate only"),
]
