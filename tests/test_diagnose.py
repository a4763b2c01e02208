import json
import os
import subprocess
import sys

from keras_course import cli

import pytest

SCRIPT = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"   # what a script sets before it imports TensorFlow counts
import sys
import numpy as np
import tensorflow as tf
assert tf.__version__
os.chdir("elsewhere")
x = np.random.default_rng(0).normal(size=(200, 5)).astype("float32")
w = tf.Variable(tf.zeros((5, 1)))
for i in range(40):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(x @ w - x[:, :1]))
    w.assign_add(0.1 * tape.gradient(loss, w))
print("last", sys.argv[1:])
sys.exit(4)
"""


def test_the_command_keeps_output_and_status_and_writes_the_verdict(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "train.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "keras_course", "diagnose", "--json", "out.json", "train.py", "--json", "7"]
    path = os.pathsep.join([str(cli.ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert done.stdout.startswith("last ['--json', '7']\n"), "arguments behind the script are the script's"
    assert "1. gradient_sign_flipped" in done.stdout
    verdict = json.loads((tmp_path / "out.json").read_text())
    assert verdict["healthy"] is False
    assert verdict["status"] == 4
    assert verdict["findings"][0]["cause"] == "gradient_sign_flipped"
    assert len(verdict["runs"]) == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nothing.py"], r"`script` must be a Python file that exists. Received: 'nothing.py'"),
        (["--max-steps", "0", "here.py"], "`max-steps` must be at least 1"),
        (["--max-stps", "3", "here.py"], "No flag '--max-stps'"),
        (["--log", "here.py", "here.py"], "`log` must be a folder that can be written"),
        (["--log", "here.py/logs", "here.py"], "`log` must be a folder that can be written"),
        (["--json", ".", "here.py"], "`json` must be a file, not a folder"),
        (["--json", "here.py/v.json", "here.py"], "`json` must be a folder that can be written"),
        ([], "required"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(argv, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.py").write_text("")
    assert cli.main(["diagnose", *argv]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["here.py"]
