"""DATA, the argument of the commands on data sets: the same as --data."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved
from clf_cli.settings.sections import DataSection

DataArgument = Annotated[
    Path | None,
    typer.Argument(metavar="DATA", help="Folder or manifest, as --data.", show_default=False, readable=False),
]  # readable=False: what may not be read is exit 3 and says what to do, as of --data
ManifestOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Manifest to write, FILE.jsonl. Default: only the report."),
]


def named_data(resolved: Resolved, data: Path | None, command: str) -> DataSection:
    """The section [data] with its root, and with all images, whatever share of them clf.toml trains on.

    Raises UsageError (exit 2) where the data are named twice or not at all.
    """
    section = resolved.settings.data
    if data is not None and resolved.given("data.root"):
        raise UsageError("The data are named twice, as an argument and with --data.", "Leave one of them out.")
    root = data or section.root
    if root is None:
        raise UsageError(
            "No data set is named.",
            f"Say clf {command} DIR (or --data DIR), set CLF_DATA__ROOT=DIR, "
            'or put root = "DIR" under [data] in clf.toml.',
        )
    return section.model_copy(update={"root": root, "subset": 1.0})
