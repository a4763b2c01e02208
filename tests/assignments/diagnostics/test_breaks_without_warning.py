from keras_course.check import Mutant
from keras_course.diagnostics import grading

test_cause, test_evidence, test_part, test_repaired = grading.properties(
    "diagnostics/breaks_without_warning", causes=["4a709fb4"], parts=["092be1dc"], bar=0.88
)

FILE = "assignments/diagnostics/breaks_without_warning.py"
MUTANTS = [
    Mutant(FILE, 'cause="nan_or_inf_in_data"', 'cause="exploding_gradient"', "test_cause", "what is seen of it"),
    Mutant(
        FILE,
        'evidence="inputs/mean"',
        'evidence="loss"',
        "test_evidence",
        "where it shows, and not where it comes from",
    ),
    Mutant(
        FILE,
        "np.where(np.isfinite(rows), rows, np.nanmean(rows, axis=0))",
        "np.clip(rows, 0, 10_000)",
        "test_repaired",
        "clipped: a limit does not catch what is not a number",
    ),
]
