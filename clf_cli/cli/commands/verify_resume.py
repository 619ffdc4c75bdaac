"""clf verify-resume."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import progress, publish, watcher
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import CheckFailedError, ModelError
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

RunArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RUN]",
        help="Run whose settings and data are taken; else those of the flags, as for clf train.",
        show_default=False,
        autocompletion=complete_model,
    ),
]


@app.command()
@configured("verify-resume")
def verify_resume(resolved: Resolved, run: RunArgument = None, as_json: JsonOption = False) -> None:
    """Prove that your runs continue exactly: kill a short one, continue it and compare."""
    from clf_cli.training.verify_resume import verify_resume as verify
    from clf_cli.values.report import Report

    result = verify(resolved if run is None else _of_run(run, resolved), watcher(), progress)
    publish(Report(result), as_json=as_json)
    if not result.equal:
        raise CheckFailedError(
            "The continued run is not equal to the one that was left alone.", " ".join(result.reasons)
        )


def _of_run(path: Path, resolved: Resolved) -> Resolved:
    """The run's settings under the flags of this command."""
    from clf_cli.training.resume import merged_settings
    from clf_cli.values.run_dir import newest_runs, run_of

    run = run_of(path)
    if run is None or not run.settings.is_file():
        raise ModelError(f"{path} is not a run of clf train.", f"Name a run's folder. {newest_runs()}")
    return Resolved(merged_settings(run, resolved), resolved.origin)
