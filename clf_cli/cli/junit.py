"""--junit FILE: the checks of a report as JUnit XML, beside what goes to stdout."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.errors import RunError, UsageError
from clf_cli.files import unwritable, write_text

if TYPE_CHECKING:  # it imports numpy, which --help does without
    from clf_cli.values.report import Report

JunitOption = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write the checks as JUnit XML too, for CI.")
]


def clear_junit(path: Path | None) -> None:
    """Takes the file of an earlier check away, before anything can fail: CI would read it as the answer.

    Raises UsageError (exit 2) for a folder and for a file that is no XML, RunError (exit 6) for one that stays.
    """
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--junit {path} is a folder.", f"Name a file, such as --junit {path / 'checks.xml'}.")
    try:
        if path.is_file():
            with path.open("rb") as file:
                first = file.read(5)
            if first not in (b"", b"<?xml"):
                raise UsageError(f"--junit {path} exists, and is no XML file.", "Name another, or remove it.")
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return  # nothing is there; writing says so
    except OSError as error:
        raise unwritable(path, error) from error


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
