"""Who watches a run: where lines, tables and the live bar go."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console, RenderableType


@dataclass(frozen=True)
class Watcher:
    """`say` takes a line for people, `warn` one that is shown with --quiet too, `show` a table; `console` is None when
    nobody watches a live bar."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    show: Callable[[RenderableType], None]
    console: Console | None = None


def unwatched() -> Watcher:
    """For runs that nobody looks at."""
    return Watcher(say=lambda text: None, warn=lambda text: None, show=lambda table: None)


def logged(watcher: Watcher, path: Path) -> Watcher:
    """The same, with every line appended to `path`, too."""

    def say(text: str) -> None:
        watcher.say(text)
        log_line(path, text)

    def warn(text: str) -> None:
        watcher.warn(text)
        log_line(path, f"Warning: {text}")

    return Watcher(say=say, warn=warn, show=watcher.show, console=watcher.console)


def log_line(path: Path, text: str) -> None:
    """Appends it with the time, for nobody to see now."""
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:  # a full disk; what matters says so
        file.writelines(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}\n" for line in text.splitlines())
