"""clf export."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import progress, publish, say, warn, write_line
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

CheckpointArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="Run folder, or a checkpoint of any suffix.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
EmaOption = Annotated[
    bool | None,
    typer.Option("--ema/--no-ema", metavar="", help="Averaged or live weights. Default: those that scored."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="The .onnx file, or a .safetensors file for exchange. Default: the run's export/model.onnx; "
        "model-last.onnx of last.ckpt, and so on.",
    ),
]


@app.command()
@configured("export")
def export(
    resolved: Resolved,
    model: CheckpointArgument,
    ema: EmaOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a checkpoint as an ONNX file and check it."""
    if out is not None and out.suffix.lower() == ".safetensors":
        return _exchange(resolved, model, ema, out, as_json)
    from clf_cli.engine.onnx_opset import require_opset

    require_opset(resolved.settings.export.opset)  # before torch is imported
    from clf_cli.cli.model_data import model_data_if_there
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.onnx_export import export_checkpoint, export_target
    from clf_cli.engine.onnx_golden import stored_images
    from clf_cli.engine.onnx_plan import ExportImages, ExportPlan
    from clf_cli.models.checkpoint import read_checkpoint
    from clf_cli.models.classifier import model_file
    from clf_cli.models.compute import resolve_compute
    from clf_cli.models.network import checkpoint_classifier
    from clf_cli.render.onnx_export import lines, unscored

    settings = resolved.settings
    checkpoint = read_checkpoint(model_file(model))
    files = export_target(checkpoint, ema, out, settings.variant)
    compute, notes = resolve_compute(settings.compute.model_copy(update={"device": "cpu"}))
    classifier = checkpoint_classifier(checkpoint, ema, compute)
    dataset, missing = model_data_if_there(resolved, classifier)
    stored, note = ((), None) if dataset is not None else stored_images(classifier, files.model)
    images = ExportImages(dataset, stored=stored, workers=scan_threads(settings.compute.workers), missing=missing)
    plan = ExportPlan(compute, settings.export, settings.variant, images)
    result = export_checkpoint(checkpoint, classifier, files, plan, progress)
    for line in (*notes, *([note] if note else []), *lines(result)):
        say(line)
    if (warning := unscored(result)) is not None:
        warn(warning)
    publish(result.report, as_json=True) if as_json else write_line(files.model.as_posix())


def _exchange(resolved: Resolved, model: Path, ema: bool | None, out: Path, as_json: bool) -> None:
    """Raises UsageError (exit 2) for flags that are about ONNX."""
    from clf_cli.models.checkpoint import read_checkpoint
    from clf_cli.models.classifier import model_file
    from clf_cli.models.exchange import write_exchange

    about_onnx = [path for path in resolved.origin if path.startswith(("export.", "variant.")) and resolved.given(path)]
    if about_onnx or as_json:
        raise UsageError(
            f"{out.name} holds weights alone: {', '.join(about_onnx) or '--json'} is about ONNX files.",
            "Leave it away, or name a .onnx file.",
        )
    write_exchange(read_checkpoint(model_file(model)), out, ema)
    write_line(out.as_posix())
