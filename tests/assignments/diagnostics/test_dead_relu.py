from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/dead_relu", causes=["8f64ca96"], parts=["a42942f0"], bar=0.85
)


def test_every_unit_of_the_first_layer_is_dead_and_the_output_is_constant():
    events = grading.given("diagnostics/dead_relu")[2]
    assert (events["dead_share/weights[0]"][1] == 1).all()
    assert (events["outputs/spread_over_inputs"][1] == 0).all()


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
        "tf.random.uniform(size, -0.1, 0.1))",
        "tf.random.uniform(size, -0.01, 0.0))",
        "test_repaired",
        "smaller weights, negative still",
    ),
]
