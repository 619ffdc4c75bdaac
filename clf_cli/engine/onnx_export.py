"""A checkpoint to an ONNX file with its companions: made and checked aside, then all of it takes its place."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from clf_cli import __version__
from clf_cli.engine.onnx_check import Evidence
from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_fallen import Fallen
from clf_cli.engine.onnx_gates import asked_of
from clf_cli.engine.onnx_golden import Golden, golden_images, golden_of, write_golden
from clf_cli.engine.onnx_graph import GraphFacts
from clf_cli.engine.onnx_judge import Judge
from clf_cli.engine.onnx_ladder import climb
from clf_cli.engine.onnx_metadata import Made, write_contract
from clf_cli.engine.onnx_plan import ExportPlan
from clf_cli.engine.onnx_publish import inside, model_ref, onnx_target, publish
from clf_cli.engine.onnx_rescore import Rescored, rescore, why_not
from clf_cli.engine.onnx_variant_cost import Cost
from clf_cli.engine.onnx_variants import Varied, require_images, suffix_of, vary
from clf_cli.errors import DataError, ExportError, ModelError, first_line
from clf_cli.files import temporary_folder, unwritable, write_json
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.classifier import Classifier
from clf_cli.models.malloc import give_back_freed_memory
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import VariantSection
from clf_cli.settings.sections import TrainSection
from clf_cli.values.contract import Contract, Score, labels_mapping
from clf_cli.values.onnx_files import OnnxFiles
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import ModelRef, Report, Weights
from clf_cli.values.run_dir import RunDir, run_of


@dataclass(frozen=True)
class OnnxExportResult:
    """A file that passed its check; `notes` are lines to say to a person.

    `score` is what its contract tells, `rescored` what it answered for the images that it was scored on; `unscored`
    says why that score is not proved, as a clause.
    """

    kind: ClassVar[str] = "onnx_export"

    path: Path
    model: ModelRef
    made: Made
    golden: int  # samples beside the file
    check: OnnxCheckResult
    next_command: str
    score: Score | None = None
    rescored: Rescored | None = None
    unscored: str | None = None
    fallen: tuple[Fallen, ...] = ()
    cost: Cost | None = None  # of another precision than fp32
    notes: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        return Report(self, self.model, self.check.data, self.check.findings)

    @property
    def graph(self) -> GraphFacts:
        return self.check.graph

    @property
    def relative_difference(self) -> float:
        """The largest of any batch size; see onnx_parity.Parity."""
        return max(found.parity.relative_difference for found in self.check.batches)

    def to_result(self) -> dict[str, Any]:
        return {
            "file": self.path.name,
            "weights": self.model.weights,
            "made": self.made.to_json(),
            "fallen": [one.to_json() for one in self.fallen],
            "graph": self.graph.to_json(),
            "simplified": self.made.simplifier is not None,
            "golden": self.golden,
            "relative_difference": self.relative_difference,
            "score": None if self.rescored is None else self.rescored.to_json(),
            "unscored": self.unscored,
            "cost": None if self.cost is None else self.cost.to_json(),
            "notes": list(self.notes),
        }


def export_target(
    checkpoint: Checkpoint, ema: bool | None, asked: Path | None, variant: VariantSection | None = None
) -> OnnxFiles:
    """Where an export of these weights goes: `asked`, else the run's export folder, else beside the checkpoint.

    The run's model.onnx is of the checkpoint that stands for the run, its best; a file of another is named after that.
    Raises UsageError (exit 2) for a folder, ModelError (exit 4) where there are no such weights.
    """
    _, weights = checkpoint.weights(ema)
    run = run_of(checkpoint.path)
    if asked is not None:
        model = asked
    else:
        suffix = "" if variant is None else suffix_of(variant)
        if weights != checkpoint.scored_weights:
            suffix = f"-{weights}{suffix}"
        beside = checkpoint.path.with_name(f"{checkpoint.path.stem}{suffix}.onnx")
        other = "" if run is None or _stands_for(checkpoint, run) else f"-{checkpoint.path.stem}"
        model = beside if run is None else run.onnx_variant(f"{other}{suffix}")
    if model.is_relative_to(here := Path.cwd()) and not checkpoint.path.is_absolute():
        model = model.relative_to(here)  # as short as the name that was given
    return onnx_target(model)


def export_checkpoint(
    checkpoint: Checkpoint, reference: Classifier, files: OnnxFiles, plan: ExportPlan, progress: Progress = silent
) -> OnnxExportResult:
    """Writes the ONNX file, labels mapping, golden samples and validation report; made and checked aside first.

    `reference` is `checkpoint`, opened: its weights are exported. The checkpoint is only read. Raises ExportError (exit
    5) when no file can be made that answers and scores like it, DataError (exit 3) where images are needed and cannot
    be read, RunError (exit 6) when the place cannot be written; then nothing is published and old files stay as they
    are.
    """
    require_images(plan.variant, plan.images)
    contract = contract_of(checkpoint, reference.weights)
    why = _why_unproved(contract, plan)
    judge = Judge(reference, plan.images, plan.compute.threads)
    with temporary_folder(files.model) as folder:
        draft = inside(folder, files)
        try:
            climbed = climb(checkpoint, contract, judge, plan.export, draft.model)
            rescored, lost = _rescored(draft.model, reference, checkpoint, plan, progress)
            varied = vary(draft.model, contract, climbed.made, plan, rescored, progress)
            contract = _contract(varied, contract)
            write_contract(draft.model, draft.model, contract)
            golden = _golden(plan, reference, onnx_classifier(draft.model, plan.compute.threads), varied)
            check = _final_check(judge, draft.model, golden, rescored, varied, plan)
            check = replace(check, model=model_ref(files.model, contract))
            write_json(draft.labels_mapping, labels_mapping(contract))
            if golden is not None:
                write_golden(draft.golden, golden)
            write_json(draft.validation, check.report.to_json())
        except OSError as error:
            raise unwritable(files.model, error) from error
        publish(draft, files, has_golden=golden is not None)
    return OnnxExportResult(
        path=files.model,
        model=check.model,
        made=varied.made,
        golden=0 if golden is None else len(golden),
        check=check,
        next_command=_next_command(files.model, checkpoint),
        score=contract.score,
        rescored=varied.rescored,
        unscored=(lost or why or "").rstrip(".") or None,
        fallen=(*climbed.fallen, *varied.fallen),
        cost=varied.cost,
        notes=(*climbed.lines, *(one.line for one in varied.fallen), *varied.notes, *_size_note(files, check.graph)),
    )


def _rescored(
    model: Path, reference: Classifier, checkpoint: Checkpoint, plan: ExportPlan, progress: Progress
) -> tuple[Rescored | None, str | None]:
    """What the float32 draft scores; or why it cannot be told, where an image was lost since the data were scanned."""
    onnx = onnx_classifier(model, plan.compute.threads)
    try:
        monitor = checkpoint.settings.get("train", {}).get("monitor", TrainSection().monitor)
        return rescore(onnx, reference, monitor, plan.images, progress), None
    except DataError as error:
        if plan.export.require_rescore:
            raise
        return None, first_line(error)
    finally:
        del onnx
        give_back_freed_memory()  # of a session, before the file is read whole


def _why_unproved(contract: Contract, plan: ExportPlan) -> str | None:
    """Raises DataError (exit 3) where a proof is required and the images give none."""
    why = why_not(contract.score, contract.data_fingerprint, plan.images)
    if why is not None and plan.export.require_rescore:
        raise DataError(
            f"{why.rstrip('.')}, so the file cannot be scored again.",
            "Name the images of its score with --data DIR, or leave --require-rescore away.",
        )
    return why


def _contract(varied: Varied, contract: Contract) -> Contract:
    """What the published file says of itself."""
    score = contract.score if varied.rescored is None else varied.rescored.score
    return replace(varied.contract, score=score)


def _final_check(
    judge: Judge, model: Path, golden: Golden | None, rescored: Rescored | None, varied: Varied, plan: ExportPlan
) -> OnnxCheckResult:
    """Of the file as it will be published, opened again. Raises ExportError (exit 5) when it says no.

    `rescored` is the float32 file's: a variant is held against its answers.
    """
    found = varied.rescored
    evidence = Evidence(
        golden=golden,
        expected=rescored.answers if rescored is not None and suffix_of(plan.variant) else None,
        answers=None if found is None else found.answers,
        same_data=found is not None and found.score is not None and found.score.rescored,
    )
    try:
        check = judge.check(model, evidence, asked_of(plan.variant))
        reasons = "; ".join(check.reasons)
    except ModelError as error:
        reasons = error.message.rstrip(".")
    if reasons:
        raise ExportError(
            f"The finished ONNX file of {judge.reference.path} does not pass its check: {reasons}.",
            "Nothing was published.",
        )
    dataset = plan.images.dataset
    return check if found is None or dataset is None else replace(check, data=dataset.ref(found.split))


def _golden(plan: ExportPlan, reference: Classifier, exported: Classifier, varied: Varied) -> Golden | None:
    """The logits are torch's where the file is to answer exactly like it, else the file's own."""
    images = plan.images.stored
    if plan.images.dataset is not None and varied.rescored is not None:
        images = golden_images(plan.images.dataset, varied.rescored.answers)
    if not images:
        return None
    return golden_of(images, exported, reference if exported.precision == "fp32" else None)


def contract_of(checkpoint: Checkpoint, weights: Weights) -> Contract:
    """What the file will say of itself; the score only where these weights earned it, on the data that it names."""
    elsewhere = checkpoint.scored_on not in (None, checkpoint.data_fingerprint)  # a mean that was scored on other data
    return Contract(
        labels=checkpoint.labels,
        preprocess=checkpoint.preprocess,
        arch=checkpoint.arch,
        weights=weights,
        score=checkpoint.score if weights == checkpoint.scored_weights and not elsewhere else None,
        run_id=checkpoint.run_id,
        data_fingerprint=checkpoint.data_fingerprint,
        clf=__version__,
    )


def _size_note(files: OnnxFiles, graph: GraphFacts) -> tuple[str, ...]:
    if not graph.external_data:
        return ()
    return (f"More than 1.5 GB: the weights lie in {files.model.name}.data, which must stay beside the file.",)


def _stands_for(checkpoint: Checkpoint, run: RunDir) -> bool:
    """Whether it is the checkpoint that later commands take for the run: the best, of a run without one the last."""
    return checkpoint.path.resolve() == (run.best if run.best.exists() else run.last).resolve()


def _next_command(model: Path, checkpoint: Checkpoint) -> str:
    """Finds its reference by itself only where the file and the checkpoint that stands for the run belong together."""
    run = run_of(model)
    if run is not None and _stands_for(checkpoint, run):
        return shlex.join(["clf", "validate-onnx", model.as_posix()])
    return shlex.join(["clf", "validate-onnx", model.as_posix(), "--against", checkpoint.path.as_posix()])
