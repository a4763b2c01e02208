"""Event files: what is written is read back, once, and the same in parts as at once."""

import json
import subprocess
import sys

from keras_course.base import InputError
from keras_course.diagnostics import points, tensorboard
from keras_course.diagnostics.observation import Variable
from tests.diagnostics.made import FINDING, observation

import numpy as np
import pytest

SNAPSHOTS = ("verdict", "diagnosis", "weights/dense/kernel")  # one for each call


def written(folder, *calls):
    writer = tensorboard.Writer(folder)
    for seen, findings, finished in calls:
        writer.update(seen, findings, finished=finished)
    return tensorboard.read(folder)


def test_every_number_is_read_back_under_its_tag(tmp_path):
    seen = observation(5)
    found = written(tmp_path, (seen, [FINDING], True))
    expected = {}
    for generator in (points.losses, points.dynamics, points.activations, points.ranges, points.epochs):
        for tag, step, value in generator(seen):
            expected.setdefault(tag, []).append((step, value))
    assert len(expected) > 15
    for tag, series in expected.items():
        steps, values = found[tag]
        assert values.dtype == np.float64
        np.testing.assert_array_equal(steps, [step for step, _ in series])
        np.testing.assert_allclose(values, [value for _, value in series], rtol=1e-6)  # float32 on disk


def test_in_parts_is_the_same_as_at_once(tmp_path):
    parts = written(tmp_path / "parts", *[(observation(n), [], False) for n in (1, 2, 5)], (observation(7), [], True))
    whole = written(tmp_path / "whole", (observation(7), [], True))
    assert parts.keys() == whole.keys()
    for tag in whole.keys() - set(SNAPSHOTS):
        np.testing.assert_array_equal(parts[tag][0], whole[tag][0], err_msg=tag)
        for ours, theirs in zip(parts[tag][1], whole[tag][1], strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=tag)
    for tag in SNAPSHOTS:
        np.testing.assert_array_equal(parts[tag][1][-1], whole[tag][1][-1], err_msg=tag)


def test_the_same_again_adds_nothing(tmp_path):
    writer = tensorboard.Writer(tmp_path)
    writer.update(observation(4), [FINDING], finished=False)
    size = [path.stat().st_size for path in tmp_path.iterdir()]
    writer.update(observation(4), [FINDING], finished=False)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == size


def test_a_second_training_replaces_the_first_and_nothing_else(tmp_path):
    other = tmp_path / "events.out.tfevents.1.host"
    other.write_bytes(b"")
    written(tmp_path, (observation(9), [], True))
    found = written(tmp_path, (observation(2), [], True))
    assert found["loss"][0].tolist() == [0, 1]
    assert other.exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_images_are_read_back_to_the_pixel(tmp_path):
    seen = observation(3)
    steps, values = written(tmp_path, (seen, [], True))["inputs/images"]
    assert steps.tolist() == [0, 2]
    assert values[1].shape == (2, 8, 9, 1)
    np.testing.assert_array_equal(values[1], np.round(seen.probes[1].x * 255))


def test_a_long_run_has_few_images(tmp_path):
    expected = [0, 2, 4, 8, 16, 32, 64]
    parts = written(tmp_path / "parts", *[(observation(n), [], False) for n in (1, 2, 9, 17, 18, 40, 41, 99)])
    assert parts["inputs/images"][0].tolist() == expected
    assert written(tmp_path / "whole", (observation(99), [], True))["inputs/images"][0].tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.0, 0.5, 1.0], [0, 128, 255]), ([0.0, 51.0, 255.0], [0, 51, 255]), ([-3.0, 0.0, 3.0], [0, 128, 255])],
)
def test_images_of_any_range_are_shown(values, expected):
    assert tensorboard.shown(np.array(values)).tolist() == expected


def test_images_that_hold_nan_are_shown_black():
    assert tensorboard.shown(np.array([np.nan, 0.5, np.inf])).tolist() == [0, 128, 0]


def test_histograms_count_every_finite_weight(tmp_path):
    seen = observation(3)
    seen.variables[2] = Variable(name="out/kernel", shape=(2, 3), final=np.array([1.0, 2.0, np.nan, 4.0]))
    found = written(tmp_path, (seen, [], True))
    steps, values = found["weights/dense/kernel"]
    assert steps.tolist() == [0]
    assert values[0, :, 2].sum() == 10
    assert (values[0, 0, 0], values[0, -1, 1]) == (0, 9)
    steps, values = found["weights/out/kernel"]
    assert steps.tolist() == [3]
    assert values[0, :, 2].sum() == 3


def test_a_training_that_diverges_is_shown_as_it_was(tmp_path):
    seen = observation(3)
    seen.steps.all_losses[:] = [2.5, np.inf, np.nan]
    values = written(tmp_path, (seen, [], True))["loss"][1]
    np.testing.assert_array_equal(values, [2.5, np.inf, np.nan])


def test_the_verdict_is_a_table_in_which_names_stay_text(tmp_path):
    FINDING_IN_BOLD = FINDING.__class__(**{**vars(FINDING), "layer": "<b>|x</b>"})  # noqa: N806
    text = written(tmp_path, (observation(4), [FINDING_IN_BOLD], True))["verdict"][1][0]
    assert "**1 cause found** after 4 steps." in text
    assert r"&lt;b&gt;\|x&lt;/b&gt;, step 3, train.py:12" in text
    assert "<b>" not in text


def test_the_tab_gets_the_run_and_its_findings(tmp_path):
    about = json.loads(written(tmp_path, (observation(4), [FINDING], False))["diagnosis"][1][0])
    assert (about["name"], about["finished"], about["step"]) == ("train", False, 4)
    assert about["findings"][0]["cause"] == "dead_units"
    assert [unit["tag"] for unit in about["units"]] == ["dense", "out"]


def test_a_folder_without_events_is_refused(tmp_path):
    with pytest.raises(InputError, match="`folder` must be a folder with event files"):
        tensorboard.read(tmp_path)


def test_writing_needs_no_tensorflow(tmp_path):
    code = (
        "import sys; from tests.diagnostics.made import observation; from keras_course.diagnostics import tensorboard\n"
        f"tensorboard.Writer({str(tmp_path)!r}).update(observation(3), [], finished=True)\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_findings_there_is_no_verdict(tmp_path):
    tensorboard.Writer(tmp_path).update(observation(3), None, finished=True)
    tags = tensorboard.read(tmp_path).keys()
    assert "loss" in tags
    assert not {"verdict", "diagnosis"} & tags


def test_weights_that_are_almost_equal_have_a_histogram(tmp_path):
    seen = observation(3)
    seen.variables[0].initial = np.nextafter(np.float32(0.01), np.float32([0, 1]))
    tensorboard.Writer(tmp_path).update(seen, None, finished=True)
    table = tensorboard.read(tmp_path)[f"weights/{seen.variables[0].name}"][1][0]
    assert table[:, 2].sum() == 2
