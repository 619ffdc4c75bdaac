"""Tools that may crash, hang or take all memory, each in a process of its own with limits: none takes clf along."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clf_cli.data.library_caches import temporary_place
from clf_cli.engine import onnx_launch
from clf_cli.errors import ClfError, ExportError, RunError, first_line

TOLD = ExportError.exit_code  # a child's way to say that its last line is a clause
_NO_REASON = (" Please feel free to", " [Caused by the value")  # torch's tracer goes on with the whole graph's history
DISK_ENDED = RunError.exit_code  # and that the disk, not its tool, is at fault
_GRACE = 10.0  # seconds after its limit at which a child that nobody waits for any more ends by itself
_TAIL = 2**16  # bytes of stderr that are read for a reason
_NO_MEMORY = (
    "MemoryError",
    "bad_alloc",
    "annot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "failed to map segment",  # of a library that is loaded
)
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@dataclass(frozen=True)
class Limits:
    """Of one child: seconds of wall time, and MB of addresses (not on Windows)."""

    seconds: float
    megabytes: int


def python_module(name: str) -> tuple[str, ...]:
    """The command that runs a module in this Python; what lies in the current folder is not in its way."""
    return (sys.executable, "-P", "-m", name)


def run_child(command: Sequence[str], limits: Limits) -> str | None:
    """Runs a program to its end; returns None, or in a clause why it failed: `it did not finish within 5 s`.

    What it prints reaches nobody; the last line of its stderr is the reason. It has a session of its own and is killed
    with its group at its time limit, or when this call is interrupted; on Linux it dies with its parent, elsewhere soon
    after its limit. Raises RunError (exit 6) where it says that the disk is full.
    """
    with tempfile.TemporaryFile(dir=temporary_place()) as stderr:
        try:
            code = _exit_code(command, limits, stderr)
        except subprocess.TimeoutExpired:
            return f"it did not finish within {limits.seconds:g} s"
        said = _tail(stderr)
    last = said.splitlines()[-1].strip() if said else f"exit code {code}"
    if code == 0:
        return None
    if code == DISK_ENDED:
        raise RunError(f"A file of the export cannot be written: {last}.", "Free some space, or name another folder.")
    if any(words in said for words in _NO_MEMORY):
        return f"it needs more than the {limits.megabytes} MB of memory that it may use"
    if code == TOLD:
        return last
    if code < 0:
        return f"it crashed (signal {-code}, {signal.Signals(-code).name})"
    return f"it failed: {last}"


def write_by_child(command: Sequence[str], file: Path, limits: Limits) -> None:
    """Runs a program that writes `file`. Raises ExportError (exit 5), whose message is a clause, if it does not, and
    RunError (exit 6) where the disk is full."""
    reason = run_child(command, limits)
    if reason is None and not (file.is_file() and file.stat().st_size):
        reason = "it wrote no file"
    if reason is not None:
        raise ExportError(reason)


def child_main(work: Callable[[], object]) -> None:
    """The main of a child: does its work and never returns. It says why it failed, or the exit code is 0.

    Python's own end is left out: there the tools' native code takes itself apart, and what crashes then changes nothing
    of a file that is written.
    """
    try:
        work()
        code = 0
    except Exception as error:  # noqa: BLE001  # whatever it is, it becomes the reason
        code = DISK_ENDED if is_disk_error(error) else TOLD if isinstance(error, ExportError) else 1
        sys.stderr.write(f"\n{reason_of(error)}\n")
    sys.stderr.flush()
    os._exit(code)


def reason_of(error: BaseException) -> str:
    """One line on the innermost cause: the errors around it only say that a pass failed."""
    if isinstance(error, ClfError):
        return error.message
    while error.__cause__ is not None:
        error = error.__cause__
    if is_disk_error(error) and isinstance(error, OSError):
        return str(error.strerror)
    said = first_line(error)
    for begin in _NO_REASON:
        said = said.partition(begin)[0]
    return f"{type(error).__name__}: {said.rstrip()}"


def is_disk_error(error: BaseException | None) -> bool:
    """Whether it, or what it comes from, says that the disk is full or cannot be written."""
    if isinstance(error, OSError) and error.errno in _DISK:
        return True
    return error is not None and is_disk_error(error.__cause__ or error.__context__)


def _exit_code(command: Sequence[str], limits: Limits, stderr: IO[bytes]) -> int:
    """A negative one is a signal. Raises TimeoutExpired; the child is dead whatever happens."""
    child = subprocess.Popen(
        _limited(command, limits),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env=_environment(),
        start_new_session=True,
    )
    try:
        return child.wait(limits.seconds)
    finally:
        if child.returncode is None:
            _kill(child)


def _limited(command: Sequence[str], limits: Limits) -> list[str]:
    """The program behind the one that sets its limits, which must not be done between fork and exec: torch has threads
    that may hold locks."""
    if sys.platform == "win32":
        return list(command)
    numbers = (limits.megabytes, limits.seconds + _GRACE, os.getpid())
    return [sys.executable, "-S", "-P", onnx_launch.__file__, *map(str, numbers), *command]


def _environment() -> dict[str, str]:
    """The modules that this process finds; one math thread and no GPU, whose driver alone takes more addresses."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def _kill(child: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    return file.read().decode(errors="replace").strip()
