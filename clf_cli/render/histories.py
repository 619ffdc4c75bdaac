"""The courses of several runs in the terminal: for each metric a row per run, so that they stand below each other."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.histories import HistoriesResult, RunCourse
from clf_cli.render.history import best_text, cells, course_table
from clf_cli.render.text import UNDEFINED, counted


def table(result: HistoriesResult) -> RenderableType:
    """The runs with their status and best epoch, then their courses; what a run never measured is said below."""
    return Group(Text(counted(len(result.runs), "run")), _runs(result), _courses(result), *_missing(result))


def epochs_text(course: RunCourse) -> str:
    """`8 of 15 epochs` where fewer were done than planned."""
    done = len(course.history.epochs)
    return counted(done, "epoch") if done >= course.planned else f"{done} of {counted(course.planned, 'epoch')}"


def _runs(result: HistoriesResult) -> Table:
    grid = Table()
    for name in ("run", "arch", "status", "epochs", "best"):
        grid.add_column(name, overflow="fold")
    for course in result.runs:
        best = best_text(course.history) or UNDEFINED
        grid.add_row(Text(course.name), course.arch, course.status, epochs_text(course), best)
    return grid


def _courses(result: HistoriesResult) -> Table:
    grid = course_table("metric", "run")
    for metric in result.metrics:
        measured = [course for course in result.runs if course.history.measured(metric)]
        for number, course in enumerate(measured):
            last = number == len(measured) - 1
            first = metric if number == 0 else ""
            grid.add_row(first, Text(course.name), *cells(course.history, metric), end_section=last)
    return grid


def _missing(result: HistoriesResult) -> list[Text]:
    lines = []
    for course in result.runs:
        names = [name for name in result.metrics if not course.history.measured(name)]
        if names:
            lines.append(Text(f"Not measured in {course.name}: {', '.join(names)}."))
    return lines
