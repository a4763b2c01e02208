import json
import signal
import sys

from keras_course.base import InputError
from keras_course.diagnostics import script

import pytest

HEAD = """
import sys
import numpy as np
import tensorflow as tf

x = np.random.default_rng(0).normal(size=(200, 5)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
w, b = tf.Variable(tf.zeros((5, 2))), tf.Variable(tf.zeros(2))


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x @ w + b))
    for v, g in zip([w, b], tape.gradient(loss, [w, b])):
        v.assign_sub(RATE * g)
    return loss


for i in range(STEPS):
    step(tf.constant(x[i * 20 % 200 : i * 20 % 200 + 20]), tf.constant(y[i * 20 % 200 : i * 20 % 200 + 20]))
"""


@pytest.fixture
def write(tmp_path):
    def write(text, **values):
        path = tmp_path / "train.py"
        for name, value in ({"RATE": 0.5, "STEPS": 100} | values).items():
            text = text.replace(name, str(value))
        path.write_text(text)
        return path

    return write


def test_a_sound_script_is_healthy_and_its_output_stays(write, capsys):
    outcome = script.diagnose(write(HEAD + "print('done', sys.argv[1:])"), ["--epochs", "3"])
    assert capsys.readouterr().out == "done ['--epochs', '3']\n"
    assert (outcome.status, outcome.stopped) == (0, "")
    assert [r.healthy for r in outcome.reports] == [True]
    assert outcome.reports[0].observation.steps.count == 100
    assert sys.argv[0] != "train.py"


def test_a_sick_script_is_named_with_its_place(write):
    path = write(HEAD.replace("assign_sub", "assign_add"))
    (report,) = script.diagnose(path).reports
    assert report.named[0].cause == "gradient_sign_flipped"
    assert report.named[0].file == str(path)
    line = path.read_text().splitlines()[report.named[0].line - 1]
    assert "loss =" in line


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no luck')", 1, "no luck"),
        ("1 / 0", 1, "ZeroDivisionError"),
    ],
)
def test_the_exit_status_is_that_of_the_script(write, capsys, end, status, said):
    outcome = script.diagnose(write(HEAD + end, STEPS=5))
    error = capsys.readouterr().err
    assert outcome.status == status
    assert said in error
    assert "runpy" not in error, "the traceback begins with the script"
    assert len(outcome.reports) == 1, "what was seen until then"


def test_the_folder_and_the_arguments_are_put_back(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    kept = list(sys.argv), list(sys.path)
    script.diagnose(write("import os\nos.chdir('other')\nimport sys\nsys.path.append('x')"))
    assert (list(sys.argv), list(sys.path)) == kept
    assert (tmp_path / "train.py").exists()


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def interrupted_by(request):
    """How this process takes SIGINT: a shell starts the jobs of the background with it ignored."""
    kept = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, kept)


def test_an_endless_script_ends_after_the_steps_asked_for(write, interrupted_by):
    endless = HEAD.replace("for i in range(STEPS):", "i = -1\nwhile True:\n    i += 1")
    outcome = script.diagnose(write(endless), max_steps=50)
    assert signal.getsignal(signal.SIGINT) is interrupted_by
    assert outcome.status == 0
    assert "50 steps" in outcome.stopped
    assert outcome.reports[0].observation.steps.count >= 50


def test_a_certain_verdict_ends_a_script_early(write):
    endless = HEAD.replace("for i in range(STEPS):", "i = -1\nwhile True:\n    i += 1").replace(
        "assign_sub(RATE * g)", "value()"
    )
    outcome = script.diagnose(write(endless), stop_early=True)
    assert "certain" in outcome.stopped
    assert outcome.reports[0].named[0].cause == "optimiser_not_applied"


def test_a_script_that_trains_nothing(write):
    outcome = script.diagnose(write("print(1)"))
    assert outcome.reports == []
    assert "no training was seen" in script.summary(outcome)
    assert json.loads(script.as_json(outcome))["healthy"] is None


