"""Files that anybody may have written: regular, of a bounded size, and JSON that ends in a value or a ValueError."""

import errno
import json
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

SMALL, LARGE = 1 << 20, 1 << 28  # bytes: settings that people write; reports of a thousand classes and long tables
_DIGITS = re.compile(rb"[0-9]{19}")  # more than any float has
_WHOLE = 19  # digits of 2**63


def read_bytes(path: Path, most: int = LARGE) -> bytes:
    """The whole file. Raises OSError, with words for people, where it is no regular file or has more than `most` bytes:
    a pipe would wait for ever, a device never ends.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        # Python takes a buffer of the size asked for, which a process of little memory may not have for `most`.
        content = b"" if status.st_size > most else file.read(status.st_size + 1)
        if status.st_size > most or len(content) > most:
            raise OSError(errno.EFBIG, f"It has more than {most >> 20} MiB", str(path))
        return content


def read_text(path: Path, most: int = LARGE) -> str:
    """UTF-8, with or without a byte-order mark. Raises OSError like `read_bytes`, UnicodeDecodeError."""
    return read_bytes(path, most).decode("utf-8-sig")


def read_json(path: Path, most: int = LARGE) -> Any:
    """What a file of JSON holds. Raises OSError like `read_bytes`, ValueError like `parse_json`."""
    return parse_json(read_bytes(path, most))


def parse_json(content: bytes | str) -> Any:
    """As json.loads; brackets that are thousands deep and whole numbers beyond 64 bits, which Python reads and no
    float holds, are ValueErrors too.
    """
    data = (
        content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content.removeprefix(b"\xef\xbb\xbf")
    )
    try:
        return json.loads(data.decode("utf-8", "strict"), parse_int=_whole if _DIGITS.search(data) else None)
    except RecursionError:
        raise ValueError("its brackets are nested too deep") from None


def require_inside(names: Iterable[str]) -> None:
    """Raises ValueError for a name that may lead out of the folder that it is relative to."""
    for name in names:
        path = PurePath(name)
        if path.anchor or ".." in path.parts or "\0" in name:
            raise ValueError(f"{name[:200]!r} leads out of its folder")


def _whole(text: str) -> int:
    if len(text) > _WHOLE + 1:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)
