"""What an ONNX file is held against: its checkpoint, real images, golden samples, the score in its contract."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from clf_cli.data.dataset import Dataset
from clf_cli.data.images import open_image
from clf_cli.engine.onnx_check import BATCH_SIZES, Evidence, check_onnx, refused_batches
from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_golden import read_golden
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import ModelError
from clf_cli.models.classifier import Classifier, open_classifier
from clf_cli.models.compute import Compute
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.onnx_files import golden_beside
from clf_cli.values.preprocess import preprocess_image
from clf_cli.values.progress import Progress, silent
from clf_cli.values.run_dir import RunDir


def onnx_file(model: Path) -> Path:
    """`model`, or the exported file of the run that it is."""
    return RunDir(model).onnx if RunDir(model).run_json.is_file() else model


def reference_for(onnx: Classifier, against: Path | None, compute: Compute) -> Classifier | None:
    """The checkpoint that the file should answer like: `against`, else the best one of the run that the file lies in.

    The weights (average or live) are those that the contract names. Imports torch only where there is a checkpoint.
    Raises ModelError (exit 4) for a checkpoint without such weights, and when the file is of another run than that in
    which it lies.
    """
    if against is not None:
        if against.suffix.lower() == ".onnx":
            raise ModelError(f"{against} is an ONNX file.", "--against takes a run or a checkpoint.")
        return open_classifier(against, ema=onnx.weights == "ema", compute=compute)
    if onnx.run is None:
        return None
    reference = open_classifier(onnx.run.root, ema=onnx.weights == "ema", compute=compute)
    if reference.run_id != onnx.run_id:
        raise ModelError(
            f"{onnx.path} was exported from run {onnx.run_id}, but lies in {onnx.run.root}, which is run "
            f"{reference.run_id}.",
            "Name the checkpoint that it came from: --against CHECKPOINT.",
        )
    return reference


def validate_onnx(
    onnx: Classifier,
    reference: Classifier | None,
    data: tuple[Dataset, str] | None,
    gates: ValidateSection,
    workers: int = 1,
    progress: Progress = silent,
) -> OnnxCheckResult:
    """Runs every check that is possible; `data` is a data set and the split of it. The answer is in the result.

    Each model decodes and preprocesses the files by itself. Raises DataError (exit 3) for images that cannot be used,
    ModelError (exit 4) when there is nothing to compare with.
    """
    folder = golden_beside(onnx.path)
    golden = read_golden(folder) if folder is not None else None
    if data is None or not same_classes(onnx, reference) or refused_batches(onnx):
        return check_onnx(onnx, Evidence(reference, golden), gates)
    dataset, split = data
    name, judge = dataset.split_name(split), reference or onnx
    answers = predict_split(onnx, dataset, split, workers, progress)
    few = answers.paths[: max(BATCH_SIZES)]
    evidence = Evidence(
        reference=reference,
        golden=golden,
        answers=answers,
        expected=predict_split(reference, dataset, split, workers, progress) if reference is not None else None,
        same_data=onnx.score is not None and onnx.score.split == name and dataset.fingerprint == onnx.data_fingerprint,
        inputs=np.stack([preprocess_image(open_image(dataset.root / path), judge.preprocess) for path in few]),
    )
    return replace(check_onnx(onnx, evidence, gates), data=dataset.ref(split))


def same_classes(onnx: Classifier, reference: Classifier | None) -> bool:
    """Without the same classes there is nothing to predict: the check says so."""
    return reference is None or set(reference.labels) == set(onnx.labels)
