"""Does the ONNX file answer like the model that it came from? Graph, batch sizes, real images, golden samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from clf_cli.engine.onnx_check_reasons import decided, misfits, preprocess_reasons
from clf_cli.engine.onnx_check_result import Check, ComparedWith, GoldenParity, OnnxCheckResult, ScoreCheck
from clf_cli.engine.onnx_gates import gates_of
from clf_cli.engine.onnx_golden import TOLERANCES, Golden
from clf_cli.engine.onnx_graph import graph_facts, graph_problems
from clf_cli.engine.onnx_parity import BatchParity, ImagesParity, comparable, images_parity, in_order, parity
from clf_cli.engine.onnx_provider import Placement
from clf_cli.engine.onnx_score import slack, value_of
from clf_cli.errors import ModelError
from clf_cli.models.classifier import Classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.contract import Score
from clf_cli.values.labels import Labels
from clf_cli.values.onnx_gates import Gates
from clf_cli.values.predictions import FloatArray, Predictions
from clf_cli.values.preprocess import InputArray, Preprocess, as_input_of, preprocess_image

BATCH_SIZES: tuple[int, ...] = ValidateSection().batch_sizes


@dataclass(frozen=True)
class Evidence:
    """What the ONNX file is held against; at least one of reference, golden and a comparable score is needed.

    `answers` are the ONNX file's own predictions, by a consumer of its contract; `expected` the reference's of the same
    images, through the checkpoint's preprocessing, or without a reference the file's own through clf. `same_data` says
    that `answers` are of the images that the score in the contract was computed on. `inputs` (n, ...) are real images
    as the file takes them, where there are any, and `probed` those of `expected` that are of the same images: each
    batch size then answers for all of them. `golden_inputs` (N, ...) is what a consumer makes of the golden
    images. `refused` are the batch sizes that the file cannot answer for, None where nobody has tried.
    """

    reference: Classifier | None = None
    golden: Golden | None = None
    expected: Predictions | None = None
    answers: Predictions | None = None
    same_data: bool = False
    inputs: InputArray | None = None
    probed: Predictions | None = None
    golden_inputs: InputArray | None = None
    placement: Placement | None = None
    refused: tuple[tuple[int, str], ...] | None = None


def check_onnx(onnx: Classifier, evidence: Evidence, asked: ValidateSection) -> OnnxCheckResult:
    """Runs every check that the evidence allows on an ONNX file, opened. Never raises for a wrong answer.

    Raises ModelError (exit 4) when there is nothing to hold the file against.
    """
    gates, facts, reference = gates_of(asked, onnx.precision), graph_facts(onnx.path), evidence.reference
    sizes = tuple(dict.fromkeys(asked.batch_sizes))
    score = _score_check(onnx.score, evidence, gates)
    odd = tuple(misfits(onnx, reference, evidence.golden))
    refused = refused_batches(onnx, sizes) if evidence.refused is None else evidence.refused
    compared_with = _compared_with(evidence, score)
    if not (compared_with or odd or refused):
        raise _nothing_to_compare(onnx)
    result = OnnxCheckResult(
        model=onnx.ref,
        compared_with=compared_with,
        graph=facts,
        batches=(),
        gates=gates,
        reference=None if reference is None else reference.ref,
        placement=evidence.placement,
        findings=onnx.findings,
    )
    problems = graph_problems(onnx.path, facts, onnx.preprocess, len(onnx.labels))
    first = [Check("graph", problems), Check("labels and size", odd)]
    if odd or refused:
        return decided(result, first, refused)
    if reference is not None or evidence.golden is not None:
        differing = () if reference is None else tuple(preprocess_reasons(onnx.preprocess, reference.preprocess))
        first.append(Check("preprocessing", differing))
    result = replace(
        result,
        batches=_check_batches(onnx, evidence, gates, sizes),
        images=_images_parity(onnx, evidence),
        golden=_golden_parity(onnx, evidence, asked),
        score=score,
        accuracy=float(evidence.answers.correct.mean()) if evidence.answers else None,
    )
    return decided(result, first)


def refused_batches(onnx: Classifier, sizes: Sequence[int] = BATCH_SIZES) -> tuple[tuple[int, str], ...]:
    """Each batch size that the file cannot answer for at all, and why."""
    refused = []
    for size in sizes:
        try:
            onnx.logits(noise(onnx.preprocess, size))
        except ModelError as error:
            refused.append((size, error.message.rstrip(".").rpartition(f"for a batch of {size}: ")[2]))
    return tuple(refused)


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
        ("answers through clf", evidence.expected if evidence.reference is None else None),
    )
    return tuple(name for name, found in having if found is not None)


def _nothing_to_compare(onnx: Classifier) -> ModelError:
    return ModelError(
        f"There is nothing to compare {onnx.path} with: it lies in no run, and has no golden samples beside it.",
        "Name the checkpoint that it was exported from with --against CHECKPOINT, or images with --data.",
    )


def _check_batches(onnx: Classifier, evidence: Evidence, gates: Gates, sizes: Sequence[int]) -> tuple[BatchParity, ...]:
    """Each batch size on the same images: all of them in full batches where they are of the data, else one batch."""
    inputs, wanted, order = _wanted(onnx, evidence, gates, max(sizes))
    found = []
    for size in sizes:
        whole = evidence.probed is not None and len(inputs) > size
        rows = np.arange(len(inputs) // size * size if whole else size) % len(inputs)
        batches = [onnx.logits(inputs[rows[start : start + size]]) for start in range(0, len(rows), size)]
        answers, images = in_order(np.concatenate(batches), onnx.labels, order), None
        if evidence.probed is not None:
            expected = replace(evidence.probed.at(rows), logits=wanted[rows])
            images = images_parity(expected, replace(expected, logits=answers))
        found.append(BatchParity(size, parity(wanted[rows], answers), images))
    return tuple(found)


def _wanted(onnx: Classifier, evidence: Evidence, gates: Gates, largest: int) -> tuple[InputArray, FloatArray, Labels]:
    """Inputs (n, ...), and the answers for them in which order: of the reference, else golden, else one by one."""
    golden, reference, real = evidence.golden, evidence.reference, evidence.inputs
    if evidence.probed is not None and real is not None:
        wanted = evidence.probed.logits
        if reference is not None:
            wanted, _ = comparable(wanted, reference.output, wanted, onnx.output)
        return real, wanted, evidence.probed.labels
    if reference is None and golden is not None:
        return golden.inputs, golden.logits, golden.labels
    if real is None and golden is not None:
        real = golden.inputs
    if real is None and reference is not None and gates.tolerance is None:
        raise ModelError(
            f"{onnx.path} is {onnx.precision}: how near it is to its checkpoint shows on images alone.",
            "Name some with --data.",
        )
    inputs, judge = noise(onnx.preprocess, largest) if real is None else real[:largest], reference or onnx
    taken = as_input_of(inputs, onnx.preprocess, judge.preprocess)
    one_by_one = np.concatenate([judge.logits(taken[i : i + 1]) for i in range(len(taken))])
    return inputs, comparable(one_by_one, judge.output, one_by_one, onnx.output)[0], judge.labels


def _images_parity(onnx: Classifier, evidence: Evidence) -> ImagesParity | None:
    expected, answers, reference = evidence.expected, evidence.answers, evidence.reference
    if expected is None or answers is None:
        return None
    if reference is not None:
        ours, theirs = comparable(expected.logits, reference.output, answers.logits, onnx.output)
        expected, answers = replace(expected, logits=ours), replace(answers, logits=theirs)
    return images_parity(expected, answers)


def _golden_parity(onnx: Classifier, evidence: Evidence, asked: ValidateSection) -> GoldenParity | None:
    golden, again = evidence.golden, evidence.golden_inputs
    if golden is None:
        return None
    if again is None:
        again = np.stack([preprocess_image(Image.fromarray(image.pixels), onnx.preprocess) for image in golden.images])
    tensors = in_order(onnx.logits(golden.inputs), onnx.labels, golden.labels)
    images = in_order(onnx.logits(again), onnx.labels, golden.labels)
    usual = TOLERANCES[golden.precision]["onnxruntime" if asked.provider == "cpu" else "others"]
    return GoldenParity(
        from_tensors=parity(golden.logits, tensors),
        from_images=parity(golden.logits, images),
        input_difference=float(np.abs(golden.inputs.astype(np.float32) - again).max()),
        tolerance=usual if asked.tolerance is None else asked.tolerance,
    )


def _score_check(score: Score | None, evidence: Evidence, gates: Gates) -> ScoreCheck | None:
    """None where the contract has no score, or not of these images."""
    answers = evidence.answers
    if score is None or score.value is None or answers is None or not evidence.same_data:
        return None
    now = value_of(answers, score.metric)
    allowed = slack(answers, score.metric) + gates.max_accuracy_drop * max(1.0, score.value)
    return ScoreCheck(score.metric, score.split, score.value, now, allowed)
