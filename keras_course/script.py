"""Makes `python assignments/vision/densenet.py --epochs 2` the same as `keras-course run vision/densenet --epochs 2`.

`keras_course` is the first import of an assignment. When that assignment is the script that Python was started with,
the command line takes over: it reads the settings, and answers for them, before TensorFlow is imported, and what
stands below the import is left to it.
"""

import sys
from pathlib import Path
from types import ModuleType

from keras_course.base import ASSIGNMENTS


def assignment(main: ModuleType) -> str | None:
    """The name of the assignment that `main`, what Python was started with, is; None when it is something else."""
    script = Path(getattr(main, "__file__", None) or "").resolve()
    is_one = script.suffix == ".py" and script.parent.parent == ASSIGNMENTS and script.stem != "__init__"
    return f"{script.parent.name}/{script.stem}" if is_one else None


def hand_over() -> None:
    """Runs the assignment that Python was started with and exits; returns when it was started with anything else."""
    if name := assignment(sys.modules["__main__"]):
        from keras_course.cli import main

        raise SystemExit(main(["run", name, *sys.argv[1:]]))
