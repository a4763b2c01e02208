from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/dead_relu", causes=["8f64ca96"], parts=["a42942f0"], bar=0.85
)

FILE = "assignments/diagnostics/dead_relu.py"
MUTANTS = [
    Mutant(
        FILE, 'cause="dead_units"', 'cause="vanishing_gradient"', "test_cause", "no gradient, taken for one that fades"
    ),
    Mutant(
        FILE,
        'evidence="dead_share/weights[0]"',
        'evidence="gradient_norm/weights[0]"',
        "test_evidence",
        "a gradient of 0 alone",
    ),
    Mutant(
        FILE,
        "tf.random.normal((fan_in, fan_out), stddev=(2 / fan_in) ** 0.5)",
        "tf.random.uniform((fan_in, fan_out), -0.01, 0.0)",
        "test_repaired",
        "smaller weights, negative still",
    ),
]
