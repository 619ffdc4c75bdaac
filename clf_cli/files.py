"""Files that are whole or absent: temp file in the same folder, fsync, replace, fsync of the folder."""

import contextlib
import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from clf_cli.errors import RunError, UnwritableError
from clf_cli.locks import is_locked, lock_of, try_lock
from clf_cli.signals import deferred

_INNERMOST = re.compile(r"""\[\n(?:[^\[\]{}"]++|"(?:[^"\\]|\\.)*+")*+\]""")  # brackets in strings are text
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_LONG = 100  # items of a list that people hardly read
TEMP_SUFFIX = ".clf-tmp"
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)  # CIFS and some FUSE file systems
_kept: dict[Path, int] = {}  # folders that this process must not make anew, with an open descriptor of each


def write_atomic(path: Path, write: Callable[[IO[bytes]], object], before: Callable[[], object] | None = None) -> None:
    """Calls `write` with an open binary file that takes `path`'s place only once it is whole and on the disk; `before`
    is called just before it does.

    A reader sees the old file or the new one, never a part. Raises UnwritableError (exit 6) naming the path when the
    folder cannot be written or the disk is full; the old file is then untouched. A stream is written into.
    """
    if is_stream(path):
        _write_stream(path, write)
        return
    try:
        _make_folder(path.parent)
        import tempfile  # with shutil 4 ms, which a command that writes nothing does without

        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMP_SUFFIX, dir=path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            try_lock(file.fileno())
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        if before is not None:
            before()
        Path(name).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # it has its place, or the disk takes nothing any more
            Path(name).unlink()


@contextlib.contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Within the block nothing of this module makes `folder` anew: what is written below it once it was deleted, moved
    or replaced by another raises RunError. Not on Windows, which deletes no folder that is in use."""
    if os.name != "posix":
        yield
        return
    _kept[folder] = os.open(folder, os.O_RDONLY)  # while it is open no other folder gets its number
    try:
        yield
    finally:
        os.close(_kept.pop(folder))


def require_kept(path: Path) -> None:
    """Raises RunError (exit 6) when `path` lies in a folder of `keeping` that is no longer at its place."""
    for folder, descriptor in _kept.items():
        if path.is_relative_to(folder) and not _is_at(folder, descriptor):
            raise RunError(
                f"{folder} is gone: it was deleted, moved or replaced while it was in use. Nothing more was written.",
                "What was moved goes on from its new place; what was deleted starts anew.",
            )


def _is_at(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _make_folder(folder: Path) -> None:
    require_kept(folder)
    folder.mkdir(parents=True, exist_ok=True)


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


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """As `write_text`, of a text that is never held whole."""
    write_atomic(path, lambda file: file.writelines(part.encode("utf-8", "backslashreplace") for part in parts))


def write_json(path: Path, value: Any) -> None:
    """Strict JSON: a NaN that was not turned into null is a bug and raises ValueError."""
    write_text(path, json_text(value) + "\n")


def json_text(value: Any) -> str:
    """Indented JSON with every innermost list on one line: a 1,000-class matrix would else have a million lines.

    Line breaks inside strings are escaped, so only those of the layout are joined. Raises ValueError for a NaN.
    """
    text = seen(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))
    return _INNERMOST.sub(lambda found: f"[{_on_one_line(found[0][1:-1])}]", text)


def seen(text: str) -> str:
    """JSON in which characters that steer a terminal, or turn the direction of a line, are escapes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _on_one_line(layout: str) -> str:
    """Long lists without blanks, which would be a third of a large matrix."""
    items = layout.strip("\n ").split("\n")
    return (" " if len(items) <= _LONG else "").join(item.strip(" ") for item in items)


def unwritable(path: Path, error: BaseException) -> UnwritableError:
    """The error for a path that could not be written, in the words of the operating system."""
    reason = error.strerror if isinstance(error, OSError) else None
    reason = reason or next(iter(str(error).splitlines()), type(error).__name__)
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        in_the_way = next((folder for folder in (path, *path.parents) if folder.is_file()), path)
        what = "it" if in_the_way == path else in_the_way
        hint = "Move that file, or name another folder with --out."
        return UnwritableError(f"Cannot write {path}: {what} is a file, not a folder.", hint)
    return UnwritableError(f"Cannot write {path}: {reason}.", "Free some space or name another folder with --out.")


def require_writable(folder: Path) -> None:
    """Makes `folder`, and a file in it that goes again. Raises UnwritableError (exit 6)."""
    import tempfile

    try:
        _make_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error


def is_temporary(path: Path) -> bool:
    """Whether it is, by its name, a file that takes its place when it is whole."""
    return path.name.startswith(".") and path.name.endswith(TEMP_SUFFIX)


def sweep_leftovers(folder: Path) -> int:
    """Removes what killed writers left under `folder`, and returns how many; what is written now is locked."""
    import shutil

    leftovers = [path for path in folder.rglob(f".*{TEMP_SUFFIX}") if is_locked(path) is not True]
    for leftover in leftovers:
        shutil.rmtree(leftover, ignore_errors=True)  # where it is a folder
        if not leftover.is_dir():
            leftover.unlink(missing_ok=True)
    return len(leftovers)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`, in which files are made that take their places together; removed at the end.

    What killed processes left for this path goes too (not on Windows). Raises RunError (exit 6) naming `path`.
    """
    import glob
    import shutil
    import tempfile

    while True:
        try:
            _make_folder(path.parent)
            for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{TEMP_SUFFIX}/"):
                with lock_of(leftover) as is_free:
                    if is_free:
                        shutil.rmtree(leftover, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=TEMP_SUFFIX, dir=path.parent))
        except OSError as error:
            raise unwritable(path, error) from error
        with lock_of(folder) as is_ours:
            if not folder.exists() or (not is_ours and is_locked(folder)):
                continue  # another process swept it in the moment before it had its lock
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


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
        sync_folder(target.parent)
    except OSError as error:
        raise unwritable(target, error) from error


def _swap_folders(source: Path, target: Path) -> None:
    with temporary_folder(target) as old, deferred():  # stopped in between, the old one would go with its folder
        target.replace(old / target.name)
        try:
            source.replace(target)
        except OSError:
            (old / target.name).replace(target)
            raise


def sync_folder(folder: Path) -> None:
    """Lets the names in a folder survive a power failure, where its file system can."""
    if os.name != "posix":  # Windows cannot open a folder
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written but not listed
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
