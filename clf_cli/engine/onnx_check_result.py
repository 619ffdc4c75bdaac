"""What a check of an ONNX file found: differences by kind, and why the answer is no."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from clf_cli.engine.onnx_graph import GraphFacts
from clf_cli.engine.onnx_parity import ImagesParity, Parity
from clf_cli.errors import CheckFailedError
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.report import DataRef, ModelRef, Report

if TYPE_CHECKING:
    from clf_cli.engine.onnx_fault import Fault

ComparedWith = Literal["checkpoint", "golden samples", "score"]


@dataclass(frozen=True)
class GoldenParity:
    """Against the golden logits: from the stored tensors, and from the stored images through the contract."""

    from_tensors: Parity
    from_images: Parity


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
    """`reasons` says why the answer is no; an empty one is yes."""

    kind: ClassVar[str] = "onnx_check"

    model: ModelRef
    compared_with: tuple[ComparedWith, ...]
    graph: GraphFacts
    batches: tuple[tuple[int, Parity], ...]  # batch size, difference from the reference, the golden logits or batch 1
    gates: ValidateSection
    images: ImagesParity | None = None
    golden: GoldenParity | None = None
    score: ScoreCheck | None = None
    accuracy: float | None = None  # of the ONNX file on the data, when there are data
    reference: ModelRef | None = None  # the checkpoint
    reasons: tuple[str, ...] = ()
    data: DataRef | None = None  # of `images`
    faults: "tuple[Fault, ...]" = ()  # stages that explain a no
    findings: tuple[dict[str, Any], ...] = ()  # of the model

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
            "compared_with": list(self.compared_with),
            "reference": self.reference and asdict(self.reference),
            "gates": self.gates.model_dump(),
            "graph": self.graph.to_json(),
            "batches": [{"size": size, **found.to_json()} for size, found in self.batches],
            "images": self.images and self.images.to_json(),
            "accuracy": self.accuracy,
            "golden": self.golden and asdict(self.golden),
            "score": self.score and asdict(self.score),
            "faults": [fault.to_json() for fault in self.faults],
        }

    def raise_if_failed(self, path: Path) -> None:
        """Raises CheckFailedError (exit 1) with the reasons; `path` is the ONNX file."""
        if self.reasons:
            hint = "If it was exported from another checkpoint, name that one with --against CHECKPOINT."
            raise CheckFailedError(f"{path}: {'; '.join(self.reasons)}.", hint if self.reference else None)
