"""Images of each class and split as bars."""

from math import ceil

import numpy as np
from matplotlib.figure import Figure

from clf_cli.data.samples import WHOLE
from clf_cli.engine.dataset import DatasetResult
from clf_cli.render.figures import (
    BLUE,
    FAINT,
    LINE,
    PURPLE,
    SCALE,
    SKY,
    SUBTITLE,
    TITLE,
    TextStyle,
    colored,
    new_figure,
    paint,
    text_width,
    write,
    write_title,
)
from clf_cli.render.page_curves import ticks
from clf_cli.render.text import counted, label

COLORS = (BLUE, SKY, PURPLE, FAINT)  # of the splits, in their order
CLASSES_DRAWN = 60  # more are drawn by the largest and the rarest
BARS = 380.0  # width of the longest bar, in points
ROW = 15.0
MARGIN = 16.0
NAME, NUMBER = TextStyle(8.5, horizontal="right"), TextStyle(7.5, FAINT)


def figure(result: DatasetResult, subject: str = "") -> Figure:
    """A bar per class with a part for each split, the classes with the most images first.

    Of more than CLASSES_DRAWN, the first and the last; `subject` says whose images they are.
    """
    chosen, note = _chosen(result)
    names = [label(result.labels.names[index], 24) for index in chosen]
    left = MARGIN + max((text_width(name, NAME.size) for name in names), default=0) + 8
    title = f"Images of each class: {subject}" if subject else "Images of each class"
    whole = f"{counted(int(result.totals.sum()), 'image')}, {counted(len(result.labels), 'class')}"
    lines = tuple(filter(None, (whole, note)))
    heading = max(text_width(title, TITLE.size, bold=True), *(text_width(line, SUBTITLE.size) for line in lines))
    top = 78.0 + 13 * len(lines)
    numbers = max((text_width(_numbers(result, index), NUMBER.size) for index in chosen), default=0)
    drawing = new_figure(
        ceil(max(left + BARS + 10 + numbers + MARGIN, heading + 2 * MARGIN)), ceil(top + ROW * len(chosen) + 12)
    )
    write_title(drawing, MARGIN, title, lines)
    write_key(drawing, result.splits, MARGIN, top - 34)
    _draw_bars(drawing, result, chosen, (left, top))
    for row, (index, name) in enumerate(zip(chosen, names, strict=True)):
        at = top + ROW * row + 10
        write(drawing, left - 8, at, name, NAME)
        write(drawing, left + BARS + 10, at, _numbers(result, index), NUMBER)
    return drawing


def write_key(drawing: Figure, splits: tuple[str, ...], left: float, top: float) -> None:
    """Which colour is which split, in a line."""
    for split, color in zip(splits, COLORS, strict=False):
        paint(drawing, colored(round(8 * SCALE), round(8 * SCALE), color), left, top)
        name = split or WHOLE
        write(drawing, left + 12, top + 8, name, TextStyle(9))
        left += 12 + text_width(name, 9) + 14


def _chosen(result: DatasetResult) -> tuple[list[int], str]:
    """The classes that are drawn, and what to say of the others."""
    order = np.argsort(-result.counts.sum(axis=1), kind="stable").tolist()
    if len(order) <= CLASSES_DRAWN:
        return order, ""
    half = CLASSES_DRAWN // 2
    return [*order[:half], *order[-half:]], f"the {half} largest and the {half} rarest of {len(order):,} classes"


def _numbers(result: DatasetResult, index: int) -> str:
    return ", ".join(
        f"{count:,} {split or WHOLE}" for split, count in zip(result.splits, result.counts[index].tolist(), strict=True)
    )


def _draw_bars(drawing: Figure, result: DatasetResult, chosen: list[int], corner: tuple[float, float]) -> None:
    left, top = corner
    most = max(int(result.counts.sum(axis=1).max(initial=0)), 1)
    for value in [tick for tick in ticks(0, most) if tick <= most and tick == round(tick)]:
        at = left + BARS * value / most
        paint(drawing, colored(round((ROW * len(chosen) + 4) * SCALE), 1, LINE), at, top - 4)
        write(drawing, at, top - 8, f"{value:,.0f}", TextStyle(7, FAINT, horizontal="center"))
    for row, index in enumerate(chosen):
        ends = (np.cumsum(result.counts[index]) * BARS / most * SCALE).round().astype(int).tolist()
        for start, end, color in zip([0, *ends], ends, COLORS, strict=False):
            if end > start:
                paint(drawing, colored(10 * SCALE, end - start, color), left + start / SCALE, top + ROW * row + 1)
