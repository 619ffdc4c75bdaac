"""A calibration as tables, and as a reliability diagram: how often answers are right, by how certain they are."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.calibration import CalibrationResult, ClassCalibration, Quality, Reliability
from clf_cli.render.figures import FAINT, INK, LINE, SKY, VERMILLION, font, new_figure, write_title
from clf_cli.render.fitted_table import Column, FittedTable, Row
from clf_cli.render.text import UNDEFINED, counted, decimal, label, percent

SHOWN = 50  # classes; of more, those that lose the most answers
NAMED = 8
WIDTH, HEIGHT = 720.0, 430.0  # points
_CLASS_COLUMNS = (
    Column("class"),
    Column("answers", right=True, rank=3),
    Column("right", right=True, rank=4),
    Column("threshold", right=True),
    Column("answered", right=True, rank=1),
    Column("right then", right=True, rank=2),
    Column("set by", rank=5),
)


def table(result: CalibrationResult) -> RenderableType:
    """The temperature with what it changes, then each class's threshold with what it lets through."""
    return Group(*(Text(line) for line in _lines(result)), _qualities(result), _classes(result))


def figure(result: CalibrationResult, subject: str = "") -> Figure:
    """Accuracy by confidence, before and after, with the images of each bin below; `subject` says of what."""
    drawing = new_figure(WIDTH, HEIGHT)
    title = f"Reliability: {subject}" if subject else "Reliability"
    errors = f"{percent(result.before.ece)} before, {percent(result.after.ece)} after"
    crossed = f"{percent(result.cross_fitted.ece)} cross-fitted"
    fitted = f"{counted(result.images, 'image')} · temperature {result.temperature:.3f}"
    lines = (
        f"{fitted} · calibration error {errors}, {crossed}",
        "bars: share of right answers · orange: their mean confidence, which should meet the bar",
    )
    write_title(drawing, 16, title, lines)
    most = int(max(result.reliability_before.images.max(), result.reliability_after.images.max()))
    panels = (("before", result.reliability_before), ("after", result.reliability_after))
    for position, (name, bins) in enumerate(panels):
        left = 0.075 + 0.485 * position
        _draw_bins(drawing.add_axes((left, 0.315, 0.42, 0.46)), name, bins)
        _draw_counts(drawing.add_axes((left, 0.1, 0.42, 0.16)), bins, most)
    return drawing


def _lines(result: CalibrationResult) -> list[str]:
    sure = "less certain" if result.temperature > 1 else "more certain"
    meaning = "as certain as it says" if result.temperature == 1 else f"it should be {sure} than it says"
    by_basis = {
        basis: [one for one in result.classes if one.basis == basis] for basis in ("class", "all classes", "never")
    }
    parts = [f"{counted(len(by_basis['class']), 'class')} by their own answers"] if by_basis["class"] else []
    if by_basis["all classes"]:
        threshold = decimal(by_basis["all classes"][0].threshold, 3)
        parts.append(f"{len(by_basis['all classes'])} by those of all classes ({threshold})")
    if by_basis["never"]:
        parts.append(f"{len(by_basis['never'])} never ({_named(by_basis['never'])})")
    return [
        f"temperature {result.temperature:.4f}: {meaning}",
        f"thresholds for {percent(result.target_precision)} right: {', '.join(parts)}",
    ]


def _named(classes: list[ClassCalibration]) -> str:
    more = f" and {len(classes) - NAMED} more" if len(classes) > NAMED else ""
    return ", ".join(label(one.label) for one in classes[:NAMED]) + more


def _qualities(result: CalibrationResult) -> Table:
    grid = Table(title=counted(result.images, "image"), title_justify="left")
    grid.add_column("")
    columns: tuple[tuple[str, Quality], ...] = (
        ("before", result.before),
        ("after", result.after),
        ("cross-fitted", result.cross_fitted),
    )
    for name, _ in columns:
        grid.add_column(name, justify="right")
    grid.add_row("loss", *(decimal(found.loss) for _, found in columns))
    grid.add_row("calibration error", *(percent(found.ece, 2) for _, found in columns))
    grid.add_row("answered", *(percent(found.coverage, 2) for _, found in columns))
    grid.add_row("right, of the answered", *(percent(found.precision, 2) for _, found in columns))
    return grid


def _classes(result: CalibrationResult) -> RenderableType:
    chosen, title = list(result.classes), "Classes"
    if len(chosen) > SHOWN:
        chosen = sorted(chosen, key=lambda one: one.kept.images - one.answers.images)[:SHOWN]
        title = f"The {SHOWN} of {len(result.classes):,} classes that lose the most answers"
    rows = [
        Row(
            (
                label(one.label),
                f"{one.answers.images:,}",
                percent(one.answers.precision),
                decimal(one.threshold, 3) if one.basis != "never" else UNDEFINED,
                percent(one.kept.coverage(one.answers.images)),
                percent(one.kept.precision),
                one.basis,
            )
        )
        for one in chosen
    ]
    return Group(Text(title, "italic"), FittedTable(_CLASS_COLUMNS, rows))


def _draw_bins(axes: Axes, name: str, bins: Reliability) -> None:
    edges = np.linspace(0, 1, len(bins.images) + 1)
    there, width = bins.images > 0, edges[1]
    lefts, confidence = edges[:-1][there], bins.confidence[there]
    axes.bar(lefts, bins.accuracy[there], width * 0.92, align="edge", color=SKY, zorder=2)
    axes.hlines(confidence, lefts, lefts + width * 0.92, color=VERMILLION, linewidth=2.2, zorder=4)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (3, 3)), zorder=3)
    axes.set_title(name, loc="left", fontproperties=font(10, bold=True), color=INK, pad=6)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.set_ylabel("right", fontproperties=font(9), color=FAINT)
    _style(axes)
    axes.tick_params(labelbottom=False)


def _draw_counts(axes: Axes, bins: Reliability, most: int) -> None:
    """How many images each bin holds, both panels on one scale."""
    edges = np.linspace(0, 1, len(bins.images) + 1)
    axes.bar(edges[:-1], bins.images, edges[1] * 0.92, align="edge", color=FAINT, zorder=2)
    for left, count in zip(edges[:-1].tolist(), bins.images.tolist(), strict=True):
        if count:
            at = (left + edges[1] * 0.46, count)
            axes.annotate(f"{count}", at, (0, 1.5), textcoords="offset points", ha="center", fontsize=6, color=INK)
    axes.set_ylim(0, most * 1.25)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.set_xlabel("confidence", fontproperties=font(9), color=FAINT, labelpad=2)
    axes.set_ylabel("images", fontproperties=font(9), color=FAINT)
    _style(axes)


def _style(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.tick_params(labelsize=8, colors=FAINT, labelcolor=INK, length=3, width=0.8)
    axes.grid(visible=True, color=LINE, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
