"""A course of one assignment, small enough to read: what the tests of the handout and of the check work on."""

import textwrap
from pathlib import Path

NAME = "sums/mean"
FILE = "assignments/sums/mean.py"
WRONG = "def squares(x): return x + x\n"  # right for 2, wrong for 3

FILES = {
    "keras_course/__init__.py": "",
    "keras_course/base.py": """
        def blank(exercise, *, hints=()):
            return lambda function: function
        """,
    "keras_course/means.py": '''
        """Means of many kinds."""

        from keras_course.base import blank


        class Mean:
            @blank(
                "sums/mean",
                hints=(
                    "What is the sum of the weights?",
                    "Divide by it.",
                ),
            )
            @blank("sums/other", hints=("Think of the other.",))
            def weighted(self, x, *, weights=(1, 2)):  # x: (n,)
                """The mean of `x` (é) by weights."""

                # The secret: divide by the total.
                total = sum(weights)  # not len(x)
                if total == 0:
                    raise ValueError("the weights sum to nothing")
                return sum(a * w for a, w in zip(x, weights)) / total
                # The end of the secret.

            # This comment belongs to the next method.
            def twice(self, x):
                return 2 * x


        @blank("sums/other", hints=("Another hint.",))
        def other(x):
            # What others write stays.
            return x + 1
        ''',
    "assignments/__init__.py": "",
    "assignments/sums/__init__.py": "",
    "assignments/sums/mean.py": '''
        """Means: what does a weight do?

        Write `Mean.weighted` and `squares`.
        """

        import numpy as np

        from keras_course.base import blank


        @blank("sums/mean")
        def squares(x): return np.asarray(x) * np.asarray(x)
        ''',
    "assignments/sums/other.py": '''
        """Another assignment."""
        ''',
    "assignments/sums/unmarked.py": '''
        """An assignment without a function to write."""
        ''',
    "assignments/RESULTS.md": """
        | sums/mean | .98 |
        | sums/other | .97 |
        """,
    "assignments/records/sums/mean.json": "{}",
    "assignments/records/sums/other.json": "{}",
    "assignments/figures/sums/mean/curve.png": "a picture",
    "tests/assignments/sums/test_mean.py": '''
        import numpy as np

        from keras_course.check import Mutant, points, same


        def squared(x):
            from assignments.sums.mean import squares

            return squares(x)


        def weighted(x, weights):
            from keras_course.means import Mean

            return Mean().weighted(x, weights=weights)


        @points(2)
        def test_squares_of_two_and_three(subject):
            same(subject(squared, x=np.array([2, 3])), np.array([4, 9]))


        def test_a_larger_weight_counts_more(subject):
            """A weight of 3 against 1 makes 2.5 of 1 and 3."""
            same(subject(weighted, x=[1, 3], weights=[1, 3]), 2.5)


        def test_with_another_fixture(tmp_path):
            raise RuntimeError("not a property")


        # Mistakes that others made: dividing by the count.
        MUTANTS = [
            Mutant(
                file="keras_course/means.py",
                old="for a, w in zip(x, weights)) / total",
                new="for a, w in zip(x, weights)) / len(x)",
                caught_by="test_a_larger_weight_counts_more",
                trap="dividing by the count",
            ),
        ]
        ''',
    "tests/assignments/sums/test_unmarked.py": "",
    "README.md": "A course.\n",
    ".git/objects": "the solution",
    ".venv/solution": "the solution",
    "logs/sums/mean/solution": "the solution",
    "keras_course/__pycache__/means.pyc": "the solution",
}


def write_course(root: Path) -> Path:
    """Writes the course into `root`."""
    for name, text in FILES.items():
        change(root, name, textwrap.dedent(text).lstrip("\n"))
    return root


def change(root: Path, name: str, text: str) -> None:
    """Puts `text` into the file `name` of `root`."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
