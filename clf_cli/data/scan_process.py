"""Processes that read images for the scan: of small images two threads mostly wait for each other's Python.

`python -m clf_cli.data.scan_process` is one: it reads pickled lists of paths from stdin, and answers each with
its rows on stdout. It ends with its stdin, so with its parent, whatever ends that.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

START = 0.3  # seconds of reading that a process must take over to be worth its start, of 0.13 CPU seconds
SILENT = 60.0  # seconds without an answer after which one that others wait for is ended: it is stopped, or hangs
MOST = 16  # each holds 40 MB
LARGE_MEAN = 1 << 16  # bytes; of larger files the decoder, which threads run at once, takes nearly all the time
_EACH, _BYTE = 120e-6, 15e-9  # seconds that an image takes, and each of its bytes

Rows = list[tuple[Any, ...]]


class EndedError(Exception):
    """The process is gone; the text says how."""


def worthwhile(sizes: Sequence[int], workers: int) -> int:
    """Processes that pay beside this one, of `workers` in all, for files of `sizes` bytes."""
    total = sum(sizes)
    if not sys.executable or total > LARGE_MEAN * len(sizes):
        return 0
    seconds = _EACH * len(sizes) + _BYTE * total
    return max(0, min(workers - 1, MOST, int(seconds / START)))


class ScanProcess:
    """One process, started at once; until it is up, it keeps whoever asks it waiting."""

    def __init__(self) -> None:
        """Raises OSError where no process can be started."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "clf_cli.data.scan_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            process_group=0,  # Ctrl-C is for its parent; a session of its own would have its own nice value
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )

    def read(self, paths: list[str]) -> Rows:
        """A row for each. Raises EndedError if the process does not live to answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(paths, self._process.stdin)
            self._process.stdin.flush()
            rows: Rows = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:  # ValueError: closed
            self.end()
            code = self._process.returncode
            raise EndedError(f"signal {-code}" if code < 0 else f"exit code {code}") from error
        return rows

    def kill(self) -> None:
        """Lets whoever waits for it have EndedError."""
        if self._process.poll() is None:
            self._process.kill()

    def end(self) -> None:
        """Ends it, whatever it does."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was never sent cannot be any more
                if pipe is not None:
                    pipe.close()
        self._process.wait()


def wait_for(others: Sequence[Future[None]], processes: Sequence[ScanProcess]) -> None:
    """Until each of the threads that ask the processes, if any, has its last answer; one that does not come in a minute
    is taken from its process."""
    wait(others, SILENT if processes else None)
    if not all(other.done() for other in others):
        for process in processes:
            process.kill()
    for other in others:
        other.result()


def _environment() -> dict[str, str]:
    """The modules that this process finds; one math thread, which also halves numpy's start."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main() -> None:
    """Answers until nobody asks any more."""
    from clf_cli.data.scan import read_rows  # which imports this file

    asked = sys.stdin.buffer
    with suppress(EOFError, BrokenPipeError), os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a decoder prints is no answer
        while True:
            pickle.dump(read_rows(pickle.load(asked)), answers)
            answers.flush()


if __name__ == "__main__":
    main()
