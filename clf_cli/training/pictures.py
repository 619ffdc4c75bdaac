"""When a run draws its pictures."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

BUDGET = 0.01  # share of the elapsed time: half of what is promised, so that all callbacks together stay under 3 %
FIRST_DRAWING_S = 2.0  # matplotlib's import and first figure, measured on one core


class Pictures:
    """Draws while drawing stays within BUDGET of the run's time; what was put off is drawn at the end."""

    def __init__(
        self,
        mode: Literal["auto", "every", "last"],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mode = mode
        self._say = say
        self._clock = clock
        self._start = clock()
        self._spent = 0.0
        self._cost = FIRST_DRAWING_S
        self._skipped = False

    def offer(self, path: Path, draw: Callable[[Path], None]) -> None:
        """Draws `path` now if the mode and the budget allow it; says once that a picture was put off."""
        if self._mode == "every" or (self._mode == "auto" and self._affordable()):
            self.draw(path, draw)
        elif not self._skipped:
            self._skipped = True
            self._say("Not every epoch is drawn, to save time: --pictures every draws them all, clf confusion one.")

    def draw(self, path: Path, draw: Callable[[Path], None]) -> None:
        """Draws `path` whatever it costs."""
        start = self._clock()
        draw(path)
        self._cost = self._clock() - start
        self._spent += self._cost

    def _affordable(self) -> bool:
        return self._spent + self._cost < BUDGET * (self._clock() - self._start)
