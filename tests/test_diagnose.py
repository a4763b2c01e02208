"""`keras-course diagnose` in processes of its own: it may change nothing that a script does."""

import json
import subprocess
import sys

from keras_course import cli

import pytest

TRAIN = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
assert "tensorflow" not in sys.modules, "what is set before TensorFlow is imported must count"
import keras, numpy as np, tensorflow as tf
keras.utils.set_random_seed(0)
x = np.random.normal(size=(200, 4)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
w = tf.Variable(tf.zeros((4, 1)))
def step(a, b):
    with tf.GradientTape() as tape:
        z = tf.squeeze(a @ w, 1)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=b, logits=z))
    w.assign_SIGN(0.5 * tape.gradient(loss, w))
def train(n):
    run = tf.function(step)
    for i in range(n):
        rows = np.arange(i * 20, i * 20 + 20) % 200
        run(tf.constant(x[rows]), tf.constant(y[rows], "float32"))
"""
END = """
print("arguments", sys.argv[1:], __name__, os.path.basename(sys.argv[0]))
train(60)
os.makedirs("elsewhere"); os.chdir("elsewhere")
sys.exit(3)
"""


def diagnose(folder, text, *argv, after=()):
    script = folder / "train.py"
    script.write_text(text)
    command = [sys.executable, "-m", "keras_course", "diagnose", *argv, "train.py", *after]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    return answer.returncode, answer.stdout, answer.stderr


def test_a_fault_is_named_and_status_arguments_and_folder_are_kept(tmp_path):
    text = TRAIN.replace("SIGN", "add") + END
    status, out, err = diagnose(tmp_path, text, "--json", "found.json", after=["--json", "its own"])
    assert status == 3, err
    assert "arguments ['--json', 'its own'] __main__ train.py" in out
    assert "1. gradient_sign_flipped" in out
    content = json.loads((tmp_path / "found.json").read_text())
    assert content["status"] == 3
    assert content["healthy"] is False
    assert content["findings"][0]["cause"] == "gradient_sign_flipped"
    assert content["runs"][0]["steps"] == 60
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".json"] == ["found.json"]


def test_a_script_that_fails_leaves_its_traceback_and_what_was_seen(tmp_path):
    text = TRAIN.replace("SIGN", "sub") + "train(40)\nraise KeyError('mine')\n"
    status, out, err = diagnose(tmp_path, text)
    assert status == 1
    assert "KeyError: 'mine'" in err
    assert "keras_course" not in err, "the traceback begins with the script's own first line"
    assert "ended with status 1" in out
    assert "40 steps" in out


def test_a_script_without_end_is_stopped(tmp_path):
    text = TRAIN.replace("SIGN", "sub") + "while True:\n    train(10)\n"
    status, out, err = diagnose(tmp_path, text, "--max-steps", "30", "--json", "found.json")
    assert status == 0, err
    assert "stopped after 30 steps, as asked" in out
    assert json.loads((tmp_path / "found.json").read_text())["stopped"].startswith("stopped after 30")


# Below, nothing is trained, so this process will do.


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["missing.py"], "`script` must be a Python file. Received: 'missing.py'."),
        (["notes.txt"], "`script` must be a Python file. Received: 'notes.txt'."),
        (["--max-steps", "0", "fine.py"], "`max-steps` must be at least 1. Received: 0."),
        (["--json", "fine.py/x/found.json", "fine.py"], "fine.py/x"),
        ([], "required: SCRIPT.py"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(argv, words, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fine.py").write_text("raise SystemError('must not run')")
    (tmp_path / "notes.txt").write_text("")
    try:
        status = cli.main(["diagnose", *argv])
    except SystemExit as error:
        status = error.code
    _, err = capfd.readouterr()
    assert status == 2
    assert words in err
    assert "Traceback" not in err
    assert {p.name for p in tmp_path.iterdir()} == {"fine.py", "notes.txt"}


def test_our_arguments_end_at_the_script():
    own, rest = cli._before_script(["--json", "a.json", "--verify", "train.py", "--json", "b.json"])
    assert (own, rest) == (["--json", "a.json", "--verify", "train.py"], ["--json", "b.json"])
    assert cli._before_script(["--max-steps", "9", "t.py"]) == (["--max-steps", "9", "t.py"], [])
    assert cli._before_script(["--log", "runs"]) == (["--log", "runs"], [])
