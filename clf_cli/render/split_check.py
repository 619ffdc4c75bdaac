"""The leaks between the splits that data bring, as a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import printable
from clf_cli.engine.split_check import SplitCheckResult
from clf_cli.render.text import counted

SHOWN = 50


def table(result: SplitCheckResult) -> RenderableType:
    """One row per leak, and a line on what was looked for."""
    counts = ", ".join(f"{split} {count:,}" for split, count in result.images.items())
    lines = [f"{counted(sum(result.images.values()), 'image')}: {counts}", _looked_for(result)]
    if result.passed:
        return Group(*map(Text, [*lines, "No leak."]))
    grid = Table(title=counted(len(result.leaks), "leak"), title_justify="left")
    for column in ("splits", "images", "how"):
        grid.add_column(column, overflow="fold")
    for leak in result.leaks[:SHOWN]:
        grid.add_row(" ".join(leak.splits), str(len(leak.rows)), Text(printable(leak.reason)))
    if len(result.leaks) > SHOWN:
        grid.add_row("", "", Text(f"… and {len(result.leaks) - SHOWN} more; --json has all", style="dim"))
    return Group(*map(Text, lines), grid)


def _looked_for(result: SplitCheckResult) -> str:
    looked = ["the same image", *(["near duplicates"] if result.near_duplicates else [])]
    looked += [f"groups by {printable(result.group_by)}"] if result.group_by else ["groups"]
    return f"Looked for in two splits: {', '.join(looked)}"
