"""The layers of a network, or the nodes of a graph: one by one, or as counts by type."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from clf_cli.render.text import UNDEFINED
from clf_cli.values.layer import Layer, layer_types


def layer_table(layers: Sequence[Layer]) -> Table:
    """A row per layer, in the order of the forward pass."""
    grid = Table()
    for name in ("layer", "type"):
        grid.add_column(name, overflow="fold")
    grid.add_column("output", overflow="fold")
    grid.add_column("parameters", justify="right")
    for layer in layers:
        output = " × ".join(UNDEFINED if axis is None else str(axis) for axis in layer.output) or UNDEFINED
        grid.add_row(Text(layer.name), Text(layer.type), Text(output), f"{layer.parameters:,}")
    return grid


def types_line(layers: Sequence[Layer]) -> str:
    """`20 Conv2d, 17 ReLU, 1 Linear`."""
    return ", ".join(f"{count} {kind}" for kind, count in layer_types(layers).items())
