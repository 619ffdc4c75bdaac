"""A table that leaves out columns, rather than break every cell, where the terminal is too narrow for all."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_EDGES = 3  # columns of the terminal that each cell takes for its borders


@dataclass(frozen=True)
class Column:
    """`rank` says who gets room first, the lowest; columns of rank 0 always stand."""

    name: str
    right: bool = False
    rank: int = 0


@dataclass(frozen=True)
class Row:
    """A text per column; control characters and brackets are shown, not obeyed."""

    cells: tuple[str, ...]
    bold: bool = False
    ends_section: bool = False


@dataclass(frozen=True)
class FittedTable:
    """What rich prints as a table of as many columns as fit; a line below names those that do not."""

    columns: Sequence[Column]
    rows: Sequence[Row]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept = self.fitting(options.max_width)
        grid = Table()
        for index in kept:
            column = self.columns[index]
            grid.add_column(column.name, justify="right" if column.right else "left", no_wrap=column.rank > 0)
        for row in self.rows:
            cells = (Text(row.cells[index], overflow="fold") for index in kept)
            grid.add_row(*cells, style="bold" if row.bold else None, end_section=row.ends_section)
        yield grid
        missing = [column.name for index, column in enumerate(self.columns) if index not in kept]
        if missing:
            yield Text(f"Too narrow for {', '.join(missing)}: widen the terminal, or use --json.")

    def fitting(self, width: int) -> list[int]:
        """The indices of the columns that are shown in so many columns of the terminal."""
        widths = [
            max(cell_len(text) for text in (column.name, *(row.cells[index] for row in self.rows))) + _EDGES
            for index, column in enumerate(self.columns)
        ]
        kept: list[int] = []
        left = width - 1
        for index in sorted(range(len(self.columns)), key=lambda index: self.columns[index].rank):
            if self.columns[index].rank == 0 or widths[index] <= left:
                kept.append(index)
                left -= widths[index]
        return sorted(kept)
