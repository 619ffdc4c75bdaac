"""A checkpoint to an ONNX file with its companions: made and checked aside, then all of it takes its place."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import nn

from clf_cli import __version__
from clf_cli.engine.onnx_check import BATCH_SIZES, Evidence, OnnxCheckResult, check_onnx, noise
from clf_cli.engine.onnx_convert import strip_foreign_metadata, write_onnx
from clf_cli.engine.onnx_golden import Golden, GoldenImage, golden_of, write_golden
from clf_cli.engine.onnx_graph import GraphFacts
from clf_cli.engine.onnx_publish import inside, model_ref, onnx_target, publish
from clf_cli.engine.onnx_simplify import simplified
from clf_cli.errors import ExportError
from clf_cli.files import temporary_folder, unwritable, write_json
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.classifier import Classifier
from clf_cli.models.compute import Compute
from clf_cli.models.network import load_network, network_classifier
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.sections import ExportSection, ValidateSection
from clf_cli.values.contract import Contract, labels_mapping
from clf_cli.values.onnx_files import OnnxFiles, files_beside
from clf_cli.values.report import ModelRef, Report, Weights
from clf_cli.values.run_dir import RunDir, run_of


@dataclass(frozen=True)
class OnnxExportResult:
    """A file that passed its check; `notes` are lines to say to a person."""

    kind: ClassVar[str] = "onnx_export"

    path: Path
    model: ModelRef
    simplified: bool
    golden: int  # samples beside the file
    check: OnnxCheckResult
    next_command: str
    notes: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        return Report(self, self.model, findings=self.check.findings)

    @property
    def graph(self) -> GraphFacts:
        return self.check.graph

    @property
    def relative_difference(self) -> float:
        """The largest of any batch size; see onnx_parity.Parity."""
        return max(found.relative_difference for _, found in self.check.batches)

    def to_result(self) -> dict[str, Any]:
        return {
            "file": self.path.name,
            "weights": self.model.weights,
            "graph": self.graph.to_json(),
            "simplified": self.simplified,
            "golden": self.golden,
            "relative_difference": self.relative_difference,
            "notes": list(self.notes),
        }


def export_run(
    checkpoint: Checkpoint, run: RunDir, section: ExportSection, images: tuple[GoldenImage, ...], compute: Compute
) -> OnnxExportResult:
    """What training does at its end: the weights that scored, to the run's export/model.onnx."""
    return export_checkpoint(checkpoint, files_beside(run.onnx), section, images, compute)


def export_target(checkpoint: Checkpoint, ema: bool | None, asked: Path | None) -> OnnxFiles:
    """Where an export of these weights goes: `asked`, else the run's export folder, else beside the checkpoint.

    Raises UsageError (exit 2) for a folder, ModelError (exit 4) where there are no such weights.
    """
    _, weights = checkpoint.weights(ema)
    run = run_of(checkpoint.path)
    if asked is not None:
        model = asked
    elif run is not None:
        model = run.onnx if weights == checkpoint.scored_weights else run.onnx_variant(f"-{weights}")
    else:
        model = checkpoint.path.with_suffix(".onnx")
    if model.is_relative_to(here := Path.cwd()) and not checkpoint.path.is_absolute():
        model = model.relative_to(here)  # as short as the name that was given
    return onnx_target(model)


def export_checkpoint(
    checkpoint: Checkpoint,
    files: OnnxFiles,
    section: ExportSection,
    images: tuple[GoldenImage, ...],
    compute: Compute,
    ema: bool | None = None,
) -> OnnxExportResult:
    """Writes the ONNX file, labels mapping, golden samples of `images` (if any) and validation report; checked first.

    The checkpoint is only read. Raises ExportError (exit 5) when the conversion fails or the file answers differently,
    RunError (exit 6) when the place cannot be written; then nothing is published and old files stay as they are.
    """
    network, weights = load_network(checkpoint, ema, fused_attention=False)
    reference = network_classifier(checkpoint.path, ema, compute)
    golden = golden_of(images, reference) if images else None
    judge = _Judge(contract_of(checkpoint, weights), reference, golden, compute)
    with temporary_folder(files.model) as folder:
        draft = inside(folder, files)
        try:
            made = _make(network, judge, section, draft.model)
            write_json(draft.labels_mapping, labels_mapping(judge.contract))
            if golden is not None:
                write_golden(draft.golden, golden)
            check = replace(made.check, model=model_ref(files.model, judge.contract))
            write_json(draft.validation, check.report.to_json())
        except OSError as error:
            raise unwritable(files.model, error) from error
        publish(draft, files, has_golden=golden is not None)
    return OnnxExportResult(
        path=files.model,
        model=check.model,
        simplified=made.simplified,
        golden=len(images),
        check=check,
        next_command=_next_command(files.model, checkpoint),
        notes=(*made.notes, *_size_note(files, check.graph)),
    )


