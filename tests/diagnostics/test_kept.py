from keras_course.diagnostics.kept import kept
from keras_course.diagnostics.observation import Observation
from keras_course.diagnostics.rules import modes
from keras_course.diagnostics.script import diagnose

import pytest


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("h = tf.nn.dropout(h, keep_prob)", True),
        ("h = tf.nn.dropout(h, rate=keep_prob)", True),
        ("h = tf.nn.dropout(h, 1 - keep_prob)", False),
        ("h = tf.nn.dropout(keep_prob, rate)", False),  # what it drops from may be called anything
        ("model.add(Dropout(keep_prob))", True),
        ("model.add(layers.SpatialDropout1D(CONFIG['keep_prob']))", True),
        ("model.add(layers.Dropout(CONFIG['keep_prob']))", True),
        ("model.add(layers.Dropout(args.retained))", True),
        ("model.add(layers.Dropout(CONFIG['rate']))", False),
        ("model.add(layers.Dropout(0.3))", False),
        ("h = dropout(h, keep_prob)\ndef dropout(h, keep_prob):\n    return h", False),  # the script's own
        ("h = tf.nn.dropout(h, keep_half)", False),  # as many are dropped
        ("h = tf.nn.dropout(h)", False),
        ("h = tf.nn.dropout(tf.nn.dropout(h, keep_prob), 0.1)", True),
    ],
)
def test_lines_that_give_a_dropout_the_share_to_keep(line, found):
    assert kept(line, {"keep_prob": 0.8, "keep_half": 0.5}) == [1] * found


def test_such_a_line_is_named(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        """
import keras, numpy as np
keep_prob = 0.9
x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(8, "relu"),
                          keras.layers.Dropout(keep_prob), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x[:, :1], epochs=1, verbose=0)
"""
    )
    (report,) = diagnose(script).reports
    (finding,) = [f for f in report.findings if f.cause == "dropout_mode"]
    assert (finding.kind, finding.certain, finding.line) == ("named", True, 6)
    assert report.named == [finding], "that it drops nine tenths is what comes of it"


def test_nothing_is_said_of_scripts_without_such_a_line():
    assert modes.dropout_mode(Observation(name="m")) == []