ROUNDED = """
import keras, numpy as np
from keras import layers
model = keras.Sequential([keras.Input((5,)), layers.Dense(1), layers.Lambda(keras.ops.round)])
model.compile("sgd", "mse")
model.fit(np.ones((20, 5)), np.ones(20), verbose=0)
"""


def test_a_script_that_dies_in_its_first_step_is_not_healthy(write, capsys):
    outcome = script.diagnose(write(ROUNDED))
    capsys.readouterr()
    assert outcome.status == 1
    content = json.loads(script.as_json(outcome))
    assert content["healthy"] is False
    assert content["findings"][0]["cause"] == "frozen_or_disconnected"
    text = HEAD.replace("    return loss", "    raise ValueError('while the step is traced')")
    broken = script.diagnose(write(text))
    capsys.readouterr()
    assert [r.observation.steps.count for r in broken.reports] == [0]
    assert "not judged; no step was finished" in script.summary(broken)
    assert json.loads(script.as_json(broken))["healthy"] is None


REFUSED = """
import keras
import numpy as np
import tensorflow as tf

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "softmax")])
x, y = np.ones((40, 3)), np.arange(40) % 4
"""


@pytest.mark.parametrize(
    "last",
    [
        "model.compile('sgd', 'categorical_crossentropy'); model.fit(x, y, verbose=0)",
        "model.compile('sgd', 'sparse_categorical_crossentropy'); model.fit(x, np.eye(4)[y], verbose=0)",
        "tape = tf.GradientTape()\nwith tape:\n    keras.losses.categorical_crossentropy(y, model(x))",
        "tf.nn.softmax_cross_entropy_with_logits(np.eye(3)[y % 3], tf.cast(model(x), 'float64'))",
        "keras.losses.CategoricalCrossentropy(from_logits=True)(np.eye(3)[y % 3], model(x))",
        "own = lambda y, p: keras.losses.categorical_crossentropy(y, p)\n"
        "model.compile('sgd', own); model.fit(x, y, verbose=0)",
    ],
)
def test_a_script_that_fails_by_labels_that_its_loss_does_not_take(write, last):
    outcome = script.diagnose(write(REFUSED + last + "\n"), verify=False)
    (finding,) = (f for report in outcome.reports for f in report.named)
    assert (outcome.status, finding.cause, finding.certain) == (1, "wrong_head_for_labels", True)
    assert "does not take labels of shape" in finding.evidence


@pytest.mark.parametrize("loss", ["SparseCategoricalCrossentropy()", "sparse_categorical_crossentropy"])
def test_a_loop_that_fails_by_a_label_beyond_the_last_class(write, loss):
    """Eagerly, where no gradient of the loss is ever asked for."""
    end = f"with tf.GradientTape() as tape:\n    tf.keras.losses.{loss}(y + 1, model(x))\n"
    outcome = script.diagnose(write(REFUSED + end), verify=False)
    (finding,) = (f for report in outcome.reports for f in report.named)
    assert (finding.cause, finding.certain) == ("label_encoding", True)
    assert "does not take the label 4: they are in [0, 4)" in finding.evidence


def test_a_loss_that_fails_for_another_reason_says_nothing_of_labels(write):
    own = "def own(y, p):\n    raise ValueError('of the weather')\n"
    outcome = script.diagnose(write(REFUSED + own + "model.compile('sgd', own); model.fit(x, y, verbose=0)"))
    assert (outcome.status, outcome.reports) == (1, [])


def test_a_generator_and_two_fits(write):
    text = """
import keras
import numpy as np

def rows():
    rng = np.random.default_rng(0)
    while True:
        x = rng.normal(size=(16, 5)).astype("float32")
        yield x, (x[:, :1] > 0).astype("float32")

model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
model.fit(rows(), steps_per_epoch=40, epochs=2, verbose=0)
model.fit(rows(), steps_per_epoch=20, epochs=1, verbose=0)
"""
    outcome = script.diagnose(write(text))
    assert [r.observation.steps.count for r in outcome.reports] == [80, 20]
    assert [r.healthy for r in outcome.reports] == [True, True]


