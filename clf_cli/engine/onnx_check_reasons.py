"""Sentences on what a check of an ONNX file found beyond its gates; none where all is well."""

from collections.abc import Sequence

import numpy as np

from clf_cli.engine.onnx_check_result import GoldenParity, ScoreCheck
from clf_cli.engine.onnx_parity import ImagesParity, Parity
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.preprocess import Preprocess


def preprocess_reasons(onnx: Preprocess, reference: Preprocess) -> list[str]:
    ours, theirs = onnx.to_json(), reference.to_json()
    return [
        f"its contract says {key} {ours[key]}, the checkpoint {theirs[key]}" for key in ours if ours[key] != theirs[key]
    ]


def batch_reasons(batches: Sequence[tuple[int, Parity]], gates: ValidateSection) -> list[str]:
    bad = [(size, found) for size, found in batches if not found.within(gates.tolerance)]
    if not bad:
        return []
    sizes, worst = ", ".join(str(size) for size, _ in bad), max(found.relative_difference for _, found in bad)
    return [f"at batch size {sizes} the logits differ by up to {_number(worst)}, more than {gates.tolerance:g}"]


def image_reasons(images: ImagesParity, gates: ValidateSection) -> list[str]:
    found, reasons = images.parity, []
    if not found.within(gates.tolerance):
        worst = _number(found.relative_difference)
        reasons.append(f"on the images the logits differ by up to {worst}, more than {gates.tolerance:g}")
    if found.agreement < gates.min_agreement:
        flips = sum(not flip.tie for flip in images.flips)
        reasons.append(
            f"{flips} of {found.images} images get another class (agreement {found.agreement:.4f}, "
            f"wanted {gates.min_agreement:g})"
        )
    if images.accuracy_drop > gates.max_accuracy_drop:
        reasons.append(f"accuracy falls by {images.accuracy_drop:.4f}, more than {gates.max_accuracy_drop:g}")
    return reasons


def golden_reasons(golden: GoldenParity, gates: ValidateSection) -> list[str]:
    for what, found in (("tensors", golden.from_tensors), ("images", golden.from_images)):
        if not found.within(gates.tolerance):
            worst = _number(found.relative_difference)
            return [f"from the golden {what} the logits differ by up to {worst}, more than {gates.tolerance:g}"]
    return []


def score_reasons(score: ScoreCheck) -> list[str]:
    if abs(score.stored - score.now) <= score.allowed:
        return []
    return [f"{score.metric} is {score.now:.4f}, its contract says {score.stored:.4f}"]


def _number(value: float) -> str:
    return "not a number" if np.isnan(value) else f"{value:.2g}"
