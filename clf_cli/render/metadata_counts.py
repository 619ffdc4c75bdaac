"""The other keys of a manifest's rows as a table."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from clf_cli.data.samples import printable
from clf_cli.engine.metadata_counts import KeyCounts
from clf_cli.render.text import shorten

SHOWN = 20  # keys
VALUE = 24  # characters of a value


def table(keys: Sequence[KeyCounts]) -> Table:
    """A key per line: how many rows have it, how many different values there are, and the most frequent ones."""
    grid = Table(title="Keys of the rows", title_justify="left")
    grid.add_column("key", overflow="fold")
    grid.add_column("rows", justify="right")
    grid.add_column("values", justify="right")
    grid.add_column("most frequent", overflow="fold")
    for key in keys[:SHOWN]:
        grid.add_row(Text(printable(key.key)), f"{key.rows:,}", distinct_text(key), Text(frequent_text(key)))
    if len(keys) > SHOWN:
        grid.add_row(Text(f"… {len(keys) - SHOWN} more", style="dim"))
    return grid


def distinct_text(key: KeyCounts) -> str:
    """`12`, or `1,000+` where there were too many to tell apart."""
    return f"{key.distinct:,}{'+' if key.more else ''}"


def frequent_text(key: KeyCounts, limit: int = 3) -> str:
    """`a (12), b (3), …`; a range for numbers of many values; one example where no value repeats."""
    if key.low is not None and key.high is not None and key.distinct > limit:
        return f"{key.low:g} to {key.high:g}"
    if key.distinct > 1 and key.values[0][1] == 1:
        return f"{'' if key.more else 'each once, '}such as {value_text(key.values[0][0])}"
    shown = [f"{value_text(value)} ({count:,})" for value, count in key.values[:limit]]
    return ", ".join([*shown, *(["…"] if key.distinct > limit else [])])


def value_text(value: str) -> str:
    """On one line, cut, with control characters as escapes; the empty text as `\"\"`."""
    return shorten(printable(value), VALUE) or '""'
