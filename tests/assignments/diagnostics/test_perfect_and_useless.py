from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/perfect_and_useless", causes=["752dd5d3"], parts=["eb908968", "942552f9"], bar=0.85
)

FILE = "assignments/diagnostics/perfect_and_useless.py"
MUTANTS = [
    Mutant(
        FILE,
        'cause="validation_split_sorted"',
        'cause="overfitting"',
        "test_cause",
        "a gap taken for learning by heart",
    ),
    Mutant(FILE, 'evidence="epoch/val_accuracy"', 'evidence="epoch/loss"', "test_evidence", "the training loss"),
    Mutant(
        FILE,
        "np.random.default_rng(settings.seed).permutation(len(train.y))",
        "np.argsort(-train.y)",
        "test_repaired",
        "the other way round",
    ),
]
