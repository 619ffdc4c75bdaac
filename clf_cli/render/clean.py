"""What `clf clean` leaves out, as a table."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.codes import CODES
from clf_cli.data.samples import printable
from clf_cli.engine.clean import CleanResult
from clf_cli.render.text import counted, label

SHOWN = 20


def table(result: CleanResult) -> RenderableType:
    """Each row that goes, with the codes that name it and the first reason."""
    parts: list[RenderableType] = [Text(line) for line in _lines(result)]
    if result.dropped or result.unread:
        grid = Table()
        for column in ("dropped", "class", "codes", "because"):
            grid.add_column(column, overflow="fold")
        rows = [(one.row.path, label(one.row.label), " ".join(one.codes), one.reason) for one in result.dropped]
        rows += [(finding.path, "", finding.code, finding.reason) for finding in result.unread]
        for path, name, codes, reason in rows[:SHOWN]:
            grid.add_row(Text(printable(path)), Text(name), codes, Text(printable(reason)))
        if len(rows) > SHOWN:
            grid.add_row(Text(f"… and {len(rows) - SHOWN} more; --json has all", style="dim"))
        parts.append(grid)
    return Group(*parts)


def _lines(result: CleanResult) -> Iterator[str]:
    yield f"{counted(len(result.kept), 'row')} kept, {len(result.dropped):,} dropped{_by(result)}"
    codes = sorted({code for one in result.dropped for code in one.codes})
    for code in codes:
        count = sum(code in one.codes for one in result.dropped)
        yield f"  {code} {CODES[code].title}: {counted(count, 'row')}"
    listed = sum(not one.codes for one in result.dropped)
    if listed:
        yield f"  named by --rows: {counted(listed, 'row')}"
    if result.unread:
        yield f"Not taken over, since they give no row: {counted(len(result.unread), 'place')}"
    if result.file is None:
        yield "Nothing is written without --out FILE."


def _by(result: CleanResult) -> str:
    return f": {', '.join(result.drop)}" if result.drop else ""
