import dataclasses
import itertools

from assignments.foundations.convolution_drills import (
    EXERCISE,
    OPPOSITE,
    clips,
    moved,
    readers,
    shown_by_hand,
    strides_shown,
    watchers,
)
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest

RNG = np.random.default_rng(0)
LAYERS = {3: keras.layers.Conv1D, 4: keras.layers.Conv2D, 5: keras.layers.Conv3D}
CASES = [  # size of x with its channels, size of the kernel, filters
    ((9, 2), (3,), 5),
    ((7, 6, 3), (3, 2), 2),
    ((5, 6, 7, 2), (2, 3, 1), 3),
]
SETTINGS = EXERCISE.quick


def convolved(x, kernel, strides, padding):
    from assignments.foundations.convolution_drills import convolve

    return convolve(x, kernel, strides, padding)


def mixed(x, kernel):
    from assignments.foundations.convolution_drills import pointwise

    return pointwise(x, kernel)


def refusal(x, kernel):
    from assignments.foundations.convolution_drills import convolve
    from keras_course.base import InputError

    try:
        convolve(x, kernel)
    except InputError as error:
        return str(error)
    return "accepted"


def by_keras(x, kernel, strides, padding):
    layer = LAYERS[x.ndim](kernel.shape[-1], kernel.shape[:-2], strides, padding, use_bias=False, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([kernel])
    return np.asarray(layer(x))


@points(4)
def test_outputs_are_those_of_keras(subject):
    """Series, images and clips; kernels and sizes of different extents; strides of 1 to 3; both paddings."""
    for size, kernel_size, filters in CASES:
        x, kernel = RNG.normal(size=(2, *size)), RNG.normal(size=(*kernel_size, size[-1], filters))
        for strides in (1, 2, 3):
            for padding in ("valid", "same"):
                received = subject(convolved, x=x, kernel=kernel, strides=strides, padding=padding)
                same(
                    received,
                    by_keras(x, kernel, strides, padding),
                    what=f"{x.shape} with {kernel.shape}, {strides}, {padding}",
                )


@points(1)
def test_an_impulse_brings_back_the_kernel_the_other_way_round(subject):
    """Cross-correlation, which every library calls convolution: the kernel is not flipped."""
    x, kernel = np.zeros((1, 5, 5, 1)), np.arange(9.0).reshape(3, 3, 1, 1)
    x[0, 2, 2] = 1
    same(subject(convolved, x=x, kernel=kernel, strides=1, padding="valid")[0, ..., 0], kernel[::-1, ::-1, 0, 0])


@points(1)
def test_a_stride_takes_every_so_manyth_answer(subject):
    x, kernel = RNG.normal(size=(1, 7, 8, 2)), RNG.normal(size=(3, 3, 2, 2))
    every = subject(convolved, x=x, kernel=kernel, strides=1, padding="valid")
    same(subject(convolved, x=x, kernel=kernel, strides=2, padding="valid"), every[:, ::2, ::2])


@points(2)
def test_a_1x1_filter_is_the_convolution_of_that_size(subject):
    for size in ((5, 3), (4, 5, 3), (2, 3, 4, 3)):
        x, kernel = RNG.normal(size=(2, *size)), RNG.normal(size=(3, 5))
        whole = kernel.reshape(*[1] * (len(size) - 1), 3, 5)
        same(subject(mixed, x=x, kernel=kernel), by_keras(x, whole, 1, "valid"), what=str(x.shape))


@points(1)
def test_a_1x1_filter_does_not_care_where_a_pixel_is(subject):
    x, kernel, order = RNG.normal(size=(2, 12, 3)), RNG.normal(size=(3, 2)), RNG.permutation(12)
    before = subject(mixed, x=x.reshape(2, 3, 4, 3), kernel=kernel).reshape(2, 12, 2)
    after = subject(mixed, x=x[:, order].reshape(2, 3, 4, 3), kernel=kernel).reshape(2, 12, 2)
    same(after, before[:, order])


@points(1)
def test_what_does_not_fit_is_refused_with_the_axis(subject):
    received = subject(refusal, x=np.zeros((1, 5, 2, 1)), kernel=np.zeros((3, 3, 1, 1)))
    assert received.startswith("`kernel` must fit into `x`: 3 > 2 on axis 2"), received
    received = subject(refusal, x=np.zeros((1, 5, 5, 3)), kernel=np.zeros((3, 3, 2, 1)))
    assert received.startswith("`kernel` must have 4 axes, as `x`, and on axis 2 its 3 channels"), received


def images():
    return RNG.random((3, 5, 4, 1)).astype("float32")


def test_a_clip_backwards_is_a_clip_of_the_opposite_direction():
    """Frame for frame: what was built to move left, backwards, is what is built to move right at the mirrored time."""
    settings = dataclasses.replace(SETTINGS, frames=7, moving=3)
    image = images()[0]
    found = [moved(image, direction, 2, settings) for direction in range(4)]
    for label, opposite in enumerate(OPPOSITE):
        np.testing.assert_array_equal(found[label][::-1], found[opposite], err_msg=str(label))


def test_a_digit_moves_one_place_a_frame_and_is_there_for_as_long_as_asked():
    settings = dataclasses.replace(SETTINGS, frames=9, moving=4)
    x, labels = clips(images(), 30, [3], settings, np.random.default_rng(0))
    seen = x.any(axis=(2, 3, 4))
    np.testing.assert_array_equal(seen, np.tile([0, 0, 0, 1, 1, 1, 1, 0, 0], (30, 1)).astype(bool))
    for clip, label in zip(x, labels, strict=True):
        for before, after in itertools.pairwise(clip[3:7]):
            axis, step = (1, (-1, 1)[label]) if label < 2 else (0, (-1, 1)[label - 2])
            np.testing.assert_array_equal(np.roll(before, step, axis), after)


def test_two_dimensions_and_a_mean_over_time_cannot_tell_a_clip_from_its_reversal():
    x, _ = clips(images(), 5, [0, 1], dataclasses.replace(SETTINGS, frames=8), np.random.default_rng(0))
    models = watchers(x.shape[1:], SETTINGS)
    x_back = np.ascontiguousarray(x[:, ::-1])
    gap = {name: np.max(np.abs(np.asarray(m(x)) - np.asarray(m(x_back)))) for name, m in models.items()}
    assert gap.pop("2-D, averaged over time") < 1e-6
    assert min(gap.values()) > 1e-4


def test_three_dimensions_do_not_mind_when_a_clip_moves_and_stacked_frames_do():
    """A clip that begins a frame later, both with an empty frame at either end."""
    settings = dataclasses.replace(SETTINGS, frames=9, moving=2)
    shown = images()
    early, late = (clips(shown, 5, [s], settings, np.random.default_rng(0))[0] for s in (2, 4))
    models = watchers(early.shape[1:], settings)
    gap = {name: np.max(np.abs(np.asarray(m(early)) - np.asarray(m(late)))) for name, m in models.items()}
    assert gap["3-D"] < 1e-6
    assert gap["2-D, frames as channels"] > 1e-4


def test_a_network_of_1x1_filters_is_blind_to_the_order_of_pixels():
    x = RNG.random((4, 6, 5, 1)).astype("float32")
    shuffled = x.reshape(4, 30, 1)[:, RNG.permutation(30)].reshape(x.shape)
    models = readers(x.shape[1:], 3, SETTINGS)
    gap = {name: np.max(np.abs(np.asarray(m(x)) - np.asarray(m(shuffled)))) for name, m in models.items()}
    assert gap.pop("1 × 1 only") < 1e-6
    assert min(gap.values()) > 1e-4


def test_the_filter_by_hand_knows_the_direction_and_the_flat_one_does_not():
    clip = moved(images()[0], 1, 1, dataclasses.replace(SETTINGS, frames=7, moving=4))
    forwards, backwards = shown_by_hand(clip)
    assert forwards["2-D, mean over time"] == pytest.approx(backwards["2-D, mean over time"])
    assert forwards["3-D, “moves right” misses by"] < 0.7 * backwards["3-D, “moves right” misses by"]


def test_maps_of_strides_are_drawn_to_one_size():
    shown = strides_shown(RNG.random((10, 10, 1)))
    assert shown.shape == (4, 10, 10, 1)
    np.testing.assert_array_equal(shown[2][::2, ::2], shown[2][1::2, 1::2])


FILE = "assignments/foundations/convolution_drills.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="return np.tensordot(windows, kernel,",
        new="return np.tensordot(windows, kernel[::-1],",
        caught_by="test_an_impulse_brings_back_the_kernel_the_other_way_round",
        trap="the kernel flipped",
    ),
    Mutant(
        file=FILE,
        old="same_padding(x.shape[i], kernel.shape[i - 1], strides)",
        new="same_padding(x.shape[i], kernel.shape[i - 1], 1)",
        caught_by="test_outputs_are_those_of_keras",
        trap="padding that does not know the stride",
    ),
    Mutant(
        file=FILE,
        old="    require_fit(x, kernel)\n    windows",
        new="    x = x[(slice(None), *[slice(None, None, strides)] * len(axes))]\n    windows",
        caught_by="test_a_stride_takes_every_so_manyth_answer",
        trap="a stride before the windows are taken",
    ),
    Mutant(
        file=FILE,
        old="same_padding(x.shape[i], kernel.shape[i - 1], strides) for i in axes",
        new="same_padding(x.shape[i], kernel.shape[i - 1], strides)[::-1] for i in axes",
        caught_by="test_outputs_are_those_of_keras",
        trap="the odd zero in front",
    ),
    Mutant(
        file=FILE,
        old="    require_fit(x, kernel)\n    windows",
        new="    windows",
        caught_by="test_what_does_not_fit_is_refused_with_the_axis",
        trap="a kernel that does not fit",
    ),
    Mutant(
        file=FILE,
        old="    return x @ kernel\n",
        new="    return x.mean(axis=-2, keepdims=True) @ kernel + 0 * (x @ kernel)\n",
        caught_by="test_a_1x1_filter_does_not_care_where_a_pixel_is",
        trap="a 1 × 1 filter that mixes pixels",
    ),
    Mutant(
        file=FILE,
        old="    # y[p] = Σ over the entries a",
        new="    windows = windows.mean(axis=1, keepdims=True) + 0 * windows\n    # y[p] = Σ over the entries a",
        caught_by="test_outputs_are_those_of_keras",
        trap="time averaged away",
    ),
]
