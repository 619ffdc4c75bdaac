"""DATA, the argument of the commands on data sets: the same as --data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # it imports pydantic, which --help does without
    from clf_cli.settings.sections import DataSection

DataArgument = Annotated[
    str | None, typer.Argument(metavar="DATA", help="Folder or manifest, as --data.", show_default=False)
]  # no Path, which makes "" the current folder, and refuses what may not be read before --data's words do
ManifestOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Manifest to write, FILE.jsonl. Default: only the report."),
]


def named_data(resolved: Resolved, data: str | None, command: str) -> "DataSection":
    """The section [data] with its root, and with all images, whatever share of them clf.toml trains on.

    Raises UsageError (exit 2) where the data are named twice or not at all.
    """
    section = resolved.settings.data
    if data is not None and resolved.given("data.root"):
        raise UsageError("The data are named twice, as an argument and with --data.", "Leave one of them out.")
    if data == "":
        raise UsageError(
            "DATA is empty.", "Is it a variable that is not set? Leave it out to use the setting data.root."
        )
    root = section.root if data is None else Path(data)
    if root is None:
        raise UsageError(
            "No data set is named.",
            f"Say clf {command} DIR (or --data DIR), set CLF_DATA__ROOT=DIR, "
            'or put root = "DIR" under [data] in clf.toml.',
        )
    return section.model_copy(update={"root": root, "subset": 1.0})
