"""The course of a run: one value per metric and epoch, and which epoch was best."""

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from clf_cli.errors import ModelError, UsageError
from clf_cli.reading import read_text
from clf_cli.settings.nearest import near_word

EPOCH = "epoch"
IMAGES = "images"  # a count beside the metrics
MONITOR = "val/acc_top1"
_LOWER_IS_BETTER = ("loss", "ece")

Row = Mapping[str, float]


@dataclass(frozen=True)
class HistoryResult:
    """N epochs; every column has N values, NaN where nothing was measured."""

    kind: ClassVar[str] = "history"

    epochs: tuple[int, ...]  # counted from 1
    columns: dict[str, npt.NDArray[np.float64]]  # metrics.csv's names, without the epoch
    monitor: str
    best_epoch: int | None  # None when the monitored metric was never measured

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """(N,) the values of a metric; all NaN when the run has no such column."""
        return self.columns.get(name, np.full(len(self.epochs), np.nan))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The columns without the count of images."""
        return tuple(name for name in self.columns if name != IMAGES)

    def measured(self, name: str) -> bool:
        """Whether any epoch has a value of the metric."""
        return bool(np.isfinite(self.column(name)).any())

    def only(self, columns: Collection[str]) -> "HistoryResult":
        """The same course with those of the columns that it has; the best epoch stays the run's."""
        kept = {name: values for name, values in self.columns.items() if name in columns}
        return replace(self, columns=kept)

    def to_result(self) -> dict[str, Any]:
        return {
            "epochs": list(self.epochs),
            "columns": {name: values.tolist() for name, values in self.columns.items()},
            "monitor": self.monitor,
            "best_epoch": self.best_epoch,
        }


def history(rows: Sequence[Row], monitor: str = MONITOR) -> HistoryResult:
    """The course of a run from the rows of its metrics.csv, one per epoch; a value that a row lacks is NaN."""
    names = list(dict.fromkeys(name for row in rows for name in row if name != EPOCH))
    columns = {name: np.array([row.get(name, math.nan) for row in rows], dtype=np.float64) for name in names}
    epochs = tuple(int(row[EPOCH]) for row in rows)
    return HistoryResult(epochs, columns, monitor, best_epoch(rows, monitor))


def best_epoch(rows: Sequence[Row], monitor: str = MONITOR) -> int | None:
    """The epoch with the best monitored value; equal ones: the lower val loss, then the earlier epoch."""
    sign = 1.0 if lower_is_better(monitor) else -1.0
    measured = [row for row in rows if math.isfinite(row.get(monitor, math.nan))]
    if not measured:
        return None

    def order(row: Row) -> tuple[float, float, float]:
        loss = row.get("val/loss", math.nan)
        return sign * row[monitor], math.inf if math.isnan(loss) else loss, row[EPOCH]

    return int(min(measured, key=order)[EPOCH])


def lower_is_better(metric: str) -> bool:
    """Of `val/loss`, `val/ece` and their like; every other metric is better when higher."""
    return _leaf(metric) in _LOWER_IS_BETTER


def matching(asked: Sequence[str], metrics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Which of the `metrics` each asked name means: `val/loss` that one, `loss` those of every split.

    Raises UsageError (exit 2) for a name that means none.
    """
    leaves = {_leaf(name): tuple(other for other in metrics if _leaf(other) == _leaf(name)) for name in metrics}
    names = {**leaves, **{name: (name,) for name in metrics}}
    for name in asked:
        if name not in names:
            near = near_word(name, names)
            there = f"There are {', '.join(metrics)}; without the split, such as loss, a name takes all of them."
            raise UsageError(f"No metric is called {name!r}{f'; {near}' if near else '.'}", there)
    return {name: names[name] for name in asked}


def _leaf(column: str) -> str:
    return column.rpartition("/")[2]


def read_metrics_csv(path: Path) -> list[dict[str, float]]:
    """The rows of a metrics.csv; an empty or missing value is NaN. Raises ModelError when it is not one."""
    try:
        lines = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except FileNotFoundError:
        raise ModelError(f"There is no {path}.", "A run has one after its first epoch.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"Cannot read {path}: {error}.") from error
    header, *body = lines or [[]]
    if EPOCH not in header:
        raise ModelError(f"{path} is not a metrics.csv: its first line has no column {EPOCH}.")
    return [_row(path, number, header, line) for number, line in enumerate(body, start=2) if line]


def _row(path: Path, number: int, header: list[str], line: list[str]) -> dict[str, float]:
    row = dict.fromkeys(header, math.nan)
    for name, text in zip(header, line, strict=False):
        try:
            row[name] = float(text) if text else math.nan
        except ValueError:
            raise ModelError(f"{path}, line {number}: {name} is {text!r}, not a number.") from None
    if math.isnan(row[EPOCH]):
        raise ModelError(f"{path}, line {number}: {EPOCH} is missing.")
    if not 0 <= row[EPOCH] < 2**53:
        raise ModelError(f"{path}, line {number}: {EPOCH} is {row[EPOCH]}.")
    return row
