"""One epoch's draws: a table, rows of a CSV file, and bars."""

from collections.abc import Iterator
from math import ceil, floor, log10

import numpy as np
from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.sampler import SamplerResult
from clf_cli.render.csv import harmless
from clf_cli.render.figures import (
    BLUE,
    FAINT,
    INK,
    LINE,
    SCALE,
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
from clf_cli.render.text import counted, decimal, label, percent

CLASSES_DRAWN = 60  # more are drawn by the largest and the rarest
BARS = 380.0  # width of the longest bar, in points
ROW = 17.0
MARGIN = 16.0
HEADER = ("index", "class", "images", "drawn", "expected", "ratio", "batches_with", "effective_prior")
NAME, NUMBER = TextStyle(8.5, horizontal="right"), TextStyle(7.5, FAINT)


def table(result: SamplerResult) -> RenderableType:
    """Per class: images of the split, drawn and expected ones, batches that hold one, the share that the loss sees."""
    grid = Table(title=f"Images drawn in epoch {result.draws.epoch}", title_justify="left")
    grid.add_column("class", overflow="fold")
    for name in ("images", "drawn", "expected", "ratio", "in batches", "share in the loss"):
        grid.add_column(name, justify="right")
    for _, name, images, drawn, expected, ratio, batches, prior in rows(result):
        numbers = (f"{images:,}", f"{drawn:,}", f"{expected:,.1f}", decimal(ratio, 2), f"{batches:,}", percent(prior))
        grid.add_row(Text(label(name)), *numbers)
    return Group(grid, *(Text(line) for line in summary(result)))


def rows(result: SamplerResult) -> Iterator[tuple[int, str, int, int, float, float, int, float]]:
    """One line per class, as HEADER names it."""
    draws = result.draws
    columns = (draws.images, draws.drawn, draws.expected, result.ratio, draws.batches_with, result.effective_prior)
    values = zip(*(column.tolist() for column in columns), strict=True)
    for index, (name, (images, drawn, expected, ratio, batches, prior)) in enumerate(
        zip(result.labels, values, strict=True)
    ):
        yield index, harmless(name), images, drawn, expected, ratio, batches, prior


def summary(result: SamplerResult) -> tuple[str, ...]:
    """How many images, whether they stray further than chance does, and how often the rarest class is seen."""
    draws, rarest = result.draws, result.rarest
    images = counted(int(draws.drawn.sum()), "image")
    batches = f"{counted(draws.batches, 'batch')} of {draws.batch_size}"
    chance = f"chi-square {decimal(result.chi_square, 1)} with {counted(result.degrees, 'degree')} of freedom"
    lines = [f"{images} drawn in {batches}; {chance}, p = {decimal(result.p_value, 3)}"]
    if rarest is not None:
        name, has = label(result.labels.names[rarest]), counted(int(draws.images[rarest]), "image")
        mean, held = float(draws.expected[rarest]), int(draws.batches_with[rarest])
        lines.append(
            f"The rarest class, {name}, has {has}: {mean:,.1f} in an epoch on average, "
            f"in {held:,} of this one's {counted(draws.batches, 'batch')}"
        )
    return tuple(lines)


def figure(result: SamplerResult, subject: str = "") -> Figure:
    """A bar per class on a log scale: images of the split in grey, drawn ones in blue, a line where they are expected.

    The classes with the most images first; of more than CLASSES_DRAWN, the first and the last. `subject` says what is
    drawn from (`groceries, balance sampler`).
    """
    chosen, note = _chosen(result)
    names = [label(result.labels.names[index], 24) for index in chosen]
    left = MARGIN + max((text_width(name, NAME.size) for name in names), default=0) + 8
    title = f"Images drawn in epoch {result.draws.epoch}"
    key = "grey: images in the split · blue: drawn · line: expected · log scale"
    lines = tuple(filter(None, (subject, key, note)))
    heading = max(text_width(title, TITLE.size, bold=True), *(text_width(line, SUBTITLE.size) for line in lines))
    top = 60.0 + 13 * len(lines)
    numbers = max((text_width(_numbers(result, index), NUMBER.size) for index in chosen), default=0)
    drawing = new_figure(
        ceil(max(left + BARS + 10 + numbers + MARGIN, heading + 2 * MARGIN)), ceil(top + ROW * len(chosen) + 12)
    )
    write_title(drawing, MARGIN, title, lines)
    _draw_bars(drawing, result, chosen, (left, top))
    for row, (index, name) in enumerate(zip(chosen, names, strict=True)):
        at = top + ROW * row + 11
        write(drawing, left - 8, at, name, NAME)
        write(drawing, left + BARS + 10, at, _numbers(result, index), NUMBER)
    return drawing


def _chosen(result: SamplerResult) -> tuple[list[int], str]:
    """The classes that are drawn, and what to say of the others."""
    order = np.argsort(-result.draws.images, kind="stable").tolist()
    if len(order) <= CLASSES_DRAWN:
        return order, ""
    half = CLASSES_DRAWN // 2
    return [*order[:half], *order[-half:]], f"the {half} largest and the {half} rarest of {len(order):,} classes"


def _numbers(result: SamplerResult, index: int) -> str:
    draws = result.draws
    share = percent(float(result.effective_prior[index]))
    return f"{int(draws.drawn[index]):,} drawn, {float(draws.expected[index]):,.1f} expected, {share} in the loss"


def _draw_bars(drawing: Figure, result: SamplerResult, chosen: list[int], corner: tuple[float, float]) -> None:
    left, top = corner
    draws = result.draws
    values = np.concatenate((draws.images, draws.drawn, draws.expected))
    positive = values[values > 0]
    most = float(positive.max(initial=1.0))
    least = float(positive.min(initial=1.0)) / 2
    span = log10(most / least)

    def place(value: float) -> float:
        return BARS * log10(value / least) / span

    for power in range(ceil(log10(least)), floor(log10(most)) + 1):
        at = left + place(10.0**power)
        paint(drawing, colored(round((ROW * len(chosen) + 4) * SCALE), 1, LINE), at, top - 4)
        write(drawing, at, top - 8, f"{10.0**power:,g}", TextStyle(7, FAINT, horizontal="center"))
    for row, index in enumerate(chosen):
        at = top + ROW * row
        for value, color, down, high in (
            (float(draws.images[index]), LINE, 2.0, 12),
            (float(draws.drawn[index]), BLUE, 5.0, 6),
        ):
            if value > 0:
                paint(drawing, colored(high * SCALE, max(1, round(place(value) * SCALE)), color), left, at + down)
        if draws.expected[index] > 0:
            paint(drawing, colored(14 * SCALE, 3, INK), left + place(float(draws.expected[index])) - 1, at + 1)
