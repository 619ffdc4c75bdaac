"""clf validate-onnx."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import progress, publish, say
from clf_cli.cli.options import JsonOption, SplitOption, configured
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

OnnxArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="The .onnx file, or the run that exported it.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
AgainstOption = Annotated[
    Path | None,
    typer.Option(
        "--against",
        metavar="RUN|CKPT",
        help="The run or checkpoint to compare with. Default: its own run.",
        autocompletion=complete_model,
    ),
]


@app.command()
@configured("validate-onnx")
def validate_onnx(
    resolved: Resolved,
    model: OnnxArgument,
    against: AgainstOption = None,
    split: SplitOption = "val",
    as_json: JsonOption = False,
) -> None:
    """Compare an ONNX file with the checkpoint that it came from."""
    from clf_cli.cli.model_data import model_data
    from clf_cli.data.scan import scan_threads
    from clf_cli.engine import onnx_evidence as engine
    from clf_cli.models.compute import resolve_compute
    from clf_cli.models.onnx import onnx_classifier

    path = engine.onnx_file(model)
    compute, notes = resolve_compute(resolved.settings.compute.model_copy(update={"device": "cpu"}))
    onnx = onnx_classifier(path, compute.threads)
    reference = engine.reference_for(onnx, against, compute)
    judge = reference or onnx
    dataset = model_data(resolved, judge) if engine.same_classes(onnx, reference) else None
    for note in notes:
        say(note)
    workers = scan_threads(resolved.settings.compute.workers)
    data = None if dataset is None else (dataset, split)
    result = engine.validate_onnx(onnx, reference, data, resolved.settings.validate_onnx, workers, progress)
    publish(result.report, as_json=as_json)
    result.raise_if_failed(path)
