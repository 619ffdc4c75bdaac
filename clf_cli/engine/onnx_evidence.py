"""What an ONNX file is held against: its checkpoint, real images, golden samples, the score in its contract."""

from collections.abc import Set
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from clf_cli.data.dataset import Dataset
from clf_cli.engine.onnx_check import Evidence, check_onnx, noise, refused_batches
from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_consumer import Consumer, consumer_answers, open_consumer, resized, tensor
from clf_cli.engine.onnx_fault_golden import golden_faults
from clf_cli.engine.onnx_fault_images import pictures_of
from clf_cli.engine.onnx_fault_search import TOLERANCE, Trial, find_faults
from clf_cli.engine.onnx_golden import read_golden
from clf_cli.engine.onnx_provider import Placement, Provider, place
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import ModelError
from clf_cli.models.classifier import Classifier, open_classifier
from clf_cli.models.compute import Compute
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.onnx_files import files_beside, golden_beside
from clf_cli.values.predictions import FloatArray
from clf_cli.values.preprocess import InputArray
from clf_cli.values.progress import Progress, silent
from clf_cli.values.run_dir import RunDir

PROBES = 64  # images of the data that every batch size answers for


@dataclass(frozen=True)
class Candidate:
    """An ONNX file under test: as clf opens it, on the CPU; as a consumer does, on the provider that was asked for."""

    onnx: Classifier
    consumer: Consumer
    placement: Placement | None
    threads: int | None = None

    @property
    def tested(self) -> Classifier:
        """The file with the consumer's answers."""
        return replace(self.onnx, logits=self.consumer.logits)


def onnx_file(model: Path) -> Path:
    """`model`, or the exported file of the run that it is."""
    return RunDir(model).onnx if RunDir(model).run_json.is_file() else model


def reference_for(onnx: Classifier, against: Path | None, compute: Compute) -> Classifier | None:
    """The checkpoint that the file should answer like: `against`, else the best one of the run that the file lies in.

    The weights (average or live) are those that the contract names, else those that scored. Imports torch only where
    there is a checkpoint.
    Raises ModelError (exit 4) for a checkpoint without such weights, and when the file is of another run than that in
    which it lies.
    """
    if against is not None:
        if against.suffix.lower() == ".onnx":
            raise ModelError(f"{against} is an ONNX file.", "--against takes a run or a checkpoint.")
        ema = None if onnx.given else onnx.weights == "ema"  # of a file of another tool nobody knows
        return open_classifier(against, ema=ema, compute=compute)
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


def open_candidate(onnx: Classifier, provider: Provider, threads: int | None) -> Candidate:
    """`onnx`, opened as a consumer does; what was told of a foreign file stands in for the contract that it lacks.

    Raises ModelError (exit 4) for a file that a consumer cannot use.
    """
    contract = onnx.given.contract if onnx.given else None
    placed = place(onnx.path, provider, noise(onnx.preprocess, 1), threads, contract)
    words = None if contract is None else contract.to_json()
    return Candidate(onnx, open_consumer(onnx.path, threads, words, placed.session), placed.placement, threads)


def validate_onnx(
    candidate: Candidate,
    reference: Classifier | None,
    data: tuple[Dataset, str] | None,
    asked: ValidateSection,
    workers: int = 1,
    progress: Progress = silent,
) -> OnnxCheckResult:
    """Runs every check that is possible; `data` is a data set and the split of it. The answer is in the result.

    Every file is decoded twice: as training does for the reference, or for the file itself where there is none, and as
    a consumer does. Raises DataError (exit 3) for images that cannot be used, ModelError (exit 4) when there is nothing
    to compare with.
    """
    onnx, consumer = candidate.onnx, candidate.consumer
    evidence = _without_data(candidate, asked, reference)
    if data is None or not same_classes(onnx, reference) or evidence.refused:
        return _explained(check_onnx(candidate.tested, evidence, asked), candidate, evidence)
    dataset, split = data
    expected = predict_split(reference or onnx, dataset, split, workers, progress)
    positions = np.unique(np.linspace(0, len(expected) - 1, PROBES).round().astype(int))
    keeping, inputs = _keeping(consumer, frozenset(positions.tolist()))
    answers = consumer_answers(keeping, dataset.root, dataset.need(split), workers=workers, progress=progress)
    name = dataset.split_name(split)
    evidence = replace(
        evidence,
        answers=answers,
        expected=expected,
        same_data=onnx.score is not None and onnx.score.split == name and dataset.fingerprint == onnx.data_fingerprint,
        inputs=np.stack(inputs),
        probed=expected.at(positions),
    )
    result = replace(check_onnx(candidate.tested, evidence, asked), data=dataset.ref(split))
    return _explained(result, candidate, evidence, dataset.root, workers)


def _explained(
    result: OnnxCheckResult, candidate: Candidate, evidence: Evidence, root: Path | None = None, workers: int = 1
) -> OnnxCheckResult:
    """With the stages at fault, where the answer is no and there are answers to compare; judged on the CPU."""
    failed = {check.name for check in result.checks if not check.passed}
    if failed <= {"graph", "provider"} or not result.batches:
        return result
    file, golden = replace(candidate.consumer, logits=candidate.onnx.logits), evidence.golden
    if evidence.reference is None and golden is not None and result.golden is not None:
        return replace(result, faults=golden_faults(file, golden, result.golden.tolerance))
    if evidence.reference is None and root is None:
        return result
    pictures, judge = pictures_of(evidence, root, workers), evidence.reference or candidate.onnx
    tolerance = result.gates.tolerance or TOLERANCE
    return replace(result, faults=find_faults(Trial(file, judge, pictures, tolerance, candidate.threads)))


def validate_golden(candidate: Candidate, asked: ValidateSection) -> OnnxCheckResult:
    """The golden samples beside the file alone: what a machine without data and torch can prove.

    Raises ModelError (exit 4) where there are none.
    """
    evidence = _without_data(candidate, asked, None)
    if evidence.golden is None:
        path = candidate.onnx.path
        raise ModelError(
            f"There are no golden samples beside {path}: no folder {files_beside(path).golden}.",
            "`clf export` writes it beside the file that it makes; copy it along.",
        )
    return _explained(check_onnx(candidate.tested, evidence, asked), candidate, evidence)


def _without_data(candidate: Candidate, asked: ValidateSection, reference: Classifier | None) -> Evidence:
    folder, recipe = golden_beside(candidate.onnx.path), candidate.consumer.recipe
    golden = read_golden(folder) if folder is not None else None
    again = None
    if golden is not None:
        again = np.stack([tensor(resized(image.pixels, recipe), recipe) for image in golden.images])
    return Evidence(
        reference=reference,
        golden=golden,
        golden_inputs=again,
        placement=candidate.placement,
        refused=refused_batches(candidate.tested, tuple(dict.fromkeys(asked.batch_sizes))),
    )


def _keeping(consumer: Consumer, positions: Set[int]) -> tuple[Consumer, list[InputArray]]:
    """The consumer, and a list that gets its inputs at these positions while it answers for images in their order."""
    kept: list[InputArray] = []
    answered = count()

    def logits(batch: InputArray) -> FloatArray:
        kept.extend(image.copy() for image in batch if next(answered) in positions)
        return consumer.logits(batch)

    return replace(consumer, logits=logits), kept


def same_classes(onnx: Classifier, reference: Classifier | None) -> bool:
    """Without the same classes there is nothing to predict: the check says so."""
    return reference is None or set(reference.labels) == set(onnx.labels)
