"""What a finished run is, in one value."""

import json
import math
import shlex
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from clf_cli.errors import ModelError
from clf_cli.values.report import NEVER_VALIDATED, Report
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record

EXPORT_ENDED_EARLY = "The program ended during the export; `clf train --resume` and `clf export` make up for it."


@dataclass(frozen=True)
class TrainResult:
    """`epochs` were trained; `val` and `test` are scores of the best epoch's weights, or None where nothing was scored.
    `export_error` and `page_error` are why there is no ONNX file or page, where one was asked for. `skipped_steps` were
    not taken (`--on-nan skip`)."""

    kind: ClassVar[str] = "train"

    run: str
    run_id: str
    epochs: int
    best_epoch: int | None
    stopped_early: bool
    seconds: float
    val: dict[str, float] | None
    test: dict[str, float] | None
    onnx: str | None
    export_error: str | None = None
    page: str | None = None
    page_error: str | None = None
    skipped_steps: int = 0

    @property
    def report(self) -> Report:
        """reports/train.json, and what `clf train --json` prints."""
        return Report(self, findings=NEVER_VALIDATED if self.val is None else ())

    def to_result(self) -> dict[str, Any]:
        return asdict(self)


def finished_result(run: RunDir) -> TrainResult:
    """The result of a run that was finished before, perhaps elsewhere.

    Raises ModelError (exit 4) when its report cannot be read.
    """
    path = run.report("train")
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["result"]
        return TrainResult(**{**result, "run": str(run.root)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", f"run.json says: {read_record(run).status}.") from error


def ended_in_export(run: RunDir) -> bool:
    """Whether a finished run was killed before its export and its page were whole."""
    return finished_result(run).export_error == EXPORT_ENDED_EARLY


def summary(result: TrainResult) -> tuple[str, ...]:
    """What a person reads at the end, and what to type next."""
    epochs = "1 epoch" if result.epochs == 1 else f"{result.epochs} epochs"
    split = "" if result.val is not None else " --split test" if result.test is not None else " --split train"
    lines = [f"{epochs} in {result.seconds:.0f} s{', stopped early' if result.stopped_early else ''}."]
    if result.skipped_steps:
        lines.append(f"Steps that were skipped, whose numbers were not finite: {result.skipped_steps}.")
    if result.val is None:
        lines.append("Never validated: the last weights were kept.")
    else:
        lines.append(f"Best epoch {result.best_epoch}: {_scores(result.val, 'val')}.")
    if result.test is not None:
        lines.append(f"Test, scored once with the best weights: {_scores(result.test, 'test')}.")
    if result.onnx is not None:
        file = f"{result.run}/{result.onnx}"
        lines += [
            f"ONNX file, checked: {file}",
            f"Next: clf validate-onnx {shlex.quote(file)}{split}",
        ]
    lines.append(f"{'Or' if result.onnx else 'Next'}: clf confusion {shlex.quote(result.run)}{split}")
    if result.page is not None:
        lines.append(f"The whole run as a page for a browser: {result.run}/{result.page}")
    if result.page_error is not None:
        lines.append(f"No page of the run was written: {result.page_error}")
    return tuple(lines)


def _scores(values: dict[str, float], split: str) -> str:
    named = (("top-1", "acc_top1"), ("top-5", "acc_top5"), ("macro F1", "f1_macro"))
    found = ((name, values.get(f"{split}/{key}")) for name, key in named)
    return ", ".join(f"{name} {value:.1%}" for name, value in found if value is not None and not math.isnan(value))
