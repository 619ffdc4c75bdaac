"""The images that a command line names: files, folders, and paths that come on stdin."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Thread

from clf_cli.cli.console import say
from clf_cli.data.images import UnreadableImageError
from clf_cli.data.named_images import NamedImage, images_named
from clf_cli.data.samples import printable
from clf_cli.errors import DataError, UsageError
from clf_cli.values.predictions import EVAL_BATCH

STDIN = "-"
PATIENCE = 0.5  # seconds without a new path after which those that are there are predicted
LISTED = 10
_BLOCK = 1 << 16  # bytes


@dataclass(frozen=True)
class NamedImages:
    """`images` is read once, as far as it is needed; None among them says that the next may take long."""

    images: Iterator[NamedImage | None]
    count: int | None  # None where stdin says how many


def named_images(names: Sequence[str], recursive: bool, null: bool) -> NamedImages:
    """In the order of the names; folders are listed now, stdin is read while the images are.

    Raises UsageError (exit 2) without names, DataError (exit 3) where none of them leads to a file.
    """
    if not names:
        raise UsageError(
            "No images are named.",
            "Name files and folders after MODEL (-r also looks into the folders in them), or - for paths on stdin.",
        )
    if names.count(STDIN) > 1:
        raise UsageError("stdin can be read once only.", "Name - once.")
    if STDIN not in names:
        if null:
            raise UsageError("--null is about the paths on stdin, and - is not among the images.", "Leave it away.")
        found = [image for name in names for image in images_named(name, recursive)]
        _refuse_nothing(found)
        return NamedImages(iter(found), len(found))
    listed = {name: images_named(name, recursive) for name in names if name != STDIN}

    def chained() -> Iterator[NamedImage | None]:
        for name in names:
            yield from _on_stdin(recursive, null, needed=len(names) == 1) if name == STDIN else listed[name]

    return NamedImages(chained(), None)


def _refuse_nothing(found: Sequence[NamedImage]) -> None:
    """A list that holds no file at all is a mistake, not a list of unreadable images."""
    if any(not isinstance(image.content, UnreadableImageError) for image in found):
        return
    lines = [f"{printable(image.path or '')}: {image.content}" for image in found]
    more = [f"and {len(lines) - LISTED:,} more"] if len(lines) > LISTED else []
    listed = "".join(f"\n  {line}" for line in (*lines[:LISTED], *more))
    raise DataError(
        f"There is nothing to predict. {lines[0]}" if len(lines) == 1 else f"There is nothing to predict:{listed}",
        "Name image files, or folders that hold images.",
    )


def _on_stdin(recursive: bool, null: bool, needed: bool) -> Iterator[NamedImage | None]:
    """Raises DataError (exit 3) when no path came and one was `needed`, UsageError (exit 2) for unasked zero bytes."""
    if sys.stdin is None:
        raise DataError("stdin is closed, so no paths can come from it.")
    if sys.stdin.isatty():
        say("Reading paths from the terminal, one per line; Ctrl-D ends them.")
    arrived = False
    raw = io.FileIO(sys.stdin.fileno(), closefd=False)  # unbuffered: its reader may still wait when the program ends
    for name in _lines(raw, b"\0" if null else b"\n"):
        if name is None:
            yield None
            continue
        if "\0" in name:
            raise UsageError("The paths on stdin are ended by zero bytes.", "Add --null.")
        arrived = True
        yield from images_named(name, recursive)
    if needed and not arrived:
        raise DataError("No paths came on stdin.", "Pipe them: `find photos -name '*.jpg' | clf predict MODEL -`.")


def _lines(stream: io.FileIO, separator: bytes) -> Iterator[str | None]:
    """Paths as they arrive; None once none has come for PATIENCE seconds, again only after the next one."""
    arriving: Queue[str | OSError | None] = Queue(EVAL_BATCH)
    Thread(target=_feed, args=(stream, separator, arriving), daemon=True).start()
    waited = False
    while True:
        try:
            line = arriving.get(timeout=None if waited else PATIENCE)
        except Empty:
            waited = True
            yield None
            continue
        if isinstance(line, OSError):
            raise DataError(f"stdin cannot be read: {line.strerror}.") from line
        if line is None:
            return
        waited = False
        yield line


def _feed(stream: io.FileIO, separator: bytes, arriving: "Queue[str | OSError | None]") -> None:
    """Puts each path, then None, or the error that ended them."""
    rest = b""
    try:
        while block := stream.read(_BLOCK):
            *whole, rest = (rest + block).split(separator)
            for line in whole:
                _put(line, separator, arriving)
    except OSError as error:
        arriving.put(error)
        return
    _put(rest, separator, arriving)
    arriving.put(None)


def _put(line: bytes, separator: bytes, arriving: "Queue[str | OSError | None]") -> None:
    """Blank lines name nothing; lines may end as on Windows."""
    path = line.removesuffix(b"\r") if separator == b"\n" else line
    if path.strip():
        arriving.put(os.fsdecode(path))
