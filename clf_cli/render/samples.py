"""A grid of images with what was predicted for them."""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.samples import SampledPrediction, SamplesResult
from clf_cli.render.figures import (
    GREEN,
    INK,
    SCALE,
    SUBTITLE,
    TITLE,
    VERMILLION,
    Pixels,
    TextStyle,
    colored,
    new_figure,
    paint,
    text_width,
    write,
    write_title,
)
from clf_cli.render.text import counted, label, percent

TILE = 104.0  # side of an image, in points
FRAME = 2.5
GAP = 14.0
CAPTION = 34.0  # room for the two lines below an image
MARGIN = 16.0


def table(result: SamplesResult) -> RenderableType:
    """One row per image."""
    grid = Table()
    for name in ("image", "true", "predicted"):
        grid.add_column(name)
    grid.add_column("confidence", justify="right")
    for sample in result.samples:
        style = "green" if sample.correct else "red"
        cells = (Text(sample.path), Text(label(sample.true)), Text(label(sample.predicted), style))
        grid.add_row(*cells, percent(sample.confidence))
    return grid


def figure(result: SamplesResult, thumbnails: Sequence[Pixels], subject: str = "") -> Figure:
    """The images in rows from the left, framed green where the prediction is right and red where it is wrong.

    `thumbnails` are the images in the order of the samples, (H, W, 3) as the network saw them; `subject` says whose
    predictions they are (`val, epoch 7`). Raises ValueError when there is not one for each sample.
    """
    samples = result.samples
    columns = max(1, ceil(sqrt(len(samples))))
    wide, high = TILE + GAP, TILE + CAPTION + GAP
    title = f"Sample predictions: {subject}" if subject else "Sample predictions"
    right = sum(sample.correct for sample in samples)
    line = f"{right} of {counted(len(samples), 'image')} right"
    heading = max(text_width(title, TITLE.size, bold=True), text_width(line, SUBTITLE.size))
    width = max(columns * wide - GAP, heading) + 2 * MARGIN
    drawing = new_figure(ceil(width), ceil(62 + ceil(len(samples) / columns) * high))
    write_title(drawing, MARGIN, title, (line,))
    for position, (sample, thumbnail) in enumerate(zip(samples, thumbnails, strict=True)):
        left, top = MARGIN + position % columns * wide, 58 + position // columns * high
        paint(drawing, _tile(thumbnail, GREEN if sample.correct else VERMILLION), left, top)
        _caption(drawing, sample, left, top + TILE)
    return drawing


def _tile(pixels: Pixels, color: str) -> Pixels:
    """The image enlarged or shrunk to fit a square with a frame in `color`."""
    side, frame = round(TILE * SCALE), round(FRAME * SCALE)
    room = side - 2 * frame
    scale = room / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    kernel = Image.Resampling.NEAREST if scale >= 4 else Image.Resampling.BICUBIC
    resized = np.asarray(Image.fromarray(pixels).resize(size, kernel))
    tile = colored(side, side, color)
    tile[frame : side - frame, frame : side - frame] = 255
    top, left = frame + (room - size[1]) // 2, frame + (room - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = resized
    return tile


def _caption(drawing: Figure, sample: SampledPrediction, left: float, top: float) -> None:
    mark, color = ("✓", GREEN) if sample.correct else ("✗", VERMILLION)
    share = percent(sample.confidence, 0)
    write(drawing, left, top + 13, _fitting(f"true: {label(sample.true)}", TILE), TextStyle(9, INK))
    said = TextStyle(9, color, bold=True)
    room = TILE - text_width(f"{mark}  {share}", 9, bold=True) - 4
    write(drawing, left, top + 27, f"{mark} {_fitting(label(sample.predicted), room, bold=True)}  {share}", said)


def _fitting(text: str, room: float, bold: bool = False) -> str:
    """The text, cut with `…` so that it takes no more than `room` points at the captions' size."""
    kept = text
    while len(kept) > 1 and text_width(kept, 9, bold) > room:
        kept = kept[:-2].rstrip() + "…"
    return kept
