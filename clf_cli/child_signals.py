"""Processes that this one starts: what a signal means is decided here, also of one that all of them are sent."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

from clf_cli.signals import NUMBERS

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Processes and threads that start in this block never hear SIGINT, SIGTERM and SIGHUP, from their first moment on:
    timeout(1), systemd and Slurm send them to the whole group. Whoever starts a process here ends it with SIGKILL.

    Of this process another thread hears them for the moment, or the end of the block does.
    """
    if sys.platform == "win32":  # has no mask
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_parent(parent: int | None = None) -> None:
    """For a child process: its parent decides what a signal means, ends it with SIGKILL, and takes it along when it
    dies (at once on Linux; elsewhere the child must notice by itself). `parent` is the id of who started it."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        import ctypes  # 10 ms

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:  # it died before the line above
            os._exit(1)
