from keras_course.base import InputError
from keras_course.data.windows import Windows, split_series

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

SERIES = np.stack([np.arange(23), 100 + np.arange(23)], axis=1).astype("float32")


def pairs(windows, epoch=0):
    found = [
        (x, y) for xs, ys in windows.dataset(first_epoch=epoch) for x, y in zip(xs.numpy(), ys.numpy(), strict=True)
    ]
    return sorted(found, key=lambda pair: pair[0].flat[0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 4))
def test_every_window_comes_once_with_what_follows_it(width, horizon, stride):
    windows = Windows(SERIES, width=width, horizon=horizon, stride=stride, batch_size=4)
    expected = [
        (SERIES[i : i + width], SERIES[i + width : i + width + horizon])
        for i in range(0, len(SERIES) - width - horizon + 1, stride)
    ]
    found = pairs(windows)
    assert len(found) == len(expected) == windows.n
    for (x, y), (a, b) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, a)
        np.testing.assert_array_equal(y, b)


def test_targets_of_their_own_follow_the_window_in_time():
    targets = 10 * np.arange(23)
    for x, y in pairs(Windows(SERIES, targets, width=3, horizon=2, batch_size=5)):
        np.testing.assert_array_equal(y, 10 * (x[-1, 0] + [1, 2]))


def test_windows_of_the_parts_never_share_a_step():
    parts = split_series(SERIES, sizes=(0.6, 0.2, 0.2))
    np.testing.assert_array_equal(np.concatenate(parts), SERIES)
    seen = []
    for part in parts:
        steps = {v for x, y in pairs(Windows(part, width=2, batch_size=3)) for v in [*x[:, 0], *y[:, 0]]}
        assert not any(steps & others for others in seen)
        seen.append(steps)
    assert max(seen[0]) < min(seen[1])
    assert max(seen[1]) < min(seen[2])


def test_a_gap_is_left_out_between_the_parts_only():
    first, second = split_series(np.arange(10), sizes=(0.5, 0.5), gap=2)
    np.testing.assert_array_equal(first, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(second, [7, 8, 9])


def test_the_order_is_new_each_epoch_and_a_graph_gathers_the_same():
    windows = Windows(SERIES, width=2, batch_size=4, seed=3)
    first, again, second = (np.concatenate([x for x, _ in windows.dataset(first_epoch=e)]) for e in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    taken = tf.function(windows.take)(windows.order(0), tf.constant([0, 0]))
    np.testing.assert_array_equal(taken[0], first)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 0}, r"`width` must be a whole number of at least 1\. Received: 0\."),
        ({"horizon": 0}, r"`horizon` must be"),
        ({"stride": 0}, r"`stride` must be"),
        ({"width": 23}, r"`series` must be of at least width \+ horizon = 24 steps\. Received: 23\."),
        ({"targets": np.zeros(5)}, r"`targets` must be as long as `series`, 23\. Received: 5\."),
        ({"series": np.full(30, np.nan)}, r"`series` must be finite"),
    ],
)
def test_what_gives_no_window_is_refused(change, sentence):
    options = {"series": SERIES, "width": 2, "batch_size": 2} | change
    with pytest.raises(InputError, match=sentence):
        Windows(options.pop("series"), options.pop("targets", None), **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sizes": (0.5, 0.4)}, r"`sizes` must be shares above 0 that add up to 1\. Received: \(0\.5, 0\.4\)\."),
        ({"sizes": (0.5, 0.5), "gap": -1}, r"`gap` must be at least 0"),
        (
            {"sizes": (0.5, 0.5), "gap": 2},
            r"`series` must be long enough for a step in each part\. Received: \[2, 0\]\.",
        ),
    ],
)
def test_parts_that_cannot_be_cut_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        split_series(np.arange(4), **options)
