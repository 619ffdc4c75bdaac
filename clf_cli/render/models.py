"""Architectures and published weights in a table."""

from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.models import ModelsResult
from clf_cli.models.catalog import Entry
from clf_cli.render.text import UNDEFINED, counted

DEFAULT = "•"


def table(result: ModelsResult) -> RenderableType:
    """A row for each name that --arch takes, then how many there are."""
    grid = Table()
    grid.add_column("")
    grid.add_column("name", overflow="fold")
    for name in ("parameters", "input"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("licence", overflow="fold")
    grid.add_column("source", overflow="fold")
    for entry in result.models:
        grid.add_row(
            DEFAULT if entry.default and entry.source else "",
            Text(entry.name),
            UNDEFINED if entry.parameters is None else f"{entry.parameters / 1e6:.1f} M",
            str(entry.height) if entry.height == entry.width else f"{entry.height} × {entry.width}",
            Text(entry.licence or UNDEFINED),
            Text(_source(entry)),
        )
    return Group(grid, Text(_summary(result)))


def _source(entry: Entry) -> str:
    """A repository of timm's that is named like the weights is `timm` for short, an address its host."""
    if entry.source == f"timm/{entry.name}":
        return "timm"
    return urlsplit(entry.source).hostname or entry.source or UNDEFINED


def _summary(result: ModelsResult) -> str:
    architectures = counted(len({entry.architecture for entry in result.models}), "architecture")
    published = sum(bool(entry.source) for entry in result.models)
    marked = any(entry.default and entry.source for entry in result.models)
    meaning = f" {DEFAULT} is what --arch takes for the name before the dot." if marked else ""
    return f"{architectures} of timm {result.timm}, {published:,} published weights.{meaning}"
