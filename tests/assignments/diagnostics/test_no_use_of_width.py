from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/no_use_of_width", causes=["3b946908"], parts=["0c02c113"], bar=0.88
)

FILE = "assignments/diagnostics/no_use_of_width.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="symmetric_or_zero_init"',
        'cause="underfitting_capacity"',
        "test_cause",
        "more units are asked for",
    ),
    Mutant(FILE, 'evidence="weights/weights[1]"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, "keras.initializers.GlorotUniform()(size)", "tf.zeros(size)", "test_repaired", "zeros"),
]
