"""The gate of a data set on the command line: its files, what it says, and its exit code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import is_verbose, publish, say, warn
from clf_cli.cli.junit import clear_junit, write_junit
from clf_cli.cli.places import clear_earlier
from clf_cli.data.samples import Finding, RefusedDataError
from clf_cli.data.written_manifests import folder_of, in_data_folder
from clf_cli.errors import ClfError, DataError, ModelError, RunError, UsageError
from clf_cli.files import write_text

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.engine.dataset_gate import Verdict
    from clf_cli.values.report import Report

UpdateBaselineOption = Annotated[
    bool,
    typer.Option(
        "--update-baseline",
        metavar="",
        help="Accept what the gate finds now: write it into the baseline (default: ./clf-baseline.json).",
    ),
]
SarifOption = Annotated[
    Path | None, typer.Option("--sarif", metavar="FILE", help="Write the findings as SARIF 2.1.0 too, for CI.")
]


@dataclass(frozen=True)
class GateFiles:
    """Where the findings go beside stdout, and the data as they were named."""

    data: Path
    junit: Path | None = None
    sarif: Path | None = None

    def clear(self) -> None:
        """Takes away those of an earlier inspection.

        Raises UsageError (exit 2) for files in the data folder, and for one file that is named twice.
        """
        if self.junit is not None and self.sarif is not None and self.junit.resolve() == self.sarif.resolve():
            raise UsageError(f"--junit and --sarif both name {self.junit}.", "Name two files.")
        outside_data(self.data, junit=self.junit, sarif=self.sarif)
        clear_junit(self.junit)
        clear_earlier(self.sarif, "--sarif", b"{", "findings.sarif")

    @contextmanager
    def saying_failure(self) -> Iterator[None]:
        """Writes them where the data or a model cannot be used too: CI shows the reason, and no earlier answer."""
        try:
            yield
        except (DataError, ModelError) as error:
            try:
                self._write_failure(error)
            except RunError as unwritten:  # the first error is the one to act on
                warn(unwritten.message)
            raise

    def _write_failure(self, error: ClfError) -> None:
        from clf_cli.render.dataset_findings import cases_of_failure
        from clf_cli.render.junit import junit_xml
        from clf_cli.render.sarif import sarif_of_failure

        root, findings = folder_of(self.data), tuple[Finding, ...]()
        if isinstance(error, RefusedDataError):
            root, findings = error.root, error.findings
        if self.junit is not None:
            write_text(self.junit, junit_xml("dataset", "dataset", cases_of_failure(findings, error)))
        if self.sarif is not None:
            write_text(self.sarif, sarif_of_failure(root, findings, Path.cwd(), error))


def outside_data(data: Path, **files: Path | None) -> None:
    """Raises UsageError (exit 2) where a file, given by the name of its flag, lies in the folder of `data`."""
    for flag, path in files.items():
        if path is not None and in_data_folder(path, data):
            raise UsageError(
                f"{path} lies in the data folder {folder_of(data)}, and nothing is ever written into one.",
                f"Name a file elsewhere with --{flag}.",
            )


def answer(
    report: "Report", verdict: "Verdict", as_json: bool, files: GateFiles, write_more: Callable[["Report"], None]
) -> None:
    """The report, its files and the baseline, then what warns and what fails. Raises CheckFailedError (exit 1).

    `write_more` writes what no gate needs: pictures and the page.
    """
    from clf_cli.engine.dataset_baseline import write_baseline

    publish(report, as_json=as_json, view="full" if is_verbose() else "table")
    write_junit(report, files.junit)
    write_sarif(verdict, files.sarif)
    if verdict.gate.update and verdict.gate.baseline is not None:
        write_baseline(verdict.gate.baseline, verdict.entries)
    write_more(report)
    for note in verdict.notes():
        say(note)
    if warned := verdict.counts("warned"):
        warn(f"{files.data}: {', '.join(f'{code} ({count})' for code, count in warned.items())}.")
    verdict.raise_if_failed(files.data)


def write_sarif(verdict: "Verdict", path: Path | None) -> None:
    """Raises RunError (exit 6) naming the file."""
    if path is None:
        return
    from clf_cli.render.sarif import sarif_json

    try:
        write_text(path, sarif_json(verdict, Path.cwd()))
    except RunError as error:
        raise RunError(error.message, "Free some space or name another file with --sarif.") from error
