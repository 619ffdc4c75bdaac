"""clf model-info."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.completion import complete_model_or_arch
from clf_cli.cli.console import publish, say, warn_of
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import ModelError, UsageError
from clf_cli.models.archs import arch_names, similar_archs
from clf_cli.settings.resolved import Resolved, left_aside
from clf_cli.values.run_dir import newest_runs

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.values.report import Report

app = typer.Typer(add_completion=False)

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="ARCH|MODEL",
        help="Architecture of timm, run folder, checkpoint or .onnx file.",
        show_default=False,
        autocompletion=complete_model_or_arch,
    ),
]
LayersOption = Annotated[bool, typer.Option("--layers", metavar="", help="Every layer in a row of its own.")]
FILES = (".onnx", ".ckpt", ".pt", ".pth", ".safetensors")


@app.command()
@configured("model-info")
def model_info(
    resolved: Resolved, model: NameArgument, layers: LayersOption = False, as_json: JsonOption = False
) -> None:
    """Count a network's parameters, cost and layers, or read an ONNX file's graph."""
    report = _of_architecture(resolved, model) if _is_architecture(model) else _of_model(resolved, Path(model))
    publish(report, as_json=as_json, view="table_with_layers" if layers else "table")


def _is_architecture(name: str) -> bool:
    """A path that exists is a model. Raises UsageError (exit 2) or ModelError (exit 4) for a name that is neither."""
    known = name.partition(".")[0] in arch_names()
    if Path(name).exists():
        if known:
            say(f"{name} is taken as the path that is here; there is an architecture of that name too.")
        return False
    if Path(name).suffix.lower() in FILES or Path(name).name != name:
        raise ModelError(
            f"There is no {name}.",
            f"Expected an architecture, a run folder, a checkpoint or an .onnx file. {newest_runs()}",
        )
    if known:
        return True
    similar = similar_archs(name)
    near = f"Did you mean {', '.join(similar)}? " if similar else "`clf models` lists architectures. "
    raise UsageError(f"Neither a path nor an architecture is called {name!r}.", f"{near}{newest_runs()}")


def _of_architecture(resolved: Resolved, arch: str) -> "Report":
    from clf_cli.engine.model_info import architecture_info
    from clf_cli.values.report import Report

    return Report(architecture_info(resolved.settings.model.model_copy(update={"arch": arch})))


def _of_model(resolved: Resolved, path: Path) -> "Report":
    from clf_cli.models.classifier import model_file

    if resolved.given("model.image_size"):
        raise UsageError("--image-size is for architectures: a model keeps the size that it was trained for.")
    file = model_file(path)
    if file != path:
        say(f"Reading {file}")
    if file.suffix.lower() == ".onnx":
        from clf_cli.engine.onnx_info import onnx_info  # without torch

        found = onnx_info(file)
        report, preprocess = found.report, found.contract and found.contract.preprocess
    else:
        from clf_cli.engine.model_info import checkpoint_info

        report, preprocess = checkpoint_info(file)
    for line in left_aside(resolved, {"model.image_size": preprocess.width} if preprocess else {}):
        say(line)
    warn_of(report.findings)
    return report
