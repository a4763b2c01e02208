"""Commands that need no network of neurons: what do they cost before they answer?"""

import subprocess
import sys

from keras_course.bench import Goal, Limit, Variant, Workload

HELP, LIST, ERROR = "keras-course --help", "keras-course list", "keras-course run knn --most 0"
NUMPY, TENSORFLOW, KERAS = "import numpy", "import tensorflow", "import keras_course.data, .models, .training"


def command(*words, status=0):
    """The work of a process of its own; its CPU time counts."""

    def prepare():
        def work():
            done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
            return {"as expected": done.returncode == status}

        return work

    return prepare


CLI = ("-m", "keras_course")
WORKLOAD = Workload(
    title=__doc__,
    variants={
        label: Variant(prepare=prepare, environment={"PYTHONDONTWRITEBYTECODE": ""})  # as Python is, unless told
        for label, prepare in {
            HELP: command(*CLI, "--help"),
            LIST: command(*CLI, "list"),
            ERROR: command(*CLI, "run", "foundations/knn", "--most", "0", status=2),
            NUMPY: command("-c", "import numpy"),
            TENSORFLOW: command("-c", "import tensorflow"),
            KERAS: command("-c", "from keras_course import data, models, training; training.fit"),
        }.items()
    },
    goals=(
        *(Limit(label, 0.3) for label in (HELP, LIST, ERROR)),
        *(Goal(TENSORFLOW, 10, of=label) for label in (HELP, LIST, ERROR)),  # holds on other machines too
    ),
)
