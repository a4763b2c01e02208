import io
import itertools
import os
import re

from keras_course import training
from keras_course.base import InputError
from keras_course.data import files
from keras_course.data.augment import CropAndFlip
from keras_course.data.pipeline import Batches

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

RNG = np.random.default_rng(0)
SIZE = (13, 9)  # of every image that is not resized
BYTES = 13 * 9 * 3
FORM = (*SIZE, 3)


def picture(height, width, channels=3, dtype="uint8"):
    """A smooth picture, so that JPEG keeps its corners apart."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    planes = np.stack([RNG.uniform(0, 0.5) + 0.5 * (y if c % 2 else x) for c in range(channels)], -1)
    return (planes * np.iinfo(dtype).max).astype(dtype)


def encoded(pixels, ending):
    return (tf.io.encode_png(pixels) if ending == ".png" else tf.io.encode_jpeg(pixels)).numpy()


def by_pillow(mode, kind, pixels):
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(stream, kind)
    return stream.getvalue()


def decoded(path, channels=3):
    return tf.io.decode_image(path.read_bytes(), channels=channels).numpy()


@pytest.fixture
def folder(tmp_path):
    """Eleven images of three classes, of which one has no image."""
    root = tmp_path / "images"
    endings = itertools.cycle([".jpg", ".png", ".JPEG"])
    for name, count in {"cat": 4, "ant": 7, "dog": 0}.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i}{next(endings)}").write_bytes(encoded(picture(*SIZE), ".png" if i % 2 else ".jpg"))
    return root


def pairs(batches, epoch=0):
    """The multiset of (image, label) of an epoch."""
    return sorted(
        (image.tobytes(), int(label))
        for images, labels in batches.dataset(first_epoch=epoch)
        for image, label in zip(images.numpy(), labels.numpy(), strict=True)
    )


def listed(batches, epochs=1, first=0):
    return [(x.numpy(), y.numpy()) for x, y in batches.dataset(first_epoch=first, epochs=epochs)]


def equal(batches, others):
    for (x, y), (a, b) in zip(batches, others, strict=True):
        np.testing.assert_array_equal(x, a)
        np.testing.assert_array_equal(y, b)


def every_way(folder, tmp_path, **options):
    """The same batches from memory, from a memory map, and decoded anew."""
    options = {"batch_size": 4, "seed": 3} | options
    return {
        "memory": files.load_images(folder, size=SIZE).batches(**options),
        "map": files.load_images(folder, size=SIZE, budget=0, store=tmp_path / "map").batches(**options),
        "stream": files.StreamBatches(folder, size=SIZE, **options),
    }


def test_scan_lists_the_images_of_the_classes_in_order(folder):
    (folder / "ant" / "notes.txt").write_text("no image")
    (folder / "ant" / ".hidden.png").write_bytes(b"")
    (folder / ".cache").mkdir()
    (folder / "readme.png").write_bytes(b"")
    (folder / "cat" / "deep").mkdir()
    (folder / "cat" / "deep" / "x.png").write_bytes(b"")
    paths, labels, classes = files.scan(folder)
    assert classes == ("ant", "cat", "dog")
    assert [os.path.relpath(path, folder).split(os.sep)[0] for path in paths] == [classes[label] for label in labels]
    assert [path for path in paths if path.endswith("x.png")] == [str(folder / "cat" / "deep" / "x.png")]
    assert len(paths) == 12
    assert list(paths) == sorted(paths)
    assert labels.dtype == "int32"


def test_a_folder_without_images_is_refused(tmp_path):
    rule = r"`folder` must be a folder with one folder of \.jpg, \.jpeg, \.png files for each class\. Received: "
    for make, received in [
        (lambda: None, "none'"),
        (lambda: (tmp_path / "none").mkdir(), "none, which has no folders in it'"),
        (lambda: (tmp_path / "none" / "cat").mkdir(), "none, whose folders hold no such file'"),
    ]:
        make()
        with pytest.raises(InputError, match=rule + f".*{received}"):
            files.scan(tmp_path / "none")


CASES = {
    "rgb.jpg": encoded(picture(31, 20), ".jpg"),
    "grey.jpg": encoded(picture(31, 20, 1), ".jpg"),
    "cmyk.jpg": by_pillow("CMYK", "JPEG", picture(31, 20)),
    "rgb.png": encoded(picture(31, 20), ".png"),
    "grey.png": encoded(picture(31, 20, 1), ".png"),
    "grey_alpha.png": encoded(picture(31, 20, 2), ".png"),
    "rgba.png": encoded(picture(31, 20, 4), ".png"),
    "palette.png": by_pillow("P", "PNG", picture(31, 20)),
    "deep.png": encoded(picture(31, 20, 3, "uint16"), ".png"),
    "deep_grey.png": encoded(picture(31, 20, 1, "uint16"), ".png"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("channels", [3, 1])
def test_every_kind_of_file_comes_out_as_bytes(tmp_path, name, channels):
    path = tmp_path / name
    path.write_bytes(CASES[name])
    found = files.read_image(str(path), size=(31, 20), channels=channels)
    assert (found.shape, found.dtype) == ((31, 20, channels), "uint8")
    if (name, channels) != ("cmyk.jpg", 1):  # which decode_image refuses
        np.testing.assert_array_equal(found, decoded(path, channels))
    if not name.startswith("deep"):  # Pillow clips 16 bits of grey
        oracle = np.asarray(PIL.Image.open(path).convert("RGB" if channels == 3 else "L")).reshape(found.shape)
        assert np.abs(found.astype(int) - oracle).max() <= 5  # TensorFlow's cosine transform is the fast one


@pytest.mark.parametrize("size", [(17, 50), (5, 3), (62, 40)])
def test_resizing_is_that_of_pillow(tmp_path, size):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(RNG.integers(0, 256, (31, 20, 3), "uint8"), ".png"))
    found = files.read_image(str(path), size=size)
    oracle = PIL.Image.open(path).resize(size[::-1], PIL.Image.Resampling.BILINEAR)
    assert np.abs(found.astype(int) - np.asarray(oracle)).max() <= 1
    expected = tf.image.resize(decoded(path), size, antialias=True)
    assert np.abs(found - expected.numpy()).max() < 0.5001  # rounded


@pytest.mark.parametrize("ending", [".jpg", ".png"])
@pytest.mark.parametrize("draws", [(0.0, 0.0, 0.0), (0.4, 0.3, 0.8), (0.999, 0.999, 0.999)])
def test_a_crop_is_the_window_of_the_whole_image(tmp_path, ending, draws):
    path = tmp_path / f"a{ending}"
    path.write_bytes(encoded(picture(60, 40), ending))
    top, left, height, width = map(int, files.window(60, 40, SIZE, draws))
    assert 0 <= top <= 60 - height
    assert 0 <= left <= 40 - width
    assert height / width == pytest.approx(13 / 9, rel=0.05)
    share = files.LEAST_AREA + (1 - files.LEAST_AREA) * draws[0]
    assert height * width == pytest.approx(share * 40 * 40 * 13 / 9, rel=0.05)  # of the greatest window, 40 wide
    cut = decoded(path)[top : top + height, left : left + width]
    expected = np.rint(tf.image.resize(cut, SIZE, antialias=True).numpy())
    apart = np.abs(files.read_image(str(path), size=SIZE, draws=draws) - expected)
    # without the pixels beyond the edge of the window the colour of its last column is a little another; moved by one
    # pixel, the mean would be above 1
    assert apart.max() <= (3 if ending == ".jpg" else 1)
    assert apart.mean() < 0.1


def test_images_keep_their_labels(folder):
    images = files.load_images(folder, size=SIZE)
    assert (images.x.shape, images.x.dtype, images.y.dtype) == ((11, *FORM), "uint8", "int32")
    assert images.classes == ("ant", "cat", "dog")
    assert images.skipped == {}
    for path, image, label in zip(images.paths, images.x, images.y, strict=True):
        np.testing.assert_array_equal(image, tf.io.decode_image(tf.io.read_file(path), channels=3))
        assert f"{os.sep}{images.classes[label]}{os.sep}" in path


def test_more_images_than_a_slab_keep_their_order(folder, monkeypatch):
    whole = files.load_images(folder, size=SIZE).x
    monkeypatch.setattr(files, "SLAB", 4)
    np.testing.assert_array_equal(files.load_images(folder, size=SIZE).x, whole)
    np.testing.assert_array_equal(files.load_images(folder, size=SIZE, budget=0, store=folder.parent / "map").x, whole)


def test_memory_map_and_stream_give_the_same_batches(folder, tmp_path):
    ways = every_way(folder, tmp_path)
    assert [type(way) for way in ways.values()] == [Batches, files.MappedBatches, files.StreamBatches]
    memory = listed(ways["memory"], epochs=2)
    assert [len(y) for _, y in memory] == [4, 4, 3] * 2
    for way in ways.values():
        equal(listed(way, epochs=2), memory)
        assert way.dataset().cardinality() == len(way) == 3
    x, _ = memory[0]
    assert (x.dtype, x.shape) == ("float32", (4, *FORM))
    assert 0.5 < x.max() <= 1


@pytest.mark.parametrize("way", ["memory", "map", "stream"])
def test_an_epoch_holds_each_example_once_in_an_order_of_seed_and_epoch(folder, tmp_path, way):
    images = files.load_images(folder, size=SIZE)
    scaled = (images.x.astype("float32") * np.float32(1 / 255), images.y)
    expected = sorted((image.tobytes(), int(label)) for image, label in zip(*scaled, strict=True))
    batches = every_way(folder, tmp_path)[way]
    assert pairs(batches) == pairs(batches, 7) == expected
    again, other = every_way(folder, tmp_path)[way], every_way(folder, tmp_path, seed=4)[way]
    listed(again, first=9)  # whatever was asked before
    equal(listed(batches, first=2), listed(again, first=2))
    orders = {tuple(each.order(epoch).numpy()) for each, epoch in [(batches, 0), (batches, 1), (other, 0), (other, 1)]}
    assert len(orders) == 4
    assert (every_way(folder, tmp_path, shuffle=False)[way].order(5).numpy() == np.arange(11)).all()


def test_augmentation_draws_the_same_in_memory_map_and_stream(folder, tmp_path):
    memory, *others = every_way(folder, tmp_path, augment=CropAndFlip(3)).values()
    for other in others:
        equal(listed(other, epochs=2), listed(memory, epochs=2))


@pytest.mark.parametrize("crop", ["fit", "random"])
def test_a_loop_takes_the_batches_of_the_dataset(folder, crop):
    batches = files.StreamBatches(folder, size=(7, 8), batch_size=4, crop=crop)
    take = tf.function(batches.take)
    rows = batches.order(2)
    loop = [take(rows[4 * i : 4 * i + 4], batches.step_seed(2, i)) for i in range(3)]
    equal([(x.numpy(), y.numpy()) for x, y in loop], listed(batches, first=2))


def test_a_random_crop_changes_with_epoch_step_and_place_and_with_nothing_else(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(picture(60, 40), ".jpg"))
    source = [path] * 6, [0] * 6, ["all"]

    def make(**options):
        return files.StreamBatches(source, size=SIZE, batch_size=3, crop="random", **options)

    crops = listed(make(), epochs=2)
    assert len({image.tobytes() for x, _ in crops for image in x}) == 12
    equal(listed(make(), epochs=2), crops)
    equal(listed(make(), first=1), crops[2:])
    assert not np.array_equal(listed(make(seed=1))[0][0], crops[0][0])


def test_a_crop_does_not_tell_what_the_augmentation_draws(folder):
    plain, mirrored = (
        listed(files.StreamBatches(folder, size=SIZE, batch_size=11, crop="random", augment=augment))[0][0]
        for augment in (None, CropAndFlip(0))
    )
    flipped = [np.array_equal(a[:, ::-1], b) for a, b in zip(plain, mirrored, strict=True)]
    assert [np.array_equal(a, b) for a, b in zip(plain, mirrored, strict=True)] == [not flip for flip in flipped]
    assert 0 < sum(flipped) < 11


BROKEN = {
    "empty.jpg": (b"", "an empty file"),
    "text.png": (b"<html>not found</html>", "neither JPEG nor PNG by its first bytes"),
    "cut.jpg": (CASES["rgb.jpg"][:-40], "JPEG data that is cut off or damaged"),
    "head.jpg": (CASES["rgb.jpg"][:5], "JPEG data that is cut off or damaged"),
    "cut.png": (CASES["rgb.png"][:-20], "PNG data that is cut off or damaged"),
    "rot.png": (CASES["rgb.png"][:60] + b"rot!" + CASES["rgb.png"][64:], "PNG data that is cut off or damaged"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("where", ["memory", "store", "stream"])
def test_a_broken_image_is_refused_by_its_name_or_left_out(folder, tmp_path, name, where):
    data, reason = BROKEN[name]
    sound = files.load_images(folder, size=SIZE)
    path = folder / "ant" / f"3{name}"  # in the middle of its class
    path.write_bytes(data)
    sentence = f'`{path}` must be a whole JPEG or PNG image, or be left out by broken="skip". Received: {reason!r}.'

    def make(broken):
        if where == "stream":
            return files.StreamBatches(folder, size=SIZE, batch_size=4, broken=broken)
        options = {"budget": 0, "store": tmp_path / "map"} if where == "store" else {}
        return files.load_images(folder, size=SIZE, broken=broken, **options)

    error = tf.errors.InvalidArgumentError if where == "stream" else InputError
    with pytest.raises(error, match=re.escape(sentence)):
        list(made.dataset()) if isinstance(made := make("refuse"), Batches) else None
    kept = make("skip")
    assert kept.skipped == {str(path): reason}
    assert list(kept.paths) == list(sound.paths)
    batches = kept if where == "stream" else kept.batches(batch_size=4)
    assert len(batches) == 3
    assert pairs(batches) == pairs(sound.batches(batch_size=4))
    assert list(tmp_path.glob("*.part")) == []


def test_a_file_that_is_gone_is_broken(folder):
    paths, labels, classes = files.scan(folder)
    paths = [*paths[:-1], str(folder / "gone.png")]
    images = files.load_images((paths, labels, classes), size=SIZE, broken="skip")
    assert images.skipped == {paths[-1]: "a file that cannot be read: No such file or directory"}
    np.testing.assert_array_equal(images.y, labels[:-1])


def test_a_store_of_skipped_images_is_refused_where_nothing_is_to_be_skipped(folder, tmp_path):
    (folder / "cat" / "z.png").write_bytes(b"")
    for _ in range(2):
        found = files.load_images(folder, size=SIZE, broken="skip", store=tmp_path / "map")
        assert found.skipped == {str(folder / "cat" / "z.png"): "an empty file"}
    with pytest.raises(InputError, match=r"z\.png` must be a whole JPEG or PNG image"):
        files.load_images(folder, size=SIZE, store=tmp_path / "map")


def test_nothing_but_broken_images_is_refused(tmp_path):
    source = [tmp_path / "a.png"], [0], ["x"]
    for make in (files.load_images, lambda *a, **k: files.load_images(*a, store=tmp_path / "map", **k)):
        with pytest.raises(InputError, match=r"`source` must be images of which one at least can be decoded\."):
            make(source, size=SIZE, broken="skip")
    with pytest.raises(InputError, match="`source` must be images of which one at least can be decoded"):
        files.StreamBatches(source, size=SIZE, broken="skip", batch_size=2)
    assert list(tmp_path.iterdir()) == []


def test_images_beyond_the_budget_are_refused_or_mapped(folder, tmp_path):
    needed = 11 * BYTES
    assert isinstance(files.load_images(folder, size=SIZE, budget=needed).x, np.ndarray)
    with pytest.raises(InputError) as error:
        files.load_images(folder, size=SIZE, budget=needed - 1)
    assert str(error.value) == (
        f"`budget` must be at least the {needed} bytes of 11 images of 13 × 9 × 3; a smaller `size`, a `store` on a "
        "disk, or StreamBatches, which decodes them anew each epoch, would do with less. "
        f"Received: {needed - 1}."
    )
    mapped, inside = (
        files.load_images(folder, size=SIZE, budget=budget, store=tmp_path / "map").x for budget in (needed - 1, needed)
    )
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    assert type(inside) is np.ndarray
    np.testing.assert_array_equal(mapped, inside)


def test_the_budget_is_a_share_of_the_free_memory(folder, monkeypatch):
    monkeypatch.setattr(files, "free_memory", lambda: 4 * 11 * BYTES)
    files.load_images(folder, size=SIZE)
    monkeypatch.setattr(files, "free_memory", lambda: 4 * 11 * BYTES - 4)
    with pytest.raises(InputError, match="`budget` must be at least"):
        files.load_images(folder, size=SIZE)


def test_free_memory_is_less_than_all():
    everything = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 2**20 < files.free_memory() <= everything


def test_a_disk_without_room_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=rf"`store` must be on a disk with {11 * BYTES} bytes free for 11 images; .*"):
        files.load_images(folder, size=SIZE, store=tmp_path / "map")
    assert not (tmp_path / "map").exists()


def counted(monkeypatch):
    """The paths that are decoded from now on."""
    seen, decoded = [], files._decoded
    monkeypatch.setattr(files, "_decoded", lambda paths, *rest: seen.extend(paths) or decoded(paths, *rest))
    return seen


def test_a_store_is_decoded_once_until_the_folder_or_the_form_changes(folder, tmp_path, monkeypatch):
    seen = counted(monkeypatch)
    first, *_ = files.scan(folder).paths

    def load(**options):
        seen.clear()
        found = files.load_images(folder, store=tmp_path / "deep" / "map", **({"size": SIZE, "budget": 0} | options))
        return found, len(seen)

    assert load()[1] == 11
    before, again = load()
    assert again == 0
    state = os.stat(first)
    changed = picture(*SIZE)
    with open(first, "wb") as file:
        file.write(encoded(changed, ".png"))
    os.utime(first, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    after, again = load()
    assert again == 11
    np.testing.assert_array_equal(after.x[0], changed)
    np.testing.assert_array_equal(after.x[1:], before.x[1:])
    os.remove(first)
    assert [load()[1], load()[1]] == [10, 0]
    os.rename(folder / "cat", folder / "bee")
    assert load()[1] == 10
    assert load(channels=1)[0].x.shape == (10, *SIZE, 1)
    assert load(size=(6, 5))[0].x.shape == (10, 6, 5, 3)
    assert [load(size=(6, 5))[1], load()[1]] == [0, 10]


def test_a_store_that_is_interrupted_is_not_taken_for_whole(folder, tmp_path, monkeypatch):
    store, slabs = tmp_path / "map", files._slabs
    monkeypatch.setattr(files, "SLAB", 3)
    whole = files.load_images(folder, size=SIZE, store=store).x
    (folder / "ant" / "new.png").write_bytes(encoded(picture(*SIZE), ".png"))
    old = store.read_bytes()

    def interrupted(*args):
        yield from itertools.islice(slabs(*args), 2)
        assert len(list(tmp_path.glob("map*"))) == 2, "the new one beside the old one"
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_slabs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.load_images(folder, size=SIZE, store=store)
    assert store.read_bytes() == old, "what was whole stays"
    assert list(tmp_path.glob("map*")) == [store]
    monkeypatch.setattr(files, "_slabs", slabs)
    (tmp_path / "map.killed.part").write_bytes(old[:1000])  # what a process that is killed leaves behind
    images = files.load_images(folder, size=SIZE, store=store)
    assert len(images.x) == 12
    np.testing.assert_array_equal(images.x[[not path.endswith("new.png") for path in images.paths]], whole)


@pytest.mark.parametrize("cut", [1, 200])
def test_a_file_that_is_no_store_is_never_replaced(folder, tmp_path, cut):
    store = tmp_path / "map"
    store.write_bytes(b"somebody's thesis")
    with pytest.raises(InputError, match="`store` must be a path where nothing is yet, or a file that was written"):
        files.load_images(folder, size=SIZE, store=store)
    assert store.read_bytes() == b"somebody's thesis"
    store.unlink()
    files.load_images(folder, size=SIZE, store=store)
    store.write_bytes(store.read_bytes()[:-cut])
    with pytest.raises(InputError, match="`store` must be a path where nothing is yet"):
        files.load_images(folder, size=SIZE, store=store)


@pytest.mark.parametrize(("way", "as_dataset"), [("map", False), ("stream", False), ("stream", True)])
def test_a_network_trains_on_them(folder, tmp_path, way, as_dataset):
    model = keras.Sequential([keras.Input(FORM), keras.layers.Flatten(), keras.layers.Dense(3)])
    batches = every_way(folder, tmp_path)[way]
    fed = batches.dataset() if as_dataset else batches
    adam = keras.optimizers.Adam(0.01)
    history = training.fit(model, training.classification, fed, epochs=1, optimizer=adam, progress=False)
    assert history.steps == 3
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("source", "options", "sentence"),
    [
        ((["a"], [0], ["x"]), {"size": (0, 5)}, r"`size` must be \(height, width\), whole numbers of at least 1\."),
        ((["a"], [0], ["x"]), {"size": 64}, r"`size` must be \(height, width\), whole numbers of at least 1\."),
        ((["a"], [0], ["x"]), {"channels": 4}, r"`channels` must be 3 for colour or 1 for grey\. Received: 4\."),
        ((["a"], [0], ["x"]), {"broken": "mend"}, r'`broken` must be "refuse" or "skip"\. Received: \'mend\'\.'),
        ((["a"], [0], ["x"]), {"crop": "left"}, r'`crop` must be "fit" or "random"\. Received: \'left\'\.'),
        ((["a"], [0, 1], ["x"]), {}, r"`labels` must be of shape \(1,\) as `paths`\. Received: 'shape \(2,\)'\."),
        ((["a"], [1], ["x"]), {}, r"`labels` must be whole numbers from 0 to 0, one for each class\. Received: \[1\]"),
        ((["a"], [0.5], ["x"]), {}, "`labels` must be whole numbers from 0 to 0"),
        (([], [], ["x"]), {}, r"`paths` must be at least one\. Received: 0\."),
        (3, {}, r"`source` must be a folder or \(paths, labels, classes\)\. Received: 3\."),
    ],
)
def test_what_cannot_be_meant_is_refused(source, options, sentence):
    options = {"size": SIZE} | options
    with pytest.raises(InputError, match=sentence):
        files.StreamBatches(source, batch_size=2, **options)
    if "crop" not in options:
        with pytest.raises(InputError, match=sentence):
            files.load_images(source, **options)


def test_a_map_of_other_things_than_images_is_refused():
    with pytest.raises(InputError, match="`images` must be uint8"):
        files.MappedBatches(np.zeros((3, 2)), np.zeros(3), batch_size=2)
    with pytest.raises(InputError, match="`labels` must be as long as `images`, 3"):
        files.MappedBatches(np.zeros((3, *FORM), "uint8"), np.zeros(2), batch_size=2)
