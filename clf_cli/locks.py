"""Locks of files and folders, which end with the process that has them."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def try_lock(descriptor: int) -> bool | None:
    """Whether this process has the lock of an open file or folder, which ends with it; None where there is none."""
    if sys.platform == "win32":
        return None
    import fcntl  # POSIX only

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_locked(path: Path) -> bool | None:
    """Whether a process that lives has a file or folder locked; None where that cannot be known."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # removed meanwhile, or on Windows a folder
        return None
    try:
        taken = try_lock(descriptor)
    finally:
        os.close(descriptor)
    return None if taken is None else not taken


@contextlib.contextmanager
def lock_of(folder: Path) -> Iterator[bool]:
    """Whether the lock of a folder could be had; it is given back at the end, or when this process dies."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # removed meanwhile, or on Windows
        yield False
        return
    try:
        yield try_lock(descriptor) is True
    finally:
        os.close(descriptor)
