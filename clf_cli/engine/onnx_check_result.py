"""What a check of an ONNX file found: differences by kind, and why the answer is no."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from clf_cli.engine.onnx_graph import GraphFacts
from clf_cli.engine.onnx_parity import BatchParity, ImagesParity, Parity
from clf_cli.engine.onnx_provider import Placement
from clf_cli.errors import CheckFailedError
from clf_cli.values.onnx_gates import Gates
from clf_cli.values.report import DataRef, ModelRef, Report

if TYPE_CHECKING:
    from clf_cli.engine.onnx_fault import Fault

ComparedWith = Literal["checkpoint", "golden samples", "score", "answers through clf"]
_TOLD_BY_A_PERSON = {"resize kernel", "resize mode", "normalisation", "label order"}
_TOLD = 3  # reasons in an error message; the report has all


@dataclass(frozen=True)
class Check:
    """One question that was asked of the file; no reasons is a yes."""

    name: str
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class GoldenParity:
    """Against the golden logits: from the stored tensors, and from the stored images through the contract.

    `input_difference` is the largest between a stored tensor and the one made of its image, in the tensor's units.
    """

    from_tensors: Parity
    from_images: Parity
    input_difference: float
    tolerance: float


@dataclass(frozen=True)
class ScoreCheck:
    """The score in the contract and what the ONNX file scores now on the same images."""

    metric: str
    split: str
    stored: float
    now: float
    allowed: float  # largest difference that ties and the gate explain


@dataclass(frozen=True)
class OnnxCheckResult:
    """`reasons` says why the answer is no; an empty one is yes. `checks` has the same, question by question."""

    kind: ClassVar[str] = "onnx_check"

    model: ModelRef
    compared_with: tuple[ComparedWith, ...]
    graph: GraphFacts
    batches: tuple[BatchParity, ...]  # differences from the reference, the golden logits or batch 1
    gates: Gates
    images: ImagesParity | None = None
    golden: GoldenParity | None = None
    score: ScoreCheck | None = None
    accuracy: float | None = None  # of the ONNX file on the data, when there are data
    reference: ModelRef | None = None  # the checkpoint
    reasons: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    placement: Placement | None = None
    data: DataRef | None = None  # of `images`
    findings: tuple[dict[str, Any], ...] = ()  # of the model
    faults: "tuple[Fault, ...]" = ()  # stages that explain a no

    @property
    def report(self) -> Report:
        return Report(self, self.model, self.data, self.findings)

    @property
    def passed(self) -> bool:
        return not self.reasons

    def to_result(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "checks": [{"name": one.name, "passed": one.passed, "reasons": list(one.reasons)} for one in self.checks],
            "faults": [fault.to_json() for fault in self.faults],
            "compared_with": list(self.compared_with),
            "reference": self.reference and asdict(self.reference),
            "gates": self.gates.to_json(),
            "graph": self.graph.to_json(),
            "provider": self.placement and self.placement.to_json(),
            "batches": [found.to_json() for found in self.batches],
            "images": self.images and self.images.to_json(),
            "accuracy": self.accuracy,
            "golden": self.golden and asdict(self.golden),
            "score": self.score and asdict(self.score),
        }

    def raise_if_failed(self, path: Path) -> None:
        """Raises CheckFailedError (exit 1) with the first reasons and the next step; `path` is the ONNX file."""
        if not self.reasons:
            return
        more = len(self.reasons) - _TOLD
        told = "; ".join(self.reasons[:_TOLD]) + (f"; and {more} more (--json has all)" if more > 0 else "")
        stages = f" At fault: {', '.join(fault.stage for fault in self.faults)}." if self.faults else ""
        raise CheckFailedError(f"{path}: {told}.{stages}", self._next_step)

    @property
    def _next_step(self) -> str:
        failed = {check.name for check in self.checks if not check.passed}
        if failed == {"provider"}:
            return "The answers agree. Look for its device and libraries, or ask for another with --provider."
        if "graph" in failed:
            return "`clf export` of its checkpoint writes a file with a free batch, which passes the ONNX checker."
        if failed <= {"golden tensors", "golden images"} and self.images is not None:
            return "The golden samples are of another file: `clf export` writes the file and its samples together."
        return self._remedy

    @property
    def _remedy(self) -> str:
        stages = {fault.stage for fault in self.faults}
        if stages and any(one["category"] == "contract" for one in self.findings):  # told by --labels and --preprocess
            files = dict.fromkeys("--labels" if f.stage == "label order" else "--preprocess" for f in self.faults)
            if stages <= _TOLD_BY_A_PERSON:
                return f"Correct the file of {' and of '.join(files)}, or `clf export` the checkpoint."
        if self.reference is not None and (not stages or "weights" in stages):
            return "If it was exported from another checkpoint, name that one with --against CHECKPOINT."
        again = "Do not ship it: export it again with `clf export`"
        return f"{again}." if self.reference else f"{again}, or hold it against its checkpoint with --against."
