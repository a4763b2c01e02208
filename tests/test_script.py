import types

from keras_course import script
from keras_course.base import ASSIGNMENTS, ROOT

import pytest


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (ASSIGNMENTS / "vision" / "densenet.py", "vision/densenet"),
        (ASSIGNMENTS / "vision" / "__init__.py", None),
        (ASSIGNMENTS / "densenet.py", None),
        (ROOT / "keras_course" / "cli.py", None),
        (None, None),
    ],
)
def test_only_an_assignment_hands_over(file, name):
    main = types.ModuleType("__main__")
    main.__file__ = file and str(file)
    assert script.assignment(main) == name


def test_an_interactive_session_has_no_file_and_goes_on():
    assert script.assignment(types.ModuleType("__main__")) is None
