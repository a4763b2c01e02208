"""Images in folders, one folder a class: decoded once into memory or a memory map, or anew each epoch.

`files.load_images(folder, size=(96, 96)).batches(batch_size=128)` decodes once; `files.StreamBatches(folder, ...)` is
for what fits nowhere, or for random crops out of the whole photograph. Both are `Batches`: one order for each seed and
epoch, each image once an epoch.

Pixels are the bytes of `tf.io.decode_image`: three channels whatever the file holds (grey, RGB, palette, CMYK, 16 bits
cut to 8), or one. An alpha channel is dropped and the orientation of EXIF is not applied.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from keras_course.base import InputError, require
from keras_course.data.augment import scaled
from keras_course.data.pipeline import Augment, Batches

import numpy as np
import tensorflow as tf

ENDINGS = (".jpg", ".jpeg", ".png")
LEAST_AREA = 0.25  # of the greatest window that fits the image, the least that a random crop takes
SHARE = 1 / 4  # of the free memory: `tf.constant` was measured to hold two copies for a moment, beside the array itself
SLAB = 256  # images that are decoded before they are written
VERSION = 1  # of how pixels are made: another one decodes every store again
MAGIC = b"kc-image"  # the last bytes of a store

Size = tuple[int, int]
Draws = Sequence[float] | np.ndarray


class Listing(NamedTuple):
    """Files with their labels: `classes[labels[i]]` is the class of `paths[i]`."""

    paths: Sequence[str]
    labels: np.ndarray  # int32 (n,)
    classes: Sequence[str]


Source = str | os.PathLike | Listing | tuple[Sequence[str], Sequence[int], Sequence[str]]


def scan(folder: str | os.PathLike) -> Listing:
    """The JPEG and PNG files in the folders of `folder`, however deep, by their endings, in the order of their names.

    The classes are the names of the folders, sorted. What begins with a dot is passed over.
    Raises InputError for a folder that is not there, has no folders of classes, or holds no image.
    """
    root = Path(folder)
    rule = f"a folder with one folder of {', '.join(ENDINGS)} files for each class"
    require(root.is_dir(), "folder", rule, str(folder))
    homes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    require(homes, "folder", rule, f"{folder}, which has no folders in it")
    found = [(str(path), label) for label, home in enumerate(homes) for path in _images(home)]
    require(found, "folder", rule, f"{folder}, whose folders hold no such file")
    paths, labels = zip(*found, strict=True)
    return Listing(paths, np.array(labels, "int32"), tuple(home.name for home in homes))


def _images(home: Path) -> list[Path]:
    found = (path for path in home.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(home).parts))


def _listed(source: Source) -> Listing:
    if isinstance(source, str | os.PathLike):
        return scan(source)
    require(isinstance(source, tuple) and len(source) == 3, "source", "a folder or (paths, labels, classes)", source)
    paths, labels, classes = [str(path) for path in source[0]], np.asarray(source[1]), tuple(source[2])
    require(paths, "paths", "at least one", 0)
    require(labels.shape == (len(paths),), "labels", f"of shape ({len(paths)},) as `paths`", f"shape {labels.shape}")
    known = labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < len(classes)
    require(known, "labels", f"whole numbers from 0 to {len(classes) - 1}, one for each class", labels[:5].tolist())
    return Listing(paths, labels.astype("int32"), classes)


def _form(size: Size, channels: int) -> tuple[int, int, int]:
    """The shape of one image."""
    whole = isinstance(size, Sequence) and len(size) == 2 and all(isinstance(n, int | np.integer) for n in size)
    require(whole and min(size) >= 1, "size", "(height, width), whole numbers of at least 1", size)
    require(channels in (1, 3), "channels", "3 for colour or 1 for grey", channels)
    return int(size[0]), int(size[1]), channels


JPEG, PNG = b"\xff\xd8\xff", b"\x89PN"  # the first bytes


class BrokenImageError(ValueError):
    """An image that cannot be decoded, and why."""


def read_image(path: str, *, size: Size, channels: int = 3, draws: Draws | None = None) -> np.ndarray:
    """The image of a JPEG or PNG file: uint8 (height, width, channels).

    Without `draws` it is the whole image, stretched to `size` by a triangle filter as wide as the pixels it joins; an
    image of that size is left as it is. With three `draws` in [0, 1) it is the window they choose, of the shape of
    `size`: the share of the area, from `LEAST_AREA` to 1, then top and left. Of a JPEG only the window is decoded,
    which may change the colour of its last row and column by a level or two.

    Raises BrokenImageError for a file that is missing, empty, cut off or neither JPEG nor PNG. Damage inside the data
    of a JPEG that keeps its structure goes unseen, as in every decoder: the format has no checksum.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BrokenImageError(f"a file that cannot be read: {error.strerror}") from None
    if not data:
        raise BrokenImageError("an empty file")
    kind = {JPEG: "JPEG", PNG: "PNG"}.get(data[:3])
    if kind is None:
        raise BrokenImageError("neither JPEG nor PNG by its first bytes")
    try:
        return _pixels(tf.constant(data), size, channels, draws).numpy()
    except tf.errors.OpError:
        raise BrokenImageError(f"{kind} data that is cut off or damaged") from None


