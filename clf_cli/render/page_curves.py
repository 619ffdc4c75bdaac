"""The curves of a run as shapes of an SVG picture, with the values to show where the pointer is."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clf_cli.engine.history import HistoryResult
from clf_cli.render.text import UNDEFINED, percent

Vector = npt.NDArray[np.float64]

WIDTH, HEIGHT = 352.0, 216.0  # of a panel; phones show it at this size, too
LEFT, RIGHT, TOP, BOTTOM = 46.0, 18.0, 10.0, 28.0
MARKED_EPOCHS = 60  # with more, a line has no markers
SHOWN_EPOCHS = 400  # of a longer run every k-th is shown, the best and the last one too
_FRACTIONS = ("acc_top1", "acc_top5", "f1_macro", "ece")
_PANELS = (  # title, then column, name and style of each line; the styles are classes of page.css
    ("Loss", (("train/loss", "train", "train"), ("val/loss", "val", "val"))),
    (
        "Accuracy",
        (("train/acc_top1", "train", "train"), ("val/acc_top1", "val", "val"), ("val/acc_top5", "top-5", "top5")),
    ),
    ("Learning rate", (("lr", "rate", "rate"),)),
)


@dataclass(frozen=True)
class Line:
    """One metric: `points` are in the panel's units, None where nothing was measured; `texts` are the values."""

    name: str
    style: str
    points: tuple[tuple[float, float] | None, ...]
    texts: tuple[str, ...]

    @property
    def path(self) -> str:
        """SVG path data; it is broken where nothing was measured."""
        commands, pen = [], False
        for point in self.points:
            if point is not None:
                commands.append(f"{'L' if pen else 'M'}{point[0]:g} {point[1]:g}")
            pen = point is not None
        return "".join(commands)


@dataclass(frozen=True)
class Panel:
    """One picture; ticks are (position, text)."""

    title: str
    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Curves:
    """All panels over the same epochs; `marked` is the position of the best epoch among them, or of the last."""

    epochs: tuple[int, ...]
    panels: tuple[Panel, ...]
    positions: tuple[float, ...]  # of the epochs, from the left
    marked: int
    best: int | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # the table: one row per epoch, a text per column

    @property
    def with_markers(self) -> bool:
        return len(self.epochs) <= MARKED_EPOCHS

    @property
    def script(self) -> dict[str, object]:
        """What the page's script needs to answer to the pointer."""
        return {
            "epochs": self.epochs,
            "x": self.positions,
            "marked": self.marked,
            "best": self.best,
            "panels": [
                [{"y": [point and point[1] for point in line.points], "text": line.texts} for line in panel.lines]
                for panel in self.panels
            ],
        }


def curves(result: HistoryResult) -> Curves:
    """The panels that have something to show."""
    chosen = _chosen(result)
    epochs = tuple(result.epochs[i] for i in chosen)
    first, last = result.epochs[0] - 0.5, result.epochs[-1] + 0.5
    positions = tuple(round(LEFT + (epoch - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1) for epoch in epochs)
    across = tuple(
        (round(LEFT + (value - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1), f"{value:g}")
        for value in ticks(result.epochs[0], result.epochs[-1], 7)
        if value == round(value) and first < value < last
    )
    panels = (_panel(title, lines, result, chosen, (positions, across)) for title, lines in _PANELS)
    marked = epochs.index(result.best_epoch) if result.best_epoch is not None else len(epochs) - 1
    return Curves(
        epochs=epochs,
        panels=tuple(panel for panel in panels if panel.lines),
        positions=positions,
        marked=marked,
        best=None if result.best_epoch is None else marked,
        columns=tuple(result.columns),
        rows=tuple(tuple(value_text(name, values[i]) for name, values in result.columns.items()) for i in chosen),
    )


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values from at or below `low` to at or above `high`, about `count` steps apart."""
    most = max(abs(low), abs(high))
    span = high - low if high - low > 1e-6 * most else most or 1.0
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, max(last, first + 1) + 1)]


def value_text(name: str, value: float) -> str:
    """A value of metrics.csv as people read it."""
    if not math.isfinite(value):
        return UNDEFINED
    kind = name.rpartition("/")[2]
    if kind in _FRACTIONS:
        return percent(value)
    return f"{value:,.0f}" if kind == "images" else small(value) if kind == "lr" else f"{value:.4f}"


def small(value: float) -> str:
    """Three digits: 0.25, 7.5e-4."""
    text = f"{value:.3g}" if value == 0 or abs(value) >= 0.01 else f"{value:.2e}"
    digits, _, power = text.partition("e")
    if not power:
        return text
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{int(power)}"


def _chosen(result: HistoryResult) -> list[int]:
    """Positions of the epochs to show."""
    count = len(result.epochs)
    kept = {*range(0, count, math.ceil(count / SHOWN_EPOCHS)), count - 1}
    if result.best_epoch is not None:
        kept.add(result.epochs.index(result.best_epoch))
    return sorted(kept)


def _panel(
    title: str,
    lines: tuple[tuple[str, str, str], ...],
    result: HistoryResult,
    chosen: list[int],
    place: tuple[tuple[float, ...], tuple[tuple[float, str], ...]],
) -> Panel:
    positions, across = place
    measured = [(line, result.column(line[0])[chosen]) for line in lines]
    measured = [(line, values) for line, values in measured if np.isfinite(values).any()]
    if not measured:
        return Panel(title, (), (), ())
    everything = np.concatenate([values[np.isfinite(values)] for _, values in measured])
    low = 0.0 if title == "Learning rate" else float(everything.min())
    marks = ticks(low, float(everything.max()))
    share = title == "Accuracy"
    if share:
        marks = [mark for mark in marks if mark <= 1.0]
    bottom, top = marks[0], max(marks[-1], float(everything.max()))

    def height(value: float) -> float:
        return round(TOP + (top - value) / (top - bottom) * (HEIGHT - TOP - BOTTOM), 1)

    return Panel(
        title=title,
        lines=tuple(
            Line(
                name,
                style,
                tuple((x, height(v)) if math.isfinite(v) else None for x, v in zip(positions, values, strict=True)),
                tuple(value_text(column, float(v)) for v in values),
            )
            for (column, name, style), values in measured
        ),
        across=across,
        up=tuple((height(mark), percent(mark, 0) if share else small(mark)) for mark in marks),
    )
