"""What `clf dedupe` leaves out, as a table."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import printable
from clf_cli.engine.dedupe import DedupeResult
from clf_cli.render.text import counted

SHOWN = 20


def table(result: DedupeResult) -> RenderableType:
    """Each row that goes, with the copy that stays and why."""
    parts: list[RenderableType] = [Text(line) for line in _lines(result)]
    if result.dropped:
        grid = Table()
        for column in ("dropped", "split", "because it"):
            grid.add_column(column, overflow="fold")
        for one in result.dropped[:SHOWN]:
            grid.add_row(Text(printable(one.row.path)), one.row.split or "", Text(printable(one.reason)))
        if len(result.dropped) > SHOWN:
            grid.add_row(Text(f"… and {len(result.dropped) - SHOWN} more; --json has all", style="dim"))
        parts.append(grid)
    return Group(*parts)


def _lines(result: DedupeResult) -> Iterator[str]:
    what = "copies and near duplicates" if result.near_duplicates else "copies"
    yield f"{counted(len(result.kept), 'row')} kept, {len(result.dropped):,} dropped: {what}"
    if result.conflicts:
        rows = counted(sum(map(len, result.conflicts)), "row")
        yield f"Kept, since the labels of copies differ: {rows}; clf clean --drop conflict leaves them out"
    if result.file is None:
        yield "Nothing is written without --out FILE."
