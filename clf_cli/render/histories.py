"""The courses of several runs in the terminal: for each metric a row per run, so that they stand below each other."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from clf_cli.engine.histories import HistoriesResult, RunCourse
from clf_cli.engine.run_files import short
from clf_cli.render.fitted_table import Column, FittedTable, Row
from clf_cli.render.history import Vector, best_text, cells, course_columns
from clf_cli.render.text import UNDEFINED, counted


def table(result: HistoriesResult) -> RenderableType:
    """The runs with their status and best epoch, then their courses; what a run never measured is said below."""
    return Group(Text(counted(len(result.runs), "run")), _runs(result), _courses(result), *_remarks(result))


def data_remark(result: HistoriesResult) -> str:
    """Says that the runs were scored on several data sets; empty where it was one."""
    names = [f"{name} {short(fingerprint)}" for name, fingerprint in result.data_sets]
    return f"{len(names)} data sets, whose scores do not compare: {', '.join(names)}" if len(names) > 1 else ""


def epochs_text(course: RunCourse) -> str:
    """`8 of 15 epochs` where fewer were done than planned."""
    done = len(course.history.epochs)
    return counted(done, "epoch") if done >= course.planned else f"{done} of {counted(course.planned, 'epoch')}"


def _runs(result: HistoriesResult) -> FittedTable:
    columns = (Column("run"), Column("arch", rank=2), Column("status"), Column("epochs", rank=1), Column("best"))
    rows = [Row((c.name, c.arch, c.status, epochs_text(c), best_text(c.history) or UNDEFINED)) for c in result.runs]
    return FittedTable(columns, rows)


def _courses(result: HistoriesResult) -> FittedTable:
    """A heading per metric, and a row per run that measured it."""
    rows = []
    for metric in result.metrics:
        measured = [course for course in result.runs if course.history.measured(metric)]
        if measured:
            scale = _scale([course.history.column(metric) for course in measured])
            rows.append(Row((metric, *("",) * 5), bold=True))
            rows += [Row((course.name, *cells(course.history, metric, scale))) for course in measured]
            rows[-1] = replace(rows[-1], ends_section=True)
    return FittedTable(course_columns("metric and run"), rows)


def _scale(columns: list[Vector]) -> Vector:
    """(runs, longest) what the sparklines of a metric share, so that their heights and epochs compare."""
    scale = np.full((len(columns), max(map(len, columns), default=0)), np.nan)
    for row, values in zip(scale, columns, strict=True):
        row[: len(values)] = values
    return scale


def _remarks(result: HistoriesResult) -> Iterator[Text]:
    if mixture := data_remark(result):
        yield Text(f"{mixture}.")
    gaps = {course.name: {n for n in result.metrics if not course.history.measured(n)} for course in result.runs}
    nowhere = set.intersection(*gaps.values())
    for place, missing in {"any of them": nowhere, **{name: gap - nowhere for name, gap in gaps.items()}}.items():
        if missing:
            yield Text(f"Not measured in {place}: {', '.join(name for name in result.metrics if name in missing)}.")
