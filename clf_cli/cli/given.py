"""--labels and --preprocess: what an ONNX file of another tool does not say of itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # it imports numpy, which --help does without
    from clf_cli.models.onnx_given import Given

LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="Class names for an ONNX file of another tool: text, one a line, or JSON.",
        show_default=False,
    ),
]
PreprocessOption = Annotated[
    Path | None,
    typer.Option(
        "--preprocess",
        metavar="FILE",
        help="Its preprocessing: TOML or JSON with height, width, resize_mode, ...",
        show_default=False,
    ),
]


def given_files(labels: Path | None, preprocess: Path | None) -> "Given":
    """Both options as one value."""
    from clf_cli.models.onnx_given import Given

    return Given(labels, preprocess)
