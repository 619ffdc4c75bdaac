"""clf train."""

from shlex import quote
from typing import Annotated

import typer

from clf_cli.cli.console import progress, publish, say, watcher, write_line
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import ExportError, RunError
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", metavar="", help="Say what the run would do and cost, after two steps; write nothing."),
]


@app.command()
@configured("train")
def train(resolved: Resolved, dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Train a classifier and export it."""
    from clf_cli.training.result import summary
    from clf_cli.training.train import command_line, plan
    from clf_cli.training.train import train as run_training
    from clf_cli.values.report import Report

    if dry_run:
        planned = plan(resolved, watcher(), progress, command_line())
        publish(Report(planned, findings=planned.costs.findings), as_json=as_json)
        return
    result = run_training(resolved, watcher(), progress, command_line())
    for line in summary(result):
        say(line)
    if as_json:
        publish(result.report, as_json=True)
    else:
        write_line(result.run)
    if result.export_error is not None:
        raise ExportError(result.export_error, f"The run is finished; try again with: clf export {quote(result.run)}")
    if result.page_error is not None:
        raise RunError(result.page_error, f"The run is finished; try again with: clf report {quote(result.run)}")
