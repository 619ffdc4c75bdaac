"""Where a command puts its files: --out, else the run's own place, else nowhere."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved
from clf_cli.values.run_dir import RunDir

OutFolderOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for the files it writes. Default: the run's reports."),
]


def stem_for(resolved: Resolved, out: Path | None, model: Path, name: str, split: str) -> Path | None:
    """`DIR/confusion` for --out, `RUN/reports/confusion` (of the test: `confusion-test`) for a run's own data, or None.

    Files are this stem with a suffix. Raises UsageError (exit 2) when --out is a file.
    """
    if out is not None:
        return stem_in(out, name)
    run = RunDir(model)
    if not run.run_json.is_file() or resolved.given("data.root"):
        return None
    return run.report(name if split == "val" else f"{name}-{split}", suffix="")


def stem_in(out: Path, name: str) -> Path:
    """`DIR/confusion`. Raises UsageError (exit 2) when --out is a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file.", "Name a folder; it may be new.")
    return out / name
