"""Where the tables, pictures and the page about a data set go."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import progress, say
from clf_cli.cli.gate import outside_data
from clf_cli.cli.places import stem_in
from clf_cli.errors import RunError, UsageError

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.data.dataset import Dataset
    from clf_cli.values.report import Report

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder for dataset.json, .csv and .png (bars), dataset-sizes.png and dataset-examples.png. "
        "Default: no files.",
    ),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="One page of it all with pictures, to look at without a network."),
]


@dataclass(frozen=True)
class DatasetFiles:
    """What the command line says of them; None is no file."""

    out: Path | None
    page: Path | None

    def check(self, data: Path) -> None:
        """Raises UsageError (exit 2) for a file where a folder belongs or the other way round, and inside `data`."""
        outside_data(data, out=self.out, html=self.page)
        if self.out is not None:
            stem_in(self.out, "dataset")
        if self.page is not None and self.page.is_dir():
            raise UsageError(f"--html {self.page} is a folder.", "Name the file that the page becomes: FILE.html.")

    def write(self, report: "Report", dataset: "Dataset") -> None:
        """Raises RunError (exit 6) naming the file that cannot be written."""
        if self.out is not None:
            from clf_cli.engine.dataset_examples import examples
            from clf_cli.render.dataset_files import write_dataset

            stem = stem_in(self.out, "dataset")
            for path in write_dataset(report, examples(dataset), dataset.root, stem):
                say(f"Wrote {path}")
        if self.page is not None:
            from clf_cli.engine.dataset import DatasetResult
            from clf_cli.engine.dataset_page import dataset_page
            from clf_cli.render.dataset_page import write_dataset_page

            assert isinstance(report.result, DatasetResult)
            try:
                write_dataset_page(dataset_page(dataset, report.result, progress), self.page)
            except RunError as error:
                raise RunError(error.message, "Free some space or name another file with --html.") from error
            say(f"Wrote {self.page}")
