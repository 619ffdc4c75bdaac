"""One look at every file before anything starts: does it decode, how large is it, what does it hold."""

import hashlib
import io
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

import PIL

from clf_cli.data.cache import read_scan, write_scan
from clf_cli.data.images import UnreadableImageError, open_with_facts
from clf_cli.data.pixels import Collected, PixelFacts
from clf_cli.data.scan_process import EndedError, Rows, ScanProcess, wait_for, worthwhile
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


READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # what became a FIFO would wait
_Usable = tuple[int, int, str, str, int, str, bool]  # the first fields of FileFacts
_FACTS_OF = attrgetter(*FileFacts.__slots__)
_PIXELS_OF = attrgetter(*PixelFacts.__slots__)


@dataclass(frozen=True)
class Scan:
    """Facts by path, and what to tell a person about the scan itself."""

    files: dict[str, FileFacts]
    notes: tuple[str, ...] = ()


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


def _read_all(
    root: Path, sizes: Mapping[str, int], workers: int, progress: Progress, notes: list[str]
) -> Iterator[tuple[str, FileFacts]]:
    """Of the paths that have `sizes`, in any order; adds to `notes`."""
    if not sizes:
        return
    reading = _Reading(root, sizes, workers)
    try:
        with progress("Reading images", len(sizes)) as advance:
            for chunk in reading.chunks():
                yield from chunk.items()
                advance(len(chunk))
    finally:
        reading.end()
        notes += reading.notes


class _Reading:
    """Files that this thread reads, and with it processes where they pay, else threads.

    This thread reads as well because one that only waits for others takes 7 % of a scan of small images from them.
    """

    def __init__(self, root: Path, sizes: Mapping[str, int], workers: int) -> None:
        """`workers` read at once."""
        paths = list(sizes)
        self.notes: list[str] = []
        self._root = root
        self._left = deque(paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK))
        self._done: deque[dict[str, FileFacts]] = deque()
        self._processes: list[ScanProcess] = []
        with suppress(OSError):  # threads do it then
            for _ in range(worthwhile(list(sizes.values()), workers)):
                self._processes.append(ScanProcess())
        others: Sequence[ScanProcess | None] = self._processes or [None] * (workers - 1)
        self._pool = ThreadPoolExecutor(max_workers=len(others) or 1)
        self._others = [self._pool.submit(self._help, process) for process in others]

    def chunks(self) -> Iterator[dict[str, FileFacts]]:
        """What is read, a chunk at a time."""
        for paths in self._taken():
            yield self._read(paths)
            while self._done:
                yield self._done.popleft()
        wait_for(self._others, self._processes)
        yield from self._done

    def end(self) -> None:
        """Waits for the files in hand only; the processes are gone then."""
        self._left.clear()
        for process in self._processes:  # one that is stopped would be waited for
            process.kill()
        self._pool.shutdown()
        for process in self._processes:
            process.end()

    def _taken(self) -> Iterator[list[str]]:
        """Those that are left, each for one of the threads that ask."""
        with suppress(IndexError):
            while True:
                yield self._left.popleft()

    def _help(self, process: ScanProcess | None) -> None:
        """In a thread of its own. What a process has not read when it dies is read here."""
        for paths in self._taken():
            try:
                self._done.append(self._read(paths, process))
            except EndedError as error:
                self.notes.append(f"A process that read images ended early ({error}); others read its files.")
                process = None
                self._done.append(self._read(paths))

    def _read(self, paths: list[str], process: ScanProcess | None = None) -> dict[str, FileFacts]:
        full = [os.path.join(self._root, path) for path in paths]  # noqa: PTH118 - as in _Files
        facts = _read_files(full) if process is None else map(_of_row, process.read(full))
        return dict(zip(paths, facts, strict=True))


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
        file = os.open(path, READ)  # open() costs 3 us more
        try:
            size = os.fstat(file).st_size
            if size > LARGE:  # threads that hold such files whole would fill the memory
                with open(file, "rb", closefd=False) as large:
                    digest = hashlib.file_digest(large, "sha256").hexdigest()
                    large.seek(0)
                    return _decoded(large, size, digest, collected)
            data = os.read(file, size)
            while len(data) < size and (more := os.read(file, size - len(data))):  # some file systems give it in parts
                data += more
        finally:
            os.close(file)
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
