"""clf runs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clf_cli.cli.console import publish, write_line
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import UsageError

if TYPE_CHECKING:  # it imports pydantic, which --help does without
    from clf_cli.settings.root import Settings

app = typer.Typer(add_completion=False)

FolderArgument = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="Folder of runs. Default: where clf train puts them.", show_default=False),
]
SortOption = Annotated[
    Literal["score", "test", "name", "arch", "data", "size", "epochs", "duration", "started", "status"],
    typer.Option(
        "--sort",
        metavar="KEY",
        help="score, test (best first), size, epochs, duration (largest first), started (newest first), "
        "name, arch, data or status.",
    ),
]
ReverseOption = Annotated[bool, typer.Option("--reverse", metavar="", help="The other way round.")]
FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="KEY=VALUE",
        help="Only runs whose name, arch, data, size, status, metric, weights or onnx has VALUE in it, or matches it "
        "(resnet*). Repeatable: all must hold.",
        show_default=False,
    ),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="Only the first N.", show_default=False)
]
FormatOption = Annotated[Literal["table", "csv"], typer.Option("--format", metavar="FORMAT", help="table or csv.")]


@app.command()
@configured("runs")
def runs(
    settings: "Settings",
    folder: FolderArgument = None,
    sort: SortOption = "score",
    reverse: ReverseOption = False,
    filters: FilterOption = None,
    limit: LimitOption = None,
    form: FormatOption = "table",
    as_json: JsonOption = False,
) -> None:
    """List the runs of a folder with their scores."""
    from clf_cli.engine.runs import RunsResult, read_runs
    from clf_cli.engine.runs_choice import filtered, in_order, parse_filter
    from clf_cli.values.report import Report

    if as_json and form == "csv":
        raise UsageError("--json is one document, and --format csv is not.", "Leave one of them away.")
    chosen = [parse_filter(text) for text in filters or ()]
    root = folder or settings.train.out.expanduser()
    found = read_runs(root, datetime.now(UTC))
    rows = in_order(filtered(found, chosen), sort, reverse)
    result = RunsResult(root.as_posix(), len(found), sort, rows, reverse, limit)
    if form == "csv":
        from clf_cli.render.runs import csv_text

        write_line(csv_text(result))
    else:
        publish(Report(result, findings=result.findings), as_json)
