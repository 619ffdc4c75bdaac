"""The network in a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.model_info import ModelInfoResult
from clf_cli.render.layers import layer_table, types_line
from clf_cli.render.preprocess import preprocess_rows
from clf_cli.render.text import named, scaled


def table(result: ModelInfoResult) -> RenderableType:
    """Parameters, size, cost, preprocessing, and the layers by type; the report holds them one by one."""
    facts = _facts(result)
    facts.add_row("Layers", types_line(result.layers))
    return facts


def table_with_layers(result: ModelInfoResult) -> RenderableType:
    """The same, with every layer in a row of its own."""
    return Group(_facts(result), layer_table(result.layers))


def _facts(result: ModelInfoResult) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_row("Architecture", Text(result.arch))
    facts.add_row("Parameters", f"{result.parameters:,}")
    facts.add_row("Trainable", f"{result.trainable:,}")
    facts.add_row("Size", f"{result.megabytes:.1f} MB")
    facts.add_row("Multiply-adds", f"{scaled(result.multiply_adds)} per image")
    for name, value in preprocess_rows(result.preprocess):
        facts.add_row(name, value)
    facts.add_row("Classes", Text(_classes(result)))
    return facts


def _classes(result: ModelInfoResult) -> str:
    if result.labels is not None:
        return named(tuple(result.labels))
    if result.classes == 0:
        return "none: timm has it without a head, and training adds one"
    return f"{result.classes:,}, timm's own; training makes a head for those of the data"
