"""The README is run, so that it cannot be wrong."""

import re
import subprocess
import sys

from keras_course.base import ROOT

import pytest

TEXT = (ROOT / "README.md").read_text()
FOLDERS = (ROOT / folder for folder in ("assignments", "benchmarks", "docs"))
PAGES = [*sorted(ROOT.glob("*.md")), *(page for folder in FOLDERS for page in sorted(folder.rglob("*.md")))]


def test_the_ten_lines_for_your_own_work_run():
    programs = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    (program,) = [text for text in programs if "import" in text]
    assert 9 <= len(program.strip().splitlines()) <= 13
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert answer.returncode == 0, answer.stderr
    accuracy = float(re.search(r"'accuracy': ([\d.]+)", answer.stdout).group(1))
    assert accuracy > 0.5, "six epochs should be far above chance, which is 0.1"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_linked_exists(path):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
    assert not [link for link in links if not (path.parent / link).exists()]


def test_the_pages_that_the_readme_leads_to_are_looked_at():
    assert {"README.md", "CONTRIBUTING.md", "scaling.md", "NOTES.md", "RESULTS.md"} <= {path.name for path in PAGES}


def test_every_command_that_is_named_exists():
    from keras_course.cli import VERBS

    named = set(re.findall(r"keras-course ([a-z]+)", TEXT))
    assert named - VERBS.keys() == set()
    assert {"run", "check", "handout"} <= named
