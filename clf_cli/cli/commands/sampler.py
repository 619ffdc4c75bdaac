"""clf sampler."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import progress, publish, say, warn_of
from clf_cli.cli.options import JsonOption, configured
from clf_cli.cli.places import stem_in
from clf_cli.errors import UsageError

if TYPE_CHECKING:  # they import pydantic or numpy, which --help does without
    from clf_cli.settings.root import Settings
    from clf_cli.values.report import Report

app = typer.Typer(add_completion=False)

EpochOption = Annotated[
    int, typer.Option("--epoch", min=1, max=2**31, metavar="N", help="The epoch to draw, from 1.", show_default=True)
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for sampler.json, .csv and .png. Default: no files."),
]


@app.command()
@configured("sampler")
def sampler(settings: "Settings", epoch: EpochOption = 1, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Count the images of each class that an epoch draws, without training."""
    stem = None if out is None else stem_in(out, "sampler")
    report = _drawn(settings, epoch)
    publish(report, as_json=as_json)
    warn_of(report.findings)
    if stem is not None:
        from clf_cli.render.sampler_files import write_sampler

        for path in write_sampler(report, stem, f"--balance {settings.optim.balance}, seed {settings.compute.seed}"):
            say(f"Wrote {path}")


def _drawn(settings: "Settings", epoch: int) -> "Report":
    """Reads the data as training does, and draws."""
    from clf_cli.data.dataset import NO_DATA_HINT, load_dataset
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.sampler import sampler_report

    if settings.data.root is None:
        raise UsageError("No data set is named.", NO_DATA_HINT)
    seed = settings.compute.seed
    dataset = load_dataset(settings.data, seed, scan_threads(settings.compute.workers), progress)
    for note in dataset.notes:
        say(note)
    return sampler_report(dataset, settings.optim, seed, epoch)
