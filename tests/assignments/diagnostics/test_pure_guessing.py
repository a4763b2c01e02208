from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/pure_guessing", causes=["fd5c8a86"], parts=["cfef2808"], bar=0.88
)

FILE = "assignments/diagnostics/pure_guessing.py"
MUTANTS = [
    Mutant(FILE, 'cause="labels_shuffled_apart"', 'cause="learning_rate_too_low"', "test_cause", "the rate is blamed"),
    Mutant(FILE, 'evidence="loss"', 'evidence="outputs/row_sum"', "test_evidence", "outputs that may be anything"),
    Mutant(
        FILE,
        "from_tensor_slices((x, y)).shuffle(len(x))",
        "from_tensor_slices((x, y[::-1])).shuffle(len(x))",
        "test_repaired",
        "shuffled together, and paired wrongly",
    ),
]