def test_verify_says_whether_the_repair_helped(write):
    outcome = script.diagnose(
        write(HEAD.replace("assign_sub", "assign_add") + "import time\ntime.sleep(0.3)"), verify=True
    )
    (report,) = outcome.reports
    assert outcome.seconds.script >= 0.3
    assert min(outcome.seconds) > 0
    assert report.named[0].confirmed is True
    assert "with the repair" in report.named[0].evidence


@pytest.mark.parametrize(("name", "steps"), [("nothing.py", None), ("notes.txt", None), ("train.py", 0)])
def test_bad_input_is_one_sentence(tmp_path, name, steps):
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "train.py").write_text("")
    with pytest.raises(InputError, match=r"must be .*Received"):
        script.diagnose(tmp_path / name, max_steps=steps)


RAW = """
import numpy as np
import tensorflow as tf
rng = np.random.default_rng(0)
x = rng.normal(size=(700, 4)).astype("float32")
y = (x[:, 0] + x[:, 1] > 0).astype("int32")
x_train, y_train, x_test, y_test = x[:300], y[:300], x[300:] * SCALE, y[300:]
w, b = tf.Variable(rng.normal(size=(4, 2)).astype("float32") * 0.1), tf.Variable(tf.zeros(2))

@tf.function
def step(a, c):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=c, logits=a @ w + b))
    for v, g in zip((w, b), tape.gradient(loss, (w, b))):
        v.assign_sub(0.5 * g)

for i in range(60):
    rows = rng.integers(0, 300, 50)
    step(tf.constant(x_train[rows]), tf.constant(y_train[rows]))
"""


@pytest.mark.parametrize("inside", [False, True])
def test_what_a_loop_without_a_model_holds_out_is_asked_about(tmp_path, inside):
    """By the forward pass of its steps, with the last weights; of rows that are prepared otherwise it is said."""
    found = {}
    for scale in ("1", "30"):
        path = tmp_path / "train.py"
        text = RAW.replace("SCALE", scale)
        path.write_text("def main():" + text.replace("\n", "\n    ") + "\nmain()\n" if inside else text)
        (report,) = script.diagnose(path).reports
        found[scale] = report
    e = found["1"].observation.experiments
    assert e["right_train"] > 0.9
    assert e["right_held"] > 0.9
    assert [f.cause for f in found["1"].named] == []
    assert [f.cause for f in found["30"].named] == ["train_val_preprocessing_mismatch"]


def test_a_loop_that_draws_is_not_asked(tmp_path):
    """Its forward pass drops units, as in its steps."""
    path = tmp_path / "train.py"
    path.write_text(RAW.replace("SCALE", "1").replace("logits=a @ w", "logits=tf.nn.dropout(a, 0.3) @ w"))
    (report,) = script.diagnose(path).reports
    assert "right_train" not in report.observation.experiments


LARGEST = """
import pathlib
import keras
import numpy as np
x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
model.compile("sgd", "binary_crossentropy")
model.fit(x, (x[:, 0] > 0) * 1.0, epochs=1, verbose=0)
print(np.argmax(model.predict(x, verbose=0), axis=1).mean())
"""


def test_what_one_reader_of_the_script_cannot_read_does_not_hide_what_others_do(tmp_path, monkeypatch):
    def broken(*args):
        raise RecursionError

    (tmp_path / "train.py").write_text(LARGEST)
    monkeypatch.setattr("keras_course.diagnostics.left_on.left_on", broken)
    (report,) = script.diagnose(tmp_path / "train.py").reports
    assert list(report.observation.single) == [9]
    (tmp_path / "gone.py").write_text(LARGEST + "pathlib.Path(__file__).unlink()\n")
    outcome = script.diagnose(tmp_path / "gone.py")
    assert outcome.status == 0
    assert list(outcome.reports[0].observation.single) == []
