"""splits.csv of a run: path, label and split of the exact files, so that later commands see the same split."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from clf_cli.data.samples import SPLITS, Sample
from clf_cli.errors import ModelError
from clf_cli.files import write_text
from clf_cli.reading import read_text, require_inside

_NEEDS_QUOTES = frozenset(',"\r\n')
HEADER = ("path", "label", "split")


def write_rows(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """RFC 4180 with `\\n`; an empty label is written as `""`."""
    lines = (",".join(_field(value) for value in row) for row in (HEADER, *rows))
    write_text(path, "".join(f"{line}\n" for line in lines))


def _field(value: str) -> str:
    bare = value and not _NEEDS_QUOTES.intersection(value) and value == value.strip()
    return value if bare else '"' + value.replace('"', '""') + '"'


def read_splits(path: Path) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """The rows, and the splits that they name. Raises ModelError (exit 4) when the file is not one of ours."""
    hint = "Name the data with --data, or train again."
    try:
        header, *rows = list(csv.reader(io.StringIO(read_text(path), newline=""), strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(f"{path} cannot be read: {reason}.", hint) from error
    if tuple(header) != HEADER or any(len(row) != len(HEADER) or row[2] not in SPLITS for row in rows):
        raise ModelError(f"{path} is not the splits.csv of a run.", hint)
    try:
        require_inside(row[0] for row in rows)
    except ValueError as error:
        raise ModelError(f"{path} is not the splits.csv of a run: {error}.", hint) from error
    samples = tuple(
        Sample(name, label, split, source=f"{path.name}:{line}") for line, (name, label, split) in enumerate(rows, 2)
    )
    return samples, tuple(split for split in SPLITS if any(row.split == split for row in samples))
