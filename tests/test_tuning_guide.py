"""docs/tuning.md is run: its program, the sentences that it quotes, and its commands as far as their flags."""

import ast
import os
import re
import shlex
import subprocess
import sys

from keras_course import exercise, settings
from keras_course.base import ROOT, InputError
from keras_course.tuning import command
from keras_course.tuning.space import Space

import pytest

TEXT = (ROOT / "docs" / "tuning.md").read_text()
PAGES = TEXT + (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"^keras-course tune ([^#\n]*)", PAGES, flags=re.MULTILINE)))
REFUSED = re.findall(r"^\| `(\{.*?\})` \| (.*?) \|$", TEXT, flags=re.MULTILINE)


def test_its_program_runs(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    environment = os.environ | {"KERAS_COURSE_TUNER_RUNS": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250
    )
    assert answer.returncode == 0, answer.stderr
    best, *places = answer.stdout.splitlines()
    assert float(best.split()[-1]) > 0.5, "far above chance, which is 0.1"
    assert [line.split()[0] for line in places] == ["1", "2", "3", "4"]
    assert all(line.endswith("None") for line in places), "of one execution nobody knows what is noise"
    assert list(tmp_path.glob("mine/*/report.md"))


def test_there_are_commands_and_refusals_to_look_at():
    assert len(COMMANDS) >= 6
    assert len(REFUSED) == 4


@pytest.mark.parametrize("words", COMMANDS)
def test_its_commands_have_flags_that_are_there(words):
    parser = settings.Parser(prog="keras-course tune")
    command.add_flags(parser)
    settings.add_flags(parser, exercise.peek("vision/cnn_images").small)
    arguments = parser.parse_all(shlex.split(words))
    assert arguments.name in (None, "vision/cnn_images")
    assert arguments.best in (None, "vision/cnn_images")


@pytest.mark.parametrize(("entry", "said"), REFUSED)
def test_what_it_says_of_a_space_is_what_the_space_says(entry, said):
    entry, said = ast.literal_eval(entry), said.replace("`", "")
    if said.startswith("a warning: "):
        (warning,) = Space({"x": entry}).warnings
        assert said.removeprefix("a warning: ") in warning
    else:
        with pytest.raises(InputError, match=re.escape(said)):
            Space({"x": entry})
