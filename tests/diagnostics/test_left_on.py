import types

from keras_course.diagnostics.left_on import left_on
from keras_course.diagnostics.script import diagnose

import pytest

NET = """
def net(x, keep_prob):
    h = tf.nn.relu(x @ w)
    return tf.nn.dropout(h, rate=1 - keep_prob) @ v
with tf.GradientTape() as tape:
    loss = tf.reduce_mean((net(x, keep) - y) ** 2)
"""
BY_HAND = """
def net(x, drop=0.4):
    h = tf.nn.relu(x @ w)
    if drop:
        h *= tf.cast(tf.random.uniform(tf.shape(h)) > drop, tf.float32) / (1 - drop)
    return h @ v
def cost(x, y):
    return tf.reduce_mean((net(x) - y) ** 2)
def step(x, y):
    with tf.GradientTape() as tape:
        loss = cost(x, y)
    return tape.gradient(loss, [w, v])
"""
MODES = """
class Net:
    def forward(self, x, training=True):
        return (tf.nn.dropout(x, 0.5) if training else x) @ self.w
net = Net()
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(net.forward(x))
"""
ALWAYS = """
RATE = 0.4
def net(x):
    h = tf.nn.dropout(tf.nn.relu(x @ w), rate=RATE)
    return h @ v
with tf.GradientTape() as tape:
    loss = tf.reduce_mean((net(x) - y) ** 2)
"""
OWNED = """
class Net:
    def __init__(self, keep):
        self.keep = keep
    def forward(self, x, evaluating):
        keep = self.keep
        return tf.nn.dropout(x, rate=1 - keep) @ self.w
    def loss(self, x):
        with tf.GradientTape() as tape:
            return tf.reduce_mean(self.forward(x, False))
net = Net(0.7)
"""


def names(source):
    """What the names of a source stand for."""
    found = {"keep": 0.8, "one": 1.0, "RATE": 0.0 if "RATE = 0.0" in source else 0.4}
    return found | {"net": types.SimpleNamespace(keep=0.7), "shut": Shut()} if "class" in source else found


class Shut:
    """What tells nobody what it holds."""

    @property
    def __dict__(self):
        raise RuntimeError("it is shut")


@pytest.mark.parametrize(
    ("functions", "call", "found"),
    [
        (NET, "said = net(x_test, keep)", True),
        (NET, "said = net(x_test, keep_prob=0.8)", True),
        (NET, "said = net(x_test, 1.0)", False),
        (NET, "said = net(x_test, one)", False),
        (NET, "said = net(x_test, unknown)", False),
        (NET, "net(x_test, keep)", False),  # to see its shapes
        (NET, "said = [net(x_test, keep) for _ in range(50)]", False),  # Monte Carlo dropout
        (NET, "for i in range(50):\n    total += net(x_test, keep)", False),
        (NET, "for batch in test:\n    total += net(batch, keep)", True),
        (NET, "said, other = net(x_test, keep), net(x_test, 1.0)", False),  # which are compared
        (BY_HAND, "said = net(x_test)", True),
        (BY_HAND, "said = net(x_test, drop=0.0)", False),
        (BY_HAND, "said = net(x_test, 0)", False),
        (BY_HAND.replace("cost(x, y)\n    return", "0\n    return"), "said = net(x_test)", False),  # not in the steps
        (MODES, "said = net.forward(x_test)", True),
        (MODES, "said = net.forward(x_test, training=False)", False),
        (MODES.replace("tf.nn.dropout(x, 0.5)", "x"), "said = net.forward(x_test)", False),  # it drops nothing
        (
            NET.replace("(x, keep_prob)", "(x, *, keep_prob=0.5)").replace("net(x, keep)", "net(x)"),
            "said = net(x_test)",
            True,
        ),
        (
            NET.replace("(x, keep_prob)", "(x, *, keep_prob)").replace("net(x, keep)", "net(x, keep_prob=keep)"),
            "said = net(x_test, keep_prob=one)",
            False,
        ),
        (NET.replace("keep_prob", "p"), "said = net(x_test, keep)", False),  # whatever that is
        (ALWAYS, "said = net(x_test)", True),
        (ALWAYS.replace("rate=RATE", "0.4"), "said = net(x_test)", True),
        (ALWAYS.replace("rate=RATE", "rate"), "said = net(x_test)", False),  # whatever that is
        (ALWAYS.replace("0.4", "0.0"), "said = net(x_test)", False),  # as `rates` says below
        (ALWAYS, "said = [net(x_test) for _ in range(50)]", False),
        (ALWAYS, "RATE = 0.2\nsaid = net(x_test)", False),  # it is changed
        (ALWAYS.replace("rate=RATE", "rate=0.4 if learning else 0.0"), "said = net(x_test)", False),
        (ALWAYS.replace("    h = ", "    h = tf.nn.relu(x @ w) if done else "), "said = net(x_test)", False),
        (ALWAYS.replace("def net(x)", "def net(x, RATE=0.4)"), "said = net(x_test, 0.0)", False),  # it is given
        (OWNED, "said = net.forward(x_test, True)", True),
        (OWNED, "net.keep = 1.0\nsaid = net.forward(x_test, True)", False),
        (
            OWNED.replace("keep = self.keep", "keep = 1.0 if evaluating else self.keep"),
            "said = net.forward(x_test, True)",
            False,
        ),
    ],
)
def test_calls_outside_of_the_steps_that_drop(functions, call, found):
    source = functions + call + "\n"
    (*_, last) = (number for number, line in enumerate(source.splitlines(), 1) if "x_test" in line or "batch" in line)
    assert left_on(source, names(source)) == [last] * found


def test_such_a_call_is_named(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        """
import numpy as np, tensorflow as tf
keep_prob = 0.7
x = tf.constant(np.random.default_rng(0).normal(size=(64, 3)), tf.float32)
w, v = tf.Variable(tf.random.normal((3, 8), seed=1)), tf.Variable(tf.random.normal((8, 1), seed=2))
def net(x, keep_prob):
    return tf.nn.dropout(tf.nn.relu(x @ w), 1 - keep_prob) @ v
for _ in range(30):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((net(x, keep_prob) - x[:, :1]) ** 2)
    for each, slope in zip((w, v), tape.gradient(loss, (w, v))):
        each.assign_sub(0.05 * slope)
error = tf.reduce_mean((net(x, keep_prob) - x[:, :1]) ** 2)
"""
    )
    (report,) = diagnose(script).reports
    (finding,) = [f for f in report.findings if f.cause == "dropout_mode"]
    assert (finding.kind, finding.certain, finding.line) == ("named", True, 13)
