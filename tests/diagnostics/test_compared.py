from keras_course.diagnostics.compared import _Reader, compared, largest_of_one, softmax_of_one
from keras_course.diagnostics.script import diagnose

import keras
import numpy as np
import pytest

N = 50
START = f"""
import keras
import numpy as np
import tensorflow as tf
x = np.random.default_rng(0).normal(size=({N}, 3)).astype("float32")
y = np.arange({N}) % 2
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
several = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
"""


def lines(script, read=compared):
    names = {"x": np.zeros((N, 3), "float32"), "y": np.arange(N) % 2, "np": np, "keras": keras}
    import tensorflow as tf

    names["tf"] = tf
    names["model"] = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    names["several"] = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    exec(script, names)
    return read(script, names)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("right = np.mean((model.predict(x, verbose=0) > 0.5) == y)", [1]),
        ("p = model(x, training=False).numpy()\nright = np.mean(np.round(p) == y)", [2]),
        ("error = np.square(np.subtract(y, model.predict(x, verbose=0))).mean()", [1]),
        ("error = tf.reduce_mean(tf.abs(model(x) - tf.cast(y, 'float32')))", [1]),
        ("y_pred = np.zeros((50, 1))\nerror = y_pred - y", [2]),  # said by its name
        ("def score(a, b):\n    p = model(a)\n    return tf.equal(p, tf.cast(b, 'float32'))\nscore(x, y)", [3]),
        ("def score(a, b):\n    return np.mean(np.argmax(several(a).numpy(), axis=1) == b)\nscore(x, y[:, None])", [2]),
        ("right = several(x).numpy().argmax(1) == y[:, None]", [1]),
        ("right = model.predict(x, verbose=0)[:, 0] == y", []),
        ("right = model.predict(x, verbose=0)[:] == y", [1]),
        ("right = model.predict(x, verbose=0)[:40] == y[:40]", []),  # how many rows are left is not followed
        ("rows = np.c_[x, y]\nlate = rows[:, 3:]\nright = several(x).numpy().argmax(1) == late", [3]),
        ("rows = np.c_[x, y]\nright = several(x).numpy().argmax(1) == rows[:, 3]", []),
        ("x = x[::-1]\nx = x - 1\nright = model.predict(x, verbose=0) == y", [3]),  # it stands for this from there on
        ("x = x[::-1]\ndef f():\n    return model(x) == y\nx = x - 1\nf()", [3]),
        ("x = x[::-1]\ndef f(a):\n    return model(a) == y\nf(x)\nx = x - 1", []),  # it stands for another then
        ("x = x[::-1]\ndef f(a):\n    return model(a) == y\nx = x - 1\nf(x)", [3]),
        ("late = y[:, None]\nright = np.mean(several.predict(x, verbose=0).argmax(1) == late)", [2]),
        (
            "w = tf.Variable(tf.zeros((3, 4)))\ndef net(a):\n    return a @ w\n"
            "def score(a, b):\n    return np.mean(np.argmax(net(a).numpy(), axis=1) == b)\n"
            "late = y[:, None]\nscore(x, late)",
            [5],
        ),
        ("def score(p, y):\n    return p == y\nscore(y=y, p=model.predict(x, verbose=0)[:, 0])", []),
        (
            "y_pred = model.predict(x, verbose=0)\ndef score(y_pred, y):\n    return y_pred == y\n"
            "score(y=y, y_pred=x[:, 0])",
            [],
        ),
        ("def score(p, y):\n    return p == y\nscore(y=y, p=model.predict(x, verbose=0))", [2]),
        (
            "def score(rows):\n    for x, y in rows:\n        right = model.predict(x, verbose=0) == y\n"
            "score([(x, y[:, None])])",
            [],  # what a loop calls y is not what the script does
        ),
        ("late = y[:]\nright = several(x).numpy().argmax(1) == late\nlate = late[:, None]", []),
        (
            "def main():\n    for a, y in [(x, y0)]:\n        right = model.predict(a, verbose=0) == y\n"
            "y0 = y[:, None]\na = x\nmain()",
            [],
        ),
        ("late = np.copy(y)\nright = several(x).numpy().argmax(1) == late\nlate = late[:, None]", []),
        ("error = tf.math.subtract(model(x), tf.cast(y, 'float32'))", [1]),
        ("far = lambda y_pred, y: y_pred - y\ny_pred = np.zeros((50, 1))\nfar(y_pred[:, 0], y)", []),
        ("def other(a):\n    return a\nlate = y[:, None]\nfar = np.argmax(other(x), axis=1) == late", []),
        ("late = y[:, None]\nright = several.predict(x, verbose=0).argmax(0) == late[:4]", []),
        ("for _ in range(2):\n    if True:\n        error = model.predict(x, verbose=0) - y", [3]),
        ("right = np.mean((model.predict(x, verbose=0)[:, 0] > 0.5) == y)", []),
        ("right = np.mean(model.predict(x, verbose=0).flatten() == y)", []),
        ("right = np.mean((model.predict(x, verbose=0) > 0.5) == y[:, None])", []),
        ("right = np.mean(several.predict(x, verbose=0).argmax(1) == y)", []),
        ("far = np.abs(y.reshape(-1, 1) - y)", []),  # on purpose, and no prediction
        ("column = np.ones((50, 1))\nfar = column - y", []),
        ("p = model.predict(x, verbose=0)\np = p[:, 0]\nright = np.mean(p == y)", []),
    ],
)
def test_predictions_that_meet_the_labels_of_all_others(script, found):
    assert [line.number for line in lines(script)] == found
    assert all(line.rows == N for line in lines(script))


