"""The network in a table."""

from rich.console import RenderableType
from rich.table import Table

from clf_cli.engine.model_info import ModelInfoResult


def table(result: ModelInfoResult) -> RenderableType:
    """Parameters, size, cost, preprocessing, and the layers by type; the report holds them one by one."""
    p = result.preprocess
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Parameters", f"{result.parameters:,}")
    facts.add_row("Trainable", f"{result.trainable:,}")
    facts.add_row("Size", f"{result.megabytes:.1f} MB")
    facts.add_row("Multiply-adds", f"{_scaled(result.multiply_adds)} per image")
    facts.add_row("Input", f"3 × {p.height} × {p.width}, {p.resize_mode}, {p.interpolation}")
    facts.add_row("Mean, std", f"{_channels(p.mean)}; {_channels(p.std)}")
    facts.add_row("Classes", f"{result.classes:,}")
    facts.add_row("Layers", ", ".join(f"{count} {kind}" for kind, count in result.layer_types.items()))
    return facts


def _scaled(count: int) -> str:
    """1.82 G, 37.3 M."""
    return f"{count / 1e9:.2f} G" if count >= 1e9 else f"{count / 1e6:.1f} M"


def _channels(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3f}" for value in values)
