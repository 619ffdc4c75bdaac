"""The course of a run: curves for pictures, sparklines for the terminal."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.history import HistoryResult, lower_is_better
from clf_cli.render.figures import (
    BLUE,
    FAINT,
    INK,
    LINE,
    PURPLE,
    SKY,
    VERMILLION,
    font,
    new_figure,
    write_title,
)
from clf_cli.render.text import UNDEFINED, counted, percent

Vector = npt.NDArray[np.float64]

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 30
WIDTH, HEIGHT = 900.0, 330.0  # points
MARKED_EPOCHS = 60  # with more, a line takes smaller markers
_FRACTIONS = ("acc_top1", "acc_top5", "f1_macro", "ece")


@dataclass(frozen=True)
class _Curve:
    column: str
    name: str
    color: str
    marker: str = "o"
    dashed: bool = False


_LOSS = (_Curve("train/loss", "train", VERMILLION, "s"), _Curve("val/loss", "val", BLUE))
_ACCURACY = (
    _Curve("train/acc_top1", "train top-1", VERMILLION, "s"),
    _Curve("val/acc_top1", "val top-1", BLUE),
    _Curve("val/acc_top5", "val top-5", SKY, "^", dashed=True),
)
_RATE = (_Curve("lr", "learning rate", PURPLE, "D"),)


def table(result: HistoryResult) -> RenderableType:
    """One row per metric: its first, last and best value and a sparkline over the epochs."""
    grid = Table()
    for name in ("metric", "first", "last", "best", "in epoch", "course"):
        grid.add_column(name, justify="left" if name in {"metric", "course"} else "right")
    for name, values in result.columns.items():
        measured = np.flatnonzero(np.isfinite(values))
        if not measured.size:
            grid.add_row(name, *(UNDEFINED,) * 4, "")
            continue
        low = lower_is_better(name)
        best = measured[(values[measured] if low else -values[measured]).argmin()]
        known = name.startswith(("train/", "val/", "test/"))
        cells = (_value(name, float(values[best])), str(result.epochs[best])) if known else ("", "")
        ends = (_value(name, float(values[0])), _value(name, float(values[-1])))
        grid.add_row(name, *ends, *cells, sparkline(values), style="bold" if name == result.monitor else None)
    return Group(Text(_summary(result)), grid)


def figure(result: HistoryResult, subject: str = "") -> Figure:
    """Loss, accuracy and learning rate over the epochs, one point for each; the best epoch is marked."""
    drawing = new_figure(WIDTH, HEIGHT)
    write_title(drawing, 16, f"Training history: {subject}" if subject else "Training history", (_summary(result),))
    for position, (title, curves) in enumerate((("loss", _LOSS), ("accuracy", _ACCURACY), ("learning rate", _RATE))):
        axes = drawing.add_axes((0.052 + position * 0.327, 0.135, 0.278, 0.615))
        _draw_panel(axes, result, title, curves)
        scale, unit = (100, " %") if title == "accuracy" else (1, "")
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _, scale=scale, unit=unit: f"{scale * value:g}{unit}")
        )
        if title == "learning rate":
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5))  # its labels are long
    return drawing


def sparkline(values: Vector) -> str:
    """The course of the values from the lowest to the highest; a blank where nothing was measured."""
    if len(values) > SPARK_WIDTH:
        values = values[np.linspace(0, len(values) - 1, SPARK_WIDTH).round().astype(int)]
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ""
    low, span = finite.min(), np.ptp(finite)
    steps = np.where(np.isfinite(values), (values - low) / (span or 1.0), 0.0) * (len(SPARKS) - 1)
    return "".join(
        SPARKS[round(float(step))] if np.isfinite(value) else " " for step, value in zip(steps, values, strict=True)
    )


def _summary(result: HistoryResult) -> str:
    epochs = counted(len(result.epochs), "epoch")
    if result.best_epoch is None:
        return f"{epochs}, never validated"
    value = float(result.column(result.monitor)[result.epochs.index(result.best_epoch)])
    return f"{epochs} · best: epoch {result.best_epoch}, {result.monitor} {_value(result.monitor, value)}"


def _value(name: str, value: float) -> str:
    if not np.isfinite(value):
        return UNDEFINED
    return percent(value) if name.rpartition("/")[2] in _FRACTIONS else f"{value:.4g}"


def _draw_panel(axes: Axes, result: HistoryResult, title: str, curves: tuple[_Curve, ...]) -> None:
    size = 4.0 if len(result.epochs) <= MARKED_EPOCHS else 2.0
    drawn = 0
    for curve in curves:
        values = result.column(curve.column)
        if np.isfinite(values).any():
            drawn += 1
            style = "--" if curve.dashed else "-"
            axes.plot(
                result.epochs,
                np.where(np.isfinite(values), values, np.nan),
                color=curve.color,
                linestyle=style,
                linewidth=1.5,
                marker=curve.marker,
                markersize=size,
                markeredgewidth=0,
                label=curve.name,
            )
    if result.best_epoch is not None:
        axes.axvline(result.best_epoch, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=1, label="best epoch")
    _style_panel(axes, result, title)
    if drawn and len(curves) > 1:
        axes.legend(prop=font(8), frameon=True, framealpha=0.85, edgecolor="none", loc="best")
    elif not drawn:
        axes.text(0.5, 0.5, "not measured", ha="center", va="center", color=FAINT, transform=axes.transAxes)


def _style_panel(axes: Axes, result: HistoryResult, title: str) -> None:
    axes.set_title(title, loc="left", fontproperties=font(10, bold=True), color=INK, pad=8)
    axes.set_xlabel("epoch", fontproperties=font(9), color=FAINT, labelpad=2)
    axes.tick_params(labelsize=8, colors=FAINT, labelcolor=INK, length=3, width=0.8)
    axes.grid(visible=True, color=LINE, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    if result.epochs:
        pad = max(0.5, 0.03 * (result.epochs[-1] - result.epochs[0]))
        axes.set_xlim(result.epochs[0] - pad, result.epochs[-1] + pad)
