from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/forgets_every_lesson", causes=["63cac0db", "61029c15"], parts=["4c9d6a1b"], bar=0.85
)

FILE = "assignments/diagnostics/forgets_every_lesson.py"
MUTANTS = [
    Mutant(FILE, 'cause="shuffle_buffer_too_small"', 'cause="oscillation"', "test_cause", "what is seen of it"),
    Mutant(FILE, 'evidence="labels/entropy"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, "buffer=len(train.x)", "buffer=200", "test_repaired", "a larger buffer, not large enough"),
]