def _pixels(data: tf.Tensor, size: Size, channels: int, draws: Draws | tf.Tensor | None) -> tf.Tensor:
    """The image of the bytes of a file, as `read_image` gives it; works in a graph."""
    decoders = [lambda: _jpeg(data, size, channels, draws), lambda: _png(data, size, channels, draws)]
    return _resized(tf.cond(tf.strings.substr(data, 0, 3) == JPEG, *decoders), size, channels)


def _jpeg(data: tf.Tensor, size: Size, channels: int, draws: Draws | tf.Tensor | None) -> tf.Tensor:
    if draws is None and channels == 3:
        return tf.io.decode_jpeg(data, channels=3)
    height, width, inside = tf.unstack(tf.io.extract_jpeg_shape(data))

    def decoded(channels: int) -> tf.Tensor:
        if draws is None:
            return tf.io.decode_jpeg(data, channels=channels)
        return tf.io.decode_and_crop_jpeg(data, window(height, width, size, draws), channels=channels)

    if channels == 3:
        return decoded(3)
    return tf.cond(inside == 4, lambda: tf.image.rgb_to_grayscale(decoded(3)), lambda: decoded(1))  # 4: CMYK


def _png(data: tf.Tensor, size: Size, channels: int, draws: Draws | tf.Tensor | None) -> tf.Tensor:
    pixels = tf.io.decode_png(data, channels=channels)
    if draws is None:
        return pixels
    height, width, _ = tf.unstack(tf.shape(pixels))
    top, left, rows, columns = tf.unstack(window(height, width, size, draws))
    return pixels[top : top + rows, left : left + columns]


def window(height: int | tf.Tensor, width: int | tf.Tensor, size: Size, draws: Draws | tf.Tensor) -> tf.Tensor:
    """Top, left, height and width of the window that three draws in [0, 1) choose in an image: int32 (4,)."""
    whole = tf.cast(tf.stack([height, width]), tf.float32)
    draws = tf.cast(draws, tf.float32)
    scale = tf.reduce_min(whole / size) * tf.sqrt(LEAST_AREA + (1 - LEAST_AREA) * draws[0])
    extent = tf.clip_by_value(tf.round(scale * size), 1, whole)
    corner = tf.minimum(tf.floor(draws[1:] * (whole - extent + 1)), whole - extent)  # float32 may round up
    return tf.cast(tf.concat([corner, extent], 0), tf.int32)


