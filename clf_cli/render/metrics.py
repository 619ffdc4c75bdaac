"""What a classifier scored, as tables."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from clf_cli.engine.intervals import Interval
from clf_cli.engine.metrics import MetricsResult
from clf_cli.engine.slices import Slice
from clf_cli.render.text import UNDEFINED, counted, decimal, label, percent

SHOWN = 50  # classes; of more, those with the lowest F1
SLICES = 20  # values of one key; of more, the largest
NAME_WIDTH = 14  # columns that a name gets at least; longer ones are folded
NAMED = 8  # classes that are not measured
INTERVAL = "95 % interval"

_NAMES = {
    "loss": "loss",
    "acc_top1": "top-1 accuracy",
    "acc_top5": "top-5 accuracy",
    "precision_macro": "macro precision",
    "recall_macro": "macro recall",
    "f1_macro": "macro F1",
    "precision_weighted": "weighted precision",
    "recall_weighted": "weighted recall",
    "f1_weighted": "weighted F1",
    "ece": "calibration error",
}


def table(result: MetricsResult) -> RenderableType:
    """The numbers of the whole split, then those of each class, the worst first, then those of the slices."""
    slices = [_slices(key, list(parts)) for key, parts in groupby(result.slices, key=lambda part: part.key)]
    return Group(*_summary(result), _whole(result), _classes(result), *slices)


def _summary(result: MetricsResult) -> Iterator[Text]:
    support = result.per_class.support
    absent = [label(name) for name, images in zip(result.labels, support.tolist(), strict=True) if not images]
    skipped = len(result.predictions.skipped)
    left_out = f" · {counted(skipped, 'image')} left out" if skipped else ""
    yield Text(f"{counted(int(support.sum()), 'image')} · {counted(len(support), 'class')}{left_out}")
    if absent:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        yield Text(f"Not measured, no images: {', '.join(absent[:NAMED])}{more}")


def _whole(result: MetricsResult) -> Table:
    grid = Table()
    grid.add_column("score")
    grid.add_column("value", justify="right")
    grid.add_column(INTERVAL, justify="right")
    for key, value in result.scalars.items():
        low, high = result.intervals[key]
        if key == "loss":
            ends = f"{decimal(low)} to {decimal(high)}" if isfinite(low) else UNDEFINED
            grid.add_row(_NAMES[key], decimal(value), ends)
        else:
            grid.add_row(_NAMES[key], percent(value, 2), _ends((low, high), 2))
    return grid


def _classes(result: MetricsResult) -> RenderableType:
    per_class, intervals = result.per_class, result.class_intervals
    order = np.argsort(per_class.f1, kind="stable")  # NaN sorts last
    title = "Classes, lowest F1 first"
    if len(order) > SHOWN:
        order = order[:SHOWN]
        title = f"The {SHOWN} of {len(result.labels)} classes with the lowest F1"
    rows = [
        (
            label(result.labels.names[i]),
            f"{per_class.support[i]:,}" if per_class.support[i] else UNDEFINED,
            percent(float(per_class.precision[i])),
            _ends(intervals["precision"][i]),
            percent(float(per_class.recall[i])),
            _ends(intervals["recall"][i]),
            percent(float(per_class.f1[i])),
        )
        for i in order.tolist()
    ]
    return _Fitting(title, ("class", "images", "precision", "95 %", "recall", "95 %", "F1"), rows, spare=(3, 5))


def _slices(key: str, parts: list[Slice]) -> RenderableType:
    title = f"By {label(key)}: {counted(len(parts), 'value')}"
    if len(parts) > SLICES:
        title += f", the {SLICES} largest; --json has all"
    rows = [
        (
            _value(part.value),
            f"{part.images:,}",
            f"{part.classes:,}",
            percent(part.acc_top1),
            _ends(part.acc_top1_interval),
            percent(part.f1_macro),
            decimal(part.loss),
        )
        for part in parts[:SLICES]
    ]
    return _Fitting(title, ("value", "images", "classes", "top-1", "95 %", "macro F1", "loss"), rows, spare=(2, 6))


@dataclass(frozen=True)
class _Fitting:
    """Names and their numbers; the columns `spare` are left out where the names would have no room beside them."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    spare: tuple[int, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = self._grid(range(len(self.header)))
        width = Measurement.get(console, options.update(width=10_000), grid).maximum
        longest = max(cell_len(row[0]) for row in self.rows)
        if width - max(0, longest - NAME_WIDTH) > options.max_width:
            grid = self._grid([i for i in range(len(self.header)) if i not in self.spare])
        yield grid

    def _grid(self, columns: Sequence[int]) -> Table:
        grid = Table(title=Text(self.title, style="italic"), title_justify="left")
        for i in columns:
            grid.add_column(self.header[i], justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
        for row in self.rows:
            grid.add_row(*(Text(row[i]) for i in columns))
        return grid


def _value(value: Any) -> str:
    """Text as it is, other values as JSON."""
    if value is None:
        return "(none)"
    return label(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _ends(interval: Interval | Sequence[float], digits: int = 0) -> str:
    """An interval of a fraction in percent: `84–97`."""
    low, high = interval
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}" if isfinite(low) else UNDEFINED
