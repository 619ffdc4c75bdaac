"""clf confusion."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import progress, publish, say
from clf_cli.cli.options import JsonOption, ModelArgument, SplitOption, configured
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved
from clf_cli.values.run_dir import RunDir

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.values.report import Report

app = typer.Typer(add_completion=False)

EpochOption = Annotated[
    int | None, typer.Option("--epoch", min=1, metavar="N", help="What the run counted in this epoch, from 1.")
]
NormalizeOption = Annotated[
    bool, typer.Option("--normalize/--no-normalize", metavar="", help="Picture in % of each true class, or in images.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for .png, .csv and .json. Default: the run's reports."),
]


@app.command()
@configured("confusion")
def confusion(
    resolved: Resolved,
    model: ModelArgument,
    split: SplitOption = "val",
    epoch: EpochOption = None,
    normalize: NormalizeOption = True,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count true against predicted classes."""
    _check_out(out)
    report = _counted(resolved, model, split) if epoch is None else _stored(resolved, model, split, epoch)
    publish(report, as_json=as_json)
    stem = out / "confusion" if out else _place(resolved, model, split, epoch)
    if stem is not None:
        from clf_cli.render.confusion_files import write_confusion

        for path in write_confusion(report, stem, normalize, _subject(report, model, epoch)):
            say(f"Wrote {path}")


def _counted(resolved: Resolved, model: Path, split: str) -> "Report":
    """Predicts every image of the split and counts."""
    from clf_cli.cli.model_data import model_data
    from clf_cli.data.scan import scan_threads
    from clf_cli.engine.confusion import confusion as count
    from clf_cli.engine.predict import predict
    from clf_cli.models.classifier import model_file, open_classifier
    from clf_cli.models.compute import compute_for
    from clf_cli.values.report import DataRef, Report

    file = model_file(model)
    compute, notes = compute_for(file, resolved.settings.compute)
    for note in notes:
        say(note)
    classifier = open_classifier(file, compute=compute)
    dataset = model_data(resolved, classifier)
    if dataset is None:
        raise UsageError(f"{file} does not lie in a run, so its data are not known.", "Name images with --data DIR.")
    workers = scan_threads(resolved.settings.compute.workers)
    predictions = predict(classifier, dataset, split, workers, progress)
    data = DataRef(
        path=dataset.root.as_posix(),
        split=dataset.split_name(split),
        fingerprint=dataset.fingerprint,
        images=len(predictions),
        skipped=len(predictions.skipped),
    )
    return Report(count(predictions), classifier.ref, data, findings=classifier.findings)


def _stored(resolved: Resolved, model: Path, split: str, epoch: int) -> "Report":
    """What the run itself counted in the epoch."""
    from clf_cli.engine.confusion import stored_confusion

    if not RunDir(model).run_json.is_file():
        raise UsageError(f"--epoch looks up what a run kept, and {model} is not a run.", "Name the run's folder.")
    if split != "val" or resolved.given("data.root"):
        raise UsageError(
            "A run keeps the counts of its own val split only.", "Leave --split and --data away, or --epoch."
        )
    return stored_confusion(RunDir(model), epoch)


def _place(resolved: Resolved, model: Path, split: str, epoch: int | None) -> Path | None:
    """Where the files of a run's own data go, without their suffix; None for everything else."""
    run = RunDir(model)
    if not run.run_json.is_file() or resolved.given("data.root"):
        return None
    if epoch is not None:
        return run.epoch(epoch) / "confusion"
    return run.report("confusion" if split == "val" else f"confusion-{split}", suffix="")


def _subject(report: "Report", model: Path, epoch: int | None) -> str:
    """What the picture's second line begins with: `jersey, val, epoch 7`."""
    split = [report.data.split] if report.data else []
    return ", ".join([model.resolve().name, *split, *([f"epoch {epoch}"] if epoch else [])])


def _check_out(out: Path | None) -> None:
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file.", "Name a folder; it may be new.")