def test_a_script_whose_score_compares_all_with_all(tmp_path):
    body = START + (
        'model.compile("sgd", "mse")\nmodel.fit(x, y, epochs=2, verbose=0)\n'
        "right = np.mean((model.predict(x, verbose=0) > 0.5) == SHAPED)\n"
    )
    found = {}
    for shaped in ("y", "y[:, None]"):
        script = tmp_path / "train.py"
        script.write_text(body.replace("SHAPED", shaped))
        (report,) = diagnose(script).reports
        found[shaped] = [(f.line, f.certain) for f in report.named if f.cause == "loss_metric_inconsistent"]
    assert found == {"y": [(body.count("\n"), True)], "y[:, None]": []}


def test_each_part_of_a_line_is_read_once(monkeypatch):
    """Calls inside of calls, as of layers called on each other, would else be read twice as often each time."""
    times, of = [], _Reader.of
    monkeypatch.setattr(_Reader, "of", lambda *args: times.append(1) or of(*args))
    compared("y = " + "f(" * 30 + "x" + ")" * 30 + ".a().b()" * 30, {})
    assert len(times) < 400


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("kind = np.argmax(model.predict(x, verbose=0), axis=1)", [1]),
        ("kind = model(x).numpy().argmax(-1)", [1]),
        ("p = model.predict(x, verbose=0)\nkind = tf.argmax(p, axis=-1)", [2]),
        ("p = model.predict(x, verbose=0)[:, 0]\nkind = np.argmax(p[..., None], axis=-1)", [2]),
        ("p = model.predict(x, verbose=0)[:, 0]\nkind = np.argmax(p[:, np.newaxis], axis=1)", [2]),
        ("kind = np.argmax(several.predict(x, verbose=0), axis=1)", []),
        ("best = np.argmax(model.predict(x, verbose=0))", []),  # of the rows
        ("best = np.argmax(model.predict(x, verbose=0), axis=0)", []),
        ("first = np.argmax(y[:, None], axis=1)", []),  # nothing that a model says
        ("def kinds(a):\n    return np.argmax(model(a), axis=1)\nkinds(x)", [2]),
        ("def p(z):\n    'A chance.'\n    return tf.sigmoid(z)\nkind = p(model(x)).numpy().argmax(axis=1)", [4]),
        ("def p(z):\n    return tf.concat([z, -z], 1)\nkind = p(model(x)).numpy().argmax(axis=1)", []),
        (
            "def p(z):\n    z = tf.concat([z, -z], 1)\n    return tf.sigmoid(z)\nkind = np.argmax(p(model(x)), axis=1)",
            [],
        ),
        ("def p(z):\n    return z if len(z) else p(z)\nkind = np.argmax(p(model(x)), axis=1)", []),
    ],
)
def test_the_place_of_the_largest_of_one_output(script, found):
    assert lines(script, largest_of_one) == found


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("p = tf.nn.softmax(model(x))", [1]),
        ("def chance(a):\n    return tf.nn.softmax(model(a, training=False))[:, 0]\nchance(x[y > 0])", [2]),
        ("p = keras.ops.softmax(model.predict(x, verbose=0)).numpy()", [1]),
        ("p = tf.nn.softmax(several(x))", []),
        ("p = tf.nn.softmax(model(x), axis=-1)", [1]),
        ("p = tf.nn.softmax(model(x), 1)", [1]),
        ("p = tf.nn.softmax(model(x), axis=0)", []),  # over the rows
        ("p = tf.nn.softmax(model(x), 0)", []),
        ("p = tf.nn.softmax(model(x)[:, 0])", []),
        ("p = tf.nn.softmax(tf.cast(y[:, None], 'float32'))", []),  # nothing that a model says
        ("p = tf.nn.sigmoid(model(x))", []),
    ],
)
def test_the_softmax_of_one_output(script, found):
    assert lines(script, softmax_of_one) == found


@pytest.mark.parametrize(
    ("line", "cause", "words"),
    [
        (
            "print(np.mean(np.argmax(model.predict(x, verbose=0), axis=1) == y))",
            "loss_metric_inconsistent",
            "is 0 whatever was said",
        ),
        ("print(np.mean(tf.nn.softmax(model(x))))", "softmax_on_single_unit", "is 1 whatever was said"),
    ],
)
def test_such_a_line_is_named(tmp_path, line, cause, words):
    script = tmp_path / "train.py"
    script.write_text(
        START
        + f"""
model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
model.fit(x, y, epochs=1, verbose=0)
{line}
"""
    )
    (report,) = diagnose(script).reports
    (finding,) = [f for f in report.findings if f.cause == cause]
    assert (finding.kind, finding.certain, finding.line) == ("named", True, len(script.read_text().splitlines()))
    assert words in finding.evidence
