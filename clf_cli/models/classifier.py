"""A run, a checkpoint or an ONNX file as one value: weights, preprocessing and labels together."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clf_cli.errors import ModelError, UsageError
from clf_cli.models.compute import Compute
from clf_cli.models.onnx_given import NOTHING, Given
from clf_cli.values.contract import GivenContract, Score
from clf_cli.values.labels import Labels
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.predictions import FloatArray, Output
from clf_cli.values.preprocess import InputArray, Preprocess
from clf_cli.values.report import NEVER_VALIDATED, FindingJson, ModelRef, Weights, finding
from clf_cli.values.run_dir import RunDir, name_in_run, newest_runs
from clf_cli.values.run_record import read_record

Logits = Callable[[InputArray], FloatArray]  # (N, ...) of the evaluation transform to (N, C)


@dataclass(frozen=True)
class Classifier:
    """What answers for images, wherever it was stored."""

    logits: Logits
    labels: Labels
    preprocess: Preprocess
    arch: str
    weights: Weights
    score: Score | None  # None: never validated
    run_id: str | None
    data_fingerprint: str | None
    path: Path  # the file that was opened
    run: RunDir | None  # the run that it lies in
    temperature: float | None = None  # of the contract: divides the logits where probabilities are told
    thresholds: tuple[float | None, ...] | None = None  # (C,) of the contract; None for a class: never answer with it
    output: Output = "logits"  # of the file; of probabilities, `logits` gives values.predictions.log_probabilities
    precision: OnnxPrecision = "fp32"
    given: GivenContract | None = None  # of an ONNX file of another tool

    @property
    def findings(self) -> tuple[FindingJson, ...]:
        """What every report on the model says of its weights."""
        if self.given is not None:
            return (finding("contract", self.given.note),)
        return NEVER_VALIDATED if self.score is None else ()

    @property
    def ref(self) -> ModelRef:
        """How reports name the model."""
        return ModelRef(name_in_run(self.path), self.arch, self.weights, self.run_id)


def open_classifier(
    path: Path, ema: bool | None = None, compute: Compute | None = None, given: Given = NOTHING
) -> Classifier:
    """Opens a run folder (its best checkpoint, else its last), a checkpoint of any suffix, or an .onnx file.

    `ema` chooses between the weights of a checkpoint; the default is those that scored. `compute` defaults to the CPU
    with torch's own threads; `given` tells what an ONNX file of another tool lacks. Raises ModelError (exit 4) for
    anything else, and for files that cannot be used, UsageError (exit 2) for a `given` that cannot be or is not needed.
    """
    file = model_file(path)
    if file.suffix.lower() != ".onnx":
        if given:
            raise UsageError(
                f"{file} knows its labels and preprocessing.", "--labels and --preprocess are for ONNX files."
            )
        from clf_cli.models.network import network_classifier  # the one place that knows both kinds

        return network_classifier(file, ema, compute)
    if ema is not None:
        raise ModelError(f"{path} holds one set of weights.", "Leave --ema and --no-ema away, or name the checkpoint.")
    from clf_cli.models.onnx import onnx_classifier  # must not import torch, so it is not beside the other

    return onnx_classifier(file, compute.threads if compute else None, given)


def model_file(path: Path) -> Path:
    """`path` if it is a file, else the checkpoint of that finished run: best, else last. Raises ModelError (exit 4)."""
    if path.is_file():
        return path
    if not path.exists():
        raise ModelError(
            f"There is no {path}.", f"Expected a run folder, a checkpoint or an .onnx file. {newest_runs()}"
        )
    run = RunDir(path)
    _require_finished(run)
    found = next((file for file in (run.best, run.last, run.previous) if file.is_file()), None)
    if found is None:
        what = "run has no checkpoint yet" if run.run_json.is_file() else "folder is not a run: it has no checkpoints"
        raise ModelError(f"{path}: this {what}.", f"Expected {run.best.relative_to(path)} in it. {newest_runs()}")
    return found


def _require_finished(run: RunDir) -> None:
    """The weights of a run that goes on, or ended early, are not what it would ship; a file of them may be named."""
    if not run.run_json.is_file():
        return
    status = read_record(run).status
    if status == "finished":
        return
    ended = "is still training, or was killed" if status == "running" else f"ended early ({status})"
    there = next((file for file in (run.best, run.last, run.previous) if file.is_file()), None)
    again = f"`clf train --resume {shlex.quote(str(run.root))}`"
    hint = (
        f"To use them as they are, name a checkpoint, such as {there}; to go on: {again}."
        if there
        else f"It has no checkpoint yet. {newest_runs()}"
    )
    raise ModelError(f"{run.root} {ended}, so its weights are not final.", hint)
