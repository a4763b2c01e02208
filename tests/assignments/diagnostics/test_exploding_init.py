from keras_course.check import Mutant
from keras_course.diagnostics import grading

import numpy as np

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/exploding_init", causes=["46528899"], parts=["94931da4"], bar=0.85
)


def test_the_loss_is_a_hundred_before_the_first_step_and_no_number_at_the_fourth():
    loss = grading.given("diagnostics/exploding_init")[2]["loss"][1]
    assert loss[0] > 50
    assert 2 <= np.argmin(np.isfinite(loss)) <= 4


FILE = "assignments/diagnostics/exploding_init.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="init_scale"',
        'cause="learning_rate_too_high"',
        "test_cause",
        "the rate is blamed for what is there before the first step",
    ),
    Mutant(
        FILE,
        'evidence="activation_spread/weights[7]"',
        'evidence="dead_share/weights[0]"',
        "test_evidence",
        "units that died of it",
    ),
    Mutant(
        FILE,
        "initial=lambda size: keras.initializers.HeNormal()(size))",
        "rate=settings.learning_rate / 100)",
        "test_repaired",
        "a lower rate only",
    ),
]
