"""When a run draws its pictures."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

BUDGET = 0.005  # share of the elapsed time, of the 3 % that all callbacks together may take
BYTES = 5_000_000  # of all that is drawn before the end: the reports and pictures of a run stay below 10 MB
FIRST_DRAWING_S = 2.0  # matplotlib's import and first figure, measured on one core


class Pictures:
    """Draws while drawing stays within BUDGET of the run's time and BYTES, of which `there` were drawn before; what was
    put off is drawn at the end."""

    def __init__(
        self,
        mode: Literal["auto", "every", "last"],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        there: int = 0,
    ) -> None:
        self._mode = mode
        self._say = say
        self._clock = clock
        self._start = clock()
        self._spent = 0.0
        self._cost = FIRST_DRAWING_S
        self._bytes = there
        self._skipped = False

    def offer(self, path: Path, draw: Callable[[Path], None]) -> None:
        """Draws `path` now if the mode and the budget allow it; says once that a picture was put off."""
        if self._mode == "every" or (self._mode == "auto" and self._affordable()):
            self.draw(path, draw)
        elif not self._skipped:
            self._skipped = True
            told = "Not every epoch is drawn, to save time and room"
            self._say(f"{told}: --pictures every draws them all, clf confusion one.")

    def draw(self, path: Path, draw: Callable[[Path], None]) -> None:
        """Draws `path` whatever it costs."""
        start = self._clock()
        draw(path)
        self._cost = self._clock() - start
        self._spent += self._cost
        with contextlib.suppress(OSError):
            self._bytes += path.stat().st_size

    def _affordable(self) -> bool:
        in_time = self._spent + self._cost < BUDGET * (self._clock() - self._start)
        return in_time and self._bytes < BYTES


def drawn_before(epochs: Path) -> int:
    """Bytes of the pictures in the folders of a run's epochs."""
    return sum(path.stat().st_size for path in epochs.glob("*/*.png"))
