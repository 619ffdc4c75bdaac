"""clf history."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.completion import complete_run
from clf_cli.cli.console import publish, say
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import UsageError

if TYPE_CHECKING:  # they import pydantic, numpy or matplotlib, which --help does without
    from matplotlib.figure import Figure

    from clf_cli.engine.run_files import RunFiles
    from clf_cli.settings.root import Settings

app = typer.Typer(add_completion=False)

NAME = "history.png"
_OTHER_PICTURES = (".gif", ".jpeg", ".jpg", ".pdf", ".svg", ".webp")

RunsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN",
        help="Run folder; several are laid over each other.",
        show_default=False,
        autocompletion=complete_run,
    ),
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Only this metric, in a panel of its own: val/f1_macro, or loss for every split. Repeatable.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="The PNG, or its folder. Default: of one run, its history.png."),
]


@app.command()
@configured("history")
def history(
    settings: "Settings",
    runs: RunsArgument,
    metric: MetricOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the course of runs: loss, accuracy and learning rate over the epochs."""
    from clf_cli.engine.histories import read_trained

    picture = _picture(out)
    found = read_trained(runs)
    if len(found) == 1:
        _one(found[0], metric or [], picture, as_json)
    else:
        _several(found, metric or [], picture, as_json)


def _one(files: "RunFiles", metrics: list[str], picture: Path | None, as_json: bool) -> None:
    """The report that training wrote; the picture takes the place of training's."""
    from clf_cli.engine.histories import history_report
    from clf_cli.engine.history import HistoryResult, matching

    report = history_report(files)
    result = report.result
    assert isinstance(result, HistoryResult)
    asked = matching(metrics, result.metrics)
    if asked:
        result = result.only(set().union(*asked.values()))
    publish(replace(report, result=result), as_json)
    status = files.status(datetime.now(UTC))
    if status != "finished":
        say(f"{files.run.root} is not finished ({status}): {len(files.rows)} of {files.settings.optim.epochs} epochs.")
    from clf_cli.render.curves import figure  # matplotlib, which the table does without

    _save(figure(result, files.run.root.resolve().name, asked), picture or files.run.history)


def _several(found: "tuple[RunFiles, ...]", metrics: list[str], picture: Path | None, as_json: bool) -> None:
    """Their picture belongs to no run's folder."""
    from clf_cli.engine.histories import histories
    from clf_cli.engine.history import matching
    from clf_cli.values.report import Report

    result = histories(found, datetime.now(UTC))
    asked = matching(metrics, result.metrics)
    if asked:
        result = result.only(set().union(*asked.values()))
    publish(Report(result, findings=result.findings), as_json)
    if picture is None:
        say("No picture of several runs is drawn unless its place is named: --out FILE.png.")
        return
    from clf_cli.render.curves import overlay

    _save(overlay(result, asked), picture)


def _picture(out: Path | None) -> Path | None:
    """The file that --out means. Raises UsageError (exit 2) for one that is no PNG."""
    if out is None or (out.suffix.lower() == ".png" and not out.is_dir()):
        return out
    if out.is_file() or out.suffix.lower() in _OTHER_PICTURES:
        raise UsageError(f"--out {out} is neither a .png file nor a folder.", "Name a file that ends in .png.")
    return out / NAME


def _save(drawing: "Figure", path: Path) -> None:
    from clf_cli.render.figures import save_figure

    save_figure(drawing, path)
    say(f"Wrote {path}")
