"""A copy of an ONNX file that knows its calibration: the same graph and logits, another contract, golden samples."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from clf_cli.data.dataset import Dataset
from clf_cli.engine.calibration import CalibrationResult
from clf_cli.engine.onnx_check import Evidence, check_onnx
from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_evidence import onnx_file
from clf_cli.engine.onnx_golden import Golden, golden_images, golden_of, read_golden, write_golden
from clf_cli.engine.onnx_metadata import write_contract
from clf_cli.engine.onnx_publish import inside, model_ref, onnx_target, publish
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import ExportError, ModelError, UsageError
from clf_cli.files import temporary_folder, unwritable, write_json
from clf_cli.models.classifier import Classifier, model_file
from clf_cli.models.onnx import onnx_classifier, read_contract
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.contract import Contract, labels_mapping
from clf_cli.values.onnx_files import OnnxFiles, files_beside, golden_beside
from clf_cli.values.predictions import Predictions
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import DataRef


@dataclass(frozen=True)
class Witness:
    """The model that was calibrated, and what it said of which images."""

    classifier: Classifier
    dataset: Dataset
    predictions: Predictions
    data: DataRef
    workers: int = 1


def copy_source(model: Path) -> Path:
    """The ONNX file that is copied: `model`, or the export of the run that it is.

    Raises UsageError (exit 2) for a checkpoint, ModelError (exit 4) for a run without an export and what is no model.
    """
    file, source = model_file(model), onnx_file(model)
    if source.suffix.lower() != ".onnx":
        raise UsageError(
            f"-o copies an ONNX file, and {file} is a checkpoint.",
            f"Export it first: `clf export {shlex.quote(str(model))} -o FILE.onnx`, then calibrate that file.",
        )
    if source != model and not source.is_file():
        raise ModelError(
            f"{model} has no {source.relative_to(model)}.", f"Export it first: `clf export {shlex.quote(str(model))}`."
        )
    return source


def copy_target(source: Path, asked: Path) -> OnnxFiles:
    """Where the copy goes. Raises UsageError (exit 2) where that would write over the source or its companions."""
    files = onnx_target(asked)
    itself = asked.exists() and source.exists() and asked.samefile(source)
    if itself or files.golden.resolve() == files_beside(source).golden.resolve():
        raise UsageError(f"-o {asked} is the model itself, which is never changed.", "Name another file.")
    return files


def write_calibrated(
    source: Classifier,
    files: OnnxFiles,
    result: CalibrationResult,
    witness: Witness,
    threads: int | None = None,
    progress: Progress = silent,
) -> OnnxCheckResult:
    """Writes the copy of `source` and its companions, after it was opened and answered for the witness's images.

    Raises ExportError (exit 5) when it answers otherwise than the witness, RunError (exit 6) when the place cannot be
    written; then nothing is published.
    """
    contract = _calibrated(read_contract(source.path), result)
    golden = _golden(source, witness)
    with temporary_folder(files.model) as folder:
        draft = inside(folder, files)
        try:
            write_contract(source.path, draft.model, contract)
            check = _checked(onnx_classifier(draft.model, threads), source, golden, witness, progress)
            check = replace(check, model=model_ref(files.model, contract), data=witness.data)
            write_json(draft.labels_mapping, labels_mapping(contract))
            write_golden(draft.golden, golden, contract.temperature, contract.thresholds)
            write_json(draft.validation, check.report.to_json())
        except OSError as error:
            raise unwritable(files.model, error) from error
        publish(draft, files, has_golden=True)
    return check


def _calibrated(contract: Contract, result: CalibrationResult) -> Contract:
    """Thresholds are in the order of the contract's own labels; classes are matched by name."""
    known = dict(zip(result.labels, result.thresholds.to_contract(), strict=True))
    thresholds = tuple(known.get(label) for label in contract.labels)
    return replace(contract, temperature=result.temperature, thresholds=thresholds)


def _golden(source: Classifier, witness: Witness) -> Golden:
    """Those beside the source, else new ones from the witness's images."""
    folder = golden_beside(source.path)
    if folder is not None:
        return read_golden(folder)
    return golden_of(golden_images(witness.dataset, witness.predictions), source)


def _checked(
    copy: Classifier, source: Classifier, golden: Golden, witness: Witness, progress: Progress
) -> OnnxCheckResult:
    """The default gates of validate-onnx, against the checkpoint where that was calibrated."""
    split, dataset = witness.data.split, witness.dataset
    is_copied = witness.classifier.path.resolve() == source.path.resolve()
    own = dataset.fingerprint == copy.data_fingerprint and copy.score is not None and copy.score.split == split
    evidence = Evidence(
        reference=None if is_copied else witness.classifier,
        golden=golden,
        expected=witness.predictions,
        answers=predict_split(copy, dataset, split, witness.workers, progress),
        same_data=own,
    )
    check = check_onnx(copy, evidence, ValidateSection())
    if check.reasons:
        raise ExportError(
            f"{source.path} does not answer like {witness.classifier.path}: {'; '.join(check.reasons)}.",
            "No copy was written. Export the model again with `clf export`.",
        )
    return check
