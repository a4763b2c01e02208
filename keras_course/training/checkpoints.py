"""One file from which a broken-off run goes on: arrays and facts, written whole or not at all, and checked when read.

The file is a line with the SHA-256 of all that follows, then a NumPy archive of the arrays and, as JSON, the facts and
the settings. There is no pickle in it: reading one from a stranger runs nothing.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

from keras_course.base import InputError
from keras_course.settings import differences

import numpy as np

Arrays = dict[str, np.ndarray]
Facts = dict[str, Any]  # as JSON has them


def plain(facts: Facts) -> Facts:
    """As JSON gives them back: tuples become lists, so that old and new can be compared."""
    return json.loads(json.dumps(facts, default=str))


def sealed(arrays: Arrays, facts: Facts) -> bytes:
    """Arrays and facts as the bytes of a checkpoint."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), allow_pickle=False)
    content = buffer.getvalue()
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def opened(data: bytes, path: Path) -> tuple[Arrays, Facts]:
    """The arrays and the facts of a checkpoint's bytes; an InputError when a byte is missing or not as written."""
    seal, _, content = data.partition(b"\n")
    digest = hashlib.sha256(content).hexdigest()
    if seal.decode(errors="replace") != digest:
        raise InputError(
            f"The checkpoint `{path}` is damaged: expected SHA-256 {seal[:64].decode(errors='replace')}, "
            f"found {digest}; delete it to start afresh."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return arrays, json.loads(arrays.pop("facts").tobytes())


def write_through(path: Path, data: bytes) -> None:
    """Writes `data` to the disk itself, not just to the system's cache."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@dataclasses.dataclass
class Checkpoint:
    """Where one stage of a run keeps its state.

    Args:
        path: the file. Its folder is made when it is first written.
        settings: what the run depends on, as JSON can hold it; other settings are refused when it is read.
        every_seconds: the least time between two writings; 0 writes whenever the loop comes back to Python.
    """

    path: Path | str
    _: dataclasses.KW_ONLY
    settings: Facts
    every_seconds: float = 30.0

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self._written = time.monotonic()

    @property
    def due(self) -> bool:
        return time.monotonic() - self._written >= self.every_seconds

    def save(self, arrays: Arrays, facts: Facts) -> None:
        """Replaces the file by a new one; at every moment either the old or the new one is there, whole.

        Raises:
            InputError: the disk is full or the folder cannot be written; the last good checkpoint is left as it was.
        """
        path = Path(self.path)
        temporary = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_through(temporary, sealed(arrays, {"settings": plain(self.settings), "facts": facts}))
            os.replace(temporary, path)
        except OSError as error:
            _remove(temporary)
            raise InputError(f"The checkpoint `{path}` cannot be written: {error.strerror}.") from error
        self._written = time.monotonic()

    def load(self) -> tuple[Arrays, Facts] | None:
        """What was saved last, or None when there is no file.

        Raises:
            InputError: the file is damaged or cannot be read, or is of other settings.
        """
        data = self.read()
        return None if data is None else self.unpacked(data)

    def read(self) -> bytes | None:
        """The bytes of the file, or None when there is none. InputError when it cannot be read."""
        path = Path(self.path)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"The checkpoint `{path}` cannot be read: {error.strerror}.") from error

    def unpacked(self, data: bytes) -> tuple[Arrays, Facts]:
        """What the bytes of a checkpoint hold. InputError when they are damaged, or of other settings."""
        path = Path(self.path)
        arrays, facts = opened(data, path)
        if other := differences(facts["settings"], plain(self.settings)):
            raise InputError(f"The checkpoint `{path}` is of a run with other settings: {other}.")
        return arrays, facts["facts"]


def _remove(temporary: Path) -> None:
    with contextlib.suppress(OSError):  # in a folder that cannot be written there is nothing to remove
        temporary.unlink(missing_ok=True)
