import subprocess
import sys

from keras_course import arithmetic
from keras_course.base import ROOT


def test_the_table_has_units_and_the_summary_the_sums():
    rows = arithmetic.read_stack("conv 4 3x3, batchnorm, flatten, dense 2", (5, 6, 3))
    found = arithmetic.table(rows, dtype="float16", batch=10)
    assert [row["output"] for row in found] == ["5 × 6 × 3", "3 × 4 × 4", "3 × 4 × 4", "48", "2"]
    assert found[1]["memory"] == "960 B"
    assert found[2]["parameters"] == "8 + 8 fixed"
    sums = arithmetic.totals(rows)
    assert sums["parameters"] == 112 + 8 + 98
    assert sums["parameter_bytes"] == 4 * (sums["parameters"] + 8)
    assert arithmetic.summary(sums).startswith("218 parameters and 8 fixed (904 B); ")
    assert "at least" in arithmetic.summary(sums | {"at_least": True})


def test_sizes_are_in_the_unit_that_suits_them():
    assert [arithmetic.size(n) for n in (3, 2048, 3 * 2**20, 5 * 2**40)] == ["3 B", "2 kB", "3 MB", "5.12e+03 GB"]


def test_text_is_read_without_anything_slow():
    program = (
        "import sys; from keras_course.cli import main; main(['arithmetic', 'conv 4 3', '--input', '9x9x1'])\n"
        "print([m for m in ('tensorflow', 'keras', 'numpy') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "[]", answer.stderr
