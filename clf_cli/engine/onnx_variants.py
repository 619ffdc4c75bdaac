"""Variants of an exported file: half precision, 8-bit integers, probabilities, pixels in; each held against fp32."""

from dataclasses import dataclass
from pathlib import Path

from clf_cli.engine.onnx_metadata import Made
from clf_cli.engine.onnx_plan import ExportPlan
from clf_cli.engine.onnx_rescore import Rescored
from clf_cli.errors import ExportError
from clf_cli.settings.onnx_sections import VariantSection
from clf_cli.values.contract import Contract
from clf_cli.values.progress import Progress, silent


@dataclass(frozen=True)
class Varied:
    """The variant in the draft's place: its contract, how it was made, what it answered, and what to say."""

    contract: Contract
    made: Made
    rescored: Rescored | None
    notes: tuple[str, ...] = ()


def suffix_of(variant: VariantSection) -> str:
    """What the name of a variant's file ends in: `-int8-softmax`; empty for the plain float32 file."""
    parts = (
        "" if variant.precision == "fp32" else f"-{variant.precision}",
        "-softmax" if variant.with_softmax else "",
        "-uint8" if variant.with_preprocess else "",
    )
    return "".join(parts)


def vary(
    model: Path,
    contract: Contract,
    made: Made,
    plan: ExportPlan,
    rescored: Rescored | None,
    progress: Progress = silent,
) -> Varied:
    """Replaces the float32 file `model`, whose answers are `rescored`, by the variant that is asked for.

    Raises ExportError (exit 5) when its answers are not within the gates, DataError (exit 3) where images are needed
    and there are none.
    """
    if suffix_of(plan.variant):
        raise ExportError("Variants are not made yet.")
    return Varied(contract, made, rescored)
