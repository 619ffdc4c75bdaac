"""The course of a run in the terminal: a row per metric, with a sparkline."""

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.text import Text

from clf_cli.engine.history import HistoryResult, lower_is_better
from clf_cli.render.fitted_table import Column, FittedTable, Row
from clf_cli.render.text import UNDEFINED, counted, percent

Vector = npt.NDArray[np.float64]

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 30
_FRACTIONS = ("acc_top1", "acc_top5", "f1_macro", "ece")


def table(result: HistoryResult) -> RenderableType:
    """One row per metric: its first, last and best value and a sparkline over the epochs."""
    rows = [Row((name, *cells(result, name)), bold=name == result.monitor) for name in result.columns]
    return Group(Text(summary(result)), FittedTable(course_columns("metric"), rows))


def course_columns(first: str) -> tuple[Column, ...]:
    """Those of a table whose rows are a name and `cells`."""
    return (
        Column(first),
        Column("first", right=True, rank=2),
        Column("last", right=True, rank=1),
        Column("best", right=True),
        Column("in epoch", right=True, rank=3),
        Column("course"),
    )


def cells(result: HistoryResult, name: str, scale: Vector | None = None) -> tuple[str, ...]:
    """First, last and best value, the best one's epoch, and the sparkline, which `scale` is for."""
    values = result.column(name)
    measured = np.flatnonzero(np.isfinite(values))
    if not measured.size:
        return (*(UNDEFINED,) * 4, "")
    best = measured[(values[measured] if lower_is_better(name) else -values[measured]).argmin()]
    if name == result.monitor and result.best_epoch is not None:  # of equal scores, the one that training took
        best = result.epochs.index(result.best_epoch)
    known = name.startswith(("train/", "val/", "test/"))
    best_cells = (value_text(name, float(values[best])), str(result.epochs[best])) if known else ("", "")
    ends = (value_text(name, float(values[0])), value_text(name, float(values[-1])))
    return (*ends, *best_cells, sparkline(values, scale))


def sparkline(values: Vector, scale: Vector | None = None) -> str:
    """The course of the values from the lowest to the highest; a blank where nothing was measured.

    `scale` holds the courses that share its height and length, one per row, NaN where one has ended.
    """
    scale = values[np.newaxis] if scale is None else scale
    shown = np.arange(scale.shape[1])
    if len(shown) > SPARK_WIDTH:
        shown = np.linspace(0, len(shown) - 1, SPARK_WIDTH).round().astype(int)
    values = values[shown[shown < len(values)]]
    if not np.isfinite(values).any():
        return ""
    finite = scale[np.isfinite(scale)]
    low, span = finite.min(), np.ptp(finite)
    steps = np.where(np.isfinite(values), (values - low) / (span or 1.0), 0.0) * (len(SPARKS) - 1)
    return "".join(
        SPARKS[round(float(step))] if np.isfinite(value) else " " for step, value in zip(steps, values, strict=True)
    )


def summary(result: HistoryResult) -> str:
    """`15 epochs · best: epoch 10, val/acc_top1 91.4 %`."""
    epochs = counted(len(result.epochs), "epoch")
    best = best_text(result)
    return f"{epochs} · best: {best}" if best else f"{epochs}, never validated"


def best_text(result: HistoryResult) -> str:
    """`epoch 10, val/acc_top1 91.4 %`; empty for a run that was never validated."""
    if result.best_epoch is None:
        return ""
    if not result.measured(result.monitor):  # it is not among the columns that were asked for
        return f"epoch {result.best_epoch} by {result.monitor}"
    value = float(result.column(result.monitor)[result.epochs.index(result.best_epoch)])
    return f"epoch {result.best_epoch}, {result.monitor} {value_text(result.monitor, value)}"


def value_text(name: str, value: float) -> str:
    """A value of a metric as people read it."""
    if not np.isfinite(value):
        return UNDEFINED
    return percent(value) if is_fraction(name) else f"{value:.4g}"


def is_fraction(name: str) -> bool:
    """Whether a metric is shown in per cent."""
    return name.rpartition("/")[2] in _FRACTIONS
