"""A list of runs as a table or as CSV."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime
from shlex import quote

from rich.console import Group, RenderableType
from rich.text import Text

from clf_cli.engine.run_files import SILENT, short
from clf_cli.engine.runs import BROKEN, RunRow, RunsResult
from clf_cli.render.csv import csv_line
from clf_cli.render.fitted_table import Column, FittedTable, Row
from clf_cli.render.history import value_text
from clf_cli.render.text import UNDEFINED, counted, duration

_COLUMNS = (
    Column("run"),
    Column("status"),
    Column("score", right=True),
    Column("metric", rank=4),
    Column("in epoch", right=True, rank=7),
    Column("test", right=True, rank=3),
    Column("arch", rank=1),
    Column("size", right=True, rank=6),
    Column("data", rank=2),
    Column("epochs", right=True, rank=5),
    Column("weights", rank=9),
    Column("ONNX", rank=8),
    Column("time", right=True, rank=10),
    Column("started", rank=11),
)
_METRIC = [column.name for column in _COLUMNS].index("metric")


def table(result: RunsResult) -> RenderableType:
    """A row per run, columns without any value left out; then what is wrong with runs or with the list."""
    rows = [Row(_cells(row)) for row in result.rows]
    named = {_METRIC} if len(result.metrics) == 1 else set()  # in the title
    valued = {i for i, column in enumerate(_COLUMNS) if column.rank == 0 or any(row.cells[i] for row in rows)}
    used = sorted(valued - named)
    shown = [Row(tuple(row.cells[i] or UNDEFINED for i in used)) for row in rows]
    grid = FittedTable([_COLUMNS[i] for i in used], shown)
    return Group(Text(_title(result)), *([grid] if rows else []), *map(Text, _remarks(result)))


def csv_text(result: RunsResult) -> str:
    """The rows of the JSON report, under their keys."""
    names = [field.name for field in fields(RunRow)]
    return "\n".join([csv_line(names), *(csv_line(list(asdict(row).values())) for row in result.rows)])


def _cells(row: RunRow) -> tuple[str, ...]:
    """The texts of `_COLUMNS`; empty for what is not known."""
    metric = row.metric or ""
    planned = "" if row.epochs == row.epochs_planned else f"/{row.epochs_planned}"
    return (
        row.name,
        row.status,
        "" if row.score is None else value_text(metric, row.score),
        metric,
        "" if row.best_epoch is None else str(row.best_epoch),
        "" if row.test_score is None else value_text(metric, row.test_score),
        row.arch or "",
        "" if row.image_size is None else str(row.image_size),
        "" if row.data is None else f"{row.data} {short(row.data_fingerprint or '')}",
        "" if row.epochs is None else f"{row.epochs}{planned}",
        row.weights or "",
        row.onnx or "",
        "" if row.seconds is None else duration(row.seconds),
        _local(row.started),
    )


def _title(result: RunsResult) -> str:
    listed = len(result.rows)
    count = counted(result.found, "run") if listed == result.found else f"{listed} of {counted(result.found, 'run')}"
    metric = f"; scores are {result.metrics[0]}" if len(result.metrics) == 1 else ""
    return f"{count} in {result.folder}, by {result.sort}{', reversed' if result.reverse else ''}{metric}"


def _remarks(result: RunsResult) -> Iterable[str]:
    if len(result.data_sets) > 1:
        names = ", ".join(f"{name} {short(fingerprint)}" for name, fingerprint in result.data_sets)
        yield f"Scores of {len(result.data_sets)} data sets do not compare: {names}."
        yield f"To see one of them: --filter data={short(result.data_sets[0][1])}"
    if len(result.metrics) > 1:
        yield f"Scores of {len(result.metrics)} metrics do not compare: {', '.join(result.metrics)}."
        yield f"To see one of them: --filter metric={result.metrics[0]}"
    for row in result.rows:
        if row.status == BROKEN:
            yield f"{row.name}: {row.error}"
    for row in result.rows:
        if row.status == SILENT:
            yield f"{row.name}: says that it is running, but has written nothing since {_local(row.changed)}."
        if row.status == SILENT and row.epochs:
            yield f"If it was killed, this goes on: clf train --resume {quote(row.run)}"


def _local(time: str | None) -> str:
    return "" if time is None else datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")
