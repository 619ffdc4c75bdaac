"""How far an ONNX file may be from its reference before the answer is no: what was asked for, else by precision."""

from dataclasses import asdict, dataclass
from typing import Any

from clf_cli.settings.onnx_sections import ValidateSection
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


def gates_of(asked: ValidateSection, precision: OnnxPrecision) -> Gates:
    """What was asked for wins; the rest is that of the file's precision."""
    usual = DEFAULTS[precision]
    return Gates(
        usual.tolerance if asked.tolerance is None else asked.tolerance,
        usual.min_agreement if asked.min_agreement is None else asked.min_agreement,
        usual.max_accuracy_drop if asked.max_accuracy_drop is None else asked.max_accuracy_drop,
    )
