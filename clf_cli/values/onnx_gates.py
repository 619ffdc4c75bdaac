"""How far an ONNX file may be from its reference, by the precision of its arithmetic."""

from dataclasses import asdict, dataclass
from typing import Any

from clf_cli.values.precision import OnnxPrecision


@dataclass(frozen=True)
class Gates:
    """`tolerance` is of logits, relative to max(1, max|logit|); None does not look at them. The others are shares."""

    tolerance: float | None
    min_agreement: float
    max_accuracy_drop: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


DEFAULTS: dict[OnnxPrecision, Gates] = {
    "fp32": Gates(1e-4, 1.0, 0.0),
    "fp16": Gates(None, 0.99, 0.005),
    "int8": Gates(None, 0.95, 0.01),
}
