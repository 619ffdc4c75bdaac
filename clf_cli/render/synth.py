"""What `clf synth` drew, as a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.synth import SynthResult
from clf_cli.values.labels import shown


def table(result: SynthResult) -> RenderableType:
    """One row per class with its images in each split, and a line on what comes next."""
    counts = result.plan.counts
    grid = Table()
    grid.add_column("class")
    for split in counts:
        grid.add_column(split, justify="right")
    for label in result.labels:
        grid.add_row(Text(shown(label)), *(str(split.get(label, 0)) for split in counts.values()))
    grid.add_section()
    grid.add_row("all", *(str(sum(split.values())) for split in counts.values()))
    lines = [f"Left out, since it is no number: {shown(label)}" for label in result.plan.left_out]
    if result.plan.like is not None:
        lines.append(f"Data in JSON lines take {result.out}/train as one more folder under their train folder.")
    return Group(Text(f"{result.plan.images} images in {result.out}"), grid, *(Text(line) for line in lines))
