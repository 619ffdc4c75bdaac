"""The most confused pairs of classes as a picture: counts, and a few of the images."""

from collections.abc import Mapping
from math import ceil

import numpy as np
from matplotlib.figure import Figure

from clf_cli.engine.confusion import ConfusedPair, ConfusionResult
from clf_cli.engine.thumbnails import Pixels
from clf_cli.render.figures import (
    FAINT,
    SUBTITLE,
    TITLE,
    VERMILLION,
    TextStyle,
    new_figure,
    paint,
    text_width,
    write,
    write_title,
)
from clf_cli.render.grid import framed_square
from clf_cli.render.text import counted, label, percent

PAIRS = 10
TILE, GAP, MARGIN = 80.0, 10.0, 16.0  # points
NAME, NUMBER = TextStyle(9.5, bold=True), TextStyle(8.5, FAINT)


def drawn_pairs(result: ConfusionResult) -> tuple[ConfusedPair, ...]:
    """The pairs that the picture shows."""
    return result.most_confused(PAIRS)


def figure(result: ConfusionResult, pixels: Mapping[str, Pixels], subject: str = "") -> Figure:
    """A row per pair, the most images first: both classes, count and share, then its example images.

    `pixels` are those of every example of `drawn_pairs`, by path; `subject` says whose errors they are.
    """
    pairs = drawn_pairs(result)
    texts = [_lines(result, pair) for pair in pairs]
    beside = max((text_width(lines[0], NAME.size, bold=True) for lines in texts), default=0.0)
    beside = max([beside, *(text_width(line, NUMBER.size) for lines in texts for line in lines[1:])]) + 14
    title = f"Most confused classes: {subject}" if subject else "Most confused classes"
    line = _summary(result, len(pairs))
    most = max((len(pair.examples) for pair in pairs), default=0)
    heading = max(text_width(title, TITLE.size, bold=True), text_width(line, SUBTITLE.size))
    width = max(beside + most * (TILE + GAP), heading) + 2 * MARGIN
    drawing = new_figure(ceil(width), ceil(62 + len(pairs) * (TILE + GAP)))
    write_title(drawing, MARGIN, title, (line,))
    for row, (pair, lines) in enumerate(zip(pairs, texts, strict=True)):
        top = 58 + row * (TILE + GAP)
        for number, text in enumerate(lines):
            write(drawing, MARGIN, top + 24 + 15 * number, text, NUMBER if number else NAME)
        for column, path in enumerate(pair.examples):
            left = MARGIN + beside + column * (TILE + GAP)
            paint(drawing, framed_square(pixels[path], VERMILLION, TILE), left, top)
    return drawing


def _lines(result: ConfusionResult, pair: ConfusedPair) -> tuple[str, ...]:
    true, predicted = (label(result.labels.names[index], 28) for index in (pair.true, pair.predicted))
    shown = len(pair.examples)
    more = f"{shown:,} of them shown" if shown < pair.count else ""
    share = f"{counted(pair.count, 'image')}, {percent(pair.share)} of the class"
    return tuple(line for line in (f"{true} → {predicted}", share, more) if line)


def _summary(result: ConfusionResult, pairs: int) -> str:
    wrong = result.images - int(np.trace(result.counts))
    if not wrong:
        return f"none of {counted(result.images, 'image')} is wrong"
    kinds = int(np.count_nonzero(result.counts)) - int(np.count_nonzero(np.diagonal(result.counts)))
    images, found = counted(result.images, "image"), counted(kinds, "pair")
    told = f"true → predicted · {wrong:,} of {images} wrong, in {found} of classes"
    return f"{told} · the {pairs} with the most images" if pairs < kinds else told