def contract_of(checkpoint: Checkpoint, weights: Weights) -> Contract:
    """What the file will say of itself; the score only where these weights earned it."""
    return Contract(
        labels=checkpoint.labels,
        preprocess=checkpoint.preprocess,
        arch=checkpoint.arch,
        weights=weights,
        score=checkpoint.score if weights == checkpoint.scored_weights else None,
        run_id=checkpoint.run_id,
        data_fingerprint=checkpoint.data_fingerprint,
        clf=__version__,
    )


@dataclass(frozen=True)
class _Judge:
    """What a draft must agree with: torch, on the golden tensors and on noise, within the default gates."""

    contract: Contract
    reference: Classifier
    golden: Golden | None
    compute: Compute

    def check(self, model: Path) -> OnnxCheckResult:
        inputs = noise(self.reference.preprocess, max(BATCH_SIZES))
        if self.golden is not None:
            inputs = np.concatenate([self.golden.inputs, inputs])[: len(inputs)]
        evidence = Evidence(self.reference, self.golden, inputs=inputs)
        return check_onnx(onnx_classifier(model, self.compute.threads), evidence, ValidateSection())


@dataclass(frozen=True)
class _Made:
    check: OnnxCheckResult
    simplified: bool = False
    notes: tuple[str, ...] = ()


def _make(network: nn.Module, judge: _Judge, section: ExportSection, model: Path) -> _Made:
    write_onnx(network, judge.contract, section.opset, model)
    check = judge.check(model)
    if check.reasons:
        raise ExportError(
            f"The ONNX file of {judge.reference.path} does not answer like it: {'; '.join(check.reasons)}.",
            "Nothing was published. Another --opset may do better.",
        )
    return _try_simpler(model, judge, check) if section.simplify else _Made(check)


def _try_simpler(model: Path, judge: _Judge, check: OnnxCheckResult) -> _Made:
    """Lets onnxsim's result take the draft's place if it passes the same check; else says why not."""
    rough, clean = model.with_suffix(".rough"), model.with_suffix(".clean.onnx")
    problem = "the file is too large for it" if check.graph.external_data else simplified(model, rough)
    if problem is None:
        strip_foreign_metadata(rough, clean, judge.contract.metadata())
        simpler = judge.check(clean)
        if simpler.passed:
            clean.replace(model)
            nodes = f"{check.graph.nodes} to {simpler.graph.nodes} nodes"
            return _Made(simpler, simplified=True, notes=(f"onnxsim: {nodes}, the answers agree.",))
        problem = "; ".join(simpler.reasons)
    return _Made(check, notes=(f"onnxsim's result was dropped: {problem}.",))


def _size_note(files: OnnxFiles, graph: GraphFacts) -> tuple[str, ...]:
    if not graph.external_data:
        return ()
    return (f"More than 1.5 GB: the weights lie in {files.model.name}.data, which must stay beside the file.",)


def _next_command(model: Path, checkpoint: Checkpoint) -> str:
    """Finds its reference by itself only where the file and the run's best checkpoint belong together."""
    run = run_of(model)
    found = run is not None and checkpoint.path.resolve() in (run.best.resolve(), run.last.resolve())
    if found and run is not None and (checkpoint.path.resolve() == run.best.resolve() or not run.best.exists()):
        return shlex.join(["clf", "validate-onnx", model.as_posix()])
    return shlex.join(["clf", "validate-onnx", model.as_posix(), "--against", checkpoint.path.as_posix()])
