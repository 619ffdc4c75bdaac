"""clf inspect-dataset."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.console import progress, publish, say
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved
from clf_cli.settings.sections import DataSection

app = typer.Typer(add_completion=False)

DataArgument = Annotated[
    Path | None, typer.Argument(metavar="DATA", help="Folder or manifest, as --data.", show_default=False)
]


@app.command()
@configured("inspect-dataset")
def inspect_dataset(resolved: Resolved, data: DataArgument = None, as_json: JsonOption = False) -> None:
    """Count a data set's images and list what is wrong with it."""
    from clf_cli.data.dataset import survey_dataset
    from clf_cli.data.scan import scan_threads
    from clf_cli.engine.dataset import DatasetResult, check_dataset, dataset_report

    compute = resolved.settings.compute
    dataset = survey_dataset(_named(resolved, data), compute.seed, scan_threads(compute.workers), progress)
    for note in dataset.notes:
        say(note)
    report = dataset_report(dataset, resolved.settings.inspect, scan_threads(compute.workers), progress)
    publish(report, as_json=as_json)
    assert isinstance(report.result, DatasetResult)
    check_dataset(dataset, report.result.findings)


def _named(resolved: Resolved, data: Path | None) -> DataSection:
    section = resolved.settings.data
    if data is not None and resolved.given("data.root"):
        raise UsageError("The data are named twice, as an argument and with --data.", "Leave one of them out.")
    root = data or section.root
    if root is None:
        raise UsageError(
            "No data set is named.",
            "Say clf inspect-dataset DIR (or --data DIR), set CLF_DATA__ROOT=DIR, "
            'or put root = "DIR" under [data] in clf.toml.',
        )
    return section.model_copy(update={"root": root})
