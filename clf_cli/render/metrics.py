"""What a classifier scored, as tables."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import isfinite
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.intervals import Interval
from clf_cli.engine.metrics import MetricsResult
from clf_cli.engine.slices import Slice
from clf_cli.render.text import UNDEFINED, counted, decimal, label, percent

SHOWN = 50  # classes; of more, those with the lowest F1
SLICES = 20  # values of one key; of more, the largest
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
    yield Text(f"{counted(int(support.sum()), 'image')} · {counted(len(support), 'class')}")
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


def _classes(result: MetricsResult) -> Table:
    per_class, intervals = result.per_class, result.class_intervals
    order = np.argsort(per_class.f1, kind="stable")  # NaN sorts last
    title = "Classes, lowest F1 first"
    if len(order) > SHOWN:
        order = order[:SHOWN]
        title = f"The {SHOWN} of {len(result.labels)} classes with the lowest F1"
    grid = _titled(title, "class", "images", "precision", "95 %", "recall", "95 %", "F1")
    for i in order.tolist():
        grid.add_row(
            Text(label(result.labels.names[i])),
            f"{per_class.support[i]:,}" if per_class.support[i] else UNDEFINED,
            percent(float(per_class.precision[i])),
            _ends(intervals["precision"][i]),
            percent(float(per_class.recall[i])),
            _ends(intervals["recall"][i]),
            percent(float(per_class.f1[i])),
        )
    return grid


def _slices(key: str, parts: list[Slice]) -> Table:
    title = f"By {label(key)}: {counted(len(parts), 'value')}"
    if len(parts) > SLICES:
        title += f", the {SLICES} largest; --json has all"
    grid = _titled(title, "value", "images", "classes", "top-1", "95 %", "macro F1", "loss")
    for part in parts[:SLICES]:
        grid.add_row(
            Text(_value(part.value)),
            f"{part.images:,}",
            f"{part.classes:,}",
            percent(part.acc_top1),
            _ends(part.acc_top1_interval),
            percent(part.f1_macro),
            decimal(part.loss),
        )
    return grid


def _value(value: Any) -> str:
    """Text as it is, other values as JSON."""
    if value is None:
        return "(none)"
    return label(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _titled(title: str, first: str, *numbers: str) -> Table:
    grid = Table(title=Text(title, style="italic"), title_justify="left")
    grid.add_column(first, overflow="fold")
    for name in numbers:
        grid.add_column(name, justify="right", no_wrap=True)
    return grid


def _ends(interval: Interval | Sequence[float], digits: int = 0) -> str:
    """An interval of a fraction in percent: `84–97`."""
    low, high = interval
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}" if isfinite(low) else UNDEFINED
