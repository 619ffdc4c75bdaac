"""What `clf doctor` found, group by group."""

from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.doctor import DoctorResult
from clf_cli.engine.doctor_check import Check
from clf_cli.render.text import counted

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def table(result: DoctorResult) -> RenderableType:
    """A line per check with its status in words; hints below what they are about."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for group, checks in groupby(result.checks, key=lambda check: check.group):
        grid.add_row(Text(group, style="bold"))
        for check in checks:
            grid.add_row(Text(check.status, style=_STYLES[check.status]), Text(check.name), _value(check))
    return Group(grid, Text(_summary(result)))


def _value(check: Check) -> Text:
    return Text(check.value if check.hint is None else f"{check.value}\n{check.hint}")


def _summary(result: DoctorResult) -> str:
    warnings = sum(check.status == "warning" for check in result.checks)
    found = [
        counted(count, noun) for count, noun in ((len(result.problems), "problem"), (warnings, "warning")) if count
    ]
    return f"{', '.join(found) or 'All is well'}."
