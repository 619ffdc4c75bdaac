"""A checkpoint as forms of a model to time: its network in torch, and its ONNX files, made where they are missing."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from clf_cli.engine.benchmark import Answer, Form
from clf_cli.engine.onnx_export import contract_of, export_target
from clf_cli.engine.onnx_forms import onnx_form
from clf_cli.engine.onnx_judge import Judge
from clf_cli.engine.onnx_ladder import climb
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.compute import Compute
from clf_cli.models.network import network_classifier
from clf_cli.settings.onnx_sections import ExportSection, VariantSection
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import ModelRef
from clf_cli.values.run_dir import name_in_run


@dataclass(frozen=True)
class ShippedFiles:
    """What `clf export` left of a checkpoint: the files that are there, and the precisions that are missing."""

    there: dict[OnnxPrecision, Path]
    missing: tuple[OnnxPrecision, ...]


def shipped_files(checkpoint: Checkpoint) -> ShippedFiles:
    """Looks where `clf export` puts each precision of these weights by default."""
    places: dict[OnnxPrecision, Path] = {
        precision: export_target(checkpoint, None, None, VariantSection(precision=precision)).model
        for precision in get_args(OnnxPrecision)
    }
    there = {precision: path for precision, path in places.items() if path.is_file()}
    return ShippedFiles(there, tuple(precision for precision in places if precision not in there))


def checkpoint_ref(checkpoint: Checkpoint) -> ModelRef:
    """How the report names the model."""
    return ModelRef(name_in_run(checkpoint.path), checkpoint.arch, checkpoint.scored_weights, checkpoint.run_id)


def torch_form(checkpoint: Checkpoint, compute: Compute) -> Form:
    """The network as every command of clf runs it on the CPU: fp32, eval mode, the memory layout of its training."""
    size = checkpoint.preprocess
    weights, _ = checkpoint.weights()

    def opened(threads: int) -> Answer:
        return network_classifier(checkpoint.path, compute=replace(compute, device="cpu", threads=threads)).logits

    return Form(
        name="torch fp32",
        file=checkpoint.path.name,
        bytes=sum(tensor.nbytes for tensor in weights.values()),
        shape=(3, size.height, size.width),
        dtype="float32",
        open=opened,
    )


def onnx_forms(
    checkpoint: Checkpoint, files: ShippedFiles, compute: Compute, folder: Path, progress: Progress = silent
) -> tuple[Form, ...]:
    """Every precision, float32 first. Missing ones are made in `folder`, float32 too where they need it.

    int8 learns its ranges from noise: its answers are of no use, its speed is the same. Raises ExportError (exit 5)
    where one cannot be made.
    """
    made = _made(checkpoint, files, compute, folder, progress) if files.missing else {}
    places = {**made, **files.there}
    return tuple(onnx_form(places[p], made=p not in files.there) for p in get_args(OnnxPrecision) if p in places)


def _made(
    checkpoint: Checkpoint, files: ShippedFiles, compute: Compute, folder: Path, progress: Progress
) -> dict[OnnxPrecision, Path]:
    found: dict[OnnxPrecision, Path] = {}
    with progress("ONNX files", len(files.missing)) as advance:
        plain = files.there.get("fp32")
        if plain is None:
            plain = found["fp32"] = folder / "model.onnx"
            reference = network_classifier(checkpoint.path, compute=compute)
            contract = contract_of(checkpoint, reference.weights)
            judge = Judge(reference, ExportImages(), compute.threads)
            climb(checkpoint, None, contract, judge, ExportSection(), plain)
            advance(1)
    return found
