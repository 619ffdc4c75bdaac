"""Images in rows, each framed and with lines of text below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from clf_cli.render.figures import (
    INK,
    SCALE,
    SUBTITLE,
    TITLE,
    Pixels,
    TextStyle,
    colored,
    new_figure,
    paint,
    text_width,
    write,
    write_title,
)

TILE = 104.0  # side of an image, in points
FRAME = 2.5
GAP = 14.0
LINE_HEIGHT = 14.0
MARGIN = 16.0
SIZE = 9.0  # of the captions


@dataclass(frozen=True)
class Caption:
    """A line below an image, no wider than TILE (see `fitting`)."""

    text: str
    color: str = INK
    bold: bool = False


@dataclass(frozen=True)
class Tile:
    """An image (H, W, 3) of any size, the colour of its frame, and the lines below it, as many for every tile."""

    pixels: Pixels
    color: str
    captions: tuple[Caption, ...]


def grid(title: str, lines: tuple[str, ...], tiles: Sequence[Tile], columns: int | None = None) -> Figure:
    """The tiles in rows from the left; about as many rows as columns unless `columns` says how many."""
    columns = columns or max(1, ceil(sqrt(len(tiles))))
    captions = max((len(tile.captions) for tile in tiles), default=0)
    wide, high = TILE + GAP, TILE + 6 + LINE_HEIGHT * captions + GAP
    heading = max(text_width(title, TITLE.size, bold=True), *(text_width(line, SUBTITLE.size) for line in lines))
    width = max(columns * wide - GAP, heading) + 2 * MARGIN
    top = 45 + 13 * len(lines)
    drawing = new_figure(ceil(width), ceil(top + 4 + ceil(len(tiles) / columns) * high))
    write_title(drawing, MARGIN, title, lines)
    for position, tile in enumerate(tiles):
        left, upper = MARGIN + position % columns * wide, top + position // columns * high
        paint(drawing, framed_square(tile.pixels, tile.color, TILE), left, upper)
        for number, caption in enumerate(tile.captions):
            at = upper + TILE + 13 + LINE_HEIGHT * number
            write(drawing, left, at, caption.text, TextStyle(SIZE, caption.color, caption.bold))
    return drawing


def framed_square(pixels: Pixels, color: str, points: float) -> Pixels:
    """The image enlarged or shrunk to fit a square of that side, with a frame in `color`."""
    side, frame = round(points * SCALE), round(FRAME * SCALE)
    room = side - 2 * frame
    scale = room / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    kernel = Image.Resampling.NEAREST if scale >= 4 else Image.Resampling.BICUBIC
    resized = np.asarray(Image.fromarray(pixels).resize(size, kernel))
    square = colored(side, side, color)
    square[frame : side - frame, frame : side - frame] = 255
    top, left = frame + (room - size[1]) // 2, frame + (room - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = resized
    return square


def fitting(text: str, room: float, bold: bool = False) -> str:
    """The text, cut with `…` so that it takes no more than `room` points at the captions' size."""
    kept = text
    while len(kept) > 1 and text_width(kept, SIZE, bold) > room:
        kept = kept[:-2].rstrip() + "…"
    return kept
