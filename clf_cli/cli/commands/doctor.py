"""clf doctor."""

import typer

from clf_cli.cli.console import progress, publish, start_logging
from clf_cli.cli.options import JsonOption, QuietOption, VerboseOption

app = typer.Typer(add_completion=False)


@app.command()
def doctor(quiet: QuietOption = False, verbose: VerboseOption = False, as_json: JsonOption = False) -> None:
    """Look at this machine: versions, devices, workers, folders and settings."""
    from clf_cli.engine.doctor import doctor as look
    from clf_cli.values.report import Report

    start_logging(quiet, verbose)  # no settings are resolved first: wrong ones are among what it tells
    result = look(progress)
    publish(Report(result), as_json=as_json)
    result.raise_if_unusable()
