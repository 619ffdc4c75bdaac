"""--junit FILE: the checks of a report as JUnit XML, beside what goes to stdout."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.places import clear_earlier
from clf_cli.errors import RunError
from clf_cli.files import write_text

if TYPE_CHECKING:  # it imports numpy, which --help does without
    from clf_cli.values.report import Report

JunitOption = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write the checks as JUnit XML too, for CI.")
]


def clear_junit(path: Path | None) -> None:
    """As `clear_earlier`, for XML."""
    clear_earlier(path, "--junit", b"<?xml", "checks.xml")


def write_junit(report: "Report", path: Path | None) -> None:
    """The cases that `cases` of render/<kind>.py makes of the result. Raises RunError (exit 6) naming the file."""
    if path is None:
        return
    from clf_cli.render.junit import junit_xml

    cases = vars(import_module(f"clf_cli.render.{report.kind}"))["cases"](report.result)
    suite = report.kind if report.model is None else report.model.path
    try:
        write_text(path, junit_xml(suite, report.kind, cases))
    except RunError as error:
        raise RunError(error.message, "Free some space or name another file with --junit.") from error
