"""A checkpoint as forms of a model to time: its network in torch, and its ONNX files, made where they are missing."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from clf_cli.engine.benchmark import Answer, Form, inputs_of
from clf_cli.engine.onnx_export import contract_of, export_target
from clf_cli.engine.onnx_forms import onnx_form
from clf_cli.engine.onnx_judge import Judge
from clf_cli.engine.onnx_ladder import climb, limits
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.engine.onnx_quantize import candidates
from clf_cli.errors import ExportError
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.compute import Compute
from clf_cli.models.network import checkpoint_classifier, network_classifier
from clf_cli.settings.onnx_sections import ExportSection, VariantSection
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import ModelRef
from clf_cli.values.run_dir import name_in_run

_NOISE = 8  # images of noise from which fp16 and int8 learn


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
) -> tuple[tuple[Form, ...], tuple[str, ...]]:
    """Every precision, float32 first, and a sentence on each that cannot be made. Missing ones are made in `folder`.

    Their ranges are those of noise: their answers are of no use, their speed is the same. Raises ExportError (exit 5)
    where not even float32 can be made.
    """
    found, notes = dict(files.there), []
    with progress("Making ONNX files", len(files.missing)) as advance:
        for precision in files.missing:  # float32 comes first, and the others of it
            try:
                found[precision] = _made(checkpoint, precision, found, compute, folder)
            except ExportError as error:
                if precision == "fp32":
                    raise
                notes.append(f"Not timed: no {precision} file can be made, {error.message.rstrip('.')}.")
            advance(1)
    forms = (onnx_form(found[name], made=name in files.missing) for name in get_args(OnnxPrecision) if name in found)
    return tuple(forms), tuple(notes)


def _made(
    checkpoint: Checkpoint,
    precision: OnnxPrecision,
    found: Mapping[OnnxPrecision, Path],
    compute: Compute,
    folder: Path,
) -> Path:
    """By the first way that `clf export` tries, without its gates."""
    section = ExportSection()
    if precision == "fp32":
        plain = folder / "model.onnx"
        reference = checkpoint_classifier(checkpoint, compute=compute)
        judge = Judge(reference, ExportImages(), compute.threads)
        climb(checkpoint, contract_of(checkpoint, reference.weights), judge, section, plain)
        return plain
    plain = folder / found["fp32"].name  # candidates lie beside what they are made of
    if not plain.exists():
        for suffix in (".onnx", ".onnx.data"):
            if (file := found["fp32"].with_suffix(suffix)).exists():
                shutil.copyfile(file, folder / file.name)
    preprocess = checkpoint.preprocess
    noise = inputs_of(preprocess.input_shape, "float32", _NOISE)
    return folder / candidates(plain, precision, noise, limits(section))[0].file
