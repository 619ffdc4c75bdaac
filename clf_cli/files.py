"""Files that are whole or absent: temp file in the same folder, fsync, replace, fsync of the folder."""

import contextlib
import glob
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from clf_cli.errors import RunError

_INNERMOST = re.compile(r"""\[\n(?:[^\[\]{}"]++|"(?:[^"\\]|\\.)*+")*+\]""")  # brackets in strings are text
_LONG = 100  # items of a list that people hardly read
TEMP_SUFFIX = ".clf-tmp"


def write_atomic(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Calls `write` with an open binary file that takes `path`'s place only once it is whole and on the disk.

    A reader sees the old file or the new one, never a part. Raises RunError (exit 6) naming the path when the
    folder cannot be written or the disk is full; the old file is then untouched. A stream is written into.
    """
    if is_stream(path):
        _write_stream(path, write)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMP_SUFFIX, dir=path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        Path(name).unlink(missing_ok=True)


def is_stream(path: Path) -> bool:
    """Whether it is a device, a pipe or an open file such as /dev/stdout, which no file may take the place of."""
    try:
        folder = path.parent.resolve()
        if path.is_symlink() and (folder == Path("/dev") or folder.is_relative_to("/proc")):
            return path.exists()
        return path.exists() and not path.is_file() and not path.is_dir()
    except OSError:  # a folder that may not be looked into; writing says so
        return False


def _write_stream(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)  # a pipe that none reads is an error
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
    except OSError as error:
        raise unwritable(path, error) from error


def write_text(path: Path, text: str) -> None:
    """UTF-8 with `\\n` line ends on every platform; what UTF-8 cannot hold, as some file names, becomes `\\udcff`."""
    write_atomic(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))


def write_json(path: Path, value: Any) -> None:
    """Strict JSON: a NaN that was not turned into null is a bug and raises ValueError."""
    write_text(path, json_text(value) + "\n")


def json_text(value: Any) -> str:
    """Indented JSON with every innermost list on one line: a 1,000-class matrix would else have a million lines.

    Line breaks inside strings are escaped, so only those of the layout are joined. Raises ValueError for a NaN.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    return _INNERMOST.sub(lambda found: f"[{_on_one_line(found[0][1:-1])}]", text)


def _on_one_line(layout: str) -> str:
    """Long lists without blanks, which would be a third of a large matrix."""
    items = layout.strip("\n ").split("\n")
    return (" " if len(items) <= _LONG else "").join(item.strip(" ") for item in items)


def unwritable(path: Path, error: BaseException) -> RunError:
    """The error for a path that could not be written, in the words of the operating system."""
    reason = error.strerror if isinstance(error, OSError) else None
    reason = reason or next(iter(str(error).splitlines()), type(error).__name__)
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        in_the_way = next((folder for folder in (path, *path.parents) if folder.is_file()), path)
        what = "it" if in_the_way == path else in_the_way
        hint = "Move that file, or name another folder with --out."
        return RunError(f"Cannot write {path}: {what} is a file, not a folder.", hint)
    return RunError(f"Cannot write {path}: {reason}.", "Free some space or name another folder with --out.")


def sweep_leftovers(folder: Path) -> int:
    """Removes the temporary files that killed writers left under `folder`, and returns how many there were."""
    leftovers = list(folder.rglob(f".*{TEMP_SUFFIX}"))
    for leftover in leftovers:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
    return len(leftovers)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`, in which files are made that take their places together; removed at the end.

    What killed processes left of earlier ones for this path goes too (not on Windows): each holds a lock while it
    lives. Raises RunError (exit 6) naming `path` when it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{TEMP_SUFFIX}/"):
            with _lock_of(leftover) as is_free:
                if is_free:
                    shutil.rmtree(leftover, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=TEMP_SUFFIX, dir=path.parent))
    except OSError as error:
        raise unwritable(path, error) from error
    with _lock_of(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _lock_of(folder: Path) -> Iterator[bool]:
    """Whether the lock of a folder could be had; it is given back at the end, or when this process dies."""
    if sys.platform == "win32":  # cannot open a folder
        yield False
        return
    import fcntl  # POSIX only

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # removed meanwhile
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = True
        except OSError:  # another's, or a file system without locks
            is_free = False
        yield is_free
    finally:
        os.close(descriptor)


def move_into_place(source: Path, target: Path) -> None:
    """Lets a whole file or folder on the same file system take `target`'s place; an old file is never missing.

    An old folder is away for the moment between two renames, and back if the second fails. Raises RunError (exit 6)
    naming `target`.
    """
    try:
        if not source.is_dir():
            with source.open("rb+") as file:
                os.fsync(file.fileno())
        elif target.is_dir():
            _swap_folders(source, target)
            return
        source.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise unwritable(target, error) from error


def _swap_folders(source: Path, target: Path) -> None:
    with temporary_folder(target) as old:
        target.replace(old / target.name)
        try:
            source.replace(target)
        except OSError:
            (old / target.name).replace(target)
            raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
