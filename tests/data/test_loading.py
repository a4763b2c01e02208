import shutil

from keras_course.base import InputError
from keras_course.data import catalogue, loading

import numpy as np
import pytest

FULL = [name for name, dataset in catalogue.DATASETS.items() if "full" in dataset.sources and dataset.kind == "image"]


def examples(images, labels):
    """Images as bytes with their labels, sorted: to compare examples without their order."""
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def raw(*splits):
    """The examples of splits as they were before scaling."""
    x, y = (np.concatenate(arrays) for arrays in zip(*splits, strict=True))
    return examples(np.rint(x * 255).astype("uint8"), y)


@pytest.fixture(scope="module")
def small():
    return loading.load("mnist")


def test_small_mnist_is_400_50_50_a_class(small):
    for split, count in zip((small.train, small.validation, small.test), (400, 50, 50), strict=True):
        assert np.bincount(split.y).tolist() == [count] * 10
        assert split.x.shape == (10 * count, 28, 28, 1)
    assert small.counts == {"train": 4000, "validation": 500, "test": 500}
    assert (small.name, small.source, small.classes) == ("mnist", "small", tuple("0123456789"))


IMAGES = [name for name in loading.SMALL if catalogue.DATASETS[name].kind == "image"]


@pytest.mark.parametrize("name", IMAGES)
def test_small_images_are_the_raw_ones_in_zero_to_one(name):
    dataset, splits = catalogue.DATASETS[name], loading.load(name)
    images, labels = loading.SMALL[name]()
    x = np.concatenate([split.x for split in (splits.train, splits.validation, splits.test)])
    y = np.concatenate([split.y for split in (splits.train, splits.validation, splits.test)])
    assert tuple(splits.counts.values()) == dataset.sources["small"].counts
    assert (x.dtype, y.dtype, x.min(), x.max()) == ("float32", "int64", 0, 1)
    back = np.rint(x * dataset.white).astype("uint8")
    assert examples(back, y) == examples(images, labels)


def test_the_seed_fixes_the_splits(small):
    first, again, other = (loading.load("digits", seed=seed) for seed in (1, 1, 2))
    assert (first.test.x == again.test.x).all()
    assert (first.test.x != other.test.x).any()


def test_no_image_is_in_two_splits(small):
    # the 5,000 digits hold no image twice, so that any image in common is an example in common
    assert len({image for image, _ in raw(small.train, small.validation, small.test)}) == 5000


def test_a_damaged_install_is_one_sentence_with_both_digests(monkeypatch):
    images, labels = loading.SMALL["digits"]()
    expected = loading.digest(images, labels)
    images[700, 3, 2] ^= 1
    monkeypatch.setitem(loading.SMALL, "digits", lambda: (images, labels))
    with pytest.raises(InputError) as error:
        loading.load("digits")
    assert str(error.value) == (
        f"`digits of scikit-learn` is damaged: its SHA-256 is {loading.digest(images, labels)} "
        f"instead of {expected}; install it again."
    )


def test_the_digest_sees_labels_too():
    images, labels = loading.SMALL["digits"]()
    assert loading.digest(images, labels) != loading.digest(images, labels[::-1])


def test_the_digest_of_a_published_set_ignores_the_order_and_sees_pixels_and_labels():
    images, labels = np.arange(24, dtype="uint8").reshape(4, 3, 2, 1), np.array([2, 0, 1, 0])
    found, order = loading.unordered_digest(images, labels), [2, 0, 3, 1]
    assert found == loading.unordered_digest(images[order], labels[order])
    assert found != loading.unordered_digest(images[order], labels)
    assert found != loading.unordered_digest(images + 1, labels)


def test_a_whole_test_part_of_another_set_is_refused_and_a_part_of_one_is_not(sets):
    dataset = catalogue.DATASETS["fashion_mnist"]
    images, labels = np.zeros((10_000, 28, 28, 1), "uint8"), np.zeros(10_000, int)
    with pytest.raises(InputError, match=r"`fashion_mnist` in .* is not the published set: .* instead of 0b381379"):
        loading._require_published(dataset, images, labels)
    loading._require_published(dataset, images[:99], labels[:99])


@pytest.mark.parametrize(("name", "source"), [("mnits", "small"), ("digits", "full"), ("cifar10", "full")])
def test_what_the_catalogue_refuses_is_not_loaded(sets, name, source):
    with pytest.raises(InputError):
        loading.load(name, source=source)


def test_full_keeps_the_published_test_split_and_cuts_validation_from_training(published, prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    splits = loading.load("mnist", source="full", seed=3)
    assert splits.counts == {"train": 220, "validation": 20, "test": 30}
    assert np.bincount(splits.validation.y).tolist() == [2] * 10
    assert raw(splits.train, splits.validation) == examples(published.images[0], published.labels[0])
    assert raw(splits.test) == examples(published.images[1], published.labels[1])
    other = loading.load("mnist", source="full", seed=4)
    assert (other.test.x == splits.test.x).all()
    assert (other.validation.x != splits.validation.x).any()


@pytest.mark.parametrize("keep", [0, 100, 20_000])
@pytest.mark.parametrize("file", ["mnist-train.tfrecord-00000-of-00001", "dataset_info.json"])
def test_a_damaged_set_is_one_sentence_that_says_what_to_do(prepared, sets, file, keep):
    shutil.copytree(prepared, sets)
    (path,) = sets.rglob(file)
    path.write_bytes(path.read_bytes()[:keep] if keep < path.stat().st_size else b"x" * keep)
    with pytest.raises(InputError) as error:
        loading.load("mnist", source="full")
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.startswith(f"`mnist` in {sets} is damaged (")
    assert sentence.endswith(f"): remove {sets / 'mnist'} and run `keras-course data fetch mnist`.")


def test_a_set_that_lacks_a_file_is_damaged(prepared, sets):
    shutil.copytree(prepared, sets)
    next(sets.rglob("mnist-test*")).unlink()
    with pytest.raises(InputError, match=r"is damaged \(.*\): remove "):
        loading.load("mnist", source="full")


@pytest.mark.parametrize("name", FULL)
def test_a_real_set_has_its_counts_shape_and_every_class(real, name):
    real(name)
    dataset, splits = catalogue.DATASETS[name], loading.load(name, source="full")
    assert splits.train.x.shape[1:] == dataset.shape
    assert (splits.train.x.min(), splits.train.x.max()) == (0, 1)
    for split in (splits.train, splits.validation, splits.test):
        assert set(split.y) == set(range(len(dataset.classes)))
    train, validation, test = splits.counts.values()
    wanted = dataset.sources["full"].counts
    assert train * wanted[1] == validation * wanted[0], "validation has its share of a part of the set too"
    assert (train, validation, test) == wanted or name == "cifar10"  # of which a part may be here
