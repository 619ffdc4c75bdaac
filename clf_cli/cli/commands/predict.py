"""clf predict."""

from typing import Annotated, Literal

import typer

from clf_cli.cli.console import say, warn
from clf_cli.cli.given import LabelsOption, PreprocessOption, given_files
from clf_cli.cli.options import JsonOption, ModelArgument, configured
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

ImagesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="IMAGES", help="Files, folders of images, or - for paths on stdin.", show_default=False),
]
RecursiveOption = Annotated[
    bool, typer.Option("--recursive", "-r", metavar="", help="Images in the folders of a folder too.")
]
NullOption = Annotated[bool, typer.Option("--null", "-0", metavar="", help="Paths on stdin end at zero bytes.")]
FormatOption = Annotated[
    Literal["table", "csv", "jsonl"] | None,
    typer.Option("--format", metavar="FORMAT", help="table, csv or jsonl. Default: table on a terminal, else jsonl."),
]
TopOption = Annotated[
    int, typer.Option("--top", "-k", min=1, metavar="K", help="Candidates to list, as far as there are classes.")
]
CalibrationOption = Annotated[
    bool,
    typer.Option(
        "--calibration/--no-calibration", metavar="", help="Use the model's temperature and thresholds, if it has any."
    ),
]


@app.command()
@configured("predict")
def predict(
    resolved: Resolved,
    model: ModelArgument,
    images: ImagesArgument = None,
    recursive: RecursiveOption = False,
    null: NullOption = False,
    written: FormatOption = None,
    top: TopOption = 5,
    calibration: CalibrationOption = True,
    labels: LabelsOption = None,
    preprocess: PreprocessOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label images with a model."""
    from clf_cli.cli.named_images import named_images
    from clf_cli.cli.opened_model import opened_model, say_model_notes
    from clf_cli.cli.prediction_lines import refuse_unreadable, write_predictions, written_as
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.predictions import is_calibrated, predict_images, uncalibrated
    from clf_cli.engine.stored_calibration import calibrated

    form = written_as(written, as_json)
    named = named_images(images or (), recursive, null)
    classifier = opened_model(resolved, model, given_files(labels, preprocess))
    say_model_notes(resolved, classifier)
    classifier, note = calibrated(classifier) if calibration else (uncalibrated(classifier), None)
    if note is not None:
        (say if is_calibrated(classifier) else warn)(note)
    top = min(top, len(classifier.labels))
    batches = predict_images(classifier, named.images, top, scan_threads(resolved.settings.compute.workers))
    tally = write_predictions(batches, named.count, form, classifier, top)
    if resolved.settings.data.on_bad_image == "error":
        refuse_unreadable(tally)
