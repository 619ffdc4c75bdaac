"""The confusion matrix as a table, a picture and rows of a CSV file."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.render.class_axis import class_axis, write_axes
from clf_cli.render.figures import (
    FAINT,
    SCALE,
    SUBTITLE,
    TITLE,
    TextStyle,
    framed,
    new_figure,
    paint,
    text_width,
    write,
    write_title,
)
from clf_cli.render.heatmap import bar_pixels, matrix_notes, matrix_pixels, write_numbers
from clf_cli.render.text import UNDEFINED, counted, label, percent

MATRIX_CLASSES = 30  # more are listed as pairs
WORST = 20
BAR_SPACE = 84  # points
BAR_PERCENTS = (2, 10, 25, 50, 75, 100)
PAIRS_FROM = 200.0  # points below the top of the matrix
PAIR = TextStyle(size=7.5)


def table(result: ConfusionResult) -> RenderableType:
    """The whole matrix where it fits the terminal; else the most confused pairs and the classes of lowest recall."""
    return Group(Text(summary(result)), _Fitting(result))


def summary(result: ConfusionResult) -> str:
    """One line: how much is right, of how many images and classes, and what could not be measured."""
    right = int(np.trace(result.counts))
    line = f"{right:,} of {counted(result.images, 'image')} right ({percent(result.accuracy)})"
    line += f" · {counted(len(result.labels), 'class')}"
    unmeasured = int((result.support == 0).sum())
    return f"{line}, {unmeasured} of them without images" if unmeasured else line


def figure(result: ConfusionResult, normalize: bool = True, subject: str = "") -> Figure:
    """The matrix from 2 to 1,000 classes: names and numbers while they fit, beyond 30 classes the worst pairs as text.

    `normalize` colours and numbers each cell by its share of the true class's images, else by images; `subject` says
    whose matrix it is (`val, epoch 7`).
    """
    axis = class_axis(result.labels.names)
    notes = "; ".join((*matrix_notes(result, axis.cell), *axis.notes))
    lines = tuple(filter(None, (f"{subject} · {summary(result)}" if subject else summary(result), notes)))
    title = f"Confusion matrix: {'% of each true class' if normalize else 'images'}"
    pairs = _pair_lines(result, axis.side) if len(result.labels) > MATRIX_CLASSES else []
    left, top = axis.beside + 36, 50.0 + 13 * len(lines)
    aside = max([BAR_SPACE, *(20 + text_width(line, PAIR.size, bold=line == pairs[0]) for line in pairs)])
    heading = max(text_width(title, TITLE.size, bold=True), *(text_width(line, SUBTITLE.size) for line in lines))
    drawing = new_figure(
        ceil(max(left + axis.side + aside + 10, heading + 32)), ceil(top + axis.side + axis.below + 34)
    )
    write_title(drawing, 16, title, lines)
    pixels = matrix_pixels(result, normalize, axis.cell)
    paint(drawing, framed(pixels), left - 0.5, top - 0.5)
    write_numbers(drawing, result, normalize, axis.cell, (left, top))
    write_axes(drawing, axis, left, top)
    right = left + axis.side + 16
    _draw_bar(drawing, result, normalize, right, top)
    for number, line in enumerate(pairs):
        write(drawing, right, top + PAIRS_FROM + 12 * number, line, PAIR if number else replace(PAIR, bold=True))
    return drawing


def _pair_lines(result: ConfusionResult, side: float) -> list[str]:
    """The most confused pairs, as many as fit beside the matrix, below a heading."""
    names = [label(name, 20) for name in result.labels]
    pairs = result.most_confused(min(WORST, int((side - PAIRS_FROM) / 12) - 1))
    lines = [
        f"{pair.count:,} ({percent(pair.share, 0)})  {names[pair.true]} → {names[pair.predicted]}" for pair in pairs
    ]
    return ["Most confused: images (of the class)", *lines] if lines else []


def _draw_bar(drawing: Figure, result: ConfusionResult, normalize: bool, left: float, top: float) -> None:
    height, width = 150, 14
    paint(drawing, framed(bar_pixels(width * SCALE, height * SCALE)), left - 0.5, top + 13.5)
    tick = TextStyle(7, FAINT, vertical="center_baseline")
    write(drawing, left, top + 8, "right | wrong", replace(tick, vertical="baseline"))
    most = 100 if normalize else max(1, int(result.counts.max()))
    for value in BAR_PERCENTS if normalize else sorted({round(most * percents / 100) for percents in BAR_PERCENTS}):
        at = top + 14 + height * (1 - (value / most) ** 0.5)
        write(drawing, left + width + 4, at, f"{value} %" if normalize else f"{value:,}", tick)


@dataclass(frozen=True)
class _Fitting:
    """Chooses between the matrix and the lists by the width of the terminal."""

    result: ConfusionResult

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if len(self.result.labels) <= MATRIX_CLASSES:
            for by_index in (False, True):
                matrix = _matrix(self.result, by_index)
                if Measurement.get(console, options.update(width=10_000), matrix).maximum <= options.max_width:
                    yield Text("rows true, columns predicted", style="dim")
                    yield matrix
                    return
        yield from (lists for lists in (_pairs(self.result), _worst(self.result)) if lists.row_count)


def _matrix(result: ConfusionResult, by_index: bool) -> Table:
    """Columns are headed by names, or by the indices that then stand before the names of the rows."""
    names = [label(name, 24) for name in result.labels]
    matrix = Table(padding=(0, 1, 0, 0), pad_edge=False) if by_index else Table()
    matrix.add_column("true")
    for index, name in enumerate(names):
        matrix.add_column(Text(str(index) if by_index else name), justify="right", no_wrap=True)
    matrix.add_column("recall", justify="right", no_wrap=True)
    for index, (name, counts) in enumerate(zip(names, result.counts.tolist(), strict=True)):
        cells = [
            Text(str(count) if count else "·", style=_style(count, index == column))
            for column, count in enumerate(counts)
        ]
        matrix.add_row(
            Text(f"{index} {name}" if by_index else name), *cells, percent(float(result.shares[index, index]))
        )
    return matrix


def _style(count: int, right: bool) -> str:
    if not count:
        return "dim"
    return "bold blue" if right else "bold red"


def _pairs(result: ConfusionResult) -> Table:
    pairs = Table(title="Most confused", title_justify="left")
    pairs.add_column("true")
    pairs.add_column("predicted")
    pairs.add_column("images", justify="right")
    pairs.add_column("of the class", justify="right")
    names = result.labels.names
    for pair in result.most_confused(WORST):
        pairs.add_row(
            Text(label(names[pair.true])), Text(label(names[pair.predicted])), f"{pair.count:,}", percent(pair.share)
        )
    return pairs


def _worst(result: ConfusionResult) -> Table:
    recall = np.diagonal(result.shares)
    order = np.argsort(recall, kind="stable")  # NaN sorts last
    imperfect = order[recall[order] < 1][:WORST]
    unmeasured = np.flatnonzero(result.support == 0)[: WORST // 2]
    worst = Table(title="Lowest recall", title_justify="left")
    worst.add_column("class")
    worst.add_column("right", justify="right")
    worst.add_column("images", justify="right")
    worst.add_column("recall", justify="right")
    for index in (*imperfect.tolist(), *unmeasured.tolist()):
        support = int(result.support[index])
        right = f"{result.counts[index, index]:,}" if support else UNDEFINED
        worst.add_row(Text(label(result.labels.names[index])), right, f"{support:,}", percent(float(recall[index])))
    return worst
