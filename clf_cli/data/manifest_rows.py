"""The lines of JSON and CSV manifests, one at a time: what each holds, or why it cannot be used."""

import csv
import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from clf_cli.data.samples import is_unicode

IMAGE_KEYS = ("image", "path")
LABEL_KEYS = ("label", "suffix")
OWN_KEYS = frozenset({*IMAGE_KEYS, *LABEL_KEYS, "split", "group"})
MAX_BYTES = 1 << 30
MAX_LINE = 1 << 24
MAX_DEPTH = 50
_QUOTED = tuple(f'"{key}"'.encode() for key in OWN_KEYS)
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class RowError(Exception):
    """A manifest line that cannot be used; the text is the reason, `code` the kind of finding."""

    def __init__(self, reason: str, code: str = "CLF204") -> None:
        super().__init__(reason)
        self.code = code


Row = Mapping[str, Any] | RowError


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """(line, row) of every line that is not blank. Raises OSError where the file cannot be read."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait forever
        raise OSError(0, "not a regular file")
    if status.st_size > MAX_BYTES:
        raise OSError(0, "more than 1 GiB")
    with path.open("rb") as file:
        if file.read(2) in _UTF16:
            yield 1, RowError("UTF-16: save the manifest as UTF-8", "CLF201")
            return
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            yield from _csv_rows(text)
    else:
        with path.open("rb") as file:
            yield from _json_rows(file)


def _json_rows(file: BinaryIO) -> Iterator[tuple[int, Row]]:
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            yield number, _too_long()
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, _json_row(line)


def _json_row(line: bytes) -> Row:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        return RowError("not UTF-8", "CLF201")
    except json.JSONDecodeError as error:
        return RowError(f"not JSON: {error.msg} at column {error.colno}", "CLF201")
    except (ValueError, RecursionError):  # numbers of thousands of digits, brackets thousands deep
        return RowError("not JSON that can be read", "CLF201")
    return _json_object(row, line) if isinstance(row, dict) else RowError("not a JSON object", "CLF201")


def _json_object(row: dict[str, Any], line: bytes) -> Row:
    if line.count(b"{") + line.count(b"[") > MAX_DEPTH and _deeper(row):
        return RowError(f"nested more than {MAX_DEPTH} deep", "CLF201")
    if any(line.count(key) > 1 for key in _QUOTED):
        pairs: list[tuple[str, Any]] = json.loads(line, object_pairs_hook=list)
        twice = _twice([name for name, _ in pairs])
        if twice:  # json.loads takes the last one, without a word
            return RowError(f"names {twice} twice")
    return row


def _twice(names: list[str]) -> str:
    return " and ".join(sorted(name for name in OWN_KEYS if names.count(name) > 1))


def _deeper(row: dict[str, Any]) -> bool:
    level: list[Any] = [row]
    for _ in range(MAX_DEPTH):
        inside = [value.values() if isinstance(value, dict) else value for value in level]
        level = [value for values in inside for value in values if isinstance(value, (dict, list))]
    return bool(level)


def _csv_rows(text: TextIO) -> Iterator[tuple[int, Row]]:
    reader = csv.reader(_lines(text), strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        problem = _of_header(header)
        if problem:
            yield 1, problem
            return
        line = reader.line_num + 1
        for values in reader:
            if values:
                yield line, _csv_row(header, values)
            line = reader.line_num + 1
    except csv.Error as error:
        yield line, RowError(f"not CSV: {error}", "CLF201")
    except RowError as error:
        yield line, error


def _lines(text: TextIO) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
            raise _too_long()
        yield line


def _of_header(header: list[str]) -> RowError | None:
    missing = [keys for keys in (IMAGE_KEYS, LABEL_KEYS) if not set(keys) & set(header)]
    if missing:
        names = " and ".join(" or ".join(keys) for keys in missing)
        other = any(char in "".join(header) for char in ";\t|")
        hint = "; columns are separated by commas" if other else ""
        return RowError(f"the header has no column {names}{hint}", "CLF202")
    twice = _twice(header)
    return RowError(f"the header names {twice} twice") if twice else None


def _csv_row(header: list[str], values: list[str]) -> Row:
    if not is_unicode("".join(values)):
        return RowError("not UTF-8", "CLF201")
    if len(values) != len(header):
        return RowError(f"{len(values)} values for {len(header)} columns", "CLF201")
    return dict(zip(header, values, strict=True))


def _too_long() -> RowError:
    return RowError(f"a line of more than {MAX_LINE >> 20} MiB", "CLF201")
