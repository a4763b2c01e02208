from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/hardly_learns", causes=["16a8e15c"], parts=["c5d260b7"], bar=0.88
)

FILE = "assignments/diagnostics/hardly_learns.py"
MUTANTS = [
    Mutant(FILE, 'cause="inputs_scaled_twice"', 'cause="learning_rate_too_low"', "test_cause", "the rate is blamed"),
    Mutant(
        FILE,
        'evidence="inputs/max"',
        'evidence="update_ratio/hidden_1"',
        "test_evidence",
        "steps that are short for want of inputs",
    ),
    Mutant(
        FILE, "prepared=lambda x: x)", "prepared=lambda x: x / 16)", "test_repaired", "inputs scaled again, by less"
    ),
]
