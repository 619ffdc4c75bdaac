"""clf confusion."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import publish, say
from clf_cli.cli.given import LabelsOption, PreprocessOption, given_files
from clf_cli.cli.options import JsonOption, ModelArgument, SplitOption, configured
from clf_cli.cli.places import OutFolderOption, stem_for
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved
from clf_cli.values.run_dir import RunDir

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.models.onnx_given import Given
    from clf_cli.render.confusion_files import Thumbnails
    from clf_cli.values.report import Report

app = typer.Typer(add_completion=False)

EpochOption = Annotated[
    int | None, typer.Option("--epoch", min=1, metavar="N", help="What the run counted in this epoch, from 1.")
]
NormalizeOption = Annotated[
    bool, typer.Option("--normalize/--no-normalize", metavar="", help="Picture in % of each true class, or in images.")
]


@app.command()
@configured("confusion")
def confusion(
    resolved: Resolved,
    model: ModelArgument,
    split: SplitOption = "val",
    epoch: EpochOption = None,
    normalize: NormalizeOption = True,
    labels: LabelsOption = None,
    preprocess: PreprocessOption = None,
    out: OutFolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count true against predicted classes."""
    stem = stem_for(resolved, out, model, "confusion", split)
    given = given_files(labels, preprocess)
    found = _counted(resolved, model, split, given) if epoch is None else _stored(resolved, model, split, epoch)
    report, thumbnails = found
    publish(report, as_json=as_json)
    if stem is not None and out is None and epoch is not None:
        stem = RunDir(model).epoch(epoch) / "confusion"
    if stem is not None:
        from clf_cli.render.confusion_files import write_confusion, write_pairs

        subject = _subject(report, model, epoch)
        for path in write_confusion(report, stem, normalize, subject):
            say(f"Wrote {path}")
        if thumbnails is not None:
            say(f"Wrote {write_pairs(report, stem, thumbnails, subject)}")


def _counted(resolved: Resolved, model: Path, split: str, given: "Given") -> "tuple[Report, Thumbnails]":
    """Predicts every image of the split and counts."""
    from clf_cli.cli.scored import scored
    from clf_cli.engine.confusion import confusion as count
    from clf_cli.engine.thumbnails import thumbnails

    found = scored(resolved, model, split, given)
    root, preprocess = found.dataset.root, found.classifier.preprocess
    return found.report(count(found.predictions)), lambda paths: thumbnails(root, paths, preprocess)


def _stored(resolved: Resolved, model: Path, split: str, epoch: int) -> "tuple[Report, Thumbnails | None]":
    """What the run itself counted in the epoch; without images, where they are no longer at hand."""
    from clf_cli.engine.confusion import stored_confusion, stored_examples
    from clf_cli.engine.thumbnails import kept_preprocess, thumbnails
    from clf_cli.values.run_record import read_record

    run = RunDir(model)
    if not run.run_json.is_file():
        raise UsageError(f"--epoch looks up what a run kept, and {model} is not a run.", "Name the run's folder.")
    if split != "val" or resolved.given("data.root"):
        raise UsageError(
            "A run keeps the counts of its own val split only.", "Leave --split and --data away, or --epoch."
        )
    read_record(run)  # a run of a later clf may have kept something else under these names
    report, preprocess = stored_confusion(run, epoch), kept_preprocess(run)
    images = stored_examples(report)
    if preprocess is None or images is None:
        say("The most confused pairs are not drawn: their images are not at hand.")
        return report, None
    return report, lambda paths: thumbnails(images, paths, preprocess)


def _subject(report: "Report", model: Path, epoch: int | None) -> str:
    """What the picture's second line begins with: `jersey, val, epoch 7`."""
    split = [report.data.split] if report.data else []
    return ", ".join([model.resolve().name, *split, *([f"epoch {epoch}"] if epoch else [])])
