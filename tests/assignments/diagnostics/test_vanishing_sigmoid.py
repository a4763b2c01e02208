from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/vanishing_sigmoid", causes=["0dd77ee8"], parts=["cf23e035", "b4afdc81"], bar=0.85
)


def test_the_gradient_fades_and_no_unit_is_dead_or_saturated():
    events = grading.given("diagnostics/vanishing_sigmoid")[2]
    norms = [events[f"gradient_norm/weights[{i}]"][1][0] for i in range(9)]
    assert norms[0] < 1e-6 * norms[-1]
    assert not any(tag.startswith("dead_share") for tag in events)
    assert max(events[f"saturated_share/weights[{i}]"][1].max() for i in range(8)) < 0.5


FILE = "assignments/diagnostics/vanishing_sigmoid.py"
MUTANTS = [
    Mutant(
        FILE, 'cause="vanishing_gradient"', 'cause="dead_units"', "test_cause", "a gradient near 0 taken for dead units"
    ),
    Mutant(
        FILE,
        'evidence="gradient_norm/weights[0]"',
        'evidence="saturated_share/weights[0]"',
        "test_evidence",
        "units that are not saturated",
    ),
    Mutant(FILE, ", activation=tf.nn.relu", "", "test_repaired", "other weights, the same sigmoid"),
]
