"""Tables as CSV: quoted as RFC 4180 says, lines end with `\\n`."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from clf_cli.data.samples import printable
from clf_cli.files import write_text

Cell = str | int | float | None

_NEEDS_QUOTES = frozenset(',"\r\n')
_STARTS_FORMULA = frozenset("=+-@")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Writes a whole file or none (RunError). The empty string is `""`; None, NaN and infinities are empty."""
    write_text(path, "".join(f"{csv_line(row)}\n" for row in (header, *rows)))


def harmless(text: str) -> str:
    """The text for a table that people open: with `'` in front where a spreadsheet would run it as a formula, and with
    escapes for what steers a terminal."""
    text = printable(text)
    return f"'{text}" if text.lstrip()[:1] in _STARTS_FORMULA and not _is_number(text) else text


def csv_line(row: Sequence[Cell]) -> str:
    """One row without its line end."""
    return ",".join(_field(cell) for cell in row)


def _field(cell: Cell) -> str:
    if isinstance(cell, str):
        plain = cell and not _NEEDS_QUOTES.intersection(cell) and cell == cell.strip()
        return cell if plain else '"' + cell.replace('"', '""') + '"'
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return ""
    return repr(float(cell)) if isinstance(cell, float) else str(int(cell))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
