"""Reports of a run, in the envelope that its commands print."""

from dataclasses import dataclass

from clf_cli.files import write_json
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import NEVER_VALIDATED, DataRef, ModelRef, Report, Result
from clf_cli.values.run_dir import RunDir


@dataclass(frozen=True)
class Publication:
    """Where a run's reports go and what they are about. `model` names the best checkpoint."""

    run: RunDir
    model: ModelRef
    data_path: str
    fingerprint: str
    validated: bool

    def report(self, result: Result, data: DataRef | None = None) -> Report:
        """The report of a result, which says so where the weights are never validated."""
        return Report(result, self.model, data, findings=() if self.validated else NEVER_VALIDATED)

    def val_report(self, result: Result, predictions: Predictions, split: str = "val") -> Report:
        """The report of a result computed from predictions on one split."""
        data = DataRef(self.data_path, split, self.fingerprint, len(predictions), len(predictions.skipped))
        return self.report(result, data)

    def publish(self, result: Result, predictions: Predictions, split: str = "val") -> None:
        """Writes reports/KIND.json (val) or reports/KIND-SPLIT.json."""
        kind = result.kind if split == "val" else f"{result.kind}-{split}"
        write_json(self.run.report(kind), self.val_report(result, predictions, split).to_json())
