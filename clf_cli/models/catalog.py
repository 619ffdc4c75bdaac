"""timm's architectures and published weights as a table that is read without importing timm, which takes seconds.

The table of the timm that clf is locked to comes with clf: `python -m clf_cli.models.catalog_timm FOLDER` writes it, a
test compares it. Of another timm it is made on first use and kept under CLF_CACHE_DIR.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from importlib.metadata import version
from pathlib import Path

from clf_cli.data.cache import cache_dir
from clf_cli.errors import RunError
from clf_cli.files import write_text
from clf_cli.values.progress import Progress

SHIPPED = Path(__file__).parent
WHILE_COUNTING = 100  # entries after which what was counted is kept


@dataclass(frozen=True)
class Entry:
    """Published weights, or an architecture without any, under the name that --arch takes."""

    name: str  # resnet18.a1_in1k
    default: bool  # whether the architecture's plain name stands for it
    classes: int
    height: int
    width: int
    licence: str  # of the weights; empty when timm names none
    source: str  # repository on the hub, or an address; empty without weights
    parameters: int | None = None  # None: not counted yet

    @property
    def architecture(self) -> str:
        return self.name.partition(".")[0]


def catalog_file(folder: Path, timm: str) -> Path:
    """The table of one version of timm."""
    return folder / f"timm-{timm}.csv"


def catalog() -> tuple[Entry, ...]:
    """Every entry of the timm that is installed, in the order of names; it is imported where no table is there."""
    timm = version("timm")
    for folder in (SHIPPED, _kept()):
        entries = read_catalog(catalog_file(folder, timm))
        if entries:
            return entries
    from clf_cli.models.catalog_timm import list_entries  # imports timm

    return list_entries()


def with_parameters(
    entries: Sequence[Entry], chosen: Iterable[str], progress: Progress
) -> tuple[tuple[Entry, ...], str | None]:
    """The entries with those named in `chosen` counted, and a note where that could not be kept for the next time."""
    wanted = set(chosen)
    missing = [entry for entry in entries if entry.name in wanted and entry.parameters is None]
    if not missing:
        return tuple(entries), None
    from clf_cli.models.catalog_timm import count_parameters  # imports timm

    by_name = {entry.name: entry for entry in entries}
    note: str | None = None
    with progress("Counting parameters, once for this timm", len(missing)) as advance:
        for number, counted in enumerate(count_parameters(missing), start=1):
            by_name[counted.name] = counted
            advance(1)
            if number % WHILE_COUNTING == 0:
                note = _keep(by_name.values())
    return tuple(by_name.values()), _keep(by_name.values()) or note


def read_catalog(path: Path) -> tuple[Entry, ...]:
    """Empty for a table that is not there, or damaged."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        return tuple(_entry(row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return ()


def catalog_text(entries: Iterable[Entry]) -> str:
    """The table as CSV; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Entry)])
    writer.writerows(astuple(entry) for entry in entries)
    return text.getvalue()


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        name=row["name"],
        default=row["default"] == str(True),
        classes=int(row["classes"]),
        height=int(row["height"]),
        width=int(row["width"]),
        licence=row["licence"],
        source=row["source"],
        parameters=int(row["parameters"]) if row["parameters"] else None,
    )


def _kept() -> Path:
    return cache_dir() / "architectures"


def _keep(entries: Iterable[Entry]) -> str | None:
    try:
        write_text(catalog_file(_kept(), version("timm")), catalog_text(entries))
    except (RunError, OSError) as error:
        reason = error.message if isinstance(error, RunError) else str(error)
        return f"What was counted is not remembered: {reason} CLF_CACHE_DIR names another folder."
    return None
