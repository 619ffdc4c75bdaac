"""Processes that read images, and how torch's sentences about them become errors that a person can act on."""

import multiprocessing
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self, TypeVar
from weakref import WeakSet

from clf_cli.child_signals import deaf, leave_to_parent
from clf_cli.errors import RunError

AHEAD = 2  # batches that torch has each worker prepare
SHARED = Path("/dev/shm")  # Linux's shared memory, through which batches come
IN_MAIN = "--workers 0 reads in the main process"

T = TypeVar("T")

_loaders: WeakSet[Any] = WeakSet()  # that have workers
_TORCH_SAYS = ("DataLoader worker", "DataLoader timed out", "Pin memory thread", "shared memory", "torch_shm")
_SHOWN = 8  # paths
_BUS = getattr(signal, "SIGBUS", 0) or 1 << 20  # POSIX only; no code of an exit elsewhere


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


def patient(batches: Callable[[], Iterator[T]], loader: Any, paths_of: Callable[[int], Sequence[str]]) -> Iterator[T]:
    """What torch's `loader` hands over, with errors about its workers told as WorkerError (exit 6).

    `paths_of` gives the images of a batch, counted from 0. A batch that has come, but whose memory a stopped worker
    does not hand over, is outside torch's own timeout (2.15): a thread watches it.
    """
    _loaders.add(loader)
    handed = 0
    with _Watch(loader.timeout) as watch:
        read: Iterator[T] | None = None
        while True:
            try:
                watch.since = _deaths.waits_since = time.monotonic()
                for pid in _deaths.told.keys() & _workers().keys():
                    raise _deaths.told.pop(pid)
                if read is None:  # waits for workers of the epoch before
                    read = _begun(batches, loader)
                    _hear_deaths()
                batch = next(read)
                watch.since = _deaths.waits_since = None
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:
                _deaths.waits_since = None
                if watch.expired or "timed out" in str(error):
                    raise silent_worker(loader.timeout, paths_of(handed)) from error
                if isinstance(error, RuntimeError) and not is_about_workers(error):
                    raise
                message, hint = _said(str(error))
                kill_workers()
                raise WorkerError(message, hint) from error
            yield batch
            handed += 1


def _begun(batches: Callable[[], Iterator[T]], loader: Any) -> Iterator[T]:
    """Workers start here. torch and multiprocessing send SIGTERM to those that do not end, which none would hear."""
    with deaf():
        read = batches()
    for worker in loader._iterator._workers:
        worker._popen.terminate = worker._popen.kill
    return read


@dataclass
class _Deaths:
    """What torch's handler of SIGCHLD said of which worker while nobody waited for a batch."""

    told: dict[int, RuntimeError] = field(default_factory=dict)
    waits_since: float | None = None


_deaths = _Deaths()


def _hear_deaths() -> None:
    """Lets torch's handler raise where a batch is waited for, and nowhere else: in the middle of writing a checkpoint
    its RuntimeError would look like a disk that is full. A worker of somebody else's loader is theirs to hear of.

    torch (2.15) sets its handler once in a process; Lightning (2.6.6) takes it away again at the end of a training.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return
    from torch._C import _error_if_any_worker_fails

    before = signal.getsignal(signal.SIGCHLD)
    if getattr(before, "__name__", "") == "hear_death":
        return

    def hear_death(number: int, frame: FrameType | None) -> None:
        try:
            _error_if_any_worker_fails()
            if callable(before):
                before(number, frame)
        except RuntimeError as error:
            pid = re.search(r"\(pid (\d+)\)", str(error))
            if _deaths.waits_since is not None or pid is None or int(pid[1]) not in _workers():
                raise
            _deaths.told[int(pid[1])] = error

    signal.signal(signal.SIGCHLD, hear_death)


class _Watch:
    """Kills the workers when a batch takes longer than torch may take to say so itself."""

    def __init__(self, seconds: float) -> None:
        self.since: float | None = None
        self.expired = False
        self._limit = seconds * 1.1 + 1 if seconds else 0.0
        self._over = threading.Event()

    def __enter__(self) -> Self:
        if self._limit:
            threading.Thread(target=self._look, name="workers", daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(min(5.0, self._limit / 10)):
            since = self.since
            if since is not None and time.monotonic() - since > self._limit:
                self.expired = True
                kill_workers()
                return


def kill_workers() -> None:
    """Ends those of every loader at once: torch asks them to end, and waits for ever for one that is stopped. It is not
    told that they died: it would say so anywhere in the main thread."""
    from torch._C import _remove_worker_pids

    for iterator in [loader._iterator for loader in _loaders if loader._iterator is not None]:
        if iterator._worker_pids_set:
            _remove_worker_pids(id(iterator))
            iterator._worker_pids_set = False
        for worker in iterator._workers:
            worker.kill()
    _deaths.told.clear()


@contextmanager
def told_workers() -> Iterator[None]:
    """In this block a worker that died is a WorkerError (exit 6) with the flags to lower."""
    try:
        yield
    except RuntimeError as error:
        if not is_about_workers(error):
            raise
        raise WorkerError(*_said(str(error))) from error


def silent_worker(seconds: float, paths: Sequence[str]) -> WorkerError:
    """The error of a batch that does not come: the process that reads its images is stopped or waits for a file."""
    kill_workers()
    shown = ", ".join(paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")
    return WorkerError(
        f"A process that reads images has not answered for {seconds:g} s. Images of its batch: {shown}.",
        f"See whether their storage answers. --worker-timeout waits longer; {IN_MAIN}.",
    )


def shared_free(folder: Path = SHARED) -> int | None:
    """Bytes of shared memory that are free; None where they are not limited by a folder."""
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def _said(text: str) -> tuple[str, str]:
    code = _exit_code(text)
    if code == -_BUS or any(words in text for words in ("Bus error", "shared memory", "torch_shm")):
        free = shared_free()
        left = "" if free is None else f" ({free / 1e6:.1f} MB of {SHARED} are free)"
        return (
            f"The processes that read images ran out of shared memory{left}.",
            f"{IN_MAIN}; fewer workers and smaller batches need less; docker run --shm-size 2g gives more.",
        )
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        why = f"was ended by {name}" + (", as the system does when memory runs out" if name == "SIGKILL" else "")
    else:
        why = "ended unexpectedly" + ("" if code is None else f" (exit code {code})")
    return f"A process that reads images {why}.", f"{IN_MAIN}; fewer --workers need less memory."


def _exit_code(text: str) -> int | None:
    """Of a worker that is dead, or as torch tells it; that of a signal is negative."""
    ended = re.search(r"with exit code (-?\d+)", text)
    if ended is not None:
        return int(ended[1])
    workers = _workers().values()
    for worker in workers:
        worker.join(0.1)  # the kernel closes its files first
    return next((worker.exitcode for worker in workers if worker.exitcode), None)


def _workers() -> dict[int, Any]:
    """The processes of every loader here, by their ids."""
    iterators = [loader._iterator for loader in _loaders if loader._iterator is not None]
    return {worker.pid: worker for iterator in iterators for worker in iterator._workers}
