"""Brings the published data sets here through TensorFlow Datasets: from the network, or from files at hand.

A set is built in a folder of its own beside the others and renamed when it is complete, so that a failure, a lost
network or Ctrl-C leaves nothing half-written.
"""

import hashlib
import io
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import build_opener

from keras_course.base import InputError
from keras_course.data import catalogue

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

PATIENCE = 4.0  # seconds in which a download host must answer

Urls = Mapping[str, Any]  # address -> what TensorFlow Datasets registers of the file: filename, size, checksum


def fetch(name: str, *, archives: str | Path | None = None) -> None:
    """Brings `name` in full to the folder of TensorFlow Datasets; a set that is there already is left alone.

    archives: a folder with the published files under their published names; then nothing is downloaded.
    Raises InputError when a file is missing, truncated or damaged, the network is out of reach, or the folder cannot
    be written.
    """
    found = catalogue.find(name, "full")
    if catalogue.is_here(name, "full"):
        return
    if found.files:
        catalogue.require_here(name, "full")  # nothing that could be asked for it: says which file goes where
    archives = None if archives is None else Path(archives).expanduser()
    tfds.disable_progress_bar()
    with _workshop() as workshop, redirect_stdout(io.StringIO()):  # the builders announce themselves there
        builder = tfds.builder(name, data_dir=workshop)
        if archives is None:
            _require_network(name, builder.url_infos)
        else:
            _require_intact(archives, builder.url_infos)
        _prepare(builder, archives)
        if not catalogue.is_here(name, "full"):  # another process may have been quicker
            _move(Path(builder.data_path), catalogue.folder() / builder.data_path.relative_to(workshop))


@contextmanager
def _workshop() -> Iterator[Path]:
    """A folder to build in, on the same disk as the sets, gone afterwards."""
    folder = catalogue.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = TemporaryDirectory(dir=folder, prefix=".fetch-")
    except OSError as error:
        raise InputError(
            f"`TFDS_DATA_DIR` must be a folder that can be written. Received: {folder} ({error.strerror})."
        ) from error
    with temporary as path:
        yield Path(path)


def _prepare(builder: Any, archives: Path | None) -> None:
    import tensorflow as tf  # not sooner: a refusal should not wait for it

    config = tfds.download.DownloadConfig(manual_dir=archives, try_download_gcs=False)
    try:
        builder.download_and_prepare(download_config=config)
    except (OSError, EOFError, tf.errors.OpError, NonMatchingChecksumError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InputError(f"`{builder.name}` could not be prepared ({reason}); nothing of it was kept.") from error


def _move(built: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)  # a version without its description is what a broken copy left
    built.rename(target)


def _require_intact(archives: Path, urls: Urls) -> None:
    """Refuses archives that lack a published file, or hold one whose size or SHA-256 is not the published one."""
    missing = [info.filename for info in urls.values() if not (archives / info.filename).is_file()]
    if missing:
        raise InputError(f"`archives` must hold the published files: {', '.join(missing)} not in {archives}.")
    for address, info in urls.items():
        path = archives / info.filename
        size, found = path.stat().st_size, sha256(path)
        if (size, found) != (info.size, info.checksum):
            raise InputError(
                f"`{path}` is damaged: expected {int(info.size)} bytes with SHA-256 {info.checksum}, "
                f"found {size} bytes with {found}; get it again from {address}."
            )


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_network(name: str, urls: Urls) -> None:
    """Refuses to start when a download host is out of reach: TensorFlow Datasets itself retries for minutes."""
    for host, address in {urlsplit(address).hostname: address for address in urls}.items():
        if reason := unreachable(address):
            files = ", ".join(info.filename for info in urls.values())
            raise InputError(
                f"`{name}` cannot be fetched, since {host} gives {reason}: try again with a network, "
                f"or give --archives a folder that holds {files}."
            )


def unreachable(address: str) -> str:
    """Why `address` cannot be read, within PATIENCE seconds; empty when it can. Proxies of the environment are used."""
    reason = f"no answer in {PATIENCE:g} seconds"

    def ask() -> None:
        nonlocal reason
        try:
            build_opener().open(address).close()
            reason = ""
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__

    thread = Thread(target=ask, daemon=True)  # a timeout would not bound how long a name is looked up
    thread.start()
    thread.join(PATIENCE)
    return reason
