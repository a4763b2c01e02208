from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/barely_moves", causes=["eb38333f"], parts=["ef2b7767"], bar=0.85
)

FILE = "assignments/diagnostics/barely_moves.py"
MUTANTS = [
    Mutant(FILE, 'cause="learning_rate_too_low"', 'cause="too_few_steps"', "test_cause", "more epochs are asked for"),
    Mutant(FILE, 'evidence="update_ratio/decision"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, "1000 * settings", "3 * settings", "test_repaired", "three times the rate"),
]