def _resized(pixels: tf.Tensor, size: Size, channels: int) -> tf.Tensor:
    """What tf.image.resize(antialias=True) gives, rounded, in less of its time: uint8 (*size, channels)."""
    found = tf.shape(pixels)[:2]
    scale = tf.constant(size, tf.float32) / tf.cast(found, tf.float32)

    def wider() -> tf.Tensor:  # nothing to join: the filter is the linear one
        return tf.raw_ops.ResizeBilinear(images=pixels[None], size=size, half_pixel_centers=True)[0]

    def joined() -> tf.Tensor:
        options = {"translation": (0.0, 0.0), "kernel_type": "triangle", "antialias": True}
        return tf.raw_ops.ScaleAndTranslate(images=pixels[None], size=size, scale=scale, **options)[0]

    def changed() -> tf.Tensor:
        return tf.cast(tf.round(tf.cond(tf.reduce_min(scale) >= 1, wider, joined)), tf.uint8)

    return tf.ensure_shape(tf.cond(tf.reduce_all(found == size), lambda: pixels, changed), (*size, channels))


def _decoded(paths: Sequence[str], rows: tf.data.Dataset, form: tuple[int, int, int], random: bool) -> tf.data.Dataset:
    """(row, image) for each (row, draws) of `rows`, in their order, on all cores; without those that are broken."""
    names = tf.constant(paths)

    def read(row: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return row, _pixels(tf.io.read_file(names[row]), form[:2], form[2], draws if random else None)

    return rows.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).ignore_errors()


def _reason(path: str, form: tuple[int, int, int], draws: Draws | None = None) -> str:
    """Why `_decoded` left a file out."""
    try:
        read_image(path, size=form[:2], channels=form[2], draws=draws)
    except BrokenImageError as error:
        return str(error)
    return "a file that changed while it was read"


def _refused(path: str, reason: str) -> InputError:
    rule = 'a whole JPEG or PNG image, or be left out by broken="skip"'
    return InputError(f"`{path}` must be {rule}. Received: {reason!r}.")


Skipped = dict[int, str]  # row in the listing -> why


def _slabs(paths: Sequence[str], form: tuple[int, int, int], broken: str, skipped: Skipped) -> Iterator[np.ndarray]:
    """The images that can be decoded, in order, uint8 (up to SLAB, *form); the others go to `skipped`."""
    count = len(paths)
    every = tf.data.Dataset.from_tensor_slices((np.arange(count, dtype="int32"), np.zeros((count, 3), "float32")))
    last = -1

    def lost(rows: Sequence[int]) -> None:
        for row in rows:
            skipped[row] = _reason(paths[row], form)
            if broken == "refuse":
                raise _refused(paths[row], skipped[row])

    for found, images in _decoded(paths, every, form, False).batch(SLAB).prefetch(1).as_numpy_iterator():
        lost(sorted({*range(last + 1, found[-1])}.difference(found.tolist())))
        last = int(found[-1])
        yield images
    lost(range(last + 1, count))


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images decoded once.

    x: uint8 (n, height, width, channels), in memory or a memory map. y: int32 (n,), from 0 to len(classes) - 1.
    paths: n files. skipped: path -> why it was left out.
    """

    x: np.ndarray
    y: np.ndarray
    classes: Sequence[str]
    paths: Sequence[str]
    skipped: dict[str, str]

    def batches(
        self, *, batch_size: int, shuffle: bool = True, seed: int = 0, augment: Augment | None = None
    ) -> Batches:
        """Batches (float32 in [0, 1] (b, height, width, channels), int32 (b,)); see `Batches` and `MappedBatches`."""
        kind = MappedBatches if isinstance(self.x, np.memmap) else Batches
        return kind(self.x, self.y, batch_size=batch_size, shuffle=shuffle, seed=seed, augment=augment)


def load_images(
    source: Source,
    *,
    size: Size,
    channels: int = 3,
    broken: str = "refuse",
    budget: int | None = None,
    store: str | os.PathLike | None = None,
) -> Images:
    """Decodes each image once, to bytes of `size`.

    source: a folder for `scan`, or (paths, labels, classes) as it gives them.
    broken: "refuse", or "skip" to leave broken images out and list them in `skipped`.
    budget: bytes that the images may take in memory; None: a quarter of what is free, which leaves room for the
        copies of `Batches`. A container with a limit of its own needs the number.
    store: a file to keep the decoded images in. The next call takes them from there unless a file of `source` was
        added, removed or changed, or `size` or `channels` is another. Within the budget they are read into memory,
        beyond it they are a memory map. It is written under another name and renamed when it is whole.

    Raises InputError for what `scan` refuses, a broken image, or images that fit neither the budget nor the disk.
    """
    listing, form = _listed(source), _form(size, channels)
    require(broken in ("refuse", "skip"), "broken", '"refuse" or "skip"', broken)
    budget = int(free_memory() * SHARE) if budget is None else budget
    skipped: Skipped = {}
    if store is None:
        pixels = _in_memory(listing.paths, form, broken, budget, skipped)
    else:
        pixels = _in_store(Path(store), listing.paths, form, broken, budget, skipped)
    kept = [row for row in range(len(listing.paths)) if row not in skipped]
    return Images(
        x=pixels,
        y=listing.labels[kept],
        classes=listing.classes,
        paths=[listing.paths[row] for row in kept],
        skipped={listing.paths[row]: reason for row, reason in skipped.items()},
    )


def _some(count: int, skipped: Skipped) -> None:
    require(count, "source", "images of which one at least can be decoded", f"{len(skipped)} broken ones")


def _in_memory(
    paths: Sequence[str], form: tuple[int, int, int], broken: str, budget: int, skipped: Skipped
) -> np.ndarray:
    needed = len(paths) * math.prod(form)
    require(
        needed <= budget,
        "budget",
        f"at least the {needed} bytes of {len(paths)} images of {' × '.join(map(str, form))}; a smaller `size`, a "
        "`store` on a disk, or StreamBatches, which decodes them anew each epoch, would do with less",
        budget,
    )
    pixels, count = np.empty((len(paths), *form), "uint8"), 0
    for slab in _slabs(paths, form, broken, skipped):
        pixels[count : count + len(slab)] = slab
        count += len(slab)
    _some(count, skipped)
    return pixels[:count]


def free_memory() -> int:
    """Bytes of memory that may be taken without swapping, or half of all memory where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


