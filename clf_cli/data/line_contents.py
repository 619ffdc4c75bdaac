"""What the lines of a manifest hold, as short hashes: lines move when others are added, and keep these."""

from collections.abc import Collection, Iterator
from hashlib import blake2b
from pathlib import Path

from clf_cli.data.manifest_rows import MAX_LINE

DIGEST_BYTES = 8


def line_contents(path: Path, numbers: Collection[int]) -> dict[int, str]:
    """The hash of each of these lines, which count from 1 as `read_rows` counts them; blanks around a line are no part
    of it. Lines that are not there are left out. Raises OSError."""
    wanted, found = set(numbers), dict[int, str]()
    for number, line in enumerate(_csv_lines(path) if path.suffix.lower() == ".csv" else _lines(path), start=1):
        if number in wanted:
            found[number] = blake2b(line.strip(), digest_size=DIGEST_BYTES).hexdigest()
            if len(found) == len(wanted):
                break
    return found


def _lines(path: Path) -> Iterator[bytes]:
    """The first MAX_LINE bytes of each."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            yield line
            while len(line) == MAX_LINE and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)


def _csv_lines(path: Path) -> Iterator[bytes]:
    """Of a CSV, whose lines end in a carriage return too; of a row on several lines, the first one tells it."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        while line := file.readline(MAX_LINE):
            yield line.encode(errors="surrogateescape")
