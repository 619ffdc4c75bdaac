"""Decoded images between epochs: in memory that worker processes share, in a file that later runs find, or nowhere.

A store never changes pixels: what it does not hold, or holds wrong, is read again.
"""

import hashlib
import json
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from clf_cli.data.cache import CACHE_VARIABLE, cache_dir
from clf_cli.errors import RunError

Pixels = npt.NDArray[np.uint8]
Kept = Literal["ram", "disk", "none"]
Place = Literal["ram", "disk", "gpu", "none"]


class Keeping(NamedTuple):
    """Where pictures are kept, whether processes that are forked from this one share them, and how many threads read
    at once those that are not kept yet."""

    where: Kept = "ram"
    shared: bool = False
    readers: int = 1


MOST_ON_DISK = 50 * 10**9  # bytes of all files together; those that were not used for longest go first
_LEFT_FREE = 2 * 10**9  # bytes of the disk that a new file does not take
_FORMAT = "clf canvases 2"
_HEAD = 4096  # bytes before the checksums


class PixelStore:
    """Pictures of known sizes by number, (h, w, 3) uint8.

    Each is held with its CRC, which is looked at when a process first takes what it did not put there itself: another
    process may be writing just then, and a file may be broken. Writing the same picture twice at once does no harm.
    """

    def __init__(self, sizes: npt.NDArray[np.int64], keeping: Keeping, key: Iterable[str] = ()) -> None:
        """For pictures of `sizes` (N, 2: width, height); `key` names their file (`stored_in`), where they go to one."""
        self._sizes = np.asarray(sizes, dtype=np.int64).reshape(-1, 2)
        self._starts = np.concatenate([[0], np.cumsum(self._sizes.prod(axis=1) * 3)])
        self.kept: Kept = keeping.where if len(self._sizes) else "none"
        self._shared = keeping.shared
        self._key = tuple(key)
        self._file: Path | None = None
        self._opened = False

    @property
    def held(self) -> int:
        """Bytes of memory, once every picture was read; pages of a file are the system's to keep or to drop."""
        return int(self._starts[-1]) if self.kept == "ram" else 0

    @property
    def size(self) -> int:
        """Bytes of all pictures, in memory or a file; 0 where none are kept."""
        return 0 if self.kept == "none" else int(self._starts[-1])

    def __len__(self) -> int:
        """How many pictures are held."""
        return int(np.count_nonzero(self._sums)) if self._opened and self.kept != "none" else 0

    def get(self, number: int) -> Pixels | None:
        """A picture, or None where it is not held; it must not be changed."""
        self.open()
        if self.kept == "none" or not self._sums[number]:
            return None
        pixels = self._pixels(number)
        if not self._trusted[number]:
            if _checksum(pixels) != self._sums[number]:
                return None
            self._trusted[number] = True
        return pixels

    def put(self, number: int, pixels: Pixels) -> None:
        """Keeps a picture, if anything is kept."""
        self.open()
        if self.kept == "none":
            return
        self._pixels(number)[:] = pixels
        self._trusted[number] = True
        self._sums[number] = _checksum(pixels) if self._checks else 1

    def _pixels(self, number: int) -> Pixels:
        width, height = self._sizes[number]
        return self._buffer[self._starts[number] : self._starts[number + 1]].reshape(height, width, 3)

    def open(self) -> None:
        """Takes the memory or the file, once; before processes that share it are forked. Raises RunError (exit 6)
        where a file has no room."""
        if self._opened or self.kept == "none":
            return
        self._opened = True
        count, total = len(self._sizes), int(self._starts[-1])
        self._trusted = np.zeros(count, np.bool_)
        if self.kept == "disk":
            self._file = stored_in(self._sizes, self._key)
        raw: Any
        start = 0
        if self._file is None and not self._shared:
            raw = np.zeros(4 * count + total, np.uint8)
        elif self._file is None:
            raw = mmap.mmap(-1, 4 * count + total)
        else:
            with self._file.open("r+b") as file:
                raw, start = mmap.mmap(file.fileno(), 0), _HEAD
        self._sums = np.frombuffer(raw, np.uint32, count, start)
        self._buffer = np.frombuffer(raw, np.uint8, total, start + 4 * count)
        self._checks = self._file is not None or self._shared

    def __getstate__(self) -> dict[str, Any]:
        """A process that is not forked opens the file itself, or has its own memory."""
        own = ("_sizes", "_starts", "_key", "kept")
        return {name: self.__dict__[name] for name in own} | {"_shared": False, "_file": None, "_opened": False}


def stored_in(sizes: npt.NDArray[np.int64], key: Iterable[str], folder: Path | None = None) -> Path:
    """The file of `PixelStore` for pictures that `key` names whole: what of, how made and with which versions.

    A file that is there is used again, unless it is not what it should be; a new one appears whole or not at all, with
    its space reserved, so that no later write can fail. Raises RunError (exit 6) where there is no room.
    """
    folder = canvas_folder() if folder is None else folder
    text = "\n".join([_FORMAT, *key])
    name = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    file = folder / f"{name}.bin"
    head = json.dumps({"format": _FORMAT, "key": name, "images": len(sizes)}).encode().ljust(_HEAD)
    size = disk_bytes(sizes)
    try:
        if file.is_file() and file.stat().st_size == size:
            with file.open("rb") as opened:
                if opened.read(_HEAD) == head:
                    os.utime(file)
                    return file
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder, size)
        _publish(file, head, size)
    except OSError as error:
        raise RunError(
            f"Images cannot be kept in {folder}: {error.strerror or error}.",
            f"--cache none keeps none; {CACHE_VARIABLE} names another folder.",
        ) from error
    return file


def canvas_folder() -> Path:
    """Where files of pictures lie; it may be deleted at any time."""
    return cache_dir() / "canvases"


def disk_bytes(sizes: npt.NDArray[np.int64]) -> int:
    """Of the file for these pictures."""
    return _HEAD + 4 * len(sizes) + int(np.asarray(sizes).prod(axis=1).sum()) * 3


def disk_room(folder: Path | None = None) -> int:
    """Bytes that a new file may take."""
    folder = canvas_folder() if folder is None else folder
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    if there is None or not os.access(there, os.W_OK):
        return 0
    others = sum(file.stat().st_size for file in folder.glob("*.bin")) if folder.is_dir() else 0
    return max(0, min(MOST_ON_DISK, shutil.disk_usage(there).free + others - _LEFT_FREE))


def _make_room(folder: Path, size: int) -> None:
    """Deletes files, the longest unused first, until the new one fits. Raises OSError where it cannot."""
    files = sorted(folder.glob("*.bin"), key=lambda file: file.stat().st_mtime)
    total = sum(file.stat().st_size for file in files)
    while files and (total + size > MOST_ON_DISK or size + _LEFT_FREE > shutil.disk_usage(folder).free):
        total -= files[0].stat().st_size
        files.pop(0).unlink()
    if size > MOST_ON_DISK or size + _LEFT_FREE > shutil.disk_usage(folder).free:
        free = shutil.disk_usage(folder).free
        raise OSError(f"they take {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free")


def _publish(file: Path, head: bytes, size: int) -> None:
    handle, name = tempfile.mkstemp(prefix=".new-", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(head)
            _reserve(opened.fileno(), size, len(head))
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _reserve(handle: int, size: int, at: int) -> None:
    """Zero bytes that have their place on the disk: writing into a hole of a mapped file may end in a bus error."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    while at < size:
        at += os.write(handle, bytes(min(1 << 20, size - at)))


def _checksum(pixels: Pixels) -> int:
    return zlib.crc32(pixels.reshape(-1).data) or 1
