import os
import sys

from keras_course.base import InputError
from keras_course.diagnostics import script
from keras_course.diagnostics.script import certain, diagnose, summary

import pytest


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The outcome of a script of these lines, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*lines, **options):
        (tmp_path / "mine.py").write_text("\n".join(["import os, sys", *lines]))
        return diagnose("mine.py", **options)

    return run


@pytest.mark.parametrize(
    ("line", "status"),
    [("", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('why')", 1), ("raise ValueError('mine')", 1)],
)
def test_the_status_is_that_of_python(line, status, ran, capfd):
    outcome = ran(line)
    assert (outcome.status, outcome.reports) == (status, [])
    err = capfd.readouterr().err
    assert ("why" in err) == ("why" in line)
    assert ("ValueError: mine" in err) == ("ValueError" in line)


def test_what_a_script_changes_of_the_process_is_put_back(ran, tmp_path, capfd):
    argv, path = list(sys.argv), list(sys.path)
    ran(
        "print(sys.argv[1:], __name__, sys.path[0] == os.path.dirname(os.path.abspath(__file__)))",
        "sys.argv.append('x'); sys.path.append('y'); os.mkdir('z'); os.chdir('z')",
        arguments=["--rate", "1"],
    )
    assert capfd.readouterr().out == "['--rate', '1'] __main__ True\n"
    assert (sys.argv, sys.path, os.getcwd()) == (argv, path, str(tmp_path))


def test_a_script_without_training_is_said_to_have_none(ran):
    import json

    outcome = ran("print('nothing')")
    assert "no training was seen" in summary(outcome)
    assert json.loads(script.as_json(outcome))["healthy"] is None


def test_what_is_no_script_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.py", tmp_path / "x.txt"):
        with pytest.raises(InputError, match="`script` must be a Python file"):
            diagnose(path)
    (tmp_path / "a.py").write_text("")
    with pytest.raises(InputError, match="`max-steps` must be at least 1"):
        diagnose(tmp_path / "a.py", max_steps=0)


UPHILL = """
import numpy as np, tensorflow as tf
w = tf.Variable([1.0])
x = np.random.default_rng(0).normal(size=(20, 1)).astype("float32")
@tf.function
def step():
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((x * w - 2 * x) ** 2)
    w.assign_add(0.3 * tape.gradient(loss, [w])[0])
"""


def test_a_script_is_ended_when_the_verdict_is_certain_or_the_steps_are_enough(ran):
    endless = UPHILL + "while True: step()\n"
    assert ran(endless, max_steps=20).stopped == "stopped after 20 steps, as asked"
    outcome = ran(endless, stop_early=True)
    assert outcome.stopped == "stopped early: the verdict is certain"
    assert outcome.status == 0
    assert not outcome.reports[0].healthy


def test_few_steps_are_never_certain():
    class Few:
        closed, count = None, 29

    assert not certain(Few())


def test_patches_wait_for_the_imports_of_the_script(monkeypatch):
    called = []
    with script.after_import(lambda: called.append(1)):
        finder = sys.meta_path[0]
        assert finder.find_spec("json") is None
        assert not called
    assert finder not in sys.meta_path
