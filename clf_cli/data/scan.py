"""One look at every file before anything starts: does it decode, how large is it, what does it hold."""

import hashlib
import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, Literal

import PIL

from clf_cli.data.cache import read_scan, write_scan
from clf_cli.data.images import UnreadableImageError, open_with_facts
from clf_cli.data.pixels import Collected, PixelFacts
from clf_cli.data.scan_process import EndedError, Rows, ScanProcess, worthwhile
from clf_cli.values.progress import Progress, silent

MISSING, OUTSIDE = "CLF101", "CLF111"
MAX_BYTES = 1 << 30
LARGE = 1 << 26  # bytes; photos are a tenth of it
CHUNK = 32
SCAN_VERSION = f"6 pillow {PIL.__version__}"  # another Pillow may decode more, or less


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one file showed. Sizes are in pixels, of the upright image; all is empty or 0 where `error` came first."""

    width: int
    height: int
    mode: str  # Pillow's, of the file's own pixels
    format: str
    bytes: int
    content_hash: str  # sha256 of the bytes, hex; "" when they could not be read
    exif_rotated: bool
    error: str | None = None  # why the image cannot be used
    code: str = ""  # the kind of finding that this is (data/codes.py)
    pixels: PixelFacts | None = None  # None where the image cannot be used


_Usable = tuple[int, int, str, str, int, str, bool]  # the first fields of FileFacts
_FACTS_OF = attrgetter(*FileFacts.__slots__)
_PIXELS_OF = attrgetter(*PixelFacts.__slots__)


@dataclass(frozen=True)
class Scan:
    """Facts by path, and what to tell a person about the scan itself."""

    files: dict[str, FileFacts]
    notes: tuple[str, ...] = ()


def scan_threads(workers: int | Literal["auto"]) -> int:
    """Threads that read files: `workers`, or one per core that this process may use."""
    if workers != "auto":
        return max(1, workers)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def scan_files(
    root: Path,
    paths: Iterable[str],
    workers: int = 1,
    cache: Path | None = None,
    progress: Progress = silent,
    remember: bool = True,
) -> Scan:
    """Decodes each of `paths` (relative to the resolved `root`) once, in `workers` threads.

    `cache` holds what earlier scans showed, keyed by path, size and mtime_ns; None reads everything again. Without
    `remember` it is only read. Nothing raises for a bad file: its facts carry the reason.
    """
    found = _Files(root)
    remembered = {} if cache is None else read_scan(cache, root, SCAN_VERSION)
    facts: dict[str, FileFacts] = {}
    keys: dict[str, tuple[int, int]] = {}
    for path in dict.fromkeys(paths):
        checked = found.key(path)
        if isinstance(checked, UnreadableImageError):
            facts[path] = _refused(checked)
            continue
        keys[path] = checked
        known = _recall(remembered.get(path), checked)
        if known is not None:
            facts[path] = known
    unread = [path for path in keys if path not in facts]
    notes: list[str] = []
    facts.update(_read_all(root, {path: keys[path][0] for path in unread}, workers, progress, notes))
    if cache is not None and unread and remember:
        fresh = {path: [*keys[path], *_row(facts[path])] for path in unread if facts[path].content_hash}
        note = write_scan(cache, root, SCAN_VERSION, remembered | fresh)
        notes += [note] if note else []
    return Scan(facts, tuple(notes))


class _Files:
    """Regular files inside `root`; folders are resolved once each."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inside: dict[str, bool] = {}

    def key(self, path: str) -> tuple[int, int] | UnreadableImageError:
        """Size and mtime_ns, or why the file is refused."""
        full = os.path.join(self._root, path)  # noqa: PTH118 - a Path per file costs more than the rest of this loop
        try:
            status = os.lstat(full)
            if not self._holds(os.path.dirname(full)):  # noqa: PTH120 - as above
                return _outside()
            if stat.S_ISLNK(status.st_mode):
                if not Path(full).resolve().is_relative_to(self._root):
                    return _outside()
                status = Path(full).stat()
        except FileNotFoundError:
            return UnreadableImageError("no such file", MISSING)
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links, before Python 3.13
            return UnreadableImageError(_why_not(error))
        return _usable(status)

    def _holds(self, folder: str) -> bool:
        if folder not in self._inside:
            self._inside[folder] = Path(folder).resolve().is_relative_to(self._root)
        return self._inside[folder]


