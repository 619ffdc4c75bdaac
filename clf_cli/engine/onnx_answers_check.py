"""Does somebody's own program answer like the ONNX file that it runs? And if not, what does it do otherwise?"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from clf_cli.data.dataset import Dataset
from clf_cli.engine.onnx_answers import GivenAnswers, Told, read_answers
from clf_cli.engine.onnx_answers_match import Matcher
from clf_cli.engine.onnx_answers_search import Explanation, Inquiry, explain_answers
from clf_cli.engine.onnx_consumer import Consumer, consumer_answers
from clf_cli.engine.onnx_fault import Distance
from clf_cli.engine.onnx_fault_images import IMAGES, Pictures, differing_first
from clf_cli.engine.onnx_gates import gates_of
from clf_cli.engine.onnx_golden import TOLERANCES
from clf_cli.errors import CheckFailedError
from clf_cli.models.classifier import Classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.predictions import FloatArray, Predictions, ties
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import DataRef, ModelRef, Report

_IMAGES_FOR_LABELS = 96  # names say less than numbers, so more of them are looked at


@dataclass(frozen=True)
class OtherAnswer:
    """An image that the program and clf call different names; `tie`: clf was undecided."""

    path: str
    label: str
    clf: str
    answer: str
    tie: bool


@dataclass(frozen=True)
class OnnxAnswersResult:
    """`agreement` is the share of equal classes among the answered images, ties aside; `difference` the largest of what
    is told, logits or probabilities, null where only labels are. Accuracies are of the answered images."""

    kind: ClassVar[str] = "onnx_answers"

    model: ModelRef
    data: DataRef
    file: str
    told: Told
    images: int
    failed: int  # lines that tell an error instead
    abstained: int
    ties: int
    agreement: float
    difference: float | None
    clf_accuracy: float | None
    accuracy: float | None
    min_agreement: float
    tolerance: float
    others: tuple[OtherAnswer, ...]
    explanation: Explanation | None = None  # where the answer is no
    reasons: tuple[str, ...] = ()
    findings: tuple[dict[str, Any], ...] = ()

    @property
    def report(self) -> Report:
        return Report(self, self.model, self.data, self.findings)

    @property
    def passed(self) -> bool:
        return not self.reasons

    def to_result(self) -> dict[str, Any]:
        found = self.explanation or Explanation(False, ())
        faults = [fault.to_json() for fault in found.faults]
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "file": self.file,
            "told": self.told,
            "images": self.images,
            "failed": self.failed,
            "abstained": self.abstained,
            "ties": self.ties,
            "agreement": self.agreement,
            "difference": self.difference,
            "accuracy": {"clf": self.clf_accuracy, "answers": self.accuracy},
            "gates": {"min_agreement": self.min_agreement, "tolerance": self.tolerance},
            "others": [asdict(other) for other in self.others],
            "faults": faults if found.reproduced else [],
            "also": list(found.also),
            "nearest": [] if found.reproduced else faults,
        }

    def raise_if_failed(self, path: Path) -> None:
        """Raises CheckFailedError (exit 1) with the reasons, and the stages where the search has found them; `path` is
        the file of answers."""
        if not self.reasons:
            return
        found = self.explanation
        known = found is not None and found.reproduced
        stages = f" At fault: {', '.join(fault.stage for fault in found.faults)}." if found and known else ""
        hint = "Do there what the contract says: docs/faults.md." if known else "docs/faults.md says what was tried."
        raise CheckFailedError(f"{path}: {'; '.join(self.reasons)}.{stages}", hint)


def check_answers(
    model: tuple[Classifier, Consumer],
    file: Path,
    dataset: Dataset,
    asked: ValidateSection,
    workers: int = 1,
    progress: Progress = silent,
) -> OnnxAnswersResult:
    """clf answers for the images of `file` as a consumer of the ONNX file does. `model`: the file as both open it.

    Images of every split may be answered for. Raises UsageError (exit 2) and DataError (exit 3) like `read_answers`.
    """
    onnx, consumer = model
    given = read_answers(file, consumer.labels, dataset.root, dataset.samples)
    by_path = {sample.path: sample for sample in dataset.samples}
    samples = [by_path[path] for path in given.paths]
    ours = consumer_answers(consumer, dataset.root, samples, workers=workers, progress=progress)
    gates = gates_of(asked, onnx.precision)
    tolerance = asked.tolerance if asked.tolerance is not None else TOLERANCES[onnx.precision]["others"]
    matcher = Matcher(given, consumer.labels, onnx.temperature, gates.min_agreement, tolerance)
    result = _compared(onnx, dataset, ours, matcher)
    if result.passed:
        return result
    with progress("Trying the known ways to be wrong", None):
        inquiry = _inquiry(consumer, dataset.root, matcher, ours.logits, workers)
        return replace(result, explanation=explain_answers(inquiry))


def _compared(onnx: Classifier, dataset: Dataset, ours: Predictions, matcher: Matcher) -> OnnxAnswersResult:
    given, found = matcher.given, matcher.usual(ours.logits).distance
    answered = given.labels >= 0
    return OnnxAnswersResult(
        model=onnx.ref,
        data=replace(dataset.ref("all"), split="all", images=len(given)),
        file=given.file.name,
        told=given.told,
        images=len(given),
        failed=given.failed,
        abstained=int((~answered).sum()),
        ties=int(ties(ours.logits).sum()),
        agreement=found.agreement,
        difference=None if given.told == "labels" else found.difference,
        clf_accuracy=float(ours.correct[answered].mean()) if answered.any() else None,
        accuracy=float((given.labels == ours.targets)[answered].mean()) if answered.any() else None,
        min_agreement=matcher.min_agreement,
        tolerance=matcher.tolerance,
        others=_others(ours, given),
        reasons=_reasons(matcher, found, given),
        findings=onnx.findings,
    )


def _reasons(matcher: Matcher, found: Distance, given: GivenAnswers) -> tuple[str, ...]:
    reasons = []
    if found.agreement < matcher.min_agreement:
        reasons.append(f"{1 - found.agreement:.1%} of its answers are another class than clf's, ties aside")
    if not found.relative <= matcher.tolerance:
        what = "relative to the largest logit " if given.told == "logits" else ""
        reasons.append(
            f"its {given.told} differ by up to {found.relative:.2g} {what}from clf's, more than {matcher.tolerance:g}"
        )
    return tuple(reasons)


def _inquiry(consumer: Consumer, root: Path, matcher: Matcher, logits: FloatArray, workers: int) -> Inquiry:
    """Those images first that differ most."""
    given = matcher.given
    count = _IMAGES_FOR_LABELS if given.told == "labels" else IMAGES
    flips = (logits.argmax(axis=1) != given.labels) & (given.labels >= 0)
    apart = matcher.apart(logits)
    chosen = np.array(differing_first(flips + apart / max(1e-12, float(apart.max())), min(count, len(given))))
    few = replace(
        given,
        paths=tuple(given.paths[one] for one in chosen),
        labels=given.labels[chosen],
        values=given.values[chosen],
    )
    pictures = Pictures(tuple(root / path for path in few.paths), workers)
    return Inquiry(consumer, pictures, replace(matcher, given=few))


def _others(ours: Predictions, given: GivenAnswers) -> tuple[OtherAnswer, ...]:
    names, tied = ours.labels.names, ties(ours.logits)
    return tuple(
        OtherAnswer(
            path, names[ours.targets[one]], names[ours.predicted[one]], names[given.labels[one]], bool(tied[one])
        )
        for one, path in enumerate(given.paths)
        if given.labels[one] >= 0 and given.labels[one] != ours.predicted[one]
    )
