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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
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


class BrokenImageError(ValueError):
    """An image that cannot be decoded, and why."""


def decode(path: str, *, size: Size, channels: int = 3, draws: Draws | None = None) -> np.ndarray:
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
    kind = {b"\xff\xd8\xff": "JPEG", b"\x89PN": "PNG"}.get(data[:3])
    if kind is None:
        raise BrokenImageError("neither JPEG nor PNG by its first bytes")
    try:
        pixels = (_jpeg if kind == "JPEG" else _png)(data, size, channels, draws)
    except (tf.errors.OpError, ValueError):
        raise BrokenImageError(f"{kind} data that is cut off or damaged") from None
    return _resized(pixels, size)


def _jpeg(data: bytes, size: Size, channels: int, draws: Draws | None) -> np.ndarray:
    height, width, inside = tf.io.extract_jpeg_shape(data).numpy()
    read = 3 if inside == 4 else channels  # libjpeg makes no grey of CMYK
    if draws is None:
        pixels = tf.io.decode_jpeg(data, channels=read)
    else:
        pixels = tf.image.decode_and_crop_jpeg(data, window(height, width, size, draws), channels=read)
    return (tf.image.rgb_to_grayscale(pixels) if read > channels else pixels).numpy()


def _png(data: bytes, size: Size, channels: int, draws: Draws | None) -> np.ndarray:
    pixels = tf.io.decode_png(data, channels=channels).numpy()
    if draws is None:
        return pixels
    top, left, height, width = window(pixels.shape[0], pixels.shape[1], size, draws)
    return pixels[top : top + height, left : left + width]


def window(height: int, width: int, size: Size, draws: Draws) -> tuple[int, int, int, int]:
    """Top, left, height and width of the window that three draws in [0, 1) choose in an image; see `decode`."""
    scale = min(height / size[0], width / size[1]) * math.sqrt(LEAST_AREA + (1 - LEAST_AREA) * draws[0])
    rows, columns = (max(1, round(side * scale)) for side in size)
    return int(draws[1] * (height - rows + 1)), int(draws[2] * (width - columns + 1)), rows, columns


def _resized(pixels: np.ndarray, size: Size) -> np.ndarray:
    """What tf.image.resize(antialias=True) gives, to a level, in less of its time."""
    height, width, _ = pixels.shape
    if (height, width) == size:
        return pixels
    images, scale = pixels[None], (size[0] / height, size[1] / width)
    if min(scale) >= 1:  # nothing to join: the filter is the linear one
        found = tf.raw_ops.ResizeBilinear(images=images, size=size, half_pixel_centers=True)
    else:
        found = tf.raw_ops.ScaleAndTranslate(
            images=images, size=size, scale=scale, translation=(0.0, 0.0), kernel_type="triangle", antialias=True
        )
    return np.rint(found[0].numpy()).astype("uint8")


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that decode; TensorFlow's kernels let go of the lock of Python."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")


def _attempt(path: str, size: Size, channels: int) -> np.ndarray | str:
    """The image, or the reason why there is none."""
    try:
        return decode(path, size=size, channels=channels)
    except BrokenImageError as error:
        return str(error)


def _refused(path: str, reason: str) -> InputError:
    rule = 'a whole JPEG or PNG image, or be left out by broken="skip"'
    return InputError(f"`{path}` must be {rule}. Received: {reason!r}.")


Skipped = dict[int, str]  # row in the listing -> why


def _slabs(paths: Sequence[str], form: tuple[int, int, int], broken: str, skipped: Skipped) -> Iterator[np.ndarray]:
    """The images that can be decoded, in order, uint8 (up to SLAB, *form); the others go to `skipped`."""
    attempt = partial(_attempt, size=form[:2], channels=form[2])
    for start in range(0, len(paths), SLAB):
        found = list(_pool().map(attempt, paths[start : start + SLAB]))
        lost = {start + i: reason for i, reason in enumerate(found) if isinstance(reason, str)}
        for row, reason in lost.items():
            if broken == "refuse":
                raise _refused(paths[row], reason)
        skipped |= lost
        good = [image for image in found if not isinstance(image, str)]
        if good:
            yield np.stack(good)


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


