"""A split as a table: images of each class in each part, and below it what stays together and what moved."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import printable
from clf_cli.engine.split import SplitResult
from clf_cli.engine.split_moved import Moved
from clf_cli.render.text import UNDEFINED, counted, label, percent

SHOWN = 20
CLASSES_SHOWN = 200  # more are told by the largest and the smallest


def table(result: SplitResult) -> RenderableType:
    """One row per class, with the part of it that each split holds; of folds the counts alone."""
    parts: list[RenderableType] = [_classes(result), *(Text(line) for line in _lines(result))]
    if result.moved:
        parts += [Text(), _moved(result.moved)]
    return Group(*parts)


def _classes(result: SplitResult) -> Table:
    counts = result.counts()
    shares = result.policy.section.folds is None
    grid = Table(title=f"{counted(len(result.samples), 'image')}, {counted(len(result.labels), 'class')}")
    grid.title_justify = "left"
    grid.add_column("class")
    for part in counts:
        grid.add_column(part, justify="right")
        if shares:
            grid.add_column("of class", justify="right", style="dim")
    totals = {name: sum(count[name] for count in counts.values()) for name in result.labels}
    for name in _shown(totals):
        cells = []
        for count in counts.values():
            cells.append(f"{count[name]:,}" if count[name] else UNDEFINED)
            cells += [percent(count[name] / totals[name]) if count[name] else ""] if shares else []
        grid.add_row(Text(label(name)), *cells)
    if len(totals) > CLASSES_SHOWN:
        hidden = len(totals) - CLASSES_SHOWN
        grid.add_row(Text(f"… {hidden} classes between the largest and the smallest", style="dim"))
    grid.add_section()
    cells = []
    for count in counts.values():
        cells.append(f"{count.total():,}")
        cells += [percent(count.total() / len(result.samples))] if shares else []
    grid.add_row("all", *cells)
    return grid


def _shown(totals: Mapping[str, int]) -> Sequence[str]:
    """All classes in label order; of too many the largest and the smallest."""
    if len(totals) <= CLASSES_SHOWN:
        return tuple(totals)
    order = sorted(totals, key=lambda name: -totals[name])
    return [*order[: CLASSES_SHOWN // 2], *order[-CLASSES_SHOWN // 2 :]]


def _lines(result: SplitResult) -> Iterator[str]:
    if result.known:
        new = len(result.samples) - result.known
        yield f"Split before: {counted(result.known, 'image')}; new: {counted(new, 'image')}"
    if result.tied:
        clusters = counted(len(result.tied), "cluster")
        yield f"Kept together: {counted(sum(result.tied), 'image')} in {clusters} of copies, near duplicates or groups"
    if result.left:
        yield f"Left out: {counted(len(result.left), 'row')}"
    if not result.files:
        yield "Nothing is written without --out FILE."


def _moved(moved: tuple[Moved, ...]) -> Table:
    grid = Table(title=f"Moved: {counted(len(moved), 'image')}", title_justify="left")
    for column in ("image", "from", "to", "because"):
        grid.add_column(column, overflow="fold")
    for row in moved[:SHOWN]:
        grid.add_row(Text(printable(row.path)), row.earlier, row.now, Text(printable(row.reason)))
    if len(moved) > SHOWN:
        grid.add_row(Text(f"… and {len(moved) - SHOWN} more; --json has all", style="dim"))
    return grid
