from keras_course.base import InputError
from keras_course.data import augment as augment_module
from keras_course.data.augment import CropAndFlip, scaled

import numpy as np
import pytest
import tensorflow as tf

IMAGES = np.arange(7 * 5 * 3 * 2, dtype="uint8").reshape(7, 5, 3, 2)  # 7 images, 5 high, 3 wide, 2 channels; all differ
ROWS = tf.constant([6, 0, 3, 3, 1])
SEED = tf.constant([4, 9])


def one_by_one(images, rows, top, left, flip, padding):
    """The definition, image by image: pad, cut, mirror."""
    out = []
    for row, i, j, mirrored in zip(rows, top, left, flip, strict=True):
        padded = np.zeros((5 + 2 * padding, 3 + 2 * padding, 2))
        padded[padding : padding + 5, padding : padding + 3] = images[row]
        crop = padded[i : i + 5, j : j + 3]
        out.append(crop[:, ::-1] if mirrored else crop)
    return np.stack(out)


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_gather_is_pad_crop_and_mirror_of_each_image(padding, flip, dtype, compiled, monkeypatch):
    monkeypatch.setattr(augment_module, "REPAID", 1 if compiled else 10**9)
    augment = CropAndFlip(padding, flip)
    images = IMAGES.astype(dtype)
    for k in range(5):
        seed = tf.constant([k, 3])
        drawn = [v.numpy() for v in augment.draw(5, seed)]
        expected = one_by_one(images, ROWS.numpy(), *drawn, padding) / (255 if dtype == "uint8" else 1)
        found = augment(augment.prepare(images), ROWS, seed)
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, rtol=2e-7)


def test_all_crops_and_both_flips_are_drawn_equally_often():
    # counts of 9 * 9 * 2 cells, 100 expected in each: chi-square, 161 degrees of freedom, above 231 once in 4,000
    top, left, flip = CropAndFlip(4).draw(16_200, SEED)
    counts = np.bincount(top * 18 + left * 2 + flip, minlength=162)
    assert len(counts) == 162
    assert ((counts - 100) ** 2 / 100).sum() < 231


def test_without_flip_nothing_is_mirrored_and_without_padding_nothing_moves():
    still = CropAndFlip(padding=0, flip=False)
    np.testing.assert_allclose(still(still.prepare(IMAGES), ROWS, SEED) * 255, IMAGES[ROWS.numpy()], rtol=2e-7)


def test_compiled_or_not_the_bits_are_the_same(monkeypatch):
    augment = CropAndFlip(2)
    stored = augment.prepare(IMAGES)
    plain = augment(stored, ROWS, SEED).numpy()
    monkeypatch.setattr(augment_module, "REPAID", 1)
    assert (augment(stored, ROWS, SEED).numpy() == plain).all()


def test_the_seed_fixes_the_draws():
    augment = CropAndFlip(4)
    stored, rows = augment.prepare(IMAGES), tf.zeros(50, tf.int32)
    first, again, other = (augment(stored, rows, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [2, 1]))
    assert (first == again).all()
    assert (first != other).any()
    assert len({image.tobytes() for image in first}) > 20, "each image has its own crop"


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5, 129])
def test_a_graph_gives_the_same_images(xla, count):
    augment = CropAndFlip(2)
    stored, rows = augment.prepare(IMAGES), tf.range(count) % 7
    in_graph = tf.function(lambda rows, seed: augment(stored, rows, seed), jit_compile=xla)
    np.testing.assert_array_equal(in_graph(rows, SEED), augment(stored, rows, SEED))


def test_bytes_become_zero_to_one_and_floats_stay():
    np.testing.assert_allclose(scaled(tf.constant([0, 51, 255], tf.uint8)), [0, 0.2, 1], rtol=2e-7)
    np.testing.assert_array_equal(scaled(tf.constant([0.0, 51.0])), [0, 51])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: CropAndFlip(-1), "`padding` must be a whole number of at least 0. Received: -1."),
        (
            lambda: CropAndFlip().prepare(IMAGES[0]),
            "`images` must be of shape (n, height, width, channels). Received: 'shape (5, 3, 2)'.",
        ),
        (
            lambda: CropAndFlip(2**15).prepare(IMAGES[:1, :1, :1, :1]),
            "`images` must be of fewer than 2**31 pixels with their padding. Received: 4295098369.",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == sentence
