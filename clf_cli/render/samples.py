"""A grid of images with what was predicted for them."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.samples import SampledPrediction, SamplesResult
from clf_cli.render.figures import GREEN, VERMILLION, Pixels, text_width
from clf_cli.render.grid import SIZE, TILE, Caption, Tile, fitting, grid
from clf_cli.render.text import counted, decimal, label, percent

TITLES = {"spread": "Sample predictions", "worst": "Highest loss"}


def table(result: SamplesResult) -> RenderableType:
    """One row per image."""
    rows = Table()
    for name in ("image", "true", "predicted"):
        rows.add_column(name, overflow="fold")
    for name in ("confidence", "loss"):
        rows.add_column(name, justify="right")
    for sample in result.samples:
        style = "green" if sample.correct else "red"
        cells = (Text(sample.path), Text(label(sample.true)), Text(label(sample.predicted), style))
        rows.add_row(*cells, percent(sample.confidence), decimal(sample.loss, 2))
    return rows


def figure(result: SamplesResult, thumbnails: Sequence[Pixels], subject: str = "") -> Figure:
    """The images in rows from the left, framed green where the prediction is right and orange where it is wrong.

    `thumbnails` are the images in the order of the samples, (H, W, 3) as the network saw them; `subject` says whose
    predictions they are (`val, epoch 7`). Raises ValueError when there is not one for each sample.
    """
    samples = result.samples
    title = TITLES[result.chosen]
    right = sum(sample.correct for sample in samples)
    line = f"{right} of {counted(len(samples), 'image')} right"
    tiles = [
        Tile(pixels, GREEN if sample.correct else VERMILLION, _captions(sample, result.chosen == "worst"))
        for sample, pixels in zip(samples, thumbnails, strict=True)
    ]
    return grid(f"{title}: {subject}" if subject else title, (line,), tiles)


def answer(name: str, confidence: float, correct: bool, prefix: str = "") -> Caption:
    """`✓ apple  98 %` in green, or `✗ ...` in red; the name is cut where it does not fit."""
    mark, color = ("✓", GREEN) if correct else ("✗", VERMILLION)
    start, share = f"{prefix}{mark}", percent(confidence, 0)
    room = TILE - text_width(f"{start}  {share}", SIZE, bold=True) - 4
    return Caption(f"{start} {fitting(label(name), room, bold=True)}  {share}", color, bold=True)


def truth(name: str) -> Caption:
    """`true: apple`, cut where it does not fit."""
    return Caption(fitting(f"true: {label(name)}", TILE))


def _captions(sample: SampledPrediction, with_loss: bool) -> tuple[Caption, ...]:
    lines = (truth(sample.true), answer(sample.predicted, sample.confidence, sample.correct))
    return (*lines, Caption(f"loss {decimal(sample.loss, 2)}")) if with_loss else lines
