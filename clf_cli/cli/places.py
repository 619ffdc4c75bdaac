"""Where a command puts its files: --out, else the run's own place, else nowhere."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.errors import UsageError
from clf_cli.files import is_stream, unwritable
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


def clear_earlier(path: Path | None, flag: str, begins: bytes, example: str) -> None:
    """Takes the file of an earlier check away, before anything can fail: CI would read it as the answer.

    Raises UsageError (exit 2) for a folder and for a file that does not begin so, RunError (exit 6) for one that stays.
    """
    if path is None or is_stream(path):
        return
    if path.is_dir():
        raise UsageError(f"{flag} {path} is a folder.", f"Name a file, such as {flag} {path / example}.")
    try:
        if path.is_file():
            with path.open("rb") as file:
                first = file.read(len(begins))
            if first not in (b"", begins):
                kind = Path(example).suffix.removeprefix(".").upper()
                raise UsageError(f"{flag} {path} exists, and is no {kind} file.", "Name another, or remove it.")
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return  # nothing is there; writing says so
    except OSError as error:
        raise unwritable(path, error) from error
