"""One epoch's draws as a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.sampler import SamplerResult
from clf_cli.render.text import counted, decimal, label, percent


def table(result: SamplerResult) -> RenderableType:
    """Per class: images drawn and expected, their ratio, and the share that the loss sees; then the test of chance."""
    grid = Table(title=f"Images drawn in epoch {result.epoch}", title_justify="left")
    grid.add_column("class")
    for name in ("drawn", "expected", "ratio", "share in the loss"):
        grid.add_column(name, justify="right")
    columns = zip(result.labels, result.drawn, result.expected, result.ratio, result.effective_prior, strict=True)
    for name, drawn, expected, ratio, prior in columns:
        cells = (f"{int(drawn):,}", f"{float(expected):,.1f}", decimal(float(ratio), 2), percent(float(prior)))
        grid.add_row(Text(label(name)), *cells)
    warnings = (Text(f"Warning: {finding}.", style="yellow") for finding in result.findings)
    return Group(grid, Text(summary(result)), *warnings)


def summary(result: SamplerResult) -> str:
    """One line: how many images, and whether they stray further from what is expected than chance does."""
    images = counted(int(result.drawn.sum()), "image")
    chance = f"chi-square {decimal(result.chi_square, 1)} with {counted(result.degrees, 'degree')} of freedom"
    return f"{images} drawn; {chance}, p = {decimal(result.p_value, 3)}"
