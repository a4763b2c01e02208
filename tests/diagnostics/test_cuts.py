from keras_course.diagnostics.cuts import cuts
from keras_course.diagnostics.script import diagnose

import keras
import pytest

MODEL = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
OTHER = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
NAMES = {"model": MODEL, "other": OTHER, "x": 2.0}


@pytest.mark.parametrize(
    ("script", "levels"),
    [
        ("model.predict(x) > 0.5", [0.5]),
        ("0.5 < model.predict(x)[:, 0]", [0.5]),
        ("model(x, training=False).numpy().ravel() >= 0.25", [0.25]),
        ("tf.greater(tf.squeeze(model(x)), 0.5)", [0.5]),
        ("np.round(model.predict(x))", [0.5]),
        ("model.predict(x).round()", [0.5]),
        ("np.round(np.asarray(model.predict(x)))", [0.5]),
        ("said = model.predict(x)\nflat = said.reshape(-1)\nflat > 0", [0.0]),
        ("tf.sigmoid(model(x)) > 0.5", []),
        ("said = model.predict(x)\nsaid = 1 / (1 + np.exp(-said))\nsaid > 0.5", []),
        ("model.predict(x) > level", []),
        ("model.predict(x) == 0.5", []),
        ("np.round(model.evaluate(x), 3)", []),
        ("x > 0.5", []),
        ("said = said[1:]\nsaid > 0.5", []),  # of itself alone
        ("def show(net):\n    return net.predict(x) > 0.5", []),
    ],
)
def test_where_a_script_cuts_what_a_model_has_said(script, levels):
    found = cuts(script, NAMES)
    assert [cut.level for cut in found] == levels
    assert all(cut.model is MODEL and cut.line == script.count("\n") + 1 for cut in found)


def test_a_function_cuts_what_its_own_names_say():
    script = "def show(net):\n    return net.predict(x) > 0.5\nother(x) > 0"
    assert cuts(script, NAMES, {1: {"net": MODEL}}) == [(2, 0.5, MODEL), (3, 0.0, OTHER)]
    assert cuts(script.replace("net", "model"), NAMES, {1: {"model": OTHER}})[0].model is OTHER


SCRIPT = """
import numpy as np
import keras
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
x = rng.normal(size=(900, 3)).astype("float32")
y = (x.sum(1) + rng.normal(0, 1.5, 900) > 0).astype("float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(.05), keras.losses.BinaryCrossentropy(from_logits=True))
model.fit(x[:600], y[:600], epochs=8, verbose=0)
said = model.predict(x[600:], verbose=0)[:, 0]
print(np.mean((said > LEVEL) == y[600:]))
"""


@pytest.mark.parametrize(("level", "said"), [("0", []), ("0.5", ["wrong_metric"])])
def test_a_script_that_cuts_logits(tmp_path, capsys, level, said):
    """It is right about as often, so that nothing is named."""
    (tmp_path / "train.py").write_text(SCRIPT.replace("LEVEL", level))
    (report,) = diagnose(tmp_path / "train.py").reports
    found = [finding for finding in report.findings if finding.cause == "wrong_metric"]
    assert [(finding.cause, finding.kind, finding.line) for finding in found] == [(cause, "note", 12) for cause in said]
    assert report.named == []
