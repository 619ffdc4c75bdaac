"""One process at a time trains a run: a lock that ends with its process, however that ends."""

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from clf_cli.errors import ModelError
from clf_cli.files import keeping
from clf_cli.locks import is_locked, try_lock
from clf_cli.reading import read_json
from clf_cli.values.run_dir import RunDir

PATIENCE = 1.0  # seconds; who looks whether a run is locked holds its lock for a moment
MOST = 10_000  # bytes of a lock
_own: set[int] = set()  # descriptors of this process's locks


@contextlib.contextmanager
def locked(run: RunDir, warn: Callable[[str], None]) -> Iterator[None]:
    """Keeps the run for this process until the block or the process ends; its folder is not made anew meanwhile.

    Raises ModelError (exit 4) naming the process that has it. Where the file system has no locks, `warn` is told. A
    folder that cannot be written is left to what writes there: nobody else can train in it either.
    """
    try:
        descriptor = _taken(run, warn)
    except OSError:
        yield
        return
    _own.add(descriptor)
    try:
        with keeping(run.root):
            yield
    finally:
        _own.discard(descriptor)
        with contextlib.suppress(OSError):
            require_mine(run, descriptor)
            if not _is_unended(run):
                run.lock.unlink()
        os.close(descriptor)


def is_training(run: RunDir) -> bool | None:
    """Whether a process has the run now; None where that cannot be known: no lock, a file system without locks, or one
    that another machine wrote, whose locks may not be seen from here."""
    if holder(run).get("host") != platform.node():
        return None
    return is_locked(run.lock)


def holder(run: RunDir) -> dict[str, object]:
    """What the process that has or had the run wrote of itself: `pid`, `host`, `since`. Empty where it is not told."""
    try:
        told = read_json(run.lock, most=MOST)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def require_mine(run: RunDir, descriptor: int) -> None:
    """Raises OSError when the lock at its place is not the one that is open: a new one took it, or the folder went."""
    if not os.path.samestat(run.lock.stat(), os.fstat(descriptor)):
        raise FileNotFoundError(str(run.lock))


def _taken(run: RunDir, warn: Callable[[str], None]) -> int:
    """The descriptor of the lock. Raises OSError where its file cannot be opened, ModelError where another has it."""
    until = time.monotonic() + PATIENCE
    while True:
        descriptor = os.open(run.lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            has = try_lock(descriptor)
            if has is not False:
                require_mine(run, descriptor)  # who had it may have removed it since it was opened
                if has is None and sys.platform != "win32":
                    warn(f"{run.root} lies where files cannot be locked: that no other clf trains it is not checked.")
                _sign(descriptor)
                return descriptor
        except FileNotFoundError:
            os.close(descriptor)
            continue
        os.close(descriptor)
        if time.monotonic() > until:
            raise _in_use(run)
        time.sleep(0.05)


def _is_unended(run: RunDir) -> bool:
    """Whether run.json says "running" also after its process, as of a killed run whose resumption was refused, or of an
    end that a full disk kept from being recorded; or is not there yet. A lock that stays, and that nobody holds, is
    how such a run is known."""
    if not run.run_json.exists():
        return True
    try:
        record = read_json(run.run_json)
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("status") == "running"


def _sign(descriptor: int) -> None:
    told = {"pid": os.getpid(), "host": platform.node(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    with contextlib.suppress(OSError):  # a full disk; the lock holds without it
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(told).encode() + b"\n")  # pwrite is POSIX only


def _in_use(run: RunDir) -> ModelError:
    told = holder(run)
    by = (
        f" by process {told['pid']} on {told['host']} since {told['since']}"
        if {"pid", "host", "since"} <= set(told)
        else ""
    )
    return ModelError(
        f"{run.root} is being trained{by}.",
        "Wait for it or stop it; the lock ends with its process. Reports and exports of a checkpoint are free.",
    )


def _close_inherited() -> None:
    """A data worker that outlives the training would keep its lock."""
    for descriptor in _own:
        os.close(descriptor)
    _own.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)
