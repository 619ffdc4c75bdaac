"""Does the ONNX file answer like the model that it came from? Graph, batch sizes, real images, golden samples."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from clf_cli.engine.metrics import metrics
from clf_cli.engine.onnx_check_reasons import (
    batch_reasons,
    golden_reasons,
    image_reasons,
    preprocess_reasons,
    score_reasons,
)
from clf_cli.engine.onnx_check_result import ComparedWith, GoldenParity, OnnxCheckResult, ScoreCheck
from clf_cli.engine.onnx_golden import Golden
from clf_cli.engine.onnx_graph import graph_facts, graph_problems
from clf_cli.engine.onnx_parity import Parity, images_parity, in_order, parity
from clf_cli.errors import ModelError
from clf_cli.models.classifier import Classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.contract import Score
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import FloatArray, Predictions, ties
from clf_cli.values.preprocess import InputArray, Preprocess, preprocess_image

BATCH_SIZES = (1, 2, 3, 7, 32)


@dataclass(frozen=True)
class Evidence:
    """What the ONNX file is held against; at least one of reference, golden and a comparable score is needed.

    `answers` are the ONNX file's own predictions, through its contract; `expected` the reference's of the same images,
    through the checkpoint's preprocessing. `same_data` says that `answers` are of the images that the score in the
    contract was computed on. `inputs` (N, 3, H, W) are preprocessed real images, where there are any.
    """

    reference: Classifier | None = None
    golden: Golden | None = None
    expected: Predictions | None = None
    answers: Predictions | None = None
    same_data: bool = False
    inputs: FloatArray | None = None


def check_onnx(onnx: Classifier, evidence: Evidence, gates: ValidateSection) -> OnnxCheckResult:
    """Runs every check that the evidence allows on an ONNX file, opened. Never raises for a wrong answer.

    Raises ModelError (exit 4) when there is nothing to hold the file against.
    """
    facts = graph_facts(onnx.path)
    reasons = list(graph_problems(onnx.path, facts, onnx.preprocess, len(onnx.labels)))
    stored = _score_check(onnx.score, evidence, gates)
    compared = _compared_with(evidence, stored)
    if not compared:
        raise ModelError(
            f"There is nothing to compare {onnx.path} with: it lies in no run, and has no golden samples beside it "
            "and no score on these data.",
            "Name the checkpoint that it was exported from: --against CHECKPOINT.",
        )
    ref = evidence.reference.ref if evidence.reference is not None else None
    misfits = [*_misfits(onnx, evidence), *refused_batches(onnx)]
    if misfits:
        return OnnxCheckResult(
            onnx.ref, compared, facts, (), gates, reasons=(*reasons, *misfits), reference=ref, findings=onnx.findings
        )
    if evidence.reference is not None:
        reasons += preprocess_reasons(onnx.preprocess, evidence.reference.preprocess)
    batches = _check_batches(onnx, evidence)
    images = images_parity(evidence.expected, evidence.answers) if evidence.expected and evidence.answers else None
    golden = _golden_parity(onnx, evidence.golden) if evidence.golden else None
    reasons += batch_reasons(batches, gates)
    reasons += image_reasons(images, gates) if images else []
    reasons += golden_reasons(golden, gates) if golden else []
    reasons += score_reasons(stored) if stored else []
    accuracy = float(evidence.answers.correct.mean()) if evidence.answers else None
    found = (images, golden, stored, accuracy, ref, tuple(reasons))
    return OnnxCheckResult(onnx.ref, compared, facts, batches, gates, *found, findings=onnx.findings)


def refused_batches(onnx: Classifier) -> list[str]:
    """A sentence for each batch size that the file cannot answer for at all."""
    reasons = []
    for size in BATCH_SIZES:
        try:
            onnx.logits(noise(onnx.preprocess, size))
        except ModelError as error:
            reasons.append(error.message.rstrip("."))
    return reasons


def noise(preprocess: Preprocess, count: int) -> InputArray:
    """(count, ...) seeded standard normal tensors, what a normalised image looks like to a network, or any pixels."""
    rng, shape = np.random.default_rng(0), (count, *preprocess.input_shape)
    if preprocess.normalized_in_graph:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    return rng.standard_normal(shape, dtype=np.float32)


def _compared_with(evidence: Evidence, score: ScoreCheck | None) -> tuple[ComparedWith, ...]:
    having: tuple[tuple[ComparedWith, object], ...] = (
        ("checkpoint", evidence.reference),
        ("golden samples", evidence.golden),
        ("score", score),
    )
    return tuple(name for name, found in having if found is not None)


def _misfits(onnx: Classifier, evidence: Evidence) -> list[str]:
    """Differences that leave no logits to compare."""
    reference, golden = evidence.reference, evidence.golden
    others: list[tuple[str, Labels, tuple[int, ...]]] = []
    if reference is not None:
        others.append(("checkpoint", reference.labels, (reference.preprocess.height, reference.preprocess.width)))
    if golden is not None:
        others.append(("golden samples", golden.labels, golden.inputs.shape[2:]))
    reasons, size = [], (onnx.preprocess.height, onnx.preprocess.width)
    for name, labels, theirs in others:
        odd = sorted(set(labels) ^ set(onnx.labels))
        if odd:
            shown = ", ".join(repr(label) for label in odd[:5])
            reasons.append(f"its labels differ from those of the {name}: {shown}{' ...' if len(odd) > 5 else ''}")
        if theirs != size:
            reasons.append(f"its input is {size[0]} x {size[1]}, that of the {name} {theirs[0]} x {theirs[1]}")
    return reasons


def _check_batches(onnx: Classifier, evidence: Evidence) -> tuple[tuple[int, Parity], ...]:
    """Each batch size on the same images, cyclically: against the reference, else golden logits, else one by one."""
    golden, reference = evidence.golden, evidence.reference
    if reference is None and golden is not None:
        inputs, wanted, order = golden.inputs, golden.logits, golden.labels
    else:
        real = golden.inputs if evidence.inputs is None and golden is not None else evidence.inputs
        inputs = noise(onnx.preprocess, max(BATCH_SIZES)) if real is None else real[: max(BATCH_SIZES)]
        judge = onnx if reference is None else reference
        wanted, order = np.concatenate([judge.logits(inputs[i : i + 1]) for i in range(len(inputs))]), judge.labels
    found = []
    for size in BATCH_SIZES:
        rows = np.arange(size) % len(inputs)
        found.append((size, parity(wanted[rows], in_order(onnx.logits(inputs[rows]), onnx.labels, order))))
    return tuple(found)


def _golden_parity(onnx: Classifier, golden: Golden) -> GoldenParity:
    again = np.stack([preprocess_image(Image.fromarray(image.pixels), onnx.preprocess) for image in golden.images])
    tensors = in_order(onnx.logits(golden.inputs), onnx.labels, golden.labels)
    images = in_order(onnx.logits(again), onnx.labels, golden.labels)
    return GoldenParity(parity(golden.logits, tensors), parity(golden.logits, images))


def _score_check(score: Score | None, evidence: Evidence, gates: ValidateSection) -> ScoreCheck | None:
    """None where the contract has no score, or not of these images."""
    answers = evidence.answers
    if score is None or score.value is None or answers is None or not evidence.same_data:
        return None
    now = metrics(answers).scalars[score.metric.partition("/")[2]]
    ambiguous = float(ties(answers.logits).mean())
    # a tie moves an accuracy by one image; other metrics are smooth or, like macro F1, weigh a rare class's image more
    allowed = ambiguous + gates.max_accuracy_drop + 1e-6 if "acc" in score.metric else 1e-3 * max(1.0, score.value)
    if "f1" in score.metric:
        allowed += ambiguous * len(answers.labels)
    return ScoreCheck(score.metric, score.split, score.value, now, allowed)
