"""The README is run, so that it cannot be wrong."""

import re
import subprocess
import sys

from keras_course.base import ROOT

TEXT = (ROOT / "README.md").read_text()


def test_the_ten_lines_for_your_own_work_run():
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert 9 <= len(program.strip().splitlines()) <= 12
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert answer.returncode == 0, answer.stderr
    accuracy = float(re.search(r"'accuracy': ([\d.]+)", answer.stdout).group(1))
    assert accuracy > 0.5, "six epochs should be far above chance, which is 0.1"


def test_every_file_that_is_linked_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert len(links) >= 8
    assert not [link for link in links if not (ROOT / link).exists()]


def test_every_command_that_is_named_exists():
    from keras_course.cli import VERBS

    named = set(re.findall(r"keras-course ([a-z]+)", TEXT))
    assert named - VERBS.keys() == set()
    assert {"run", "check", "handout"} <= named
