from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/one_answer_for_all", causes=["3df252aa"], parts=["7b910e58"], bar=0.88
)

FILE = "assignments/diagnostics/one_answer_for_all.py"
MUTANTS = [
    Mutant(FILE, 'cause="softmax_on_single_unit"', 'cause="input_ignored"', "test_cause", "what is seen of it"),
    Mutant(FILE, 'evidence="outputs/spread_over_inputs"', 'evidence="loss"', "test_evidence", "a loss that looks fine"),
    Mutant(
        FILE,
        'network=lambda columns: network(columns, head="sigmoid")',
        'loss="mean_squared_error"',
        "test_repaired",
        "another loss, the same output",
    ),
]
