"""The class table of a data set, and below it what is wrong with it."""

from collections.abc import Iterator, Sequence
from math import isfinite

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.codes import SEVERITIES
from clf_cli.data.samples import Finding, printable
from clf_cli.engine.dataset import DatasetResult, Spread
from clf_cli.render.text import UNDEFINED, counted, label, percent

CLASSES_SHOWN = 200  # more are told by their largest and smallest
FINDINGS_SHOWN = 50
STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


def table(result: DatasetResult) -> RenderableType:
    """Classes first, with count and share per split; then the numbers of the whole set; then the findings."""
    parts: list[RenderableType] = [_classes(result), *(Text(line) for line in lines(result))]
    if result.findings:
        parts += [Text(), _findings(result.findings)]
    return Group(*parts)


def rows(result: DatasetResult) -> Iterator[tuple[str | int | float, ...]]:
    """One line per class for a CSV file: index, class, then count and share per split."""
    for index, name in enumerate(result.labels):
        columns = range(len(result.splits))
        yield (index, name, *(v for s in columns for v in (int(result.counts[index, s]), result.share(index, s))))


def header(result: DatasetResult) -> tuple[str, ...]:
    """The first line of that file."""
    return ("index", "class", *(name for split in result.splits for name in (split, f"{split}_share")))


def lines(result: DatasetResult) -> tuple[str, ...]:
    """The whole set in a few lines of text."""
    ratio = result.imbalance_ratio
    told = [
        f"Largest class over smallest: {ratio:.1f}" if isfinite(ratio) else "",
        f"Width {_spread(result.width)} px, height {_spread(result.height)} px (smallest, median, largest)",
        f"Formats: {_counts(result.formats)}; modes: {_counts(result.modes)}; {_size(result.total_bytes)}",
        f"Turned by EXIF: {counted(result.rotated, 'image')}" if result.rotated else "",
        f"Repeated: {counted(result.duplicates, 'row')}" if result.duplicates else "",
    ]
    for index, split in enumerate(result.splits):
        missing = result.missing(index)
        if missing and result.totals[index]:
            names = ", ".join(label(name) for name in missing[:8])
            more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
            told.append(f"Without {split} images: {names}{more}")
    return tuple(line for line in told if line)


def _classes(result: DatasetResult) -> Table:
    grid = Table(title=f"{counted(int(result.totals.sum()), 'image')}, {counted(len(result.labels), 'class')}")
    grid.title_justify = "left"
    grid.add_column("index", justify="right")
    grid.add_column("class")
    for split in result.splits:
        grid.add_column(split, justify="right")
        grid.add_column("share", justify="right", style="dim")
    for index in _shown(result):
        cells = [_cell(result, index, split) for split in range(len(result.splits))]
        grid.add_row(str(index), Text(label(result.labels.names[index])), *(text for pair in cells for text in pair))
    hidden = len(result.labels) - len(_shown(result))
    if hidden:
        grid.add_row("", Text(f"… {hidden} classes between the largest and the smallest", style="dim"))
    grid.add_section()
    grid.add_row("", "all", *(text for total in result.totals for text in (f"{total:,}", "")))
    if any(result.skipped):
        grid.add_row("", "left out", *(text for count in result.skipped for text in (f"{count:,}", "")))
    return grid


def _shown(result: DatasetResult) -> Sequence[int]:
    """All classes in label order; of too many the largest and the smallest of the first split."""
    count = len(result.labels)
    if count <= CLASSES_SHOWN:
        return range(count)
    order = sorted(range(count), key=lambda index: -int(result.counts[index, 0]))
    return order[: CLASSES_SHOWN // 2] + order[-CLASSES_SHOWN // 2 :]


def _cell(result: DatasetResult, index: int, split: int) -> tuple[str, str]:
    count = int(result.counts[index, split])
    return (f"{count:,}", percent(result.share(index, split))) if count else (UNDEFINED, "")


def _findings(findings: Sequence[Finding]) -> Table:
    ranked = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    grid = Table(title="Findings", title_justify="left")
    for column in ("severity", "category", "where", "what"):
        grid.add_column(column, overflow="fold")
    for finding in ranked[:FINDINGS_SHOWN]:
        severity = Text(finding.severity, style=STYLES[finding.severity])
        grid.add_row(severity, finding.category, Text(printable(finding.path)), Text(printable(finding.reason)))
    if len(ranked) > FINDINGS_SHOWN:
        grid.add_row("", "", "", Text(f"… and {len(ranked) - FINDINGS_SHOWN} more; --json has all", style="dim"))
    return grid


def _spread(spread: Spread) -> str:
    values = (spread.smallest, spread.median, spread.largest)
    return ", ".join(f"{value:g}" if isfinite(value) else UNDEFINED for value in values)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or UNDEFINED


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
