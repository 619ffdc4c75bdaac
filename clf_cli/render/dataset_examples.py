"""A row of images for each class."""

from collections.abc import Callable
from math import ceil

from matplotlib.figure import Figure

from clf_cli.data.samples import WHOLE
from clf_cli.engine.dataset_examples import ClassExamples, Examples
from clf_cli.render.figures import (
    FAINT,
    LINE,
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
from clf_cli.render.grid import framed_square
from clf_cli.render.text import counted, label

TILE, GAP = 52.0, 6.0  # points
PIXELS = round(TILE * SCALE)  # side that an image needs
MARGIN = 16.0
NAME, NUMBER = TextStyle(9, bold=True, horizontal="right"), TextStyle(7.5, FAINT, horizontal="right")

Read = Callable[[str], Pixels | None]  # path to image; None where it cannot be read


def figure(examples: Examples, read: Read, subject: str = "") -> Figure:
    """Classes in label order, each with its images; a grey square stands for one that can no longer be read."""
    title = f"Images of each class: {subject}" if subject else "Images of each class"
    shown = examples.classes
    line = f"{counted(len(shown), 'class')}"
    if examples.left_out:
        line += f"; {counted(examples.left_out, 'class')} between the largest and the rarest left out"
    names = [label(one.label, 24) for one in shown]
    beside = max((text_width(name, NAME.size, bold=True) for name in names), default=0)
    left, top = MARGIN + max(beside, 60) + 10, 58.0
    columns = max((len(one.paths) for one in shown), default=0)
    heading = max(text_width(title, TITLE.size, bold=True), text_width(line, SUBTITLE.size)) + 2 * MARGIN
    width = max(left + columns * (TILE + GAP) + MARGIN - GAP, heading)
    drawing = new_figure(ceil(width), ceil(top + len(shown) * (TILE + GAP) + MARGIN - GAP))
    write_title(drawing, MARGIN, title, (line,))
    for row, (one, name) in enumerate(zip(shown, names, strict=True)):
        upper = top + row * (TILE + GAP)
        write(drawing, left - 10, upper + TILE / 2, name, NAME)
        write(drawing, left - 10, upper + TILE / 2 + 11, _count(one), NUMBER)
        for column, path in enumerate(one.paths):
            paint(drawing, _square(read(path)), left + column * (TILE + GAP), upper)
    return drawing


def _count(one: ClassExamples) -> str:
    return f"{one.images:,} {one.split or WHOLE}"


def _square(pixels: Pixels | None) -> Pixels:
    return colored(PIXELS, PIXELS, LINE) if pixels is None else framed_square(pixels, LINE, TILE)