# A store is one file, so that it is whole or not there: the pixels, then JSON, its length in 8 bytes, and MAGIC.


def _in_store(
    store: Path, paths: Sequence[str], form: tuple[int, int, int], broken: str, budget: int, skipped: Skipped
) -> np.ndarray:
    about = {"version": VERSION, "form": list(form), "digest": _digest(paths)}
    found = _read_about(store)
    if {name: found.get(name) for name in about} == about:
        skipped |= {int(row): reason for row, reason in found["skipped"].items()}
        if skipped and broken == "refuse":
            row = min(skipped)
            raise _refused(paths[row], skipped[row])
    else:
        _write(store, about, paths, broken, skipped)
    shape = (len(paths) - len(skipped), *form)
    if math.prod(shape) <= budget:
        return np.fromfile(store, "uint8", math.prod(shape)).reshape(shape)
    return np.memmap(store, "uint8", "r", shape=shape)


def _digest(paths: Sequence[str]) -> str:
    """Changes with the list of the files, their sizes and their times of change."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            state = os.stat(path)
            seen = [os.path.abspath(path), state.st_size, state.st_mtime_ns]
        except OSError:
            seen = [os.path.abspath(path)]
        digest.update(json.dumps(seen).encode())
    return digest.hexdigest()


def _read_about(store: Path) -> dict[str, Any]:
    """What a store says of itself; nothing when there is none. Never to be taken for one: a file of another kind."""
    if not store.exists():
        return {}
    about: dict[str, Any] | None = None
    if store.is_file() and store.stat().st_size > 16:
        with store.open("rb") as file:
            file.seek(-16, os.SEEK_END)
            length, magic = int.from_bytes(file.read(8), "little"), file.read()
            if magic == MAGIC:
                file.seek(-16 - length, os.SEEK_END)
                about = json.loads(file.read(length))
    rule = "a path where nothing is yet, or a file that was written as a store, since it is replaced"
    require(about is not None, "store", rule, str(store))
    return about or {}


def _write(store: Path, about: dict[str, Any], paths: Sequence[str], broken: str, skipped: Skipped) -> None:
    """Decodes into a file beside `store`, which takes its place when it is whole."""
    store.parent.mkdir(parents=True, exist_ok=True)
    needed, free = len(paths) * math.prod(about["form"]), shutil.disk_usage(store.parent).free
    rule = (
        f"on a disk with {needed} bytes free for {len(paths)} images; a smaller `size` or StreamBatches, which needs "
    )
    require(needed < free, "store", f"{rule}none, would do", f"{store}, where {free} are free")
    with tempfile.NamedTemporaryFile(dir=store.parent, prefix=f"{store.name}.", suffix=".part", delete=False) as file:
        try:
            for slab in _slabs(paths, tuple(about["form"]), broken, skipped):
                file.write(slab.data)
            _some(len(paths) - len(skipped), skipped)
            text = json.dumps(about | {"skipped": skipped}).encode()
            file.write(text + len(text).to_bytes(8, "little") + MAGIC)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, store)
        except BaseException:
            os.unlink(file.name)
            raise


class _Fetched(Batches):
    """Batches whose pixels a function of Python fetches, and `augment` prepares batch by batch."""

    def __init__(
        self,
        labels: np.ndarray,
        form: tuple[int, int, int],
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        augment: Augment | None = None,
    ) -> None:
        super().__init__(np.arange(len(labels)), labels, batch_size=batch_size, shuffle=shuffle, seed=seed)
        self.augment, self.form = augment, form
        with tf.init_scope():
            self._labels = tf.constant(labels)
            self._example: Any = augment.prepare(np.zeros((1, *form), "uint8")) if augment else None

    def _fetch(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """The images of `rows` (b,): uint8 (b, *form); `draws` (b, 3) in [0, 1)."""
        raise NotImplementedError

    def _draws(self, rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draws of a crop for each of `rows`, apart from those of the augmentation: float32 (b, 3) in [0, 1)."""
        return tf.random.stateless_uniform((tf.size(rows), 3), tf.random.fold_in(seed, 1))

    def take(self, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The batch of `rows`, int32 (b,), augmented by draws from `seed`, int32 (2,). In a graph, but not in XLA."""
        pixels = tf.numpy_function(self._fetch, [rows, self._draws(rows, seed)], tf.uint8)
        return self._finished(pixels, rows, seed)

    def _finished(self, pixels: tf.Tensor, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Augmented or only scaled, with the labels of `rows`."""
        pixels, labels = tf.ensure_shape(pixels, (rows.shape[0], *self.form)), tf.gather(self._labels, rows)
        if not self.augment:
            return scaled(pixels), labels
        prepare = self.augment.prepare
        stored = tf.numpy_function(lambda images: prepare(images).numpy(), [pixels], self._example.dtype)
        stored = tf.ensure_shape(stored, (rows.shape[0], *self._example.shape[1:]))
        return self.augment(stored, tf.range(tf.size(rows)), seed), labels


class MappedBatches(_Fetched):
    """`Batches` of images in a memory map, which is never copied whole; each batch is read where it lies.

    images: uint8 (n, height, width, channels). labels: (n,). All else as in `Batches`, batch for batch the same.
    XLA compiles no function of Python: `training.fit(..., xla=False)` for a dense network.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, **options: Any) -> None:
        received = f"{images.dtype} {images.shape}"
        require(images.ndim == 4 and images.dtype == "uint8", "images", "uint8 (n, height, width, channels)", received)
        require(len(images) == len(labels), "labels", f"as long as `images`, {len(images)}", len(labels))
        self._images = np.asarray(images)  # a view: indexing a memmap is slower
        height, width, channels = images.shape[1:]
        super().__init__(labels, (height, width, channels), **options)

    def _fetch(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        return self._images[rows]


class StreamBatches(_Fetched):
    """`Batches` (float32 in [0, 1] (b, height, width, channels), int32 (b,)) decoded anew in each epoch.

    source, size, channels: as in `load_images`.
    crop: "fit" stretches the whole image to `size`; "random" cuts a window of its shape out, another in each epoch,
        of which JPEG decodes nothing else. See `read_image`.
    broken: "refuse" fails where the batch is made, with the path: tf.errors.InvalidArgumentError, as tf.data has it.
        "skip" decodes everything once beforehand; `skipped` says what was left out: path -> why.
    batch_size, shuffle, seed, augment: as in `Batches`; XLA: as in `MappedBatches`.

    `dataset()` decodes on all cores, and ahead while a step runs. `take`, and so the loop of
    `training.fit(model, objective, batches)`, decodes one image after the other, and the step waits for it.
    """

    def __init__(
        self,
        source: Source,
        *,
        size: Size,
        channels: int = 3,
        crop: str = "fit",
        broken: str = "refuse",
        **options: Any,
    ) -> None:
        listing, form = _listed(source), _form(size, channels)
        require(crop in ("fit", "random"), "crop", '"fit" or "random"', crop)
        require(broken in ("refuse", "skip"), "broken", '"refuse" or "skip"', broken)
        skipped: Skipped = {}
        if broken == "skip":
            for _ in _slabs(listing.paths, form, broken, skipped):
                pass
        kept = [row for row in range(len(listing.paths)) if row not in skipped]
        _some(len(kept), skipped)
        self.paths, self.classes = [listing.paths[row] for row in kept], listing.classes
        self.skipped = {listing.paths[row]: reason for row, reason in skipped.items()}
        self.random = crop == "random"
        super().__init__(listing.labels[kept], form, **options)

    def _fetch(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        # In threads of Python, small images were measured to take twice the CPU seconds and no less time.
        return np.stack([self._read(row, each) for row, each in zip(rows, draws, strict=True)])

    def _read(self, row: int, draws: np.ndarray) -> np.ndarray:
        path, (height, width, channels) = self.paths[row], self.form
        try:
            return read_image(path, size=(height, width), channels=channels, draws=draws if self.random else None)
        except BrokenImageError as error:
            raise _refused(path, str(error)) from None

    def dataset(self, *, first_epoch: int = 0, epochs: int = 1, threads: int | None = 0) -> tf.data.Dataset:
        """As `Batches.dataset`; threads: of the whole pipeline, 0 leaves them to tf.data."""
        return super().dataset(first_epoch=first_epoch, epochs=epochs, threads=threads or 0)

    def _epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        batches = tf.data.Dataset.from_tensor_slices(self.order(epoch)).batch(self.batch_size)

        def drawn(step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return rows, self._draws(rows, self.step_seed(epoch, step))

        found = _decoded(self.paths, batches.enumerate().map(drawn).unbatch(), self.form, self.random)
        # What is broken is missing, so that one row is not the one expected: of the last, this end stands there.
        end = tf.data.Dataset.from_tensors((tf.constant(-1), tf.zeros(self.form, tf.uint8)))
        images = found.concatenate(end).take(self.n).batch(self.batch_size)

        def batch(step: tf.Tensor, rows: tf.Tensor, found: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, ...]:
            seed = self.step_seed(epoch, step)
            same = tf.cond(tf.size(rows) == tf.size(found[0]), lambda: tf.reduce_all(rows == found[0]), lambda: False)
            pixels = tf.cond(same, lambda: found[1], lambda: self._named(rows, found[0], self._draws(rows, seed)))
            return self._finished(pixels, rows, seed)

        return tf.data.Dataset.zip(tf.data.Dataset.range(len(self)), batches, images).map(batch)

    def _named(self, rows: tf.Tensor, found: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Fails with the path of the first of `rows` that is not among `found`."""

        def fail(rows: np.ndarray, found: np.ndarray, draws: np.ndarray) -> np.ndarray:
            place = next(i for i, row in enumerate(rows) if i >= len(found) or found[i] != row)
            path = self.paths[rows[place]]
            raise _refused(path, _reason(path, self.form, draws[place] if self.random else None))

        return tf.numpy_function(fail, [rows, found, draws], tf.uint8)
