from keras_course import diagnostics
from keras_course.diagnostics.tensorboard import read
from tests.diagnostics.trained import X, Y, mlp

import keras
import numpy as np
import pytest

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train(model, **more):
    model.compile(keras.optimizers.SGD(0.3), LOSS)
    return model.fit(np.tile(X, (5, 1)), np.tile(Y, 5), epochs=6, batch_size=10, verbose=0, **more)


def dead():
    model = mlp()
    model.layers[0].set_weights([-np.ones((5, 7)), -9 * np.ones(7)])
    return model


def test_three_lines_tell_a_dead_network_from_a_sound_one():
    for make, causes in ((dead, ["symmetric_or_zero_init", "dead_units"]), (mlp, [])):
        with diagnostics.watch() as seen:
            train(make())
        assert seen.healthy == (not causes)
        assert [f.cause for r in seen.reports for f in r.named][:1] == causes[:1]
        assert str(seen).startswith("sequential")


def test_the_folder_has_what_was_measured(tmp_path):
    with diagnostics.watch(tmp_path, "mine"):
        train(mlp())
        train(mlp())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "mine_2"]
    events = read(tmp_path / "mine")
    assert len(events["loss"][0]) == 180
    assert {"gradient_norm/hidden", "dead_share/hidden", "outputs/max", "verdict"} <= events.keys()


def test_the_callback_gives_the_same_verdict_and_leaves_nothing_behind(capsys):
    callback, model = diagnostics.DiagnosticsCallback(), dead()
    before = keras.Model.fit
    train(model, callbacks=[callback])
    assert keras.Model.fit is before
    (report,) = callback.reports
    assert not report.healthy
    assert report.observation.train.n == 300
    assert report.observation.steps.count == 180
    assert "dead" in capsys.readouterr().err
    again = train(model)  # without the callback nothing is measured any more
    assert len(again.history["loss"]) == 6


def test_a_block_that_fails_passes_its_error_on():
    with pytest.raises(ZeroDivisionError), diagnostics.watch():
        1 / 0  # noqa: B018