class _Unchanged:
    """An augmentation that changes nothing. `Batches` draws a seed for each step only where there is one."""

    def prepare(self, images: np.ndarray) -> tf.Tensor:
        return tf.constant(images)

    def __call__(self, stored: tf.Tensor, rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return scaled(stored)


class _Fetched(Batches):
    """Batches whose pixels a function of Python fetches, row by row, and `augment` prepares batch by batch."""

    def __init__(
        self,
        labels: np.ndarray,
        form: tuple[int, ...],
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        augment: Augment | None = None,
    ) -> None:
        super().__init__(np.arange(len(labels)), labels, batch_size=batch_size, shuffle=shuffle, seed=seed)
        self.augment = augment
        with tf.init_scope():
            self._labels = tf.constant(labels)
            example = self._prepared(np.zeros((1, *form), "uint8"))
        self._dtype, self._form = example.dtype, example.shape[1:]

    def _fetch(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """The images of `rows` (b,): uint8 (b, *form); `draws` (b, 3) in [0, 1)."""
        raise NotImplementedError

    def _prepared(self, images: np.ndarray) -> np.ndarray:
        return self.augment.prepare(images).numpy() if self.augment else images

    def take(self, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The batch of `rows`, int32 (b,), augmented by draws from `seed`, int32 (2,). In a graph, but not in XLA."""
        # draws of their own, or a crop would tell what the augmentation draws
        draws = tf.random.stateless_uniform((tf.size(rows), 3), tf.random.fold_in(seed, 1))
        fetched = tf.numpy_function(lambda *args: self._prepared(self._fetch(*args)), [rows, draws], self._dtype)
        fetched.set_shape((rows.shape[0], *self._form))
        images = self.augment(fetched, tf.range(tf.size(rows)), seed) if self.augment else scaled(fetched)
        return images, tf.gather(self._labels, rows)


class MappedBatches(_Fetched):
    """`Batches` of images in a memory map, which is never copied whole; each batch is read where it lies.

    images: uint8 (n, height, width, channels). labels: (n,). All else as in `Batches`, batch for batch the same.
    XLA compiles no function of Python: `training.fit(..., xla=False)` for a dense network.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, **options: Any) -> None:
        require(
            images.ndim == 4 and images.dtype == "uint8", "images", "uint8 (n, height, width, channels)", images.shape
        )
        require(len(images) == len(labels), "labels", f"as long as `images`, {len(images)}", len(labels))
        self._images = np.asarray(images)  # a view: indexing a memmap is slower
        super().__init__(labels, images.shape[1:], **options)

    def _fetch(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        return self._images[rows]


class StreamBatches(_Fetched):
    """`Batches` (float32 in [0, 1] (b, height, width, channels), int32 (b,)) decoded anew in each epoch.

    source, size, channels: as in `load_images`.
    crop: "fit" stretches the whole image to `size`; "random" cuts a window of its shape out, another in each epoch,
        of which JPEG decodes nothing else. See `decode`.
    broken: "refuse" fails where the batch is made, with the path: tf.errors.InvalidArgumentError, as tf.data has it.
        "skip" decodes everything once beforehand; `skipped` says what was left out: path -> why.
    batch_size, shuffle, seed, augment: as in `Batches`; XLA: as in `MappedBatches`.

    `dataset()` decodes ahead while a step runs. In the loop of `training.fit(model, objective, batches)` decoding is
    parallel too, but the step waits for it.
    """

    def __init__(
        self,
        source: Source,
        *,
        size: Size,
        channels: int = 3,
        crop: str = "fit",
        broken: str = "refuse",
        augment: Augment | None = None,
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
        self._size, self._channels, self._random = form[:2], channels, crop == "random"
        augment = augment or (_Unchanged() if self._random else None)
        super().__init__(listing.labels[kept], form, augment=augment, **options)

    def _fetch(self, rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
        return np.stack(list(_pool().map(self._decoded, rows, draws)))

    def _decoded(self, row: int, draws: np.ndarray) -> np.ndarray:
        path = self.paths[row]
        try:
            return decode(path, size=self._size, channels=self._channels, draws=draws if self._random else None)
        except BrokenImageError as error:
            raise _refused(path, str(error)) from None
