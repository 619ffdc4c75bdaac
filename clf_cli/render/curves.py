"""The course of runs as curves: of one with a colour per split, of several laid over each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from clf_cli.engine.histories import HistoriesResult, RunCourse
from clf_cli.engine.history import HistoryResult
from clf_cli.render.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINE,
    PURPLE,
    SKY,
    VERMILLION,
    TextStyle,
    font,
    new_figure,
    text_width,
    write,
    write_title,
)
from clf_cli.render.histories import data_remark, epochs_text
from clf_cli.render.history import best_text, is_fraction, summary
from clf_cli.render.text import counted

# points
WIDTH, HEIGHT = 900.0, 330.0
TOP, PANEL, ROW = 82.5, 203.0, 275.0  # above the first panels, a panel's height, from one row of panels to the next
LEFT, GAP = 47.0, 44.0  # left of the first panel, between two
ENTRY = 16.0  # height of a line of the legend
NAME_WIDTH = 380.0  # of a run in the legend
IN_A_ROW = 3
DASH = 5.0  # of curves that lie on one another
MARKED_EPOCHS = 60  # with more, a line takes smaller markers

RUN_COLORS = (BLUE, VERMILLION, GREEN, "#cc79a7", SKY, "#e69f00", PURPLE, INK)
RUN_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h", "<")  # one more than colours: of 72 runs no two look the same
_SPLITS = {"train": (VERMILLION, "s"), "val": (BLUE, "o")}
_TITLES = {"lr": "learning rate"}
_RANKS = {"acc_top1": " top-1", "acc_top5": " top-5"}


@dataclass(frozen=True)
class Panel:
    """One pair of axes, and the columns of metrics.csv in it."""

    title: str
    columns: tuple[str, ...]


_LOSS, _RATE = Panel("loss", ("train/loss", "val/loss")), Panel("learning rate", ("lr",))
STANDARD = (_LOSS, Panel("accuracy", ("train/acc_top1", "val/acc_top1", "val/acc_top5")), _RATE)
OVERLAID = (_LOSS, Panel("accuracy", ("train/acc_top1", "val/acc_top1")), _RATE)
Asked = Mapping[str, tuple[str, ...]]  # engine.history.matching


def figure(result: HistoryResult, subject: str = "", asked: Asked | None = None) -> Figure:
    """One run: loss, accuracy and learning rate, or what was asked for, one point per epoch; the best one is marked."""
    panels = _panels(asked) or STANDARD
    drawing = new_figure(WIDTH, _height(panels))
    write_title(drawing, 16, f"Training history: {subject}" if subject else "Training history", (summary(result),))
    for panel, axes in _axes(drawing, panels):
        drawn = [_draw_curve(axes, result, column) for column in panel.columns if result.measured(column)]
        if result.best_epoch is not None:
            axes.axvline(result.best_epoch, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=1, label="best epoch")
        _style(axes, panel, [result])
        if drawn and len(panel.columns) > 1:
            axes.legend(prop=font(8), frameon=True, framealpha=0.85, edgecolor="none", loc="best")
        elif not drawn:
            _say_unmeasured(axes)
    return drawing


def overlay(result: HistoriesResult, asked: Asked | None = None) -> Figure:
    """Several runs in the same panels, a colour and a marker each, and a legend with a line for each below."""
    panels = _panels(asked) or OVERLAID
    drawing = new_figure(WIDTH, _height(panels) + ENTRY * (len(result.runs) + 1))
    key = "solid: val and learning rate · dashed: train · star: best epoch"
    lines = (key, *([mixture] if (mixture := data_remark(result)) else []))
    write_title(drawing, 16, f"Training history of {counted(len(result.runs), 'run')}", lines)
    for panel, axes in _axes(drawing, panels):
        for column in panel.columns:
            for number, turn in _turns(result.runs, column):
                _overlay_curve(axes, number, result.runs[number], column, turn)
        _style(axes, panel, [course.history for course in result.runs])
        if not axes.lines:
            _say_unmeasured(axes)
    _write_legend(drawing, result.runs, _height(panels) + ENTRY)
    return drawing


def _panels(asked: Asked | None) -> tuple[Panel, ...]:
    return tuple(Panel(_TITLES.get(name, name), columns) for name, columns in (asked or {}).items())


def _height(panels: Sequence[Panel]) -> float:
    return HEIGHT + ROW * ((len(panels) - 1) // IN_A_ROW)


def _axes(drawing: Figure, panels: Sequence[Panel]) -> Iterator[tuple[Panel, Axes]]:
    """Each panel with its place: up to three in a row, wide where there are fewer."""
    height = drawing.get_size_inches()[1] * 72
    columns = min(IN_A_ROW, len(panels))
    step = (WIDTH - LEFT + GAP - 15) / columns
    for number, panel in enumerate(panels):
        row, column = divmod(number, IN_A_ROW)
        bottom = height - TOP - PANEL - ROW * row
        place = ((LEFT + step * column) / WIDTH, bottom / height, (step - GAP) / WIDTH, PANEL / height)
        yield panel, drawing.add_axes(place)


def _draw_curve(axes: Axes, result: HistoryResult, column: str) -> Line2D:
    split, _, leaf = column.rpartition("/")
    color, marker = _SPLITS.get(split, (PURPLE, "D"))
    if leaf == "acc_top5":
        color, marker = SKY, "^"
    [line] = axes.plot(
        result.epochs,
        result.column(column),
        color=color,
        linestyle="--" if leaf == "acc_top5" else "-",
        linewidth=1.5,
        marker=marker,
        markersize=4.0 if len(result.epochs) <= MARKED_EPOCHS else 2.0,
        markeredgewidth=0,
        label=f"{split}{_RANKS.get(leaf, '')}" or _TITLES.get(leaf, leaf),
    )
    return line


def _turns(runs: Sequence[RunCourse], column: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """Of each run that has the column: its number, and which of how many equal curves its own is."""
    equal: dict[bytes, list[int]] = {}
    for number, course in enumerate(runs):
        if course.history.measured(column):
            equal.setdefault(course.history.column(column).tobytes(), []).append(number)
    for numbers in equal.values():
        for position, number in enumerate(numbers):
            yield number, (position, len(numbers))


def _overlay_curve(axes: Axes, number: int, course: RunCourse, column: str, turn: tuple[int, int]) -> None:
    """Curves that lie on one another take turns in dashes, so that each colour is seen."""
    history, trains = course.history, column.startswith("train/")
    position, equal = turn
    line = "--" if trains else "-"
    small = len(history.epochs) > MARKED_EPOCHS
    axes.plot(
        history.epochs,
        history.column(column),
        color=_color(number),
        linestyle=line if equal == 1 else (-DASH * position, (DASH, DASH * (equal - 1))),
        linewidth=1.0 if trains else 1.6,
        alpha=0.75 if trains else 1.0,
        marker=_marker(number),
        markevery=(position, equal),
        markersize=(1.0 if trains else 2.0) if small else (2.0 if trains else 4.0),
        markeredgewidth=0,
        zorder=2 if trains else 3,
        label=f"{course.name}: {column}",
    )
    if history.best_epoch is not None and not trains:
        axes.plot(
            [history.best_epoch],
            history.column(column)[[history.epochs.index(history.best_epoch)]],
            color=_color(number),
            marker="*",
            markersize=13.0,
            markeredgecolor="white",
            markeredgewidth=0.8,
            clip_on=False,
            zorder=4,
            label=f"{course.name}: best epoch",
        )


def _color(number: int) -> str:
    return RUN_COLORS[number % len(RUN_COLORS)]


def _marker(number: int) -> str:
    return RUN_MARKERS[number % len(RUN_MARKERS)]


def _write_legend(drawing: Figure, runs: Sequence[RunCourse], top: float) -> None:
    """A line per run in their order: how it is drawn, its name, its network, how far it came, its best epoch."""
    width, height = drawing.get_size_inches() * 72
    rows = [
        (
            _fitted(course.name, NAME_WIDTH),
            _fitted(course.arch, 170),
            epochs_text(course) + ("" if course.status == "finished" else f", {course.status}"),
            f"best: {best}" if (best := best_text(course.history)) else "never validated",
        )
        for course in runs
    ]
    starts = [LEFT + 34.0]
    for column in range(len(rows[0]) - 1):
        starts.append(starts[-1] + 14 + max(text_width(row[column], 9) for row in rows))
    for number, row in enumerate(rows):
        y = top + ENTRY * number
        line = Line2D(
            [LEFT / width, (LEFT + 26) / width],
            [1 - (y - 3) / height] * 2,
            color=_color(number),
            linewidth=1.6,
            marker=_marker(number),
            markersize=4.0,
            markeredgewidth=0,
        )
        drawing.add_artist(line)
        for column, (x, text) in enumerate(zip(starts, row, strict=True)):
            write(drawing, x, y, text, TextStyle(color=INK if column == 0 else FAINT))


def _fitted(text: str, width: float) -> str:
    """`text` on at most `width` points, cut in its middle: names of runs differ at their ends."""
    shown, kept = text, len(text)
    while (taken := text_width(shown, 9)) > width:
        kept = min(kept - 1, int(kept * width / taken))
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def _style(axes: Axes, panel: Panel, results: Sequence[HistoryResult]) -> None:
    axes.set_title(panel.title, loc="left", fontproperties=font(10, bold=True), color=INK, pad=8)
    axes.set_xlabel("epoch", fontproperties=font(9), color=FAINT, labelpad=2)
    axes.tick_params(labelsize=8, colors=FAINT, labelcolor=INK, length=3, width=0.8)
    axes.grid(visible=True, color=LINE, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    epochs = [epoch for result in results for epoch in result.epochs]
    if epochs:
        pad = max(0.5, 0.03 * (max(epochs) - min(epochs)))
        axes.set_xlim(min(epochs) - min(pad, 0.9), max(epochs) + pad)  # there is no epoch 0
    scale, unit = (100, " %") if all(map(is_fraction, panel.columns)) else (1, "")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{scale * value:g}{unit}"))
    if panel.columns == ("lr",):
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))  # its labels are long


def _say_unmeasured(axes: Axes) -> None:
    axes.text(0.5, 0.5, "not measured", ha="center", va="center", color=FAINT, transform=axes.transAxes)
