"""Processes that read images, and how torch's sentences about them become errors that a person can act on."""

import multiprocessing
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clf_cli.errors import RunError
from clf_cli.signals import leave_to_parent

AHEAD = 2  # batches that torch has each worker prepare
SHARED = Path("/dev/shm")  # Linux's shared memory, through which batches come
IN_MAIN = "--workers 0 reads in the main process"

_TORCH_SAYS = ("DataLoader worker", "DataLoader timed out", "Pin memory thread", "shared memory", "torch_shm")
_SHOWN = 8  # paths


def start_worker(number: int) -> None:
    """What each of torch's workers does first: signals are the main process's business, with which it dies."""
    parent = multiprocessing.parent_process()
    forked = multiprocessing.get_start_method() == "fork"
    leave_to_parent(parent.pid if parent is not None and forked else None)


def is_about_workers(error: BaseException) -> bool:
    """Whether it says that a worker died, hangs or has no shared memory. Torch raises it anywhere in the main thread:
    it is told by a signal."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _TORCH_SAYS)


class WorkerError(RunError):
    """A process that reads images died, hangs or has no shared memory."""


@contextmanager
def told_workers(silent: Callable[[], WorkerError] | None = None) -> Iterator[None]:
    """In this block what torch says of a worker is a WorkerError (exit 6) with the flags to lower; `silent` makes the
    one of a worker that does not answer."""
    try:
        yield
    except RuntimeError as error:
        if not is_about_workers(error):
            raise
        if "timed out" in str(error) and silent is not None:
            raise silent() from error
        raise WorkerError(*_said(str(error))) from error


def silent_worker(iterator: object, seconds: float, paths: Sequence[str]) -> WorkerError:
    """The error of a batch that does not come: the process that reads its images is stopped or waits for a file.

    Kills the workers of torch's `iterator`, which would ask them to end and wait for ever for one that is stopped.
    """
    for worker in getattr(iterator, "_workers", ()):
        worker.kill()
    shown = ", ".join(paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")
    return WorkerError(
        f"A process that reads images has not answered for {seconds:g} s. Images of its batch: {shown}.",
        f"See whether their storage answers. --worker-timeout waits longer; {IN_MAIN}.",
    )


def shared_free(folder: Path = SHARED) -> int | None:
    """Bytes of shared memory that are free; None where they are not limited by a folder."""
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def _said(text: str) -> tuple[str, str]:
    if "Bus error" in text or "shared memory" in text or "torch_shm" in text:
        free = shared_free()
        left = "" if free is None else f" ({free / 1e6:.1f} MB of {SHARED} are free)"
        return (
            f"The processes that read images ran out of shared memory{left}.",
            f"{IN_MAIN}; fewer workers and smaller batches need less; docker run --shm-size 2g gives more.",
        )
    killed = re.search(r"killed by signal: (\w[\w ]*)", text)
    ended = re.search(r"with exit code (-?\d+)", text)
    if killed is not None:
        name = killed[1].strip()
        memory = ", as the system does when memory runs out" if name == "Killed" else ""
        why = f"was ended by a signal ({name}){memory}"
    else:
        why = "ended unexpectedly" + ("" if ended is None else f" (exit code {ended[1]})")
    return f"A process that reads images {why}.", f"{IN_MAIN}; fewer --workers need less memory."
