"""The largest batch that fits into memory, found by trying."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from multiprocessing.connection import wait
from typing import IO, Self

from clf_cli.training.probe import FITS, READY, Probe

Fits = Callable[[int], bool | None]  # None: nobody knows, because the time is over or the child could not begin


class Prober:
    """Asks a child process whether batch sizes fit; one that was killed over a size is started anew for the next.

    `seconds` is for all of them together, `began` whether the last child was ready to try. Use it as a context: at its
    end no child is left.
    """

    def __init__(self, probe: Probe, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._end = clock() + seconds
        self._child: subprocess.Popen[str] | None = None
        self._answers: Callable[[float], str | None] = _never
        self.began = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop()

    def fits(self, size: int) -> bool | None:
        """Whether a step of so many images has room."""
        if self._child is None and not (self.began and self._start()):
            return None
        answer = self._ask(str(size))
        if answer is None:
            self._stop()
            return None
        if not answer:  # the child died over it
            self._stop()
        return answer == FITS

    def _start(self) -> bool:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "clf_cli.training.probe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            start_new_session=True,
        )
        assert self._child.stdout is not None
        self._answers = _answers_of(self._child.stdout)
        self.began = self._ask(json.dumps(asdict(self._probe))) == READY
        if not self.began:
            self._stop()
        return self.began

    def _ask(self, line: str) -> str | None:
        """The child's answer; empty if it died, None if there is no time to wait for it."""
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(f"{line}\n")
            self._child.stdin.flush()
            return self._answers(max(0.0, self._end - self._clock()))
        except OSError:
            return ""

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


def largest_of(sizes: Sequence[int], fits: Fits) -> int | None:
    """The largest of ascending `sizes` that fits, by bisection after the largest; what is not known does not fit."""
    if not sizes or fits(sizes[-1]):
        return sizes[-1] if sizes else None
    low, high = -1, len(sizes) - 1  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(sizes[middle]) else (low, middle)
    return sizes[low] if low >= 0 else None


def largest_below(size: int, fits: Fits) -> int | None:
    """A batch size below `size` that fits, of which an eighth more does not: by halves, then by bisection."""
    high, low = size, size // 2
    while low and not fits(low):
        high, low = low, low // 2
    while low and high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low or None


def _never(seconds: float) -> str | None:
    return None


if sys.platform == "win32":  # where a pipe cannot be waited for

    def _answers_of(stdout: IO[str]) -> Callable[[float], str | None]:
        """The next line within so many seconds: None if there is none, empty once the child has ended."""
        lines: queue.Queue[str] = queue.Queue()

        def read() -> None:
            for line in stdout:
                lines.put(line.strip())
            lines.put("")

        def answer(seconds: float) -> str | None:
            with contextlib.suppress(queue.Empty):
                return lines.get(timeout=seconds)
            return None

        threading.Thread(target=read, daemon=True).start()
        return answer

else:

    def _answers_of(stdout: IO[str]) -> Callable[[float], str | None]:
        """The next line within so many seconds: None if there is none, empty once the child has ended. No thread reads,
        for there may be no memory for one."""
        file, said = stdout.fileno(), bytearray()

        def answer(seconds: float) -> str | None:
            end = time.monotonic() + seconds
            while b"\n" not in said:
                if not wait([file], max(0.0, end - time.monotonic())):
                    return None
                if not (piece := os.read(file, 4096)):
                    return ""
                said.extend(piece)
            line, _, rest = bytes(said).partition(b"\n")
            said[:] = rest
            return line.decode().strip()

        return answer
