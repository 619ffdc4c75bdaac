"""clf predict."""

from typing import Annotated, Literal

import typer

from clf_cli.cli.given import LabelsOption, PreprocessOption
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
    from clf_cli.cli.predicting import Asked, predict_named

    asked = Asked(model, images or (), recursive, null, written, top, calibration, labels, preprocess, as_json)
    predict_named(resolved, asked)
