"""Sentences on what a check of an ONNX file found beyond its gates; none where all is well."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clf_cli.engine.onnx_check_result import Check, GoldenParity, OnnxCheckResult, ScoreCheck
from clf_cli.engine.onnx_golden import Golden
from clf_cli.engine.onnx_parity import BatchParity, ImagesParity, Parity
from clf_cli.engine.onnx_provider import Placement
from clf_cli.models.classifier import Classifier
from clf_cli.values.onnx_gates import Gates
from clf_cli.values.preprocess import Preprocess

INPUT_TOLERANCE = 1e-4  # of a normalised value; one step of a pixel is 0.004 or more


def decided(
    result: OnnxCheckResult, first: Sequence[Check], refused: Sequence[tuple[int, str]] = ()
) -> OnnxCheckResult:
    """The result with its checks and reasons; `first` are those of before the comparisons, `refused` the batch sizes
    that the file cannot answer for, and why."""
    placement, gates, golden, images, score = result.placement, result.gates, result.golden, result.images, result.score
    checks = [*first]
    if placement is not None:
        checks.insert(1, Check("provider", tuple(_provider_reasons(placement))))
    if golden is not None:
        checks[-1] = Check("preprocessing", (*checks[-1].reasons, *_golden_input_reasons(golden)))
    after = []
    if images is not None:
        after.append(Check("images", tuple(_image_reasons(images, gates))))
        after.append(Check("accuracy", tuple(_accuracy_reasons(images, gates))))
    if golden is not None:
        for what, found in (("tensors", golden.from_tensors), ("images", golden.from_images)):
            after.append(Check(f"golden {what}", tuple(_golden_reasons(what, found, golden.tolerance))))
    if score is not None:
        after.append(Check("score", tuple(_score_reasons(score))))
    unanswered = [
        Check(f"batch size {size}", (f"it cannot answer for a batch of {size}: {why}",)) for size, why in refused
    ]
    each = [Check(f"batch size {one.size}", tuple(_batch_reasons([one], gates))) for one in result.batches]
    reasons = (*_told(checks), *_refused_reasons(refused), *_batch_reasons(result.batches, gates), *_told(after))
    return replace(result, checks=(*checks, *unanswered, *each, *after), reasons=reasons)


def misfits(onnx: Classifier, reference: Classifier | None, golden: Golden | None) -> list[str]:
    """Differences that leave no logits to compare."""
    others = []
    if reference is not None:
        others.append(("checkpoint", reference.labels, (reference.preprocess.height, reference.preprocess.width)))
    if golden is not None:
        height, width = golden.inputs.shape[2:] if golden.inputs.shape[1] == 3 else golden.inputs.shape[1:3]
        others.append(("golden samples", golden.labels, (height, width)))
    reasons, size = [], (onnx.preprocess.height, onnx.preprocess.width)
    for name, labels, theirs in others:
        odd = sorted(set(labels) ^ set(onnx.labels))
        if odd:
            shown = ", ".join(repr(label) for label in odd[:5])
            reasons.append(f"its labels differ from those of the {name}: {shown}{' ...' if len(odd) > 5 else ''}")
        if theirs != size:
            reasons.append(f"its input is {size[0]} x {size[1]}, that of the {name} {theirs[0]} x {theirs[1]}")
    takes = "uint8" if onnx.preprocess.normalized_in_graph else "float32"
    if golden is not None and golden.inputs.dtype != takes:
        reasons.append(f"it takes {takes}, its golden samples are {golden.inputs.dtype}")
    return reasons


def preprocess_reasons(onnx: Preprocess, reference: Preprocess) -> list[str]:
    ours, theirs = onnx.to_json(), reference.to_json()
    return [
        f"its contract says {key} {ours[key]}, the checkpoint {theirs[key]}" for key in ours if ours[key] != theirs[key]
    ]


def _golden_input_reasons(golden: GoldenParity) -> list[str]:
    if golden.input_difference <= INPUT_TOLERANCE:
        return []
    worst = _number(golden.input_difference)
    return [f"its contract makes another input of the golden images: values differ by up to {worst}"]


def _provider_reasons(placement: Placement) -> list[str]:
    """Why the provider that was asked for is not the one that computes."""
    asked = placement.provider.official
    if placement.problem is not None:
        return [f"{asked} cannot be used: {placement.problem.rstrip('.')}"]
    ran = ", ".join(f"{name} {count}" for name, count in placement.nodes)
    if asked not in dict(placement.nodes):
        return [f"{asked} ran no node (nodes: {ran})"]
    if placement.arithmetic_elsewhere:
        names = ", ".join(f"{count} {name}" for name, count in placement.arithmetic_elsewhere)
        return [f"{asked} left arithmetic to others: {names} (nodes: {ran})"]
    return []


def _refused_reasons(refused: Sequence[tuple[int, str]]) -> list[str]:
    """In one line: what ONNX Runtime says of each size differs in numbers alone."""
    sizes = ", ".join(str(size) for size, _ in refused)
    return [f"it cannot answer for a batch of {sizes}: {refused[0][1]}"] if refused else []


def _batch_reasons(batches: Sequence[BatchParity], gates: Gates) -> list[str]:
    """Within the tolerance; where none is applied, with as few flips as the least agreement lets through."""
    bad = [found for found in batches if not _batch_passes(found.parity, gates)]
    if not bad:
        return []
    sizes, worst = (
        ", ".join(str(one.size) for one in bad),
        float(np.max([one.parity.relative_difference for one in bad])),
    )
    if gates.tolerance is None and not np.isnan(worst):
        flips = max(one.parity.flips / one.parity.images for one in bad)
        return [f"at batch size {sizes} up to {flips:.0%} of the images get another class"]
    return [f"at batch size {sizes} the logits differ by up to {_number(worst)}{_more_than(gates.tolerance)}"]


def _image_reasons(images: ImagesParity, gates: Gates) -> list[str]:
    found, reasons = images.parity, []
    if not found.within(gates.tolerance):
        worst = _number(found.relative_difference)
        reasons.append(f"on the images the logits differ by up to {worst}{_more_than(gates.tolerance)}")
    if found.agreement < gates.min_agreement:
        reasons.append(
            f"{found.flips} of {found.images} images get another class (agreement {found.agreement:.4f}, "
            f"wanted {gates.min_agreement:g})"
        )
    return reasons


def _accuracy_reasons(images: ImagesParity, gates: Gates) -> list[str]:
    if images.accuracy_drop > gates.max_accuracy_drop:
        return [f"accuracy falls by {images.accuracy_drop:.4f}, more than {gates.max_accuracy_drop:g}"]
    return []


def _golden_reasons(what: str, found: Parity, tolerance: float) -> list[str]:
    if found.within(tolerance):
        return []
    worst = _number(found.relative_difference)
    return [f"from the golden {what} the logits differ by up to {worst}{_more_than(tolerance)}"]


def _score_reasons(score: ScoreCheck) -> list[str]:
    if abs(score.stored - score.now) <= score.allowed:
        return []
    return [f"{score.metric} is {score.now:.4f}, its contract says {score.stored:.4f}"]


def _told(checks: Sequence[Check]) -> list[str]:
    return [reason for check in checks for reason in check.reasons]


def _number(value: float) -> str:
    return "not a number" if np.isnan(value) else f"{value:.2g}"


def _batch_passes(found: Parity, gates: Gates) -> bool:
    if gates.tolerance is not None or not found.within(None):
        return found.within(gates.tolerance)
    decided = found.images - found.ties
    return found.flips <= decided - math.floor(gates.min_agreement * decided)


def _more_than(tolerance: float | None) -> str:
    return "" if tolerance is None else f", more than {tolerance:g}"
