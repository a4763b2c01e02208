from keras_course.check import Mutant
from keras_course.diagnostics import exercise, grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/stops_halfway", causes=["39d5ade9"], parts=["85598f44"], bar=0.83, score=exercise.r_squared
)

FILE = "assignments/diagnostics/stops_halfway.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="lr_schedule_wrong"',
        'cause="learning_rate_too_low"',
        "test_cause",
        "the rate at the start is blamed",
    ),
    Mutant(FILE, 'evidence="update_ratio/hidden"', 'evidence="loss"', "test_evidence", "the loss alone"),
    Mutant(FILE, "steps_per_epoch, 0.8)", "1, 0.9)", "test_repaired", "a slower decay in the wrong unit"),
]
