"""A mean of checkpoints as a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.average import AverageResult
from clf_cli.render.text import UNDEFINED, counted, decimal, percent
from clf_cli.values.contract import Score


def table(result: AverageResult) -> RenderableType:
    """Each checkpoint with the score that it was stored with, and the mean below them; then how it was made."""
    grid = Table()
    grid.add_column("checkpoint")
    for name in ("epoch", "stored score"):
        grid.add_column(name, justify="right")
    for item in result.inputs:
        grid.add_row(Text(item.path.as_posix()), f"{item.epoch:,}", _score(item.score))
    grid.add_section()
    grid.add_row("mean of them", UNDEFINED, _score(result.score))
    scores = result.metrics
    told = f"The mean: loss {decimal(scores.loss)}, macro F1 {percent(scores.f1_macro, 2)}."
    return Group(grid, Text(told), Text(_norm(result)))


def _score(score: Score | None) -> str:
    if score is None or score.value is None:
        return UNDEFINED
    value = percent(score.value, 2) if "acc" in score.metric or "f1" in score.metric else decimal(score.value)
    return f"{score.metric} {value}"


def _norm(result: AverageResult) -> str:
    if not result.norm_layers:
        return "It has no batch norm, so there was nothing to estimate again."
    layers, images = counted(result.norm_layers, "batch-norm layer"), counted(result.train_images, "train image")
    return f"Statistics of {layers} were estimated again on {images}, augmented as in training."
