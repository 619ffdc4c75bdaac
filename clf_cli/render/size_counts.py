"""Widths and heights of the images as a cloud of points."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from clf_cli.engine.dataset import DatasetResult
from clf_cli.render.dataset_bars import COLORS, write_key
from clf_cli.render.figures import FAINT, INK, LINE, font, new_figure, write_title
from clf_cli.render.text import counted

WIDTH, HEIGHT = 460.0, 520.0  # points
LARGEST, SMALLEST = 220.0, 6.0  # area of a point, in square points


def figure(result: DatasetResult, subject: str = "") -> Figure:
    """A point per size and split, its area that of the images of this size; both axes are logarithmic.

    The dashed lines are the network's input: what lies left of or below them is enlarged.
    """
    title = f"Sizes of the images: {subject}" if subject else "Sizes of the images"
    size = f"{result.crop.preprocess.width} × {result.crop.preprocess.height}"
    told = f"{counted(sum(sum(size.counts) for size in result.sizes), 'file')}"
    line = f"{told} · dashed: the network's input, {size} · grey: height = width"
    drawing = new_figure(WIDTH, HEIGHT)
    write_title(drawing, 16, title, (line,))
    write_key(drawing, result.splits, 16, 54)
    axes = drawing.add_axes((50 / WIDTH, 40 / HEIGHT, (WIDTH - 66) / WIDTH, (HEIGHT - 120) / HEIGHT))
    _draw_points(axes, result)
    _style(axes, result)
    return drawing


def _draw_points(axes: Axes, result: DatasetResult) -> None:
    counts = np.array([size.counts for size in result.sizes]).reshape(-1, len(result.splits))
    most = max(int(counts.max(initial=0)), 1)
    widths, heights = ([getattr(size, side) for size in result.sizes] for side in ("width", "height"))
    for split, color in zip(range(len(result.splits)), COLORS, strict=False):
        areas = np.where(counts[:, split] > 0, np.maximum(SMALLEST, LARGEST * counts[:, split] / most), 0)
        axes.scatter(widths, heights, s=areas, c=color, alpha=0.5, linewidths=0, zorder=3)


def _style(axes: Axes, result: DatasetResult) -> None:
    sides = [side for size in result.sizes for side in (size.width, size.height)]
    low, high = min(sides, default=1) / 1.3, max(sides, default=1) * 1.3
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.plot([low, high], [low, high], color=LINE, linewidth=1, zorder=1)
    preprocess = result.crop.preprocess
    for draw, side in ((axes.axvline, preprocess.width), (axes.axhline, preprocess.height)):
        draw(side, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1, 1.5, 2, 3, 5, 7)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
        axis.set_tick_params(which="both", color=LINE, labelcolor=FAINT)
    axes.set_xlabel("width, pixels", fontproperties=font(9), color=FAINT)
    axes.set_ylabel("height, pixels", fontproperties=font(9), color=FAINT)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_fontproperties(font(8))
    for spine in axes.spines.values():
        spine.set_color(LINE)