def _why_not(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "a link in a circle" if isinstance(error, RuntimeError) else "not a path that can be opened"


def _outside() -> UnreadableImageError:
    return UnreadableImageError("links out of the data folder", OUTSIDE)


def _usable(status: os.stat_result) -> tuple[int, int] | UnreadableImageError:
    if stat.S_ISDIR(status.st_mode):
        return UnreadableImageError("a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        return UnreadableImageError("not a regular file")
    if status.st_size > MAX_BYTES:
        return UnreadableImageError("more than 1 GiB", "CLF106")
    return status.st_size, status.st_mtime_ns


def _row(facts: FileFacts) -> tuple[Any, ...]:
    """What `_of_row` reads; dataclasses.astuple takes 19 us, this 1."""
    return (*_FACTS_OF(facts)[:-1], facts.pixels and _PIXELS_OF(facts.pixels))


def _of_row(row: Sequence[Any]) -> FileFacts:
    pixels = None if row[-1] is None else PixelFacts(*map(_frozen, row[-1]))
    return FileFacts(*(*row[:-1], pixels))


def _recall(row: list[Any] | None, key: tuple[int, int]) -> FileFacts | None:
    if row is None or tuple(row[:2]) != key:
        return None
    try:
        return _of_row(row[2:])
    except (TypeError, ValueError):
        return None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Readers:
    """What reads chunks of files: threads of this process, and processes where they pay."""

    def __init__(self, sizes: Sequence[int], workers: int) -> None:
        """Of `workers` at once, for files of `sizes` bytes."""
        self.notes: list[str] = []
        self.processes: list[ScanProcess] = []
        with suppress(OSError):  # the threads do it then
            for _ in range(worthwhile(sizes, workers)):
                self.processes.append(ScanProcess())
        self.threads = len(self.processes) + 1 if self.processes else max(1, workers)
        self._free: SimpleQueue[ScanProcess | None] = SimpleQueue()
        for reader in (*self.processes, *[None] * (self.threads - len(self.processes))):
            self._free.put(reader)

    def read(self, paths: list[str]) -> list[FileFacts]:
        """Waits for a reader that is free; what a process that dies has not read is read here."""
        reader = self._free.get()
        try:
            if reader is None:
                return _read_files(paths)
            return [_of_row(row) for row in reader.read(paths)]
        except EndedError as error:
            self.notes.append(f"A process that read images ended early ({error}); its files were read by the others.")
            reader = None
            return _read_files(paths)
        finally:
            self._free.put(reader)

    def end(self) -> None:
        """The processes are gone then."""
        for process in self.processes:
            process.end()


def _read_all(
    root: Path, sizes: Mapping[str, int], workers: int, progress: Progress, notes: list[str]
) -> Iterator[tuple[str, FileFacts]]:
    """Of the paths that have `sizes`, in any order; adds to `notes`."""
    if not sizes:
        return
    paths = list(sizes)
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    readers = _Readers(list(sizes.values()), workers)
    pool = ThreadPoolExecutor(max_workers=readers.threads)
    try:
        with progress("Reading images", len(paths)) as advance:
            futures = {pool.submit(_read_chunk, readers, root, chunk): chunk for chunk in chunks}
            for future in as_completed(futures):
                advance(len(futures[future]))
                yield from zip(futures[future], future.result(), strict=True)
    finally:
        try:
            pool.shutdown(cancel_futures=True)  # Ctrl-C waits for the files in hand only
        finally:
            readers.end()
            notes += readers.notes


def _read_chunk(readers: _Readers, root: Path, paths: list[str]) -> list[FileFacts]:
    return readers.read([os.path.join(root, path) for path in paths])  # noqa: PTH118 - as in _Files


def read_rows(paths: list[str]) -> Rows:
    """What a process of the scan answers."""
    return [_row(facts) for facts in _read_files(paths)]


def _read_files(paths: list[str]) -> list[FileFacts]:
    collected = Collected(len(paths))
    read = [_read(path, collected) for path in paths]
    pixels = iter(collected.facts())
    return [each if isinstance(each, FileFacts) else FileFacts(*each, pixels=next(pixels)) for each in read]


def _read(path: str, collected: Collected) -> FileFacts | _Usable:
    """Why it cannot be used, or all but the facts of the pixels, which `collected` then gives."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as in _Files
            size = os.fstat(file.fileno()).st_size
            if size > LARGE:  # threads that hold such files whole would fill the memory
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                with io.BufferedReader(file) as large:
                    return _decoded(large, size, digest, collected)
            data = file.read()
    except OSError as error:
        return _refused(UnreadableImageError(error.strerror or str(error)))
    return _decoded(io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest(), collected)


def _decoded(file: BinaryIO, size: int, digest: str, collected: Collected) -> FileFacts | _Usable:
    try:
        opened = open_with_facts(file)
    except UnreadableImageError as error:
        return replace(_refused(error), bytes=size, content_hash=digest)
    collected.add(opened.image)
    return *opened.image.size, opened.mode, opened.format, size, digest, opened.rotated


def _refused(error: UnreadableImageError) -> FileFacts:
    return FileFacts(0, 0, "", "", 0, "", False, str(error), error.code)
