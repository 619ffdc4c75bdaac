"""clf report."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.completion import complete_run
from clf_cli.cli.console import publish, warn, write_line
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import DataError, ModelError, UsageError
from clf_cli.settings.resolved import Resolved
from clf_cli.values.run_dir import RunDir

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.engine.report_page import Mistakes, ReportPage, ReportResult
    from clf_cli.values.report import Report

app = typer.Typer(add_completion=False)

RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="Run folder, also one that is not finished.",
        show_default=False,
        autocompletion=complete_run,
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="The page. Default: the run's report.html.")
]
ImagesOption = Annotated[
    bool, typer.Option("--images/--no-images", metavar="", help="Small pictures of the worst mistakes in the page.")
]


@app.command()
@configured("report")
def report(
    resolved: Resolved,
    run: RunArgument,
    out: OutOption = None,
    images: ImagesOption = True,
    as_json: JsonOption = False,
) -> None:
    """Write a run as one HTML page, to look at without a network."""
    from clf_cli.engine.report_page import Mistakes, report_page
    from clf_cli.render.report_page import write_page

    folder = RunDir(run)
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out} is a folder.", "Name the file that the page becomes: --out FILE.html.")
    page = report_page(folder, Mistakes())  # before what takes time: a run that cannot be read is told at once
    page = replace(page, mistakes=_mistakes(resolved, folder, page, images))
    result = write_page(page, out or folder.report_page)
    if as_json:
        publish(_report(result), as_json=True)
    else:
        write_line(result.file)


def _mistakes(resolved: Resolved, run: RunDir, page: "ReportPage", pictures: bool) -> "Mistakes":
    """What the best checkpoint says of the val images; what stands in the way is said, here and on the page."""
    from clf_cli.cli.scored import scored
    from clf_cli.engine.report_page import Mistakes, worst_images

    if not run.best.is_file():
        return _without("The run keeps no best checkpoint") if "val" in page.scores else Mistakes()
    try:
        found = scored(resolved, run.best, "val")
    except (DataError, ModelError) as error:
        return _without(error.message.splitlines()[0].rstrip(".:"))
    mistakes = worst_images(found.predictions, found.dataset.root, pictures)
    if found.data.fingerprint == page.record.data_fingerprint:
        return mistakes
    note = "The images or labels have changed since the training: the pictures are of what is there now."
    return replace(mistakes, note=" ".join(filter(None, (note, mistakes.note))))


def _without(reason: str) -> "Mistakes":
    from clf_cli.engine.report_page import Mistakes

    warn(f"{reason}: the page has no pictures of mistakes.")
    return Mistakes(note=f"{reason}: there are no pictures of mistakes.")


def _report(result: "ReportResult") -> "Report":
    from clf_cli.values.report import Report

    scores = next(iter(result.page.scores.values()), None)  # of val, or of the test where nothing was validated
    if scores is None:
        return Report(result, findings=result.page.findings)
    return Report(result, scores.model, scores.data, findings=result.page.findings)
